package lens

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
)

// zarrArray is one array of a zarr v3 group, little endian, in one chunk and not compressed.
type zarrArray struct {
	name, dtype string // dtype: int64, float32, float64
	shape       []int
	dims        []string
	data        []byte
}

// writeZarr writes a new folder that any zarr v3 reader opens: a group of arrays, what attributes says in its zarr.json.
func writeZarr(dir string, attributes map[string]any, arrays []zarrArray) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return invalidf("%s is there already: name a new folder", dir)
		}
		return err
	}
	write := func(name string, data []byte) error {
		path := filepath.Join(dir, filepath.FromSlash(name))
		return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644))
	}
	object := func(name string, v map[string]any) error {
		v["zarr_format"] = 3
		data, err := json.MarshalIndent(v, "", " ")
		return errors.Join(err, write(name, data))
	}
	for _, a := range arrays {
		chunk := make([]int, len(a.shape))
		for i, n := range a.shape {
			chunk[i] = max(n, 1)
		}
		var fill any = 0
		if strings.HasPrefix(a.dtype, "float") {
			fill = "NaN"
		}
		named := func(name, key string, value any) map[string]any {
			return map[string]any{"name": name, "configuration": map[string]any{key: value}}
		}
		err := object(a.name+"/zarr.json", map[string]any{
			"node_type": "array", "shape": a.shape, "data_type": a.dtype, "fill_value": fill, "attributes": map[string]any{}, "dimension_names": a.dims,
			"chunk_grid": named("regular", "chunk_shape", chunk), "chunk_key_encoding": named("default", "separator", "/"), "codecs": []any{named("bytes", "endian", "little")},
		})
		if err != nil {
			return err
		}
		if len(a.data) == 0 {
			continue
		}
		if err := write(a.name+"/c"+strings.Repeat("/0", len(a.shape)), a.data); err != nil {
			return err
		}
	}
	return object("zarr.json", map[string]any{"node_type": "group", "attributes": attributes})
}

// Zarr writes the rows to a new folder as a zarr v3 group: rows [position, row, d_model] in float32. The group's attributes say the model, the row names and how rows were stored.
func (r *Residuals) Zarr(dir string) error {
	data := make([]byte, 0, 4*len(r.Data))
	for _, v := range r.Data {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	a := zarrArray{"rows", "float32", []int{r.Positions, len(r.Rows), r.DModel}, []string{"position", "row", "d_model"}, data}
	return wrap(Unavailable, writeZarr(dir, map[string]any{"rows": r.Rows, "codec": r.Codec, "model": r.Model}, []zarrArray{a}), "writing residuals")
}

// Zarr writes the grid to a new folder as a zarr v3 group, with the arrays of NPZ. The group's attributes say the model, its digest, the variant, the names of rows
// and the tokens' texts.
func (g *Grid) Zarr(dir string) error {
	attributes := map[string]any{"rows": g.Rows, "tokens": g.Tokens}
	for _, m := range g.provenance() {
		attributes[m[0]] = m[1]
	}
	var arrays []zarrArray
	for _, a := range g.arrays() {
		dtype := "float64"
		if a.whole {
			dtype = "int64"
		}
		arrays = append(arrays, zarrArray{a.name, dtype, a.shape, a.dims, a.data})
	}
	return wrap(Unavailable, writeZarr(dir, attributes, arrays), "writing the grid")
}
