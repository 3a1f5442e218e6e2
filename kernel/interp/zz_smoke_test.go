package interp

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
)

func TestSmoke(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	data, _ := os.ReadFile("/tmp/interp/smoke.txt")
	for i, src := range strings.Split(string(data), "\n----\n") {
		var out, errb bytes.Buffer
		t0 := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		v, err := s.Eval(ctx, &kernel.Cell{Count: i + 1, Source: src, Stdout: &out, Stderr: &errb, Display: func(v any) error { fmt.Fprintf(&out, "<%v>", v); return nil }})
		cancel()
		fmt.Printf("--- %d (%v)\n%s\n=> %q %q v=%v\n", i+1, time.Since(t0).Round(100*time.Microsecond), src, out.String(), errb.String(), v)
		if e, ok := err.(*kernel.EvalError); ok {
			fmt.Printf("!! %s | %s | line %d\n%s\n", e.Name, e.Message, e.Line, strings.Join(e.Traceback, "\n"))
		}
	}
}
