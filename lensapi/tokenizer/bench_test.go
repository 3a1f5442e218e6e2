package tokenizer_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// benchText is 200 kB of prose, code and figures in which few words repeat exactly.
func benchText() string {
	var b strings.Builder
	words := strings.Fields("the capital of France is Paris and Tokyo layer attention residual softmax Brücke 日本語 don't 1234 scores = q @ k.T")
	for i := 0; b.Len() < 200<<10; i++ {
		b.WriteString(words[(i*7+i/13)%len(words)])
		b.WriteString(words[(i*5+i/3)%len(words)])
		b.WriteByte(" \n "[i%3])
	}
	return b.String()
}

func BenchmarkEncode(b *testing.B) {
	text := benchText()
	for _, name := range fixtures {
		if _, err := os.Stat(filepath.Join("testdata", name)); err != nil {
			b.Fatal(err)
		}
		tok := loadFixture(b, name)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := tok.Encode(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRenderChat(b *testing.B) {
	tok := withTemplate(b, llama32)
	for b.Loop() {
		if _, err := tok.RenderChat(twoTurns, true); err != nil {
			b.Fatal(err)
		}
	}
}
