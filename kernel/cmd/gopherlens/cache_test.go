package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// cleanEnv keeps what flags set from reaching other tests.
func cleanEnv(t *testing.T) (dir string) {
	dir = t.TempDir()
	t.Setenv(lens.CacheDirEnv, dir)
	for _, name := range []string{cache.EnvMaxMemory, cache.EnvMemoryPolicy, cache.EnvMaxDisk, cache.EnvMaxConversationDisk, cache.EnvCodec, cache.EnvLayers} {
		t.Setenv(name, "")
	}
	return dir
}

// ok runs a command that must succeed and gives its output.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := gopherlens(t, args...)
	if code != exitOK {
		t.Fatalf("%v: status %d, %s", args, code, errs)
	}
	return out
}

func decode[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

const aPrompt = "The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is Madrid."

func TestCacheCommands(t *testing.T) {
	dir := cleanEnv(t)
	ok(t, "lens", "--prompt", aPrompt)
	ok(t, "lens", "--prompt", "A short one", "--codec", "compact", "--layers", "0,-1", "--memory-policy", "lru")
	list := decode[[]listed](t, ok(t, "cache", "list", "--json"))
	if len(list) != 2 || list[0].Codec != "compact" || len(list[0].Layers) != 2 || list[1].Codec != "f16" || list[1].Tokens < 16 {
		t.Fatalf("%+v", list)
	}
	id := list[1].ID
	if text := ok(t, "cache", "list"); !strings.Contains(text, id) {
		t.Errorf("list %q", text)
	}
	if st := decode[cache.Status](t, ok(t, "cache", "status", "--json")); st.Conversations != 2 || st.Tokens != list[0].Tokens+list[1].Tokens || st.Disk.Blocks == 0 || st.Dir != dir || st.Policy != "lru" {
		t.Errorf("%+v", st)
	}
	if text := ok(t, "cache", "status", "--metrics"); !strings.Contains(text, "\ngopherlens_cache_conversations 2\n") {
		t.Errorf("metrics %q", text)
	}
	est := decode[cache.Estimate](t, ok(t, "cache", "estimate", "--tokens", "1000", "--codec", "f16", "--layers", "0", "--json"))
	all := decode[cache.Estimate](t, ok(t, "cache", "estimate", "--tokens", "1000", "--layers", "0,1,2,-1", "--json"))
	if est.Rows <= 0 || all.Rows <= est.Rows {
		t.Errorf("one layer takes %+v, more %+v", est, all)
	}

	out := filepath.Join(t.TempDir(), "out")
	res := decode[cache.ExportResult](t, ok(t, "cache", "export", id, out, "--json"))
	if _, err := os.Stat(filepath.Join(out, "rows/zarr.json")); err != nil || res.Tokens != list[1].Tokens || res.Missing != 0 || res.Type != "float16" {
		t.Errorf("%+v, %v", res, err)
	}

	// A damaged block is found, put aside and computed again.
	blocks, err := filepath.Glob(filepath.Join(dir, "blocks/*/*"))
	if err != nil || len(blocks) == 0 {
		t.Fatal(blocks, err)
	}
	good, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := append([]byte(nil), good...)
	bad[len(bad)/2] ^= 1
	if err := os.WriteFile(blocks[0], bad, 0o600); err != nil {
		t.Fatal(err)
	}
	code, text, errs := gopherlens(t, "cache", "check", "--json")
	report := decode[checkReport](t, text)
	if code != exitFailed || report.Problems != 1 || len(report.List) != 1 || report.List[0].Offset == 0 || !strings.Contains(errs, "--repair") {
		t.Errorf("status %d, %+v, %s", code, report, errs)
	}
	if text := ok(t, "cache", "check", "--repair", "--model", "teach"); !strings.Contains(text, "1 found") || !strings.Contains(text, "0 blocks still missing") || !strings.Contains(text, "no problems") {
		t.Errorf("repair says %q", text)
	}
	if again, err := os.ReadFile(blocks[0]); err != nil || string(again) != string(good) {
		t.Errorf("the block was not computed again: %v", err)
	}

	rm := decode[struct {
		Removed []string
		Blocks  int
	}](t, ok(t, "cache", "rm", id, "--purge", "--json"))
	if len(rm.Removed) != 1 || rm.Blocks != len(blocks) {
		t.Errorf("%+v", rm)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "blocks/*/*")); len(left) != 0 {
		t.Errorf("%d blocks left", len(left))
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, "quarantine/*")); len(aside) != 0 {
		t.Errorf("left in quarantine: %v", aside)
	}
	ok(t, "cache", "rm", list[0].ID)
	gc := decode[cache.SweepResult](t, ok(t, "cache", "gc", "--grace", "1ns", "--json"))
	if gc.Blocks != 0 {
		t.Errorf("%+v", gc)
	}
	for _, args := range [][]string{{"cache", "rm", "nobody"}, {"cache", "export", "../../etc", out + "2"}, {"cache", "gc", "--grace", "-1s"},
		{"cache", "check", "--model", "teach"}, {"cache", "status", "--codec", "zip"}, {"cache", "status", "--max-disk", "lots"}} {
		cleanEnv(t)
		if code, _, errs := gopherlens(t, args...); code != exitUsage || strings.Count(errs, "\n") != 1 {
			t.Errorf("%v: status %d, %q", args, code, errs)
		}
	}
}
