package lens

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// Translators are the affine maps of a Tuned lens, or the matrices of a Jacobian one: one for each row but the last.
type Translators struct {
	Kind   Variant  // Tuned or Jacobian
	Rows   []string // embed, 0_post, ..., without the last row
	Digest string   // hex SHA-256 of the tensors, as weights.Set counts it
	Head   string   // the digest of the final norm and unembedding that they are made for

	d      int
	weight [][]float32 // by row: [d_model, d_model], y = W x
	bias   [][]float32 // by row: [d_model]; nil for Jacobian
}

// apply maps rows [n, d_model]; a row that has no translator, as the last, stays as it is. Sums run in float64 in ascending order.
func (t *Translators) apply(x []float32, rows []string) []float32 {
	out := slices.Clone(x)
	for i, name := range rows {
		at := slices.Index(t.Rows, name)
		if at < 0 {
			continue
		}
		in, y := x[i*t.d:(i+1)*t.d], out[i*t.d:(i+1)*t.d]
		for j := range y {
			var sum float64
			for k, w := range t.weight[at][j*t.d : (j+1)*t.d] {
				sum += float64(w) * float64(in[k])
			}
			if t.Kind == Tuned {
				sum += float64(in[j]) + float64(t.bias[at][j])
			}
			y[j] = float32(sum)
		}
	}
	return out
}

// The metadata of a file of translators.
const (
	metaKind = "gopherlens.translators" // tuned or jacobian
	metaHead = "gopherlens.head"        // digest of the final norm and unembedding
)

// LoadTranslators reads translators for this model from a safetensors file: for each row but the last {row}.weight [d_model, d_model] and, for a tuned lens,
// {row}.bias [d_model]; rows are named embed, 0_post, ..., or, as the tuned-lens library names them, by the block they enter: 0, 1, .... The file's metadata
// say what they are (gopherlens.translators: tuned or jacobian) and which head they are made for (gopherlens.head: HeadDigest). Those of another head are
// refused: they would give numbers that look right. API.md has a script that converts a file of the tuned-lens library.
func (m *Model) LoadTranslators(path string) (*Translators, error) {
	t, err := m.loadTranslators(path)
	return t, wrap(Unavailable, err, "translators %s", filepath.Base(path))
}

func (m *Model) loadTranslators(path string) (*Translators, error) {
	meta, err := readMetadata(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Code: NotFound, Cause: err}
	}
	if err != nil {
		return nil, err
	}
	t := &Translators{Kind: Variant(meta[metaKind]), Head: meta[metaHead], Rows: m.rowNames[:len(m.rowNames)-1], d: m.cfg.DModel}
	if t.Kind != Tuned && t.Kind != Jacobian {
		return nil, invalidf("metadata %s is %q: want %s or %s", metaKind, meta[metaKind], Tuned, Jacobian)
	}
	if head := m.HeadDigest(); t.Head != head {
		return nil, invalidf("they are made for the head %.12q, and %s has %.12q: use those that were fitted for this model", t.Head, m.name, head)
	}
	set, err := weights.Open(oneFile{path})
	if err != nil {
		return nil, err
	}
	defer set.Close()
	if t.Digest, err = set.Digest(); err != nil {
		return nil, err
	}
	d, used := t.d, 0
	read := func(i int, part string, shape ...int) ([]float32, error) {
		name := t.Rows[i] + part
		info, ok := set.Info(name)
		if !ok {
			name = strconv.Itoa(i) + part
			info, ok = set.Info(name)
		}
		switch {
		case !ok:
			return nil, invalidf("there is no %s%s (nor %s): every row of %s but the last needs one", t.Rows[i], part, name, m.name)
		case !slices.Equal(info.Shape, shape):
			return nil, invalidf("%s has shape %v; %s wants %v", name, info.Shape, m.name, shape)
		}
		used++
		return set.Float32(name)
	}
	for i := range t.Rows {
		w, err := read(i, ".weight", d, d)
		if err != nil {
			return nil, err
		}
		t.weight = append(t.weight, w)
		if t.Kind == Tuned {
			b, err := read(i, ".bias", d)
			if err != nil {
				return nil, err
			}
			t.bias = append(t.bias, b)
		}
	}
	if n := len(set.Names()); n != used {
		return nil, invalidf("%d tensors, of which %d are translators of %s's rows: leave the others out", n, used, m.name)
	}
	for i := range t.Rows {
		for _, x := range append(slices.Clone(t.weight[i]), t.biasOf(i)...) {
			if x-x != 0 {
				return nil, invalidf("row %s holds NaN or Inf", t.Rows[i])
			}
		}
	}
	return t, nil
}

func (t *Translators) biasOf(i int) []float32 {
	if t.bias == nil {
		return nil
	}
	return t.bias[i]
}

// Save writes the translators as a safetensors file that LoadTranslators reads.
func (t *Translators) Save(path string) error {
	err := writeFile(path, func(w io.Writer) error {
		return writeSafetensors(w, t.tensors(), map[string]string{metaKind: string(t.Kind), metaHead: t.Head})
	})
	return wrap(Unavailable, err, "writing translators")
}

// tensors are the translators as a file holds them.
func (t *Translators) tensors() []tensor {
	var ts []tensor
	for i, row := range t.Rows {
		ts = append(ts, tensor{row + ".weight", []int{t.d, t.d}, t.weight[i]})
		if t.bias != nil {
			ts = append(ts, tensor{row + ".bias", []int{t.d}, t.bias[i]})
		}
	}
	return ts
}

// HeadDigest is the hex SHA-256 of the model's final norm and unembedding: what translators depend on.
func (m *Model) HeadDigest() string {
	m.head.Do(func() { m.headDigest = m.run.Model().HeadDigest() })
	return m.headDigest
}

// oneFile shows a single file as the model.safetensors of a folder.
type oneFile struct{ path string }

func (f oneFile) Open(name string) (fs.File, error) {
	if name != "model.safetensors" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return os.Open(f.path)
}

// maxHeader bounds the header of a safetensors file, as the format's own library does.
const maxHeader = 100 << 20

// readMetadata reads the __metadata__ of a safetensors file: string to string.
func readMetadata(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, invalidf("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var size [8]byte
	if _, err := io.ReadFull(f, size[:]); err != nil {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	n := binary.LittleEndian.Uint64(size[:])
	if n > maxHeader || int64(n) > info.Size()-8 {
		return nil, invalidf("not a safetensors file: its header would have %d bytes", n)
	}
	raw := make([]byte, n)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	var head struct {
		Metadata map[string]string `json:"__metadata__"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	return head.Metadata, nil
}
