package test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/truxeio/caddy-truxe/test/rig"
)

// runScript runs a story of the command line, testdata/stories/name.txtar, beside a gateway of its own. Of the
// archive's files, gateway/sites and gateway/options are the gateway's configuration; $WORK in them is the folder of
// the story. Beside the commands of testscript there are:
//
//	truxe [code] args…                   run caddy truxe args…, which must end with the exit code, by default 0
//	gateway stop|start                   stop the gateway, or start it again
//	signin browser user password-file    sign in on the login page of app.test in a browser of this name
//	login status user password-file      sign in at the API of app.test, which must answer with the status
//	get browser path status              ask for a path of app.test
//	json file [count]                    the file (or stdout) is JSON, and a list of so many items
//	jsonl file count                     the file (or stdout) is so many lines of JSON
func runScript(t *testing.T, name string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files:              []string{filepath.Join("testdata", "stories", name+".txtar")},
		RequireUniqueNames: true,
		Setup:              setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"truxe":   scriptTruxe,
			"gateway": scriptGateway,
			"signin":  scriptSignIn,
			"login":   scriptLogin,
			"get":     scriptGet,
			"json":    scriptJSON,
			"jsonl":   scriptJSONLines,
		},
	})
}

// scripted is the gateway of a script and its browsers by name.
type scripted struct {
	*story
	browsers map[string]*visitor
}

type scriptedKey struct{}

func setUpScript(env *testscript.Env) error {
	t := env.T().(testing.TB) // what testscript.Run passes on is one
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(env.WorkDir, "gateway", name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(raw), "$WORK", env.WorkDir)
	}
	s := tell(t, plot{options: read("options"), sites: read("sites")})
	env.Values[scriptedKey{}] = &scripted{s, map[string]*visitor{}}
	env.Vars = append(env.Vars, s.g.Env()...)
	return nil
}

func storyOf(ts *testscript.TestScript) *scripted { return ts.Value(scriptedKey{}).(*scripted) }

func scriptTruxe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("name the exit code: truxe 1 …")
	}
	want := 0
	if len(args) > 0 {
		if code, err := strconv.Atoi(args[0]); err == nil {
			want, args = code, args[1:]
		}
	}
	s := storyOf(ts)
	if !slices.Contains(args, "--config") {
		args = append(slices.Clone(args), "--config", filepath.Join(s.g.Dir, "Caddyfile"))
	}
	err := ts.Exec(rig.Build(s.t), append([]string{"truxe"}, args...)...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptGateway(ts *testscript.TestScript, _ bool, args []string) {
	switch s := storyOf(ts); strings.Join(args, " ") {
	case "stop":
		s.g.Stop()
	case "start":
		s.g.Start()
	default:
		ts.Fatalf("usage: gateway stop|start")
	}
}

func scriptSignIn(ts *testscript.TestScript, _ bool, args []string) {
	needs(ts, "signin browser user password-file", args, 3)
	s := storyOf(ts)
	s.browsers[args[0]] = s.browser("app.test")
	s.browsers[args[0]].signIn(args[1], firstLineOf(ts, args[2])).want(200)
}

func scriptLogin(ts *testscript.TestScript, _ bool, args []string) {
	needs(ts, "login status user password-file", args, 3)
	status, err := strconv.Atoi(args[0])
	ts.Check(err)
	storyOf(ts).bare("app.test").api("POST", "login", map[string]string{"username": args[1],
		"password": firstLineOf(ts, args[2])}).want(status)
}

func scriptGet(ts *testscript.TestScript, _ bool, args []string) {
	needs(ts, "get browser path status", args, 3)
	status, err := strconv.Atoi(args[2])
	ts.Check(err)
	v := storyOf(ts).browsers[args[0]]
	if v == nil {
		ts.Fatalf("no browser %s has signed in", args[0])
	}
	v.get(args[1], program).want(status)
}

func scriptJSON(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	ts.Check(json.Unmarshal([]byte(text), new(any)))
	if len(args) == 1 {
		return
	}
	var page struct {
		Items []any `json:"items"`
	}
	ts.Check(json.Unmarshal([]byte(text), &page))
	if args[1] != strconv.Itoa(len(page.Items)) {
		ts.Fatalf("%d items, want %s", len(page.Items), args[1])
	}
}

func scriptJSONLines(ts *testscript.TestScript, _ bool, args []string) {
	needs(ts, "jsonl file count", args, 2)
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	for _, l := range lines {
		ts.Check(json.Unmarshal([]byte(l), new(any)))
	}
	if args[1] != strconv.Itoa(len(lines)) {
		ts.Fatalf("%d lines, want %s", len(lines), args[1])
	}
}

func needs(ts *testscript.TestScript, usage string, args []string, n int) {
	if len(args) != n {
		ts.Fatalf("usage: %s", usage)
	}
}

func firstLineOf(ts *testscript.TestScript, file string) string {
	line, _, _ := strings.Cut(ts.ReadFile(file), "\n")
	return line
}
