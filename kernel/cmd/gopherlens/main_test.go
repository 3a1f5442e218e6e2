package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// gopherlens runs the command with a cache of the test's own.
func gopherlens(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	if os.Getenv(lens.CacheDirEnv) == "" {
		t.Setenv(lens.CacheDirEnv, t.TempDir())
	}
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestLensTable(t *testing.T) {
	code, out, errs := gopherlens(t, "lens", "--prompt", "The capital of France is")
	if code != exitOK || errs != "" {
		t.Fatalf("status %d, %s", code, errs)
	}
	for _, want := range []string{"teach", "normed", "no BOS", "5_post", "embed", "4 ␣is", "␣Paris .99"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// The kernels are chosen when a process starts, so the test above runs in processes of its own.
func TestForcedKernels(t *testing.T) {
	for level, want := range map[string]string{"portable": "PASS", "sse": `GOPHERLENS_KERNELS="sse": this machine has portable`} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLensTable$")
		cmd.Env = append(os.Environ(), "GOPHERLENS_KERNELS="+level)
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), want) || (err == nil) != (want == "PASS") {
			t.Errorf("%s: no %q in\n%s", level, want, out)
		}
	}
}

// The shape of --json is a promise: lensapi/API.md.
func TestLensJSON(t *testing.T) {
	code, out, errs := gopherlens(t, "lens", "--ids", "1000, 773,980,586,858", "--top", "3", "--bos", "yes", "--json")
	if code != exitOK {
		t.Fatalf("status %d, %s", code, errs)
	}
	var got struct {
		Model       string   `json:"model"`
		ModelDigest string   `json:"model_digest"`
		Variant     string   `json:"variant"`
		BOS         bool     `json:"bos"`
		IDs         []int    `json:"ids"`
		Tokens      []string `json:"tokens"`
		Rows        []string `json:"rows"`
		Settled     []string `json:"settled"`
		Cells       [][]struct {
			Entropy      float64 `json:"entropy"`
			KL           float64 `json:"kl"`
			LogPartition float64 `json:"log_partition"`
			Top          []struct {
				ID      int     `json:"id"`
				Token   string  `json:"token"`
				Logit   float64 `json:"logit"`
				Logprob float64 `json:"logprob"`
				Rank    int     `json:"rank"`
			} `json:"top"`
			Next *struct {
				ID      int     `json:"id"`
				Logprob float64 `json:"logprob"`
				Rank    int     `json:"rank"`
			} `json:"next"`
			Answer struct {
				ID      int     `json:"id"`
				Logprob float64 `json:"logprob"`
				Rank    int     `json:"rank"`
			} `json:"answer"`
		} `json:"cells"`
	}
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil || dec.More() {
		t.Fatalf("not one object of the documented shape: %v", err)
	}
	if got.Model != "teach" || len(got.ModelDigest) != 64 || got.Variant != "normed" || !got.BOS || len(got.IDs) != 6 || got.IDs[0] != 1016 ||
		got.Tokens[0] != "<|endoftext|>" || strings.Join(got.Rows, " ") != "embed 0_post 1_post 2_post 3_post 4_post 5_post" {
		t.Errorf("%+v", got)
	}
	if len(got.Cells) != 7 || len(got.Cells[6]) != 6 || len(got.Cells[6][5].Top) != 3 {
		t.Fatal("cells are not [row][position] with three candidates")
	}
	last := got.Cells[6][5]
	if last.Next != nil || last.KL != 0 || last.Top[0].Token != " Paris" || last.Top[0].Rank != 1 || got.Cells[6][4].Next.ID != 858 ||
		last.Answer.ID != last.Top[0].ID || last.Answer.Rank != 1 || got.Settled[5] != "3_post" && got.Settled[5] != "2_post" {
		t.Errorf("%+v", last)
	}
}

func TestLensFiles(t *testing.T) {
	dir := t.TempDir()
	drawn := map[string]string{}
	for _, colour := range []string{"probability", "entropy", "kl", "rank"} {
		path := filepath.Join(dir, colour+".png")
		if code, _, errs := gopherlens(t, "lens", "--prompt", "The capital of France is", "--png", path, "--colour", colour); code != exitOK {
			t.Fatalf("status %d, %s", code, errs)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := drawn[string(b)]; ok {
			t.Errorf("%s looks like %s", colour, other)
		}
		drawn[string(b)] = colour
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil || img.Bounds().Dx() < 300 {
			t.Errorf("%s: %v", colour, err)
		}
	}
	page := filepath.Join(dir, "page.html")
	if code, out, errs := gopherlens(t, "lens", "--prompt", "The capital of France is", "--html", page, "--png", filepath.Join(dir, "both.png"), "--json"); code != exitOK || !strings.HasPrefix(out, "{") {
		t.Fatalf("status %d, %s", code, errs)
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if s := string(b); !strings.Contains(s, "␣Paris") || strings.Contains(s, "<script") || strings.Contains(s, "http") {
		t.Error("the page lacks its answer, or is not self-contained")
	}
}

func TestUnusableArguments(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.ipynb")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"walk"},
		{"lens"},
		{"lens", "--prompt", "a", "--ids", "1"},
		{"lens", "--prompt", ""},
		{"lens", "--ids", ""},
		{"lens", "--ids", "1,x"},
		{"lens", "--ids", "99999"},
		{"lens", "--prompt", "a", "--bos", "maybe"},
		{"lens", "--prompt", "a", "--variant", "tuned"},
		{"lens", "--prompt", "a", "--variant", "raw", "--translators", "none.safetensors"},
		{"lens", "--prompt", "a", "--mid", "--rows", "stored"},
		{"track", "--prompt", "a", "--token", "Paris is here"},
		{"track", "--prompt", "a", "--token", "id:x"},
		{"attribute", "--prompt", "a", "--token", "id:99999"},
		{"attribute", "--prompt", "a", "--token", "a", "--position", "7"},
		{"attention", "--prompt", "a", "--layer", "9"},
		{"heads", "--length", "1"},
		{"search"},
		{"search", "--text", "("},
		{"search", "--like", "nobody:3", "--row", "embed"},
		{"search", "--like", "nobody", "--row", "embed"},
		{"fit", "--text", "nowhere.txt", "--out", "x"},
		{"patch", "--clean", "a", "--corrupted", "a b", "--token", "a"},
		{"lens", "--prompt", "a", "--top", "0x"},
		{"lens", "--prompt", "a", "--top", "-3"},
		{"lens", "--prompt", "a", "--top", "0"},
		{"lens", "--prompt", "a", "--colour", "kl"},
		{"lens", "--prompt", "a", "--png", ""},
		{"lens", "--prompt", "a", "--cache-dir", ""},
		{"run", dir},
		{"install", "--name", "../x"},
		{"install", "--prefix", ""},
		{"check", "--cache-dir", filepath.Join(dir, "none")},
		{"lens", "--prompt", "a", "--model", filepath.Join(dir, "none")},
		{"run"},
		{"run", filepath.Join(dir, "none.ipynb")},
		{"run", bad},
		{"run", "../../../notebooks/01-logit-lens.ipynb", "--output", filepath.Join(dir, "no", "such", "folder.ipynb")},
		{"kernel", filepath.Join(dir, "none.json")},
		{"install", "--user", "--sys-prefix"},
	} {
		code, _, errs := gopherlens(t, args...)
		if code != exitUsage || errs == "" || strings.Count(strings.TrimSpace(errs), "\n") > 0 {
			t.Errorf("%v: status %d, %q; want one line and %d", args, code, errs, exitUsage)
		}
	}
}

// write makes a notebook of code cells.
func write(t *testing.T, cells ...string) string {
	t.Helper()
	type cell struct {
		Type     string         `json:"cell_type"`
		ID       string         `json:"id"`
		Metadata map[string]any `json:"metadata"`
		Source   string         `json:"source"`
		Outputs  []any          `json:"outputs"`
		Count    *int           `json:"execution_count"`
	}
	nb := struct {
		Cells    []cell         `json:"cells"`
		Metadata map[string]any `json:"metadata"`
		Format   int            `json:"nbformat"`
		Minor    int            `json:"nbformat_minor"`
	}{Metadata: map[string]any{}, Format: 4, Minor: 5}
	for i, src := range cells {
		nb.Cells = append(nb.Cells, cell{"code", "c" + string(rune('a'+i)), map[string]any{}, src, []any{}, nil})
	}
	b, err := json.Marshal(nb)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "nb.ipynb")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRunStopsAtTheFailingCell(t *testing.T) {
	path := write(t, "x := 41", "y := 0\nx / y", "x")
	t.Chdir(t.TempDir())
	code, out, errs := gopherlens(t, "run", path)
	if code != exitFailed || !strings.Contains(errs, "cell 2, line 2") || !strings.Contains(errs, "divide") {
		t.Errorf("status %d\n%s\n%s", code, out, errs)
	}
	if !strings.Contains(out, "cell  1/3") || strings.Contains(out, "cell  3/3") {
		t.Errorf("progress:\n%s", out)
	}
	b, err := os.ReadFile(strings.TrimSuffix(path, ".ipynb") + ".out.ipynb")
	if err != nil || !strings.Contains(string(b), `"output_type": "error"`) {
		t.Errorf("the executed copy lacks the error: %v", err)
	}
}

func TestRunWritesWhereItIsTold(t *testing.T) {
	dir := t.TempDir()
	path := write(t, `import "fmt"`, `fmt.Println("printed")`, "6*7")
	t.Chdir(t.TempDir())
	out, page := filepath.Join(dir, "o.ipynb"), filepath.Join(dir, "o.html")
	if code, _, errs := gopherlens(t, "run", path, "--output", out, "--html", page); code != exitOK {
		t.Fatalf("status %d, %s", code, errs)
	}
	for _, file := range []string{out, page} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "printed") || !strings.Contains(string(b), "42") {
			t.Errorf("%s lacks the outputs", file)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Setenv(lens.CacheDirEnv, t.TempDir())
	if code, _, errs := gopherlens(t, "lens", "--prompt", "When Mary and John went to the shop, John gave a book to Mary. When John and Mary went to the shop"); code != exitOK {
		t.Fatal(errs)
	}
	if code, out, errs := gopherlens(t, "check"); code != exitOK || !strings.Contains(out, "no problems") {
		t.Fatalf("status %d, %s%s", code, out, errs)
	}
	blocks, err := filepath.Glob(filepath.Join(os.Getenv(lens.CacheDirEnv), "blocks", "*", "*"))
	if err != nil || len(blocks) == 0 {
		t.Fatalf("no block to damage: %v", err)
	}
	b, err := os.ReadFile(blocks[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(blocks[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, out, _ := gopherlens(t, "check"); code != exitFailed || out == "" {
		t.Errorf("a flipped bit: status %d, %s", code, out)
	}
}

// One rule for the cache folder: a relative one is meant from where the command was called, also by the cells of a notebook elsewhere.
func TestRelativeCacheFolder(t *testing.T) {
	path := write(t, `import "lens"`, `Must(Must(lens.Load("teach")).LogitLens(ctx, "The capital of France is", lens.LensOptions{}))`)
	here := t.TempDir()
	t.Chdir(here)
	t.Setenv(lens.CacheDirEnv, "cache")
	if code, _, errs := gopherlens(t, "run", path); code != exitOK {
		t.Fatal(errs)
	}
	if found, err := filepath.Glob(filepath.Join(here, "cache", "conv", "*")); err != nil || len(found) != 1 {
		t.Errorf("the cache holds %v, %v", found, err)
	}
}

func TestLensVariants(t *testing.T) {
	code, out, errs := gopherlens(t, "lens", "--prompt", "The capital of France is", "--variant", "raw", "--mid", "--stats", "--json")
	var g lens.Grid
	if err := json.Unmarshal([]byte(out), &g); err != nil || code != exitOK {
		t.Fatalf("status %d, %v\n%s", code, err, errs)
	}
	if g.Variant != lens.Raw || len(g.Rows) != 13 || g.Rows[1] != "0_mid" || g.Cells[1][0].Stats == nil || g.Cells[12][0].KL == 0 {
		t.Errorf("variant %s, rows %v, %+v", g.Variant, g.Rows, g.Cells[12][0])
	}
}

func TestTrackAndAttribute(t *testing.T) {
	code, out, errs := gopherlens(t, "track", "--prompt", "The capital of France is", "--token", " Paris", "--token", "id:858", "--ranks")
	if code != exitOK || !strings.Contains(out, "␣Paris") || !strings.Contains(out, "rank 1\n") && !strings.Contains(out, "rank 1 ") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	png := filepath.Join(t.TempDir(), "a.png")
	code, out, errs = gopherlens(t, "attribute", "--prompt", "The capital of France is", "--token", " Paris", "--against", " Rome", "--json", "--png", png)
	var a lens.Attribution
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != exitOK {
		t.Fatalf("status %d, %v\n%s", code, err, errs)
	}
	if a.Position != 4 || len(a.Heads) != 6 || a.Total < 3 {
		t.Errorf("%+v", a)
	}
	if b, err := os.ReadFile(png); err != nil || !strings.HasPrefix(string(b), "\x89PNG") {
		t.Errorf("no picture: %v", err)
	}
}

func TestAttentionHeadsAndPatch(t *testing.T) {
	code, out, errs := gopherlens(t, "attention", "--prompt", "The capital of France is", "--layer", "1", "--weighted", "--json")
	var a lens.Attention
	if err := json.Unmarshal([]byte(out), &a); err != nil || code != exitOK || len(a.Pattern) != 1 || len(a.Weighted[0]) != 4 {
		t.Errorf("status %d, %v\n%s", code, err, errs)
	}
	if code, out, errs := gopherlens(t, "heads", "--length", "8", "--texts", "1"); code != exitOK || !strings.Contains(out, "Induction heads") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	png := filepath.Join(t.TempDir(), "p.png")
	code, out, errs = gopherlens(t, "patch", "--clean", "The capital of France is", "--corrupted", "The capital of Italy is", "--token", " Paris", "--against", " Rome",
		"--site", "z", "--heads", "--json", "--png", png)
	var s lens.Sweep
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != exitOK || s.Done != 24 || s.CleanValue < 3 || s.Corrupt > -3 || !strings.Contains(errs, "24 of 24") {
		t.Errorf("status %d, %v, %+v\n%s", code, err, s, errs)
	}
	if _, err := os.Stat(png); err != nil {
		t.Error(err)
	}
}

func TestFitAndTunedLens(t *testing.T) {
	dir := t.TempDir()
	text, out := filepath.Join(dir, "text.txt"), filepath.Join(dir, "tuned.safetensors")
	if err := os.WriteFile(text, []byte(strings.Repeat("The capital of France is Paris. The capital of Italy is Rome. ", 4)), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := gopherlens(t, "fit", "--text", text, "--out", out, "--steps", "3", "--batch", "8"); code != exitOK {
		t.Fatalf("status %d\n%s", code, errs)
	}
	report := filepath.Join(t.TempDir(), "tuned.json")
	if code, _, errs := gopherlens(t, "lens", "--prompt", "The capital of France is", "--variant", "tuned", "--translators", out, "--report", report); code != exitOK {
		t.Errorf("status %d\n%s", code, errs)
	}
	if code, text, errs := gopherlens(t, "verify", report, "--translators", out); code != exitOK || !strings.HasPrefix(text, "equal to the bit") {
		t.Errorf("status %d\n%s%s", code, text, errs)
	}
	code, table, errs := gopherlens(t, "lens", "--prompt", "The capital of France is", "--variant", "tuned", "--translators", out)
	if code != exitOK || !strings.Contains(table, "lens tuned") || !strings.Contains(table, "translators ") {
		t.Errorf("status %d\n%s%s", code, table, errs)
	}
}

func TestReportAndVerify(t *testing.T) {
	dir := t.TempDir()
	report, table, arrays := filepath.Join(dir, "r.json"), filepath.Join(dir, "r.csv"), filepath.Join(dir, "r.npz")
	if code, out, errs := gopherlens(t, "lens", "--prompt", "The capital of France is", "--stats", "--report", report, "--csv", table, "--npz", arrays); code != exitOK || out != "" {
		t.Fatalf("status %d\n%s%s", code, out, errs)
	}
	for _, path := range []string{table, arrays} {
		if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	parquet, zarr, kit := filepath.Join(dir, "r.parquet"), filepath.Join(dir, "r.zarr"), filepath.Join(dir, "kit.json")
	if code, out, errs := gopherlens(t, "lens", "--prompt", "The capital of France is", "--parquet", parquet, "--zarr", zarr, "--logitlenskit", kit); code != exitOK || out != "" {
		t.Fatalf("status %d\n%s%s", code, out, errs)
	}
	for _, path := range []string{parquet, filepath.Join(zarr, "kl", "c", "0", "0"), kit} {
		if info, err := os.Stat(path); err != nil || info.Size() < 100 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	for _, args := range [][]string{{"track", "--prompt", "The capital of France is"}, {"attribute", "--prompt", "The capital of France is", "--token", " Paris"},
		{"attention", "--prompt", "The capital", "--layer", "1"}, {"patch", "--clean", "The capital of France is", "--corrupted", "The capital of Italy is", "--token", " Paris", "--layer", "2"}} {
		path := filepath.Join(dir, args[0])
		if code, _, errs := gopherlens(t, append(args, "--report", path)...); code != exitOK {
			t.Fatalf("%v: status %d\n%s", args, code, errs)
		}
		if code, out, errs := gopherlens(t, "verify", path); code != exitOK || !strings.HasPrefix(out, "equal to the bit") {
			t.Errorf("%v: status %d\n%s%s", args, code, out, errs)
		}
	}
	if code, out, errs := gopherlens(t, "attention", "--prompt", "The capital of France is", "--rollout"); code != exitOK || !strings.Contains(out, "rollout") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	if code, out, errs := gopherlens(t, "verify", report); code != exitOK || !strings.HasPrefix(out, "equal to the bit") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(report, []byte(strings.Replace(string(b), `"entropy":`, `"entropy":1`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := gopherlens(t, "verify", report); code != exitUsage || !strings.Contains(errs, "was changed") {
		t.Errorf("status %d\n%s", code, errs)
	}
}

func TestSearch(t *testing.T) {
	t.Setenv(lens.CacheDirEnv, t.TempDir())
	if code, _, errs := gopherlens(t, "lens", "--prompt", "The capital of France is"); code != exitOK {
		t.Fatal(errs)
	}
	code, out, errs := gopherlens(t, "search", "--text", "of Fr", "--json")
	var hits lens.Hits
	if err := json.Unmarshal([]byte(out), &hits); err != nil || code != exitOK || hits.Total != 1 || hits.Hits[0].Position != 2 {
		t.Fatalf("status %d, %v, %s\n%s", code, err, out, errs)
	}
	code, out, errs = gopherlens(t, "search", "--like", hits.Hits[0].ConversationID+":2", "--row", "3_post")
	if code != exitOK || !strings.Contains(out, "1.000") || !strings.Contains(out, "rows stored as float16") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
	if code, out, errs = gopherlens(t, "search", "--token", " Paris", "--row", "5_post"); code != exitOK || !strings.Contains(out, "hits: 1 ") {
		t.Errorf("status %d\n%s%s", code, out, errs)
	}
}
