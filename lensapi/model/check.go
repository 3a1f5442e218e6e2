package model

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// check runs a few tokens through the blocks and the head and looks at every site: all numbers finite, attention
// rows that sum to one and do not look ahead, and a residual stream that is the sum of what was added to it. It
// also records the sites, and does only that if told to.
func (m *Model) check(sitesOnly bool) error {
	p, err := m.NewProgram()
	if err != nil {
		return err
	}
	m.sites, m.head = p.sites, len(p.sites)
	h, err := m.NewHead()
	if err != nil {
		return err
	}
	m.sites = slices.Concat(p.sites, h.sites)
	if sitesOnly {
		return nil
	}
	n := min(3, m.cfg.NCtx)
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i % m.cfg.DVocab
	}
	seen := map[string][]float32{}
	look := func(a Activation) error {
		unseen := float32(0)
		if strings.HasSuffix(a.Site, "hook_attn_scores") {
			unseen = float32(math.Inf(-1))
		}
		if i := slices.IndexFunc(a.Data, func(v float32) bool { return notFinite(v) && v != unseen }); i >= 0 {
			return fmt.Errorf("value %d is %v", i, a.Data[i])
		}
		if strings.HasSuffix(a.Site, "hook_pattern") {
			return checkPattern(a)
		}
		seen[a.Site] = slices.Clone(a.Data)
		return nil
	}
	taps := slices.Repeat([]Tap{look}, len(m.sites))
	for i, s := range m.sites {
		if strings.HasSuffix(s.Name, "hook_result") { // as costly as all else together, and nothing that attn_out does not show
			taps[i] = nil
		}
	}
	if err := p.Run(context.Background(), ids, m.NewCache(), taps); err != nil {
		return err
	}
	for l := range m.cfg.NLayers {
		at := fmt.Sprintf("blocks.%d.hook_", l)
		if err := checkSum(seen[at+"resid_post"], seen[at+"resid_pre"], seen[at+"attn_out"], seen[at+"mlp_out"]); err != nil {
			return fmt.Errorf("%sresid_post: %w", at, err)
		}
	}
	logits := make([]float32, n*m.cfg.DVocab)
	if err := h.Run(context.Background(), seen[fmt.Sprintf("blocks.%d.hook_resid_post", m.cfg.NLayers-1)], logits, taps); err != nil {
		return err
	}
	if i := slices.IndexFunc(logits, notFinite); i >= 0 {
		return fmt.Errorf("logit %d is %v", i%m.cfg.DVocab, logits[i])
	}
	return nil
}

func notFinite(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }

// checkPattern looks at [T, n_heads, S] of a sequence that starts at 0.
func checkPattern(a Activation) error {
	heads, s := a.Shape[1], a.Shape[2]
	for i := 0; i < len(a.Data); i += s {
		row, q := a.Data[i:i+s], i/s/heads
		var sum float64
		for j, p := range row {
			if p < 0 || j > q && p != 0 {
				return fmt.Errorf("position %d gives weight %v to position %d", q, p, j)
			}
			sum += float64(p)
		}
		if math.Abs(sum-1) > 1e-5 {
			return fmt.Errorf("weights of position %d sum to %v, not 1", q, sum)
		}
	}
	return nil
}

// checkSum demands after = sum of terms within float32 rounding.
func checkSum(after []float32, terms ...[]float32) error {
	for i, v := range after {
		var sum, size float64
		for _, t := range terms {
			sum += float64(t[i])
			size += math.Abs(float64(t[i]))
		}
		if math.Abs(float64(v)-sum) > 1e-5*max(size, 1e-5) {
			return fmt.Errorf("value %d is %v, but resid_pre + attn_out + mlp_out is %v", i, v, sum)
		}
	}
	return nil
}
