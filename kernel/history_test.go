package kernel_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// sessionOf runs cells in a kernel of their own that keeps its history in dir.
func sessionOf(t *testing.T, dir string, codes ...string) *kerneltest.Server {
	t.Helper()
	s := kerneltest.StartConfig(t, kernel.Config{Connection: kerneltest.TCP(), HistoryDir: dir,
		Evaluator: cells{"a": value("A"), "b": value("B"), "c": value("C"), "d": value(nil)}})
	for _, code := range codes {
		run(t, s.Client, wire.NewExecuteContent(code))
	}
	return s
}

func TestHistoryAcrossSessions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	sessionOf(t, dir, "a", "b", "bad")
	sessionOf(t, dir) // runs nothing and takes no number
	s := sessionOf(t, dir, "c", "a")
	n2, n3, n4 := 2, 3, 4
	check := func(req wire.HistoryContent, want string) {
		t.Helper()
		got, err := s.Client.History(testContext(t), req)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := json.Marshal(got.History); string(b) != want {
			t.Errorf("%+v: %s, want %s", req, b, want)
		}
	}
	check(wire.HistoryContent{HistAccessType: "tail", N: &n4}, `[[1,2,"b"],[1,3,"bad"],[2,1,"c"],[2,2,"a"]]`)
	check(wire.HistoryContent{HistAccessType: "tail", N: &n3, Output: true}, `[[1,3,["bad",null]],[2,1,["c","C"]],[2,2,["a","A"]]]`)
	check(wire.HistoryContent{HistAccessType: "range", Session: 1, Start: 2}, `[[1,2,"b"],[1,3,"bad"]]`)
	check(wire.HistoryContent{HistAccessType: "range", Session: -1, Start: 1, Stop: &n2}, `[[1,1,"a"]]`)
	check(wire.HistoryContent{HistAccessType: "range", Start: 1, Stop: &n2}, `[[2,1,"c"]]`)
	check(wire.HistoryContent{HistAccessType: "range", Session: -7}, `[]`)
	check(wire.HistoryContent{HistAccessType: "search", Pattern: "a*"}, `[[1,1,"a"],[2,2,"a"]]`)
	check(wire.HistoryContent{HistAccessType: "search", Pattern: "a*", Unique: true}, `[[2,2,"a"]]`)
	check(wire.HistoryContent{HistAccessType: "search", Pattern: "*", N: &n2}, `[[2,1,"c"],[2,2,"a"]]`)

	// What a crash or another program left behind does no harm.
	f, err := os.OpenFile(filepath.Join(dir, "1.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(f, "[]\n{\"line\":-1}\n{\"line\":4,\"inp")
	f.Close()
	for _, name := range []string{"x.jsonl", "07.jsonl", "-3.jsonl", "99999999999999999999.jsonl", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("?"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	check(wire.HistoryContent{HistAccessType: "range", Session: 1, Start: 3}, `[[1,3,"bad"]]`)
	if fi, err := os.Stat(filepath.Join(dir, "2.jsonl")); err != nil || fi.Mode().Perm()&0o077 != 0 {
		t.Errorf("the history is open to others: %v, %v", fi, err)
	}
}

// TestHistoryShared: kernels that start together take different numbers.
func TestHistoryShared(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		s := sessionOf(t, dir)
		wg.Go(func() {
			if _, err := s.Client.Execute(testContext(t), "a", nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if names, err := filepath.Glob(filepath.Join(dir, "*.jsonl")); err != nil || len(names) != 8 {
		t.Errorf("%v, %v", names, err)
	}
}

// TestHistoryUnusable: without a place for it the history is this session's.
func TestHistoryUnusable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := kerneltest.StartConfig(t, kernel.Config{Connection: kerneltest.TCP(), HistoryDir: file,
		Log: slog.New(slog.NewTextHandler(&log, nil)), Evaluator: cells{"a": value(1)}})
	run(t, s.Client, wire.NewExecuteContent("a"))
	got, err := s.Client.History(testContext(t), wire.HistoryContent{HistAccessType: "tail"})
	if err != nil || len(got.History) != 1 || !bytes.Contains(log.Bytes(), []byte("memory alone")) {
		t.Errorf("%v, %v, log %s", got.History, err, log.Bytes())
	}
}
