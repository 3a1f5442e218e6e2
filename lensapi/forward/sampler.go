package forward

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Sampling says how the next token is chosen from logits. The zero value is greedy.
type Sampling struct {
	Temperature float64 `json:"temperature"` // logits are divided by it; 0: the most likely token
	TopK        int     `json:"top_k"`       // only the k most likely tokens; 0: all
	TopP        float64 `json:"top_p"`       // only the most likely tokens that together reach p, after TopK; 0 or 1: all
	Seed        uint64  `json:"seed"`        // same seed, same logits: same ids
}

// Validate lists every field out of range.
func (s Sampling) Validate() error {
	var errs []error
	if !(s.Temperature >= 0) || math.IsInf(s.Temperature, 1) {
		errs = append(errs, fmt.Errorf("temperature %v (allowed: 0 or more)", s.Temperature))
	}
	if s.TopK < 0 {
		errs = append(errs, fmt.Errorf("top-k %d (allowed: 0 for all, or more)", s.TopK))
	}
	if !(s.TopP >= 0 && s.TopP <= 1) {
		errs = append(errs, fmt.Errorf("top-p %v (allowed: 0 to 1)", s.TopP))
	}
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("sampling: %w", errs[0])
	}
	err := fmt.Errorf("sampling: %w", errs[0])
	for _, e := range errs[1:] { // one line, where errors.Join would make several
		err = fmt.Errorf("%w; %w", err, e)
	}
	return err
}

// Sampler chooses tokens. One goroutine at a time.
type Sampler struct {
	s    Sampling
	rng  *rand.Rand
	cand []candidate
}

type candidate struct {
	id int
	v  float64 // logit, then weight
}

// NewSampler returns a sampler at the beginning of its seed's sequence, or the error of Validate.
func NewSampler(s Sampling) (*Sampler, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	return &Sampler{s: s, rng: rand.New(rand.NewPCG(s.Seed, 0))}, nil
}

// errNoLogits is an error of Next; its other errors name a logit.
var errNoLogits = errors.New("sampling: no logits")

// Next chooses an id from the logits of one position. Equal logits rank by id, the lower first. A logit that is
// NaN or +Inf is an error, because any choice would hide it; -Inf rules a token out. Each sampled choice uses one
// number of the seed's sequence, whatever the logits.
func (s *Sampler) Next(logits []float32) (int, error) {
	best := -1
	for id, v := range logits {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 1) {
			return 0, fmt.Errorf("sampling: logit of token %d is %v", id, v)
		}
		if !math.IsInf(float64(v), -1) && (best < 0 || v > logits[best]) {
			best = id
		}
	}
	if best < 0 {
		return 0, errNoLogits
	}
	if s.s.Temperature == 0 {
		return best, nil
	}
	s.cand = s.cand[:0]
	for id, v := range logits {
		s.cand = append(s.cand, candidate{id, float64(v)})
	}
	slices.SortFunc(s.cand, func(a, b candidate) int { return cmp.Or(cmp.Compare(b.v, a.v), cmp.Compare(a.id, b.id)) })
	kept := s.cand
	if s.s.TopK > 0 {
		kept = kept[:min(s.s.TopK, len(kept))]
	}
	var total float64
	top := kept[0].v
	for i := range kept {
		if math.IsInf(kept[i].v, -1) {
			kept[i].v = 0
			continue
		}
		kept[i].v = model.Exp((kept[i].v - top) / s.s.Temperature) // math.Exp has other bits on other architectures
		total += kept[i].v
	}
	if p := s.s.TopP; p > 0 && p < 1 {
		var sum float64
		for i := range kept {
			if sum += kept[i].v; sum >= p*total {
				kept, total = kept[:i+1], sum
				break
			}
		}
	}
	u := float64(s.rng.Float64() * total)
	for _, c := range kept {
		if u -= c.v; u < 0 {
			return c.id, nil
		}
	}
	return best, nil // rounding left u at zero; the most likely token is never ruled out
}
