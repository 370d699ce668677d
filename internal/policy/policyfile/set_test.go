package policyfile

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Rules of one file may name roles and networks of another; where no file defines roles, any name is one.
func TestFilesAreOneSet(t *testing.T) {
	rules := Source{Name: "p/a.yaml",
		Text: []byte("rules: [{id: a, effect: allow, to: {role: editor}, networks: [office, 192.168.0.7]}]\n")}
	defs := Source{Name: "p/b.yaml", Text: []byte("roles: {editor: }\nnetworks: {office: [10.0.0.0/8]}\n")}
	doc, err := Parse([]Source{defs, rules})
	if err != nil {
		t.Fatal(err)
	}
	if got := doc.Rules[0].From; len(got) != 2 || got[1] != netip.MustParsePrefix("192.168.0.7/32") {
		t.Errorf("networks %v", got)
	}
	again, err := Parse([]Source{rules, defs, {Name: "p/a_test.yaml", Text: []byte("not looked at: [")}})
	if err != nil || again.Digest != doc.Digest || len(doc.Digest) != 64 {
		t.Errorf("the digest depends on the order or on tests: %v", err)
	}
	for _, other := range [][]Source{
		{rules, {Name: "p/c.yaml", Text: defs.Text}},
		{rules, {Name: "p/b.yaml", Text: append([]byte("#"), defs.Text...)}},
	} {
		if d, err := parse(other, nil); err == nil && d.Digest == doc.Digest {
			t.Error("two sets have one digest")
		}
	}
	if free, err := Parse(one("rules: [{id: a, effect: allow, to: {role: whoever}}]\n")); err != nil ||
		free.Roles.Defined() {
		t.Errorf("without roles any name is one: %v", err)
	}
	if _, err := Parse([]Source{defs, rules, {Name: "q/a.yaml", Text: nil}}); err == nil {
		t.Error("two files of one name are taken")
	}
}

func TestASiteTakesTheRulesOfItsFiles(t *testing.T) {
	doc, err := Parse([]Source{
		{Name: "p/orders.yaml", Text: []byte("rules: [{id: a, effect: deny}, {id: b, effect: deny}]\n")},
		{Name: "p/wiki.yaml", Text: []byte("rules: [{id: c, effect: deny}]\n")},
		{Name: "p/roles.yaml", Text: []byte("# nothing yet\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for names, want := range map[string]string{"": "a b c", "wiki": "c", "orders": "a b", "wiki orders": "a b c",
		"roles": ""} {
		rules, err := doc.RulesFor(strings.Fields(names))
		var ids []string
		for _, r := range rules {
			ids = append(ids, r.ID)
		}
		if err != nil || strings.Join(ids, " ") != want {
			t.Errorf("%q: %v, %v, want %s", names, ids, err, want)
		}
	}
	for name, want := range map[string]string{"oders": `there is no policy "oders"; did you mean "orders"?`,
		"wiki.yaml": `did you mean "wiki"?`, "zzz": `there are orders, roles, wiki`} {
		if _, err := doc.RulesFor([]string{name}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

// Configuration is mounted as links, editors leave files about, and nothing in a folder may be passed over in silence
// that was meant to close a door.
func TestOnlyPolicyFilesOfAFolderAreRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readDir(dir); err == nil || !strings.Contains(err.Error(), "has no policy file") {
		t.Errorf("an empty folder: %v", err)
	}
	write("a_test.yaml", "tests: []\n")
	if _, err := readDir(dir); err == nil {
		t.Error("a folder with tests alone is a policy")
	}
	write("..data/b.yaml", "rules: [{id: b, effect: deny}]\n")
	write("a.yaml", "rules: [{id: a, effect: deny}]\n")
	write(".hidden.yaml", "a: [")
	write("README.md", "a: [")
	write("schema.json", "{")
	write("sub/c.yaml", "a: [")
	for link, to := range map[string]string{"b.yaml": "..data/b.yaml", ".#a.yaml": "me@host.1"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	sources, err := readDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range sources {
		names = append(names, filepath.Base(s.Name))
	}
	if strings.Join(names, " ") != "a.yaml a_test.yaml b.yaml" || sources[0].Name != filepath.ToSlash(dir)+"/a.yaml" {
		t.Fatalf("%v", names)
	}
	through := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, through); err != nil {
		t.Fatal(err)
	}
	if more, err := readDir(through); err != nil || len(more) != len(sources) {
		t.Errorf("a link to the folder: %v", err)
	}
	for name, c := range map[string]struct {
		make func() error
		want string
	}{
		"d.yaml": {func() error { return os.Mkdir(filepath.Join(dir, "d.yaml"), 0o700) }, "d.yaml: it is no regular file"},
		"e.yaml": {func() error { return os.Symlink("sub", filepath.Join(dir, "e.yaml")) }, "e.yaml: it is no regular file"},
		"f.yaml": {func() error { return os.Symlink("nowhere", filepath.Join(dir, "f.yaml")) }, "f.yaml: cannot read it"},
		"g.yml":  {func() error { return os.WriteFile(filepath.Join(dir, "g.yml"), nil, 0o600) }, "rename it to g.yaml"},
		"h.YAML": {func() error { return os.WriteFile(filepath.Join(dir, "h.YAML"), nil, 0o600) }, "rename it to h.yaml"},
		"i.yaml": {func() error { return os.WriteFile(filepath.Join(dir, "i.yaml"), make([]byte, maxFile+1), 0o600) },
			"larger than 4 MiB"},
	} {
		if err := c.make(); err != nil {
			t.Fatal(err)
		}
		if _, err := readDir(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := readDir(filepath.Join(dir, "none")); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("a folder that is not there: %v", err)
	}
	for i := range maxFiles {
		write("many"+strings.Repeat("x", i%200)+string(rune('a'+i/200))+".yaml", "")
	}
	if _, err := readDir(dir); err == nil || !strings.Contains(err.Error(), "more than 1000 files") {
		t.Errorf("a thousand files more: %v", err)
	}
}

// readDir reads a folder as the gateway does.
func readDir(dir string) ([]Source, error) { return ReadFS(os.DirFS(dir), filepath.ToSlash(dir)) }
