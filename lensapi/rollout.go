package lens

import (
	"fmt"

	"github.com/gopherlens/gopherlens/plots"
)

// Rollout is an attention rollout as a value that shows itself.
type Rollout struct {
	Model       string      `json:"model"`
	ModelDigest string      `json:"model_digest"`
	IDs         []int       `json:"ids"`
	Codec       string      `json:"codec,omitempty"` // how rows were stored that attention was computed from; "" when they are exact
	Share       [][]float64 `json:"share"`           // [query][key], each row summing to one

	of *Attention
}

// RolledOut is the rollout, which needs all layers: see Rollout.
func (a *Attention) RolledOut() (*Rollout, error) {
	share, err := a.Rollout()
	if err != nil {
		return nil, err
	}
	return &Rollout{a.Model, a.ModelDigest, a.IDs, a.Codec, share, a}, nil
}

// Chart draws the rollout.
func (r *Rollout) Chart() (*plots.Figure, error) {
	return r.of.matrix("Attention rollout", "share (Abnar and Zuidema 2020)", lower(r.Share), 1)
}

// String is each position's share of the last one.
func (r *Rollout) String() string {
	var t table
	t.add("position", "token", "share of the last position")
	last := len(r.Share) - 1
	for k, name := range r.of.tokens() {
		t.add(fmt.Sprint(k), name, fmt.Sprintf("%.3f", r.Share[last][k]))
	}
	return fmt.Sprintf("%s · attention rollout over all layers\n%s", r.of.caption(), &t)
}

// MIMEBundle shows the rollout as a table and a picture.
func (r *Rollout) MIMEBundle() map[string]any { return figureBundle(r, r.Chart) }

// MIMEMetadata gives the picture's size.
func (r *Rollout) MIMEMetadata() map[string]any { return figureMetadata(r.Chart) }
