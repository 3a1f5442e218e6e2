package interp

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestTestingMain runs tests in cells, in a process of its own: package testing
// writes where the flags of this one say.
func TestTestingMain(t *testing.T) {
	if os.Getenv("GOPHERLENS_TEST_MAIN") == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTestingMain$")
		cmd.Env = append(os.Environ(), "GOPHERLENS_TEST_MAIN=1")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "the session goes on") != 3 {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	s := newSession(t)
	match := "import \"testing\"\nmatch := func(pat, str string) (bool, error) { return true, nil }\n"
	for i, c := range []struct{ src, want string }{
		{`testing.Main(match, []testing.InternalTest{{"TestFine", func(t *testing.T) { t.Log("fine") }}}, nil, nil)`, "exit status 0"},
		{`testing.Main(match, []testing.InternalTest{{"TestBad", func(t *testing.T) { t.Fatal("bad") }}}, nil, nil)`, "exit status 1"},
		{`testing.Main(match, []testing.InternalTest{{"TestPanic", func(t *testing.T) { defer println(1); panic("in a test") }}}, nil, nil)`, "in a test"},
	} {
		out := s.eval(t, match+c.src)
		if out.err == nil || !strings.Contains(out.err.Error(), c.want) {
			t.Fatalf("cell %d: %v, want %s", i+1, out.err, c.want)
		}
		os.Stdout.WriteString("the session goes on\n")
	}
}
