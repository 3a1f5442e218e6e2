package interp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A corpus file holds cases:
//
//	=== name [flags]
//	>>> source of a cell, any number of lines
//	<<<
//	what it prints, "[stderr] ..." for standard error, then "=> value"
//	!!! or, instead of <<<, a regular expression for the error
//
// A cell without either must run without error. Empty lines do not count. Flag
// interrupt: cells are interrupted after a moment; flag fresh: not in a session
// with other cases; flag cells: no compiled program does the same. The others
// are compared with one by TestCorpusCompiled. A file is a feature.
type corpusCase struct {
	file, name string
	interrupt  bool
	fresh      bool
	cellsOnly  bool
	cells      []corpusCell
}

type corpusCell struct {
	src  string
	want *string
	fail string
	line int
}

func readCorpus(t testing.TB) []corpusCase {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no corpus", err)
	}
	var out []corpusCase
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range parseCorpus(string(data)) {
			c.file = f
			out = append(out, c)
		}
	}
	return out
}

func parseCorpus(data string) []corpusCase {
	var out []corpusCase
	inWant := false
	for i, line := range strings.Split(data, "\n") {
		if name, ok := strings.CutPrefix(line, "=== "); ok {
			name, flags, _ := strings.Cut(name, " [")
			out = append(out, corpusCase{name: name, interrupt: strings.Contains(flags, "interrupt"), fresh: strings.Contains(flags, "fresh"), cellsOnly: strings.Contains(flags, "cells")})
			inWant = false
			continue
		}
		c := &out[len(out)-1]
		var cell *corpusCell
		if n := len(c.cells); n > 0 {
			cell = &c.cells[n-1]
		}
		switch {
		case strings.HasPrefix(line, ">>>"):
			c.cells = append(c.cells, corpusCell{src: strings.TrimPrefix(strings.TrimPrefix(line, ">>>"), " "), line: i + 1})
			inWant = false
		case line == "<<<":
			cell.want = new(string)
			inWant = true
		case strings.HasPrefix(line, "!!! "):
			cell.fail = line[4:]
			inWant = true
		case strings.HasPrefix(line, "[out] "):
			s := line[6:] + "\n"
			cell.want = &s
		case inWant && cell.want != nil:
			if line != "" {
				*cell.want += line + "\n"
			}
		case cell != nil && !inWant:
			if cell.src != "" || len(strings.TrimSpace(line)) > 0 {
				if cell.src != "" {
					cell.src += "\n"
				}
				cell.src += line
			}
		}
	}
	return out
}

func (o outcome) text() string {
	var b strings.Builder
	b.WriteString(o.stdout)
	for _, l := range strings.Split(strings.TrimSuffix(o.stderr, "\n"), "\n") {
		if l != "" {
			fmt.Fprintf(&b, "[stderr] %s\n", l)
		}
	}
	if o.value != nil {
		fmt.Fprintf(&b, "=> %v\n", o.value)
	}
	return b.String()
}

// notices tell what a redefinition did to what other cells have defined.
var notices = regexp.MustCompile(`(?m)^\[stderr\] (.* was dropped: .*\n(\[stderr\] \t.*\n)*|.* keeps its value of the earlier type; .*\n)`)

// runCase checks one case; offset is how many cells the session ran before it,
// for expectations that name In[1].
func runCase(t *testing.T, s *testSession, c corpusCase) {
	t.Helper()
	offset := s.count
	for _, cell := range c.cells {
		d := 30 * time.Second
		if c.interrupt && cell.fail != "" {
			d = 60 * time.Millisecond
		}
		out := s.evalFor(t, cell.src, d)
		if cell.fail != "" {
			pattern := strings.ReplaceAll(cell.fail, `In\[1\]`, fmt.Sprintf(`In\[%d\]`, offset+1))
			if out.err == nil || !regexp.MustCompile(pattern).MatchString(out.err.Error()) {
				t.Errorf("%s, line %d: %s\nerror %v, want %s", c.name, cell.line, cell.src, out.err, pattern)
			}
			if out.err != nil && strings.Contains(out.err.Error(), "left behind") && !strings.Contains(cell.fail, "waited") {
				t.Errorf("%s, line %d: %s\nwas not stopped: %v", c.name, cell.line, cell.src, out.err)
			}
			if cell.want != nil && out.stdout != *cell.want {
				t.Errorf("%s, line %d: %s\nprinted %q, want %q", c.name, cell.line, cell.src, out.stdout, *cell.want)
			}
			continue
		}
		if out.err != nil {
			t.Errorf("%s, line %d: %s\nerror %v", c.name, cell.line, cell.src, out.err)
			continue
		}
		if cell.want != nil {
			want := strings.ReplaceAll(*cell.want, "In[1]", fmt.Sprintf("In[%d]", offset+1))
			got := out.text()
			if offset > 0 { // other cases leave functions and variables behind
				got = notices.ReplaceAllStringFunc(got, func(n string) string {
					if strings.Contains(want, n) {
						return n
					}
					return ""
				})
			}
			if got := withoutBlank(got); got != want {
				t.Errorf("%s, line %d: %s\ngot:\n%swant:\n%s", c.name, cell.line, cell.src, got, want)
			}
		}
	}
}

func TestCorpusFresh(t *testing.T) {
	cases := readCorpus(t)
	features := map[string]int{}
	for _, c := range cases {
		features[strings.TrimSuffix(filepath.Base(c.file), ".txt")]++
	}
	t.Logf("%d cases: %v", len(cases), features)
	every := 2 // the others have their turn in TestCorpusOneSession
	if testing.Short() {
		every = 6
	}
	if os.Getenv("GOPHERLENS_SLOW") != "" {
		every = 1
	}
	for i, c := range cases {
		if i%every != 0 && !c.interrupt && !c.fresh || testing.Short() && c.interrupt {
			continue
		}
		t.Run(c.name, func(t *testing.T) { runCase(t, newSession(t), c) })
	}
}

func TestCorpusOneSession(t *testing.T) {
	if testing.Short() {
		t.Skip("the fresh sessions suffice under -short")
	}
	s := newSession(t)
	for _, c := range readCorpus(t) {
		if c.interrupt || c.fresh {
			continue
		}
		runCase(t, s, c)
	}
}

// TestCorpusShuffled: no case depends on what ran before it.
func TestCorpusShuffled(t *testing.T) {
	if os.Getenv("GOPHERLENS_SLOW") == "" {
		t.Skip("five times the corpus: set GOPHERLENS_SLOW=1")
	}
	cases := readCorpus(t)
	for seed := range uint64(5) {
		s := newSession(t)
		for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(len(cases)) {
			if c := cases[i]; !c.interrupt && !c.fresh {
				runCase(t, s, c)
			}
		}
	}
}
