package lens

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/gopherlens/gopherlens/cache"
	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
	"github.com/gopherlens/gopherlens/lensapi/teach"
	"github.com/gopherlens/gopherlens/lensapi/tokenizer"
	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// Model is a transformer with its tokenizer and the cache of everything seen through it. It is safe for concurrent use.
type Model struct {
	name     string
	digest   string // of config and weights
	cfg      model.Config
	rowNames []string
	tok      *tokenizer.Tokenizer
	run      *forward.Runner
	store    *openStore
	space    cache.Space
	free     func() error // gives the shared store back

	head       sync.Once // guards headDigest
	headDigest string
}

// LoadOptions chooses what Load leaves to defaults.
type LoadOptions struct {
	// CacheDir is the cache folder. Default: GOPHERLENS_CACHE_DIR, else the folder "gopherlens" in the user's cache folder.
	CacheDir string
	// Weights rounds the model's matrices to f16, bf16 or int8, which saves memory and time. It is an approximation: the model's name, and so every output,
	// says so, and nothing is shared with the exact model's cache. Default: as they are stored, exactly.
	//
	// How far the logits of F32 weights move, at most, in the embedded model and a tiny random one of every family:
	//
	//	      root mean square        largest    KL of a position    same first token of 204 positions (embedded)
	//	f16   0.1 % of the deviation  0.012      2e-5 nats           all
	//	bf16  0.8 %                   0.1        6e-4                98 %
	//	int8  4 %                     0.6        0.012               96 %
	Weights string
}

// Embedded is the name of the model inside the binary.
const Embedded = "teach"

// Load loads a model: "teach", which is embedded, or a folder in Hugging Face layout (config.json, model.safetensors or its shards, tokenizer.json).
// Weights are validated on the way: a missing, extra or misshapen tensor is an error that lists them all.
func Load(name string) (*Model, error) { return LoadWith(name, LoadOptions{}) }

// LoadWith is Load with options.
func LoadWith(name string, opt LoadOptions) (*Model, error) {
	fsys, err := open(name)
	if err != nil {
		return nil, err
	}
	m, err := load(name, fsys, model.Options{Weights: opt.Weights})
	if err != nil {
		return nil, wrap(Unavailable, err, "loading model %s", name)
	}
	dir, err := CacheDir(opt.CacheDir)
	if err != nil {
		return nil, err
	}
	if m.store, m.free, err = shared.open(dir); err != nil {
		return nil, wrap(Unavailable, err, "opening the cache")
	}
	return m, nil
}

func open(name string) (fs.FS, error) {
	if name == Embedded {
		return teach.FS(), nil
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, notFoundf("no model %q: give %q, the embedded one, or a folder with config.json, model.safetensors and tokenizer.json", name, Embedded)
	case err != nil:
		return nil, wrap(Unavailable, err, "opening model %s", name)
	case !info.IsDir():
		return nil, invalidf("model %q is a file: give the folder that holds config.json, model.safetensors and tokenizer.json", name)
	}
	// Opening a pipe would wait for a writer for ever.
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, wrap(Unavailable, err, "opening model %s", name)
	}
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(name, e.Name())); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			return nil, invalidf("model %q: %s is not a regular file", name, e.Name())
		}
	}
	return os.DirFS(name), nil
}

// maxConfig bounds config.json; real ones have a few kB.
const maxConfig = 1 << 20

func load(name string, fsys fs.FS, opt model.Options) (*Model, error) {
	config, w, err := files(fsys)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := model.Estimate(config, w, opt); err != nil { // the quick checks, before all is read
		return nil, err
	}
	tok, err := tokenizer.Load(fsys)
	if err != nil {
		return nil, err
	}
	var wd string
	var g errgroup.Group
	g.Go(func() (err error) {
		wd, err = w.Digest()
		return err
	})
	mod, err := model.LoadWith(config, w, opt)
	if err = errors.Join(g.Wait(), err); err != nil {
		return nil, err
	}
	cfg := mod.Config()
	label := displayName(name)
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s", wd, config)
	if a := mod.Approximation(); a != "" {
		label += " (approximation: " + a + ")"
		fmt.Fprintf(sum, "\n%s", a)
	}
	m := &Model{name: label, digest: hex.EncodeToString(sum.Sum(nil)), cfg: cfg, rowNames: mod.Rows(), tok: tok, run: forward.New(mod)}
	m.space = cache.Space{Numerics: forward.Numerics, Model: m.digest, Tokenizer: tok.Digest(), Rows: len(m.rowNames), DModel: cfg.DModel}
	return m, nil
}

// files reads config.json and opens the weights.
func files(fsys fs.FS) (config []byte, w *weights.Set, err error) {
	f, err := fsys.Open("config.json")
	if err != nil {
		return nil, nil, err
	}
	config, err = io.ReadAll(io.LimitReader(f, maxConfig+1))
	f.Close()
	if err != nil {
		return nil, nil, fmt.Errorf("config.json: %w", err)
	}
	if len(config) > maxConfig {
		return nil, nil, fmt.Errorf("config.json has more than %d bytes", maxConfig)
	}
	w, err = weights.Open(fsys)
	return config, w, err
}

// Memory is what a model takes, in bytes.
type Memory = model.Memory

// Estimate says how much memory LoadWith would take, from the headers of the files alone. LoadWith refuses a model that needs more than there is.
func Estimate(name string, opt LoadOptions) (Memory, error) {
	fsys, err := open(name)
	if err != nil {
		return Memory{}, err
	}
	config, w, err := files(fsys)
	if err != nil {
		return Memory{}, wrap(Unavailable, err, "model %s", name)
	}
	defer w.Close()
	mem, err := model.Estimate(config, w, model.Options{Weights: opt.Weights})
	return mem, wrap(Unavailable, err, "model %s", name)
}

// displayName is the folder's own name: figures are published, and a path would say more about the machine than about the model.
func displayName(name string) string {
	if abs, err := filepath.Abs(name); err == nil && name != Embedded {
		return filepath.Base(abs)
	}
	return name
}

// Close gives the model's share of the cache back. The model must not be used after it.
func (m *Model) Close() error { return wrap(Unavailable, m.free(), "closing the cache") }

// Name is the name the model was loaded by: for a folder, the folder's own name.
func (m *Model) Name() string { return m.name }

// Digest is the hex SHA-256 of the model's config.json and weights: equal digests, equal numbers.
func (m *Model) Digest() string { return m.digest }

// Rows names the rows of the residual stream in order: embed, 0_post, ..., the last of which the model unembeds.
func (m *Model) Rows() []string { return append([]string(nil), m.rowNames...) }

// Config says the model's family and sizes.
func (m *Model) Config() model.Config {
	c := m.cfg
	c.EOS, c.Windows = slices.Clone(c.EOS), slices.Clone(c.Windows)
	return c
}

// Sites lists every place of a run that can be read and edited, in the order of execution: see SITES.md.
func (m *Model) Sites() []model.Site { return m.run.Model().Sites() }

// String is one line about the model.
func (m *Model) String() string {
	c := m.cfg
	text := ""
	if n := m.run.Model().Unread(); n > 0 {
		text = fmt.Sprintf(" (text only: %d tensors that read images are not loaded)", n)
	}
	return fmt.Sprintf("%s: %s%s, %d layers, d_model %d, %d heads, d_vocab %d, context %d, sha256 %s",
		m.name, c.Family, text, c.NLayers, c.DModel, c.NHeads, c.DVocab, c.NCtx, m.digest[:12])
}

// Encode returns the token ids of text, with no BOS added. Special tokens written out in the text are recognised.
func (m *Model) Encode(text string) ([]int, error) {
	ids, err := m.tok.Encode(text)
	return ids, wrap(Invalid, err, "tokenizing")
}

// Decode returns the text of ids, special tokens left out.
func (m *Model) Decode(ids []int) string { return m.tok.Decode(ids) }

// TokenText is a token's text, as Token.Text gives it.
func (m *Model) TokenText(id int) string { return m.token(id).Text() }

func (m *Model) token(id int) Token { return Token{ID: id, Bytes: m.tok.Bytes(id)} }

func (m *Model) glyphs(id int) string { return m.token(id).Glyphs() }

// check refuses ids that the model cannot read, before anything is computed.
func (m *Model) check(ids []int) error {
	if len(ids) == 0 {
		return invalidf("the prompt is empty: give at least one token")
	}
	if len(ids) > m.cfg.NCtx {
		return invalidf("the prompt has %d tokens; %s reads at most %d", len(ids), m.name, m.cfg.NCtx)
	}
	for p, id := range ids {
		if id < 0 || id >= m.cfg.DVocab {
			return invalidf("token id %d at position %d is not in the vocabulary of %s: ids go from 0 to %d", id, p, m.name, m.cfg.DVocab-1)
		}
	}
	return nil
}

// Status says what the cache holds and how much the model has computed since it was loaded.
type Status struct {
	Cache   cache.Status  `json:"cache"`
	Forward forward.Stats `json:"forward"` // passes and tokens fed since Load: zero when all came from the cache
}

// Status is cheap to call but for the first time, when the blocks on disk are counted.
func (m *Model) Status() Status { return Status{m.store.Status(), m.run.Stats()} }

// String is the status for people.
func (s Status) String() string {
	return fmt.Sprintf("forward passes since load: %d (%d tokens)\n%s", s.Forward.Passes, s.Forward.Tokens, strings.TrimRight(s.Cache.String(), "\n"))
}

// Residuals are residual-stream rows read back from the cache: Data is [Positions, rows, d_model].
type Residuals struct {
	Model     string // its name, with what is approximate about it
	Codec     string // how they were rounded when they were stored; "" when they are exact
	Rows      []string
	Positions int
	DModel    int
	Data      []float32
}

// At returns one row at one position, [d_model]. Like an index of a slice, it panics out of range.
func (r *Residuals) At(row, position int) []float32 {
	i := (position*len(r.Rows) + row) * r.DModel
	return r.Data[i : i+r.DModel]
}

// residuals runs the model over ids for rows that the cache has lost: [len(ids), rows, d_model].
func (m *Model) residuals(ctx context.Context, ids []int) ([]float32, error) {
	t, err := m.run.NewSession().Extend(ctx, ids)
	if err != nil {
		return nil, err
	}
	return t.Resid, nil
}
