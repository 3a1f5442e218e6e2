package forward_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/lenstest"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// TestLensEqualsLogits: the lens that keeps no logits says, to the bit, what the logits say that Gorgonia's head computes.
func TestLensEqualsLogits(t *testing.T) {
	for _, name := range lenstest.Names() {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			r := forward.New(lenstest.Model(t, name))
			c := r.Model().Config()
			ids := someIDs(9)
			tr, err := r.NewSession().Extend(ctx, ids)
			if err != nil {
				t.Fatal(err)
			}
			z, err := r.Logits(ctx, tr.Resid)
			if err != nil {
				t.Fatal(err)
			}
			next := append(ids[1:len(ids):len(ids)], -1)
			want, err := model.ReadLogits(z, tr.Rows, c.DVocab, 7, next)
			if err != nil {
				t.Fatal(err)
			}
			last := make([]float32, tr.Rows*c.DVocab)
			got, err := r.Lens(ctx, tr.Resid, 7, next, last)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("the lens differs from that of the logits (%v)", err)
			}
			sameBits(t, "last logits", last, z[len(z)-tr.Rows*c.DVocab:])
			one, err := r.Lens(ctx, tr.Resid[:tr.Rows*tr.DModel], 7, next[:1], nil)
			if err != nil || !reflect.DeepEqual(one, want[:tr.Rows]) {
				t.Errorf("the lens of one position differs (%v)", err)
			}
		})
	}
}

func TestLensRefuses(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r := forward.New(lenstest.Model(t, "gpt2"))
	tr, err := r.NewSession().Extend(ctx, []int{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	var te *forward.TokenError
	for _, bad := range []int{-2, r.Model().Config().DVocab} {
		if _, err := r.Lens(ctx, tr.Resid, 1, []int{0, bad}, nil); !errors.As(err, &te) || te.Index != 1 {
			t.Errorf("next %d: %v", bad, err)
		}
	}
	for want, f := range map[string]func() error{
		"not positions": func() error { _, err := r.Lens(ctx, tr.Resid[1:], 1, nil, nil); return err },
		"1 next tokens": func() error { _, err := r.Lens(ctx, tr.Resid, 1, []int{1}, nil); return err },
		"ask for 1":     func() error { _, err := r.Lens(ctx, tr.Resid, 0, nil, nil); return err },
		"room for 3":    func() error { _, err := r.Lens(ctx, tr.Resid, 1, nil, make([]float32, 3)); return err },
		"position 1: row 0": func() error {
			tr.Row(1, 0)[2] = float32(math.NaN())
			_, err := r.Lens(ctx, tr.Resid, 1, nil, nil)
			return err
		},
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want it to say %q", err, want)
		}
	}
	cancel()
	if _, err := r.Lens(ctx, tr.Resid, 1, nil, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
