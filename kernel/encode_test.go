package kernel

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// TestEncodeLargeTexts: content with large texts is what encoding/json makes of it as a whole.
func TestEncodeLargeTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"plain text ", "é", "日", "😀", `"`, `\`, "\n", "\u2028", "<&>", "\x00", "\x7f", "\xff", "\x80\x80\x80\x80\x80", "\xf0\x9f\x98", "\ufffd"}
	text := func(n int) string {
		var b strings.Builder
		for b.Len() < n {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return b.String()
	}
	for i := range 2 {
		data := wire.Bundle{
			"text/plain": text(20), "text/html": text(largeText + i), "image/svg+xml": text(largeText), "a/invalid": strings.Repeat("\x80", largeText),
			"application/json": map[string]any{"a": text(10)}, "image/png": text(largeText - 100),
		}
		for _, v := range []any{
			wire.DisplayContent{Data: data, Metadata: wire.Bundle{"x": 1}},
			wire.ExecuteResultContent{ExecutionCount: 3, Data: data},
		} {
			got, err := encode(v)
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			e := json.NewEncoder(&want)
			e.SetEscapeHTML(false)
			if err := e.Encode(v); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, bytes.TrimSuffix(want.Bytes(), []byte("\n"))) {
				t.Fatalf("%T: %d bytes, encoding/json has %d, and they differ", v, len(got), want.Len()-1)
			}
			if len(data["text/html"].(string)) < largeText {
				t.Fatal("the content itself was changed")
			}
		}
	}
}

func BenchmarkEncodeLargeText(b *testing.B) {
	html := strings.Repeat(strings.Repeat("x", 79)+"\n", 50<<20/80)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encode(wire.DisplayContent{Data: wire.Bundle{"text/html": html}}); err != nil {
			b.Fatal(err)
		}
	}
}
