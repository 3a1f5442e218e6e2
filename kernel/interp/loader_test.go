package interp

import (
	"math/rand/v2"
	"testing"

	"github.com/goplus/ixgo"
)

// TestPackagesLoad imports every package, in several orders, after some of its
// types have been met, as in values that a cell shows: none may be left without
// declarations, or come from a Go tree on this machine's disk.
func TestPackagesLoad(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		s := newSession(t)
		paths := importPaths()
		rand.New(rand.NewPCG(seed, 9)).Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
		for i, path := range paths {
			if table, ok := ixgo.LookupPackage(path); ok && i%2 == 0 && table.Source == "" {
				for _, rt := range table.NamedTypes {
					s.ld.base.(*ixgo.TypesLoader).ToType(rt)
				}
			}
		}
		for _, path := range paths {
			p, err := s.importer().Import(path)
			if err != nil || !p.Complete() {
				t.Errorf("seed %d: %s: complete %v, error %v", seed, path, p != nil && p.Complete(), err)
				continue
			}
			table, ok := ixgo.LookupPackage(p.Path())
			if src := s.base.SourcePackage(p.Path()); src != nil && ok && table.Source == "" {
				t.Errorf("seed %d: %s was read from disk", seed, path)
			}
		}
	}
}
