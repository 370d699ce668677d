package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"time"
)

// CLI runs `caddy truxe args…` beside the gateway, with its environment, folder and Caddyfile (--config is added unless
// given), without standard input.
func (g *Caddy) CLI(args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	return g.CLIWithInput("", args...)
}

// CLIWithInput is CLI with text on standard input.
func (g *Caddy) CLIWithInput(input string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	words := append([]string{"truxe"}, args...)
	if !strings.Contains(strings.Join(args, " "), "--config") {
		words = append(words, "--config", g.file)
	}
	return g.runWithInput(input, words...)
}

// Run runs `caddy args…` beside the gateway, with its environment and folder.
func (g *Caddy) Run(args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	return g.runWithInput("", args...)
}

func (g *Caddy) runWithInput(input string, args ...string) (stdout, stderr string, code int) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, g.bin, args...)
	cmd.Dir, cmd.Env = g.Dir, g.env
	cmd.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		g.t.Fatalf("caddy %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Admin calls Caddy's admin endpoint; nil sends no body. A call that fails fails the test.
func (g *Caddy) Admin(method, path string, body any) (status int, answer []byte) {
	g.t.Helper()
	status, answer, err := g.admin(method, path, body)
	if err != nil {
		g.t.Fatalf("admin %s %s: %v", method, path, err)
	}
	return status, answer
}

func (g *Caddy) admin(method, path string, body any) (int, []byte, error) {
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://"+g.AdminAddr()+path, payload)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return send(req)
}

// send sends one request to the admin endpoint.
func send(req *http.Request) (int, []byte, error) {
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}
