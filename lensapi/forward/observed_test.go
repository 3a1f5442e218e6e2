package forward_test

import (
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// TestObservedAttention: a pass whose scores or pattern a hook looks at, which computes attention the long way, has the bits of one that
// nobody looks at.
func TestObservedAttention(t *testing.T) {
	r := forward.New(wideModel(t))
	ids := someIDs(150)
	for i := range ids {
		ids[i] %= 300
	}
	want, _ := result(t, r, ids, []int{len(ids)})
	for _, site := range []string{"attn.hook_attn_scores", "attn.hook_pattern"} {
		seen := 0
		got, _ := result(t, r, ids, []int{1, 70, len(ids) - 71}, forward.Hook{Site: "blocks.1." + site, Func: func(a model.Activation) error {
			seen += a.Shape[0]
			return nil
		}})
		if seen != len(ids) {
			t.Errorf("%s was seen at %d positions of %d", site, seen, len(ids))
		}
		sameBits(t, site, got, want)
	}
}
