package interp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	programsInAll   = 5000
	programsPerCell = 40
	programsSampled = 50 // in the normal suite
	sampleSeed      = 26
)

// programHelpers keep the compiler from computing at compile time what it would
// refuse.
const programHelpers = programTypes + `
func id[T any](x T) T { return x }
func one[T any](x T) T { var o any = x; switch o.(type) { case int: o = int(1); case int8: o = int8(1); case int16: o = int16(1); case int32: o = int32(1); case int64: o = int64(1); case uint: o = uint(1); case uint8: o = uint8(1); case uint16: o = uint16(1); case uint32: o = uint32(1); case uint64: o = uint64(1) }; return o.(T) }
`

// randomPrograms are the functions of n programs, the same each time for a seed.
func randomPrograms(n int, seed uint64) []string {
	w := &writer{Rand: rand.New(rand.NewPCG(9, seed))}
	out := make([]string, n)
	for i := range out {
		out[i] = w.program(fmt.Sprintf("p%d", i))
	}
	return out
}

// runAsCells prints each program's output after a line with its number.
func runAsCells(t *testing.T, programs []string) map[int]string {
	t.Helper()
	got := map[int]string{}
	var s *testSession
	for from := 0; from < len(programs); from += programsPerCell {
		if from%(programsPerCell*15) == 0 {
			s = newSession(t)
			if out := s.eval(t, "import \"fmt\"\n"+programHelpers); out.err != nil {
				t.Fatal(out.err)
			}
		}
		to := min(from+programsPerCell, len(programs))
		var calls strings.Builder
		for i := from; i < to; i++ {
			fmt.Fprintf(&calls, "fmt.Println(\"=== program %d\")\np%d()\n", i, i)
		}
		out := s.eval(t, strings.Join(programs[from:to], "")+calls.String())
		if out.err != nil {
			t.Fatalf("programs %d to %d: %v", from, to-1, out.err)
		}
		splitOutputs(out.stdout, got)
	}
	return got
}

func splitOutputs(text string, into map[int]string) {
	for _, part := range strings.Split(text, "=== program ")[1:] {
		number, out, _ := strings.Cut(part, "\n")
		i, err := strconv.Atoi(number)
		if err != nil {
			panic(err)
		}
		into[i] = out
	}
}

// runCompiled compiles all programs into one binary.
func runCompiled(t *testing.T, programs []string) map[int]string {
	t.Helper()
	dir := t.TempDir()
	const perFile = 500
	var calls strings.Builder
	for i := range programs {
		fmt.Fprintf(&calls, "\tfmt.Println(\"=== program %d\")\n\tp%d()\n", i, i)
	}
	for from := 0; from < len(programs); from += perFile {
		src := "package main\nimport \"fmt\"\n" + strings.Join(programs[from:min(from+perFile, len(programs))], "")
		writeFile(t, filepath.Join(dir, fmt.Sprintf("part%d.go", from)), src)
	}
	writeFile(t, filepath.Join(dir, "main.go"), "package main\nimport \"fmt\"\n"+programHelpers+"func main() {\n"+calls.String()+"}\n")
	writeFile(t, filepath.Join(dir, "go.mod"), "module programs\n\ngo 1.26\n")
	if out := goBuild(t, dir, "programs"); out != "" {
		t.Fatal(out[:min(len(out), 2000)])
	}
	out, err := exec.Command(filepath.Join(dir, "programs")).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := map[int]string{}
	splitOutputs(string(out), got)
	return got
}

const sampleFile = "testdata/differential.out"

// TestDifferential runs random programs as cells. The normal suite compares a
// few with what they printed when they were compiled; GOPHERLENS_SLOW=1 compiles
// thousands and compares all, and -update renews the few. GOPHERLENS_SEED makes
// other programs.
func TestDifferential(t *testing.T) {
	if os.Getenv("GOPHERLENS_SLOW") == "" {
		data, err := os.ReadFile(sampleFile)
		if err != nil {
			t.Fatal(err)
		}
		want := map[int]string{}
		for line := range strings.Lines(string(data)) {
			text, err := strconv.Unquote(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			want[len(want)] = text
		}
		n := programsSampled
		if testing.Short() {
			n /= 2
		}
		comparePrograms(t, randomPrograms(n, sampleSeed), want)
		return
	}
	seed := uint64(sampleSeed)
	if text := os.Getenv("GOPHERLENS_SEED"); text != "" && !*update {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("GOPHERLENS_SEED is %q, want a number", text)
		}
		seed = n
	}
	programs := randomPrograms(programsInAll, seed)
	want := runCompiled(t, programs)
	if *update {
		var b strings.Builder
		for i := range programsSampled {
			b.WriteString(strconv.QuoteToASCII(want[i]) + "\n")
		}
		writeFile(t, sampleFile, b.String())
	}
	comparePrograms(t, programs, want)
	t.Logf("%d programs compared", len(programs))
}

func comparePrograms(t *testing.T, programs []string, want map[int]string) {
	t.Helper()
	got := runAsCells(t, programs)
	differ := 0
	for i, p := range programs {
		w, ok := want[i]
		if ok && got[i] == w {
			continue
		}
		if differ++; differ <= 3 {
			t.Errorf("program %d differs at %s\n%s", i, firstDifference(got[i], w), p)
		}
	}
	if differ > 0 {
		t.Errorf("%d of %d programs differ", differ, len(programs))
	}
}
