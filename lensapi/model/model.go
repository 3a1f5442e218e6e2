package model

import (
	"fmt"
	"slices"
	"sync"

	"github.com/gopherlens/gopherlens/lensapi/kernels"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// Model is a checkpoint bound to its architecture. It is immutable.
type Model struct {
	cfg           Config
	arch          architecture
	embed         *kernels.Matrix // [d_vocab, d_model]
	unembed       *kernels.Matrix // [d_vocab, d_model]; the same Matrix when tied
	final         norm
	sites         []Site
	approximation string
	size          Size
	layers        []func() error // by layer, if lazy: reads its tensors, once
	head          int            // index of the first of sites that is in the Head
	unread        int            // tensors that read images
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
// the config, then every tensor that is missing, unexpected, misshapen or unreadable is listed in one error. A model that does not
// fit in memory is refused then, and one with a NaN in any tensor, before memory is taken. Masks
// and rotary frequencies that some checkpoints carry are ignored, and what reads images (Unread). Load ends by running three tokens; see doc.go.
// The Set may be closed afterwards.
func Load(config []byte, w *weights.Set) (*Model, error) { return LoadWith(config, w, Options{}) }

// LoadWith is Load with options.
func LoadWith(config []byte, w *weights.Set, o Options) (*Model, error) {
	m, b, twice, err := prepare(config, w, o)
	if err != nil {
		return nil, err
	}
	if twice != "" {
		if err := sameTensor(w, b.embed, twice); err != nil {
			return nil, err
		}
	}
	if err := b.memory().fits(available()); err != nil {
		return nil, err
	}
	if err := b.finite(b.eager(o)); err != nil {
		return nil, err
	}
	return m, m.finish(b, o)
}

// prepare compares a checkpoint with its config. twice is the name of a tied unembedding that was stored all the same.
func prepare(config []byte, w *weights.Set, o Options) (m *Model, b *binder, twice string, err error) {
	if m, b, err = bind(config, w, o); err != nil {
		return nil, nil, "", err
	}
	if err := b.compare(b.unembed); err != nil {
		return nil, nil, "", err
	}
	m.unread = b.unread
	if _, ok := w.Info(b.unembed); ok && m.cfg.Tied {
		twice = b.unembed
	}
	return m, b, twice, nil
}

// bind reads the config and lists the tensors.
func bind(config []byte, set source, o Options) (*Model, *binder, error) {
	if _, err := kernels.Level(); err != nil {
		return nil, nil, err
	}
	c, err := parseConfig(config)
	if err != nil {
		return nil, nil, err
	}
	pack, err := newPacker(o.Weights)
	if err != nil {
		return nil, nil, err
	}
	m := &Model{cfg: c, arch: families[c.Family].new()}
	b := &binder{set: set, pack: pack, cfg: c, final: &m.final, layer: -1}
	b.embed, b.unembed = m.arch.tensors(b, c)
	b.matrix(&m.embed, b.embed, c.DVocab, c.DModel)
	if !c.Tied {
		b.matrix(&m.unembed, b.unembed, c.DVocab, c.DModel)
	}
	return m, b, nil
}

// finish reads the tensors, those of the layers later if so asked, and checks the model.
func (m *Model) finish(b *binder, o Options) error {
	if err := b.read(b.eager(o)); err != nil {
		return err
	}
	m.size = b.size()
	if b.rounds() {
		m.approximation = "weights rounded to " + o.Weights
	}
	if m.cfg.Tied {
		m.unembed = m.embed
	}
	if o.Lazy {
		for l := range m.cfg.NLayers {
			m.layers = append(m.layers, sync.OnceValue(func() error {
				its := func(w want) bool { return w.layer == l }
				if err := b.finite(its); err != nil {
					return err
				}
				return b.read(its)
			}))
		}
	}
	if err := m.check(o.Lazy); err != nil {
		return fmt.Errorf("self-check: %w", err)
	}
	return nil
}

// need reads the tensors of layer l if that was put off.
func (m *Model) need(l int) error {
	if m.layers == nil {
		return nil
	}
	return m.layers[l]()
}

// Config describes the model. Its slices are the caller's copies.
func (m *Model) Config() Config {
	c := m.cfg
	c.EOS, c.Windows, c.RotaryScaling.Short = slices.Clone(c.EOS), slices.Clone(c.Windows), slices.Clone(c.RotaryScaling.Short)
	return c
}

// Unread is how many tensors of the checkpoint read images, which are left alone: only the text model is loaded. 0: none.
func (m *Model) Unread() int { return m.unread }

// Rows names the residual rows of a position from bottom to top: embed (what enters block 0), then 0_post, 1_post,
// ... (what leaves each block).
func (m *Model) Rows() []string {
	rows := []string{"embed"}
	for l := range m.cfg.NLayers {
		rows = append(rows, fmt.Sprintf("%d_post", l))
	}
	return rows
}
