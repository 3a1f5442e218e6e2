package cache_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
)

// A conversation that cannot be read must not hold its name for ever.
func TestDeleteOfTheUnreadable(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"damaged": func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"gone":    os.Remove,
	} {
		dir := t.TempDir()
		sp := cache.Space{Numerics: "n", Model: "m", Tokenizer: "t", Rows: 1, DModel: 2}
		s, err := cache.Open(dir, cache.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create("a", sp); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := spoil(filepath.Join(dir, "conv", "c-a", "metadata.json")); err != nil {
			t.Fatal(err)
		}
		if s, err = cache.Open(dir, cache.Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Conversation("a"); err == nil {
			t.Errorf("%s: the test has spoilt nothing", name)
		}
		if err := s.Delete("a"); err != nil {
			t.Errorf("%s: delete: %v", name, err)
		}
		if _, err := s.Create("a", sp); err != nil {
			t.Errorf("%s: create after delete: %v", name, err)
		}
		if kept, err := filepath.Glob(filepath.Join(dir, "quarantine", "c-a-*")); err != nil || len(kept) != 1 {
			t.Errorf("%s: in quarantine %v, %v", name, kept, err)
		}
		if err := s.Delete("nobody"); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("%s: delete of nothing: %v", name, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
