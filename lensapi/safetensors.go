package lens

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// tensor is a named float32 tensor to be written.
type tensor struct {
	name  string
	shape []int
	data  []float32
}

// writeSafetensors writes tensors one after the other in the safetensors format, little-endian float32.
func writeSafetensors(w io.Writer, ts []tensor, meta map[string]string) error {
	type entry struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	head := map[string]any{"__metadata__": meta} // encoding/json sorts the names: equal tensors, equal bytes
	at := 0
	for _, t := range ts {
		head[t.name] = entry{"F32", t.shape, [2]int{at, at + 4*len(t.data)}}
		at += 4 * len(t.data)
	}
	js, err := json.Marshal(head)
	if err != nil {
		return err
	}
	js = append(js, strings.Repeat(" ", (8-len(js)%8)%8)...)
	b := bufio.NewWriter(w)
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(js))))
	b.Write(js)
	for _, t := range ts {
		writeFloats(b, t.data)
	}
	return b.Flush() // keeps the first error of all writes
}

func writeFloats(b *bufio.Writer, data []float32) {
	var buf [4]byte
	for _, x := range data {
		binary.LittleEndian.PutUint32(buf[:], math.Float32bits(x))
		b.Write(buf[:])
	}
}

// writeFile writes a file whole or not at all: beside its place, then renamed.
func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = errors.Join(write(f), f.Chmod(0o644), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
