package lens_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

// What a chat will take on disk is known before it is begun, and better once there is another.
func TestEstimateCache(t *testing.T) {
	for _, codec := range []cache.Codec{cache.CodecF16, cache.CodecF32, cache.CodecCompact} {
		t.Setenv(cache.EnvCodec, string(codec))
		dir := t.TempDir()
		m := loadIn(t, lens.Embedded, dir)
		chat := func(id string, questions ...string) int {
			c, err := m.NewChat(lens.ChatOptions{ID: id})
			for _, q := range questions {
				if err == nil {
					_, err = c.Say(context.Background(), q)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			return c.Len()
		}
		n := 94
		sampled := must(m.EstimateCache(n, ""))(t)
		if got := chat("a", "What is the capital of France?", "And its currency?", "And Peru?", "My name is Mary.", "What is my name?", "What is the capital of Japan?"); got != n {
			t.Fatalf("%d tokens", got)
		}
		if err := m.Close(); err != nil { // seals and shortens what was written
			t.Fatal(err)
		}
		took := int64(0)
		for _, sub := range []string{"blocks", "conv"} {
			if err := filepath.WalkDir(filepath.Join(dir, sub), func(_ string, e fs.DirEntry, err error) error {
				if err == nil && !e.IsDir() {
					var info os.FileInfo
					info, err = e.Info()
					took += info.Size()
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		measured := must(loadIn(t, lens.Embedded, dir).EstimateCache(n, ""))(t)
		t.Logf("%s: %d bytes; sampled %+v, measured %+v", codec, took, sampled, measured)
		off := func(e cache.Estimate) float64 { return float64(e.Bytes)/float64(took) - 1 }
		if !sampled.Sampled || off(sampled) < -0.03 || off(sampled) > 0.03 {
			t.Errorf("%s: %v before, which is %.1f%% off", codec, sampled, 100*off(sampled))
		}
		if !measured.Measured || off(measured) < -0.01 || off(measured) > 0.01 {
			t.Errorf("%s: %v after, which is %.1f%% off", codec, measured, 100*off(measured))
		}
	}
}
