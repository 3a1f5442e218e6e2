package model

import (
	"fmt"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// Model is a checkpoint bound to its architecture. It is immutable.
type Model struct {
	cfg     Config
	arch    architecture
	embed   *kernels.Matrix // [d_vocab, d_model]
	unembed *kernels.Matrix // [d_vocab, d_model]; the same Matrix when tied
	final   norm
	sites   []Site
	head    int // index of the first of sites that is in the Head
}

// architecture is one family: its tensors, and its forward pass as a graph.
type architecture interface {
	// tensors tells the binder every tensor but the embedding and the unembedding, whose names it returns.
	tensors(b *binder, c Config) (embed, unembed string)
	// embed gives what enters block 0, [T, d_model].
	embed(g *graph) node
	// block gives what leaves block l, [T, d_model].
	block(g *graph, l int, x node) node
}

// Load reads a config.json of a supported model_type (see README.md) and the tensors it calls for. Every problem of
// the config, then every tensor that is missing, unexpected, misshapen or unreadable is listed in one error. Masks
// and rotary frequencies that some checkpoints carry are ignored. Load ends by running three tokens; see doc.go.
// The Set may be closed afterwards.
func Load(config []byte, w *weights.Set) (*Model, error) {
	if _, err := kernels.Level(); err != nil {
		return nil, err
	}
	c, err := parseConfig(config)
	if err != nil {
		return nil, err
	}
	m := &Model{cfg: c, arch: families[c.Family].new()}
	b := &binder{set: w, final: &m.final}
	embed, unembed := m.arch.tensors(b, c)
	b.matrix(&m.embed, embed, c.DVocab, c.DModel)
	if !c.Tied {
		b.matrix(&m.unembed, unembed, c.DVocab, c.DModel)
	}
	if err := b.compare(unembed); err != nil {
		return nil, err
	}
	if _, ok := w.Info(unembed); ok && c.Tied {
		if err := sameTensor(w, embed, unembed); err != nil {
			return nil, err
		}
	}
	if err := b.finite(); err != nil {
		return nil, err
	}
	if err := b.read(); err != nil {
		return nil, err
	}
	if c.Tied {
		m.unembed = m.embed
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("self-check: %w", err)
	}
	return m, nil
}

// Config describes the model. Its slices are the caller's copies.
func (m *Model) Config() Config {
	c := m.cfg
	c.EOS, c.Windows = slices.Clone(c.EOS), slices.Clone(c.Windows)
	return c
}

// Rows names the residual rows of a position from bottom to top: embed (what enters block 0), then 0_post, 1_post,
// ... (what leaves each block).
func (m *Model) Rows() []string {
	rows := []string{"embed"}
	for l := range m.cfg.NLayers {
		rows = append(rows, fmt.Sprintf("%d_post", l))
	}
	return rows
}
