package cache

import (
	"path"
	"strings"
	"testing"
)

func FuzzID(f *testing.F) {
	for _, s := range []string{"a", "A", "CON", "..", "../../etc", "x.", "~~", "a~-b", ".x", "a\x00b", "c-", strings.Repeat("Z", 64), "nul.txt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if checkID(id) != nil {
			if _, ok := idOfDir(id); ok { // whatever is read from a disk gives a good id or none
				if got, _ := idOfDir(id); checkID(got) != nil {
					t.Fatalf("folder %q gives id %q", id, got)
				}
			}
			return
		}
		dir := dirName(id)
		back, ok := idOfDir(dir)
		clean := path.Clean("conv/" + dir)
		if !ok || back != id || clean != "conv/"+dir || path.Dir(clean) != "conv" || strings.HasSuffix(dir, ".") || len(dir) > 255 {
			t.Fatalf("id %q, folder %q, back %q", id, dir, back)
		}
		// Names that a file system may take for the same belong to the same id.
		if other := strings.ToLower(id); other != id && strings.EqualFold(dirName(other), dir) {
			t.Fatalf("ids %q and %q share folder %q", id, other, dir)
		}
	})
}
