package lens

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/weights"
)

// digestOf is the hex SHA-256 of values that fmt writes unambiguously.
func digestOf(values ...any) string {
	h := sha256.New()
	for _, v := range values {
		fmt.Fprintf(h, "%q\n", fmt.Sprint(v))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// save writes the checkpoint: the parameters and moments of each row, the step, and the loss so far.
func (f *fitter) save() error {
	var ts []tensor
	for r, row := range f.m.rowNames[:f.rows] {
		for i, p := range [][][]float32{f.params, f.first, f.sq} {
			ts = append(ts, tensor{row + "." + []string{"params", "first", "square"}[i], []int{len(p[r])}, p[r]})
		}
	}
	loss, err := json.Marshal(f.loss)
	if err != nil {
		return err
	}
	meta := map[string]string{"gopherlens.fit": f.text, "gopherlens.step": strconv.Itoa(f.step), "gopherlens.loss": string(loss)}
	err = writeFile(f.opt.Checkpoint, func(w io.Writer) error { return writeSafetensors(w, ts, meta) })
	return wrap(Unavailable, err, "checkpoint")
}

// resume reads a checkpoint of this very fit, if there is one.
func (f *fitter) resume() error {
	if f.opt.Checkpoint == "" {
		return nil
	}
	meta, err := readMetadata(f.opt.Checkpoint)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wrap(Unavailable, err, "checkpoint")
	}
	if meta["gopherlens.fit"] != f.text {
		return invalidf("the checkpoint is of another fit: give the text and options it was begun with, or another file")
	}
	if f.step, err = strconv.Atoi(meta["gopherlens.step"]); err != nil || f.step < 0 || f.step > f.opt.Steps {
		return invalidf("the checkpoint names step %q of %d", meta["gopherlens.step"], f.opt.Steps)
	}
	if err := json.Unmarshal([]byte(meta["gopherlens.loss"]), &f.loss); err != nil || len(f.loss) != f.step {
		return invalidf("the checkpoint holds %d losses for %d steps", len(f.loss), f.step)
	}
	set, err := weights.Open(oneFile{f.opt.Checkpoint})
	if err != nil {
		return wrap(Unavailable, err, "checkpoint")
	}
	defer set.Close()
	for r, row := range f.m.rowNames[:f.rows] {
		for i, p := range [][][]float32{f.params, f.first, f.sq} {
			data, err := set.Float32(row + "." + []string{"params", "first", "square"}[i])
			if err != nil {
				return wrap(Unavailable, err, "checkpoint")
			}
			if len(data) != len(p[r]) {
				return invalidf("the checkpoint has %d values for row %s; this fit has %d", len(data), row, len(p[r]))
			}
			copy(p[r], data)
		}
	}
	return nil
}

// translators are the fit's, as a file of them would be read.
func (f *fitter) translators() (*Translators, error) {
	t := &Translators{Kind: Tuned, Rows: f.m.rowNames[:f.rows], Head: f.m.HeadDigest(), d: f.d}
	for r := range f.rows {
		t.weight, t.bias = append(t.weight, f.params[r][:f.d*f.d]), append(t.bias, f.params[r][f.d*f.d:])
	}
	var b bytes.Buffer
	if err := writeSafetensors(&b, t.tensors(), nil); err != nil {
		return nil, err
	}
	set, err := weights.Open(inMemory(b.Bytes()))
	if err != nil {
		return nil, err
	}
	defer set.Close()
	t.Digest, err = set.Digest()
	return t, err
}

// inMemory shows bytes as the model.safetensors of a folder.
type inMemory []byte

func (b inMemory) Open(name string) (fs.File, error) {
	if name != "model.safetensors" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return memoryFile{bytes.NewReader(b)}, nil
}

// memoryFile is a file and its own description.
type memoryFile struct{ *bytes.Reader }

func (f memoryFile) Stat() (fs.FileInfo, error) { return f, nil }
func (f memoryFile) Close() error               { return nil }
func (f memoryFile) Name() string               { return "model.safetensors" }
func (f memoryFile) Mode() fs.FileMode          { return 0o444 }
func (f memoryFile) ModTime() time.Time         { return time.Time{} }
func (f memoryFile) IsDir() bool                { return false }
func (f memoryFile) Sys() any                   { return nil }
