package forward

import (
	"fmt"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Hook reads or edits the values at one site of a pass.
type Hook struct {
	Site string // such as blocks.3.hook_resid_post; Model.Sites lists all
	// Func sees the values of consecutive positions and may edit Data in place: everything computed after
	// reads the edited values, the cache included. A call that feeds many tokens calls it several times, for
	// positions that follow one another. It must not keep Data. An error ends the call.
	Func func(a model.Activation) error
}

// taps arranges hooks by the index of their site, in the order given at each. base, which may be nil, is added to
// the Start that they see.
func (r *Runner) taps(hooks []Hook, head bool, base *int) ([]model.Tap, error) {
	if len(hooks) == 0 {
		return nil, nil
	}
	taps := make([]model.Tap, r.sites)
	for _, h := range hooks {
		i, site, err := r.m.Site(h.Site)
		switch {
		case err != nil:
			return nil, fmt.Errorf("hook: %w", err)
		case h.Func == nil:
			return nil, fmt.Errorf("hook at %s has no Func", h.Site)
		case site.Head && !head:
			return nil, fmt.Errorf("hook at %s: this site is in the unembedding; give the hook to Logits", h.Site)
		case !site.Head && head:
			return nil, fmt.Errorf("hook at %s: this site is in the blocks; give the hook to Extend", h.Site)
		}
		f := h.Func
		if base != nil {
			f = func(a model.Activation) error {
				a.Start += *base
				return h.Func(a)
			}
		}
		taps[i] = then(taps[i], f)
	}
	return taps, nil
}

// then runs two taps one after the other.
func then(first, second model.Tap) model.Tap {
	if first == nil {
		return second
	}
	return func(a model.Activation) error {
		if err := first(a); err != nil {
			return err
		}
		return second(a)
	}
}
