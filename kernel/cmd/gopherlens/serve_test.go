package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A server prints where it is, answers there, and ends with its context.
func TestServe(t *testing.T) {
	t.Setenv("GOPHERLENS_CACHE_DIR", t.TempDir())
	for _, token := range []string{"", "secret"} {
		ctx, cancel := context.WithCancel(context.Background())
		out, w := io.Pipe()
		var stderr bytes.Buffer
		ended := make(chan int, 1)
		go func() {
			args := []string{"serve", "--addr", "127.0.0.1:0"}
			if token != "" {
				args = append(args, "--token", token)
			}
			code := run(ctx, args, w, &stderr)
			w.Close()
			ended <- code
		}()
		lines := bufio.NewScanner(out)
		address := ""
		for lines.Scan() && address == "" {
			if strings.HasPrefix(lines.Text(), "http://") {
				address = lines.Text()
			}
		}
		go io.Copy(io.Discard, out)
		if strings.HasSuffix(address, "?token=secret") != (token != "") {
			t.Errorf("the address is %q", address)
		}
		base, _, _ := strings.Cut(address, "?")
		for path, want := range map[string]int{"": 200, "main.js": 200, "healthz": 200, "api/models": 200, "nothing": 404} {
			req, err := http.NewRequest("GET", base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != want {
				t.Errorf("%s: %s, want %d", path, resp.Status, want)
			}
		}
		cancel()
		if code := <-ended; code != exitOK || stderr.Len() > 0 {
			t.Errorf("exit status %d: %s", code, &stderr)
		}
	}
}

func TestServeBadArguments(t *testing.T) {
	t.Setenv("GOPHERLENS_CACHE_DIR", t.TempDir())
	for want, args := range map[string][]string{
		"no model":      {"--model", "nowhere"},
		"listen":        {"--addr", "256.0.0.1:0"},
		"at least 1":    {"--runs", "0"},
		"two models":    {"--addr", "127.0.0.1:0", "--model", "teach", "--model", "teach"},
		"--weights":     {"--weights", "int3"},
		"path is empty": {"--translators", ""},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(context.Background(), append([]string{"serve"}, args...), &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: status %d: %s", args, code, &stderr)
		}
	}
}
