package interp

import (
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrograms runs whole programs as cells. Their expected output is what the
// compiled program prints: GOPHERLENS_SLOW=1 runs them with the go command and
// checks that too.
func TestPrograms(t *testing.T) {
	files, err := filepath.Glob("testdata/programs/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no programs", err)
	}
	slow := os.Getenv("GOPHERLENS_SLOW") != ""
	shared := newSession(t)
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".go"), func(t *testing.T) {
			src, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(strings.TrimSuffix(f, ".go") + ".out")
			if err != nil {
				t.Fatal(err)
			}
			want := string(data)
			if slow {
				out, err := exec.Command("go", "run", f).Output()
				if err != nil {
					t.Fatal(err)
				}
				if string(out) != want {
					t.Errorf("the compiled program prints something else: %q", out)
				}
			}
			out := shared.eval(t, string(src))
			if out.err != nil {
				t.Fatal(out.err)
			}
			if out.stdout != want {
				t.Errorf("differs at %s", firstDifference(out.stdout, want))
			}
			// the same program cut into cells: one declaration each
			if testing.Short() {
				return
			}
			s := newSession(t)
			if got := runCut(t, s, string(src)); got != want {
				t.Errorf("cut into cells: differs at %s", firstDifference(got, want))
			}
		})
	}
}

// runCut evaluates the types, variables and methods of a program in one cell,
// the functions in a second and calls main in a third. Where the first uses
// functions, all declarations are in the first.
func runCut(t *testing.T, s *testSession, src string) string {
	t.Helper()
	items, errs := splitCell(src)
	if errs != nil {
		t.Fatal(errs)
	}
	var types, funcs strings.Builder
	for _, it := range items {
		switch {
		case it.tok == token.PACKAGE:
		case it.tok == token.FUNC && !it.method:
			funcs.WriteString(it.src + "\n")
		default:
			types.WriteString(it.src + "\n")
		}
	}
	cells := []string{types.String(), funcs.String()}
	if out := s.eval(t, cells[0]); out.err != nil && strings.Contains(out.err.Error(), "undefined: ") {
		cells = []string{types.String() + funcs.String()}
	}
	for _, cell := range cells {
		if out := s.eval(t, cell); out.err != nil {
			t.Fatal(out.err)
		}
	}
	out := s.eval(t, "main()")
	if out.err != nil {
		t.Fatal(out.err)
	}
	return out.stdout
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(nothing)", "(nothing)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return "\ngot  " + a + "\nwant " + b
		}
	}
	return "nowhere"
}
