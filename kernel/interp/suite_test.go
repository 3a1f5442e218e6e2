package interp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"go/build/constraint"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
)

// TestSplit runs programs in three forms: as one cell, with one declaration in
// each cell, and with one statement of main in each cell. They are the programs
// of testdata/programs and, where the Go tree has its test folder, the tests
// there that are run. What they print is compared with what they should:
// those of Go print their .out file or nothing.
//
// testdata/split.txt names those that do otherwise, with the reason. A program
// that begins to pass or to fail makes the test fail.
//
// A program may end the process, so others run them: this test starts itself
// again. GOPHERLENS_SLOW=1 takes a part of Go's tests, GOPHERLENS_SLOW=all takes
// all, GOPHERLENS_SPLIT names some by a regular expression.
func TestSplit(t *testing.T) {
	if file := os.Getenv("GOPHERLENS_SPLIT_CHILD"); file != "" {
		runSplitChild(t, file)
		return
	}
	slow := os.Getenv("GOPHERLENS_SLOW")
	if slow == "" {
		t.Skip("runs a thousand programs: set GOPHERLENS_SLOW=1")
	}
	known := readKnown(t)
	var jobs []splitJob
	programs, tests, slowOnes := 0, 0, 0
	for _, f := range splitPrograms(t) {
		name, ofGo := splitName(f)
		if re := os.Getenv("GOPHERLENS_SPLIT"); re != "" {
			if !regexp.MustCompile(re).MatchString(name) {
				continue
			}
		} else if ofGo && slow != "all" && sampled(name) >= splitPart {
			continue
		}
		if ofGo {
			tests++
		} else {
			programs++
		}
		for _, form := range splitForms {
			if strings.HasPrefix(known[form+" "+name], tooSlow) && slow != "all" {
				slowOnes++
				continue
			}
			jobs = append(jobs, splitJob{form, f})
		}
	}
	passed, skipped, failing := map[string]int{}, map[string]int{}, map[string]int{}
	runSplitJobs(t, jobs, func(j splitJob, got string) {
		name, _ := splitName(j.file)
		reason, listed := known[j.form+" "+name]
		switch {
		case strings.HasPrefix(got, "skip"):
			skipped[j.form]++
		case got == "ok" && listed && strings.HasPrefix(reason, tooSlow):
			passed[j.form]++
		case got == "ok" && listed:
			t.Errorf("%s %s passes; testdata/split.txt has it as %q", j.form, name, reason)
		case got == "ok":
			passed[j.form]++
		case listed:
			failing[j.form]++
		default:
			t.Errorf("%s %s: %s", j.form, name, got)
		}
	})
	t.Logf("%d programs of ours and %d of Go's; %d forms that take too long are left out", programs, tests, slowOnes)
	for _, form := range splitForms {
		t.Logf("%s: %d print what they should, %d cannot and are listed, %d have no such form", form, passed[form], failing[form], skipped[form])
	}
}

const splitPatience = 20 * time.Second // with one cell

const splitPart = 12 // of a hundred

// tooSlow is how the reason begins of what the interpreter takes long for.
const tooSlow = "too slow"

var splitForms = []string{"whole", "declarations", "statements"}

type splitJob struct{ form, file string }

// sampled is a number below 100 that is the same each time.
func sampled(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32() >> 8 % 100)
}

var goTests = filepath.Join(runtime.GOROOT(), "test")

func splitName(file string) (name string, ofGo bool) {
	if rel, err := filepath.Rel(goTests, file); err == nil && !strings.HasPrefix(rel, "..") {
		return filepath.ToSlash(rel), true
	}
	return filepath.ToSlash(file), false
}

func splitPrograms(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/programs/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no programs", err)
	}
	if _, err := os.Stat(goTests); err != nil {
		t.Logf("Go's own tests are left out: no folder %s", goTests)
		return files
	}
	err = filepath.WalkDir(goTests, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".go") && isRunTest(path) {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// isRunTest reports whether a test of Go's is a program to run as it is, here.
func isRunTest(path string) bool {
	data, err := os.ReadFile(path)
	if err != nil || !regexp.MustCompile(`(?m)^// run$`).Match(data) {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, "package ") {
			break
		}
		if x, err := constraint.Parse(strings.TrimSpace(line)); err == nil {
			return x.Eval(func(tag string) bool {
				return tag == runtime.GOOS || tag == runtime.GOARCH || tag == "gc" || tag == "unix" && runtime.GOOS != "windows" || strings.HasPrefix(tag, "go1.")
			})
		}
	}
	return true
}

func readKnown(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile("testdata/split.txt")
	if err != nil {
		t.Fatal(err)
	}
	known, reason := map[string]string{}, ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if r, ok := strings.CutPrefix(line, "# "); ok {
			reason = r
			continue
		}
		forms, name, ok := strings.Cut(line, " ")
		if !ok {
			continue
		}
		if forms == "all" {
			forms = strings.Join(splitForms, ",")
		}
		for form := range strings.SplitSeq(forms, ",") {
			known[form+" "+name] = reason
		}
	}
	return known
}

// runSplitJobs hands the jobs to processes that may die of them, and tells how
// each went.
func runSplitJobs(t *testing.T, jobs []splitJob, tell func(splitJob, string)) {
	t.Helper()
	const perProcess = 30
	var mu sync.Mutex
	batches := slices.Collect(slices.Chunk(jobs, perProcess))
	work := make(chan []splitJob)
	var wg sync.WaitGroup
	dir := t.TempDir()
	for w := range min(runtime.NumCPU(), 4) {
		wg.Go(func() {
			for batch := range work {
				for len(batch) > 0 {
					done, last := runSplitBatch(filepath.Join(dir, fmt.Sprint(w)), batch)
					mu.Lock()
					for i, r := range done {
						tell(batch[i], r)
					}
					if len(done) < len(batch) {
						tell(batch[len(done)], "it ends the process: "+last)
						done = append(done, "")
					}
					mu.Unlock()
					batch = batch[len(done):]
				}
			}
		})
	}
	for _, b := range batches {
		work <- b
	}
	close(work)
	wg.Wait()
}

// runSplitBatch returns the results up to the job that ended the process, and
// the first of its last words.
func runSplitBatch(file string, batch []splitJob) (done []string, last string) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	os.Remove(file)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestSplit$")
	cmd.Env = append(os.Environ(), "GOPHERLENS_SPLIT_CHILD="+file)
	var in strings.Builder
	for _, j := range batch {
		fmt.Fprintln(&in, j.form, j.file)
	}
	cmd.Stdin = strings.NewReader(in.String())
	out, _ := cmd.CombinedOutput()
	data, _ := os.ReadFile(file)
	for line := range strings.Lines(string(data)) {
		done = append(done, strings.TrimSpace(line))
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "fatal error") || strings.HasPrefix(line, "panic") || strings.HasPrefix(line, "SIG") {
			return done, strings.TrimSpace(line)
		}
	}
	return done, "without a word"
}

func runSplitChild(t *testing.T, file string) {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	var used *Session // by the programs before
	for sc := bufio.NewScanner(os.Stdin); sc.Scan(); {
		form, path, _ := strings.Cut(sc.Text(), " ")
		got := "no session yet"
		if used != nil {
			got = runSplit(used, form, path)
		}
		if got != "ok" && !strings.HasPrefix(got, "skip") {
			if used, err = New(); err != nil {
				t.Fatal(err)
			}
			got = runSplit(used, form, path)
		}
		if err := used.Reset(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(out, strings.ReplaceAll(got, "\n", " | "))
	}
	out.Close()
}

// runSplit is "ok", "skip ..." for a program without such a form, or what is wrong.
func runSplit(s *Session, form, path string) string {
	src, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	want, err := os.ReadFile(strings.TrimSuffix(path, ".go") + ".out")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	cells, err := splitInto(form, string(src))
	if err != nil {
		return "skip: " + err.Error()
	}
	var out lockedBuffer
	for i, cell := range cells {
		ctx, cancel := context.WithTimeout(context.Background(), splitPatience)
		_, err := s.Eval(ctx, &kernel.Cell{Count: i + 1, Source: cell, Stdout: &out, Stderr: &out})
		cancel()
		var fail *kernel.EvalError
		if errors.As(err, &fail) && fail.Message == "exit status 0" {
			break
		}
		if err != nil {
			return fmt.Sprintf("cell %d of %d: %v", i+1, len(cells), err)
		}
	}
	if out.String() != string(want) {
		return "prints something else: " + firstDifference(out.String(), string(want))
	}
	return "ok"
}
