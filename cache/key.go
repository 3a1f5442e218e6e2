package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"math"
	"unicode/utf8"
)

// keyDomain heads every key chain, followed by the codec: a change of either shares nothing.
const keyDomain = "gopherlens-cache/1 "

// Bounds of a Space. They are far above real models and keep sizes read from disk harmless.
const (
	maxRows      = 4096
	maxDModel    = 1 << 17
	maxRowValues = 1 << 25 // rows * d_model of one token
	maxField     = 4096    // bytes of a name or digest
	maxTokenID   = math.MaxInt32
)

// Space is everything besides the token ids that residual rows depend on. Rows are shared only inside one space.
type Space struct {
	Numerics  string `json:"numerics"`  // numerics class: what changes bits without changing weights
	Model     string `json:"model"`     // digest of the weights
	Tokenizer string `json:"tokenizer"` // digest of the tokenizer
	Rows      int    `json:"rows"`      // places of the residual stream per token
	DModel    int    `json:"d_model"`
}

// Validate lists everything that is wrong with the space.
func (sp Space) Validate() error {
	var errs []error
	if sp.Rows < 1 || sp.Rows > maxRows {
		errs = append(errs, fmt.Errorf("rows %d is not in 1..%d", sp.Rows, maxRows))
	}
	if sp.DModel < 1 || sp.DModel > maxDModel {
		errs = append(errs, fmt.Errorf("d_model %d is not in 1..%d", sp.DModel, maxDModel))
	}
	if len(errs) == 0 && sp.Rows*sp.DModel > maxRowValues {
		errs = append(errs, fmt.Errorf("rows * d_model = %d is more than %d", sp.Rows*sp.DModel, maxRowValues))
	}
	for _, f := range []struct{ name, value string }{{"numerics", sp.Numerics}, {"model", sp.Model}, {"tokenizer", sp.Tokenizer}} {
		if !utf8.ValidString(f.value) { // JSON would change it
			errs = append(errs, fmt.Errorf("%s %q is not valid UTF-8", f.name, f.value))
		}
		if len(f.value) > maxField {
			errs = append(errs, fmt.Errorf("%s has %d bytes, more than %d", f.name, len(f.value), maxField))
		}
	}
	return join(errs...)
}

// values is the number of floats of one token.
func (sp Space) values() int { return sp.Rows * sp.DModel }

// blockKey is a raw SHA-256: the hash of a space, or of a block under its parent.
type blockKey [sha256.Size]byte

func (k blockKey) String() string { return hex.EncodeToString(k[:]) }

// path is where the block lies in the cache folder.
func (k blockKey) path() string {
	s := k.String()
	return "blocks/" + s[:2] + "/" + s
}

func parseBlockKey(s string) (k blockKey, ok bool) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != len(k) || hex.EncodeToString(raw) != s {
		return k, false
	}
	return blockKey(raw), true
}

// rootKey is the parent of the first block: the hash of the format version, the space and what is stored of it.
func rootKey(sp Space, l layout) blockKey {
	h := sha256.New()
	for _, field := range []string{keyDomain + string(l.codec), sp.Numerics, sp.Model, sp.Tokenizer} {
		hashUint32(h, uint32(len(field)))
		h.Write([]byte(field))
	}
	hashUint32(h, uint32(sp.Rows))
	hashUint32(h, uint32(sp.DModel))
	if l.layers != nil {
		hashUint32(h, uint32(len(l.layers)))
		for _, r := range l.layers {
			hashUint32(h, uint32(r))
		}
	}
	return blockKey(h.Sum(nil))
}

// childKey is the key of the block holding these ids after the tokens that parent stands for.
func childKey(parent blockKey, ids []int) blockKey {
	h := sha256.New()
	h.Write(parent[:])
	hashUint32(h, uint32(len(ids)))
	for _, id := range ids {
		hashUint32(h, uint32(id))
	}
	return blockKey(h.Sum(nil))
}

// extendKeys returns keys grown to one key per complete block of ids.
func extendKeys(root blockKey, block int, keys []blockKey, ids []int) []blockKey {
	for n := len(keys); (n+1)*block <= len(ids); n++ {
		parent := root
		if n > 0 {
			parent = keys[n-1]
		}
		keys = append(keys, childKey(parent, ids[n*block:(n+1)*block]))
	}
	return keys
}

func hashUint32(h hash.Hash, v uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	h.Write(b[:])
}
