package cache

import (
	"context"
	"errors"
	"testing"
)

// One who finds rows missing and comes too late for the computation of another does not start a second one.
func TestLateForARecomputation(t *testing.T) {
	s, err := OpenDisk(NewMemFS(), Options{Sync: SyncNever, MemoryPolicy: PolicyLRU})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := s.Create("a", testSpace)
	if err == nil {
		err = c.Append(make([]Token, 40), nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	r := func(_ context.Context, ids []int) ([]float32, error) {
		calls++
		return make([]float32, len(ids)*testSpace.values()), nil
	}
	early, err := c.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Rows(t.Context(), 0, 40, r); err != nil {
		t.Fatal(err)
	}
	for _, missing := range [][]int{{3}, {0, 1, 17, 39}, {38}} {
		if _, err := c.recompute(t.Context(), &early, missing, true, r); !errors.Is(err, errStored) || calls != 1 {
			t.Errorf("positions %v: %v, %d calls", missing, err, calls)
		}
	}
	if err := s.disk.Remove(early.keys[1].path()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.recompute(t.Context(), &early, []int{3, 20}, true, r); err != nil || calls != 2 {
		t.Errorf("what is missing was not computed: %v, %d calls", err, calls)
	}
}
