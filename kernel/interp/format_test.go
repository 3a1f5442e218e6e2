package interp

import (
	"strings"
	"testing"
)

func TestFormat(t *testing.T) {
	s := newSession(t)
	for src, want := range map[string]string{
		"x:=1":                               "x := 1",
		"":                                   "",
		"// only\n":                          "// only\n",
		"import \"fmt\"\nfmt.Println( 1,2 )": "import \"fmt\"\nfmt.Println(1, 2)",
		"x:=1 // one\nfunc f( a int)int{\nreturn a}\n\n\n// twice\nf(x);f( x )": "x := 1 // one\nfunc f(a int) int {\n\treturn a\n}\n\n// twice\nf(x)\nf(x)",
		"x := 1; type T struct{A int;Long string}":                              "x := 1\ntype T struct {\n\tA    int\n\tLong string\n}",
		"for i:=range 3{\nprintln(i)}\n// end":                                  "for i := range 3 {\n\tprintln(i)\n}\n// end",
		"func (T) m(){}\nfunc(){ x() }()":                                       "func (T) m() {}\nfunc() { x() }()",
		"s:=`a\n  b`\ntype U int":                                               "s := `a\n  b`\ntype U int",
	} {
		got, err := s.Format(src)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", src, got, err, want)
		}
		if again, err := s.Format(got); err != nil || again != got {
			t.Errorf("%q formatted twice: %q, %v", got, again, err)
		}
	}
	if got, err := s.Format("x := 1\ny := (2"); err == nil || !strings.HasPrefix(err.Error(), "2:8: ") {
		t.Errorf("%q, %v", got, err)
	}
}
