package cache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// ExportResult says what an export wrote.
type ExportResult struct {
	Dir     string `json:"dir"`
	Tokens  int    `json:"tokens"`
	Layers  []int  `json:"layers"`  // rows of the space in the array, in order
	Type    string `json:"type"`    // of the array: float16 or float32
	Missing int    `json:"missing"` // tokens whose rows are neither stored nor could be computed: NaN in the array
}

// Export writes the conversation to a new folder that any zarr v3 reader opens: a group with the array rows, [tokens,
// layers stored, d_model], in the values that Rows gives, and the array tokens, [tokens]; beside them conversation.json
// with records and events. Rows that are not stored are computed by r; with a nil r they are left out and counted.
// progress, if not nil, is called after each block.
func (c *Conversation) Export(ctx context.Context, dir string, r Recompute, progress func(done, total int)) (ExportResult, error) {
	done, err := c.s.begin()
	if err != nil {
		return ExportResult{}, err
	}
	defer done()
	st, err := c.snapshot()
	if err != nil {
		return ExportResult{}, err
	}
	if err := os.Mkdir(dir, dirPerm); err != nil {
		return ExportResult{}, plain(err)
	}
	x := exporter{c: c, st: &st, dir: dir, r: r, progress: progress, lay: c.lay}
	x.lay.codec, x.lay.layers = CodecF16, nil
	if c.lay.codec != CodecF16 {
		x.lay.codec = CodecF32
	}
	err = x.rows(ctx)
	if errors.Is(err, errWider) {
		x.lay.codec, x.missing = CodecF32, 0
		err = x.rows(ctx)
	}
	if err == nil {
		err = x.rest()
	}
	if err != nil {
		return ExportResult{}, fmt.Errorf("export to %s is not complete: %w", dir, err)
	}
	return ExportResult{dir, len(st.tokens), x.layers(), x.dataType(), x.missing}, nil
}

type exporter struct {
	c        *Conversation
	st       *state
	dir      string
	r        Recompute
	progress func(done, total int)
	lay      layout // of the array
	missing  int
}

var errWider = errors.New("a value does not fit float16")

func (x *exporter) dataType() string {
	if x.lay.codec == CodecF16 {
		return "float16"
	}
	return "float32"
}

func (x *exporter) layers() []int {
	if x.c.lay.layers != nil {
		return x.c.lay.layers
	}
	return seqTo(x.c.meta.Space.Rows)
}

// rows writes the array of rows, a shard per block.
func (x *exporter) rows(ctx context.Context) error {
	n, size := len(x.st.tokens), x.lay.Block
	for at := 0; at < n; at += size {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(at+size, n)
		values, err := x.c.Layers(ctx, at, end, x.layers(), x.r)
		switch {
		case errors.Is(err, ErrMissing):
			x.missing += end - at
		case err != nil:
			return err
		default:
			if err := x.shard(at/size, values); err != nil {
				return err
			}
		}
		if x.progress != nil {
			x.progress(end, n)
		}
	}
	return x.json("rows/zarr.json", map[string]any{
		"zarr_format": 3, "node_type": "array", "data_type": x.dataType(), "fill_value": "NaN", "attributes": struct{}{},
		"shape":              []int{n, x.lay.Rows, x.lay.DModel},
		"dimension_names":    []string{"token", "layer", "d_model"},
		"chunk_grid":         named("regular", map[string]any{"chunk_shape": []int{size, x.lay.Rows, x.lay.DModel}}),
		"chunk_key_encoding": named("default", map[string]any{"separator": "/"}),
		"codecs": []any{named("sharding_indexed", map[string]any{
			"chunk_shape": []int{size, 1, x.lay.DModel},
			"codecs": []any{named("bytes", map[string]any{"endian": "little"}),
				named("zstd", map[string]any{"level": 3, "checksum": false}), map[string]any{"name": "crc32c"}},
			"index_codecs":   []any{named("bytes", map[string]any{"endian": "little"}), map[string]any{"name": "crc32c"}},
			"index_location": "end",
		})},
	})
}

func named(name string, config map[string]any) map[string]any {
	return map[string]any{"name": name, "configuration": config}
}

// shard writes block n; tokens beyond the last are zeros, which readers do not show.
func (x *exporter) shard(n int, values []float32) error {
	per := x.lay.values()
	values = append(values, make([]float32, x.lay.Block*per-len(values))...)
	toks := make([]encRow, x.lay.Block)
	for i := range toks {
		toks[i] = encodeRow(x.lay, values[i*per:(i+1)*per])
	}
	var key blockKey
	if n < len(x.st.keys) {
		key = x.st.keys[n]
	}
	b, err := newBlock(key, x.lay, toks)
	if err != nil {
		return err
	}
	for _, c := range b.chunks {
		if c.t == dtypeF32 {
			return errWider
		}
	}
	data, err := marshalShard(b)
	if err != nil {
		return err
	}
	return x.file(fmt.Sprintf("rows/c/%d/0/0", n), data)
}

// rest writes what is not rows.
func (x *exporter) rest() error {
	info := x.c.Info()
	n := len(x.st.tokens)
	ids := make([]byte, 0, 4*n)
	type token struct {
		ID     int    `json:"id"`
		Record []byte `json:"record"`
	}
	type event struct {
		At   int             `json:"at"`
		Data json.RawMessage `json:"data"`
	}
	all := struct {
		ID      string    `json:"id"`
		Created time.Time `json:"created"`
		Space   Space     `json:"space"`
		Codec   Codec     `json:"codec"`
		Layers  []int     `json:"layers"`
		Tokens  []token   `json:"tokens"`
		Events  []event   `json:"events"`
	}{info.ID, info.Created, info.Space, info.Codec, x.layers(), []token{}, []event{}}
	for i, id := range x.st.tokens {
		ids = append(ids, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
		all.Tokens = append(all.Tokens, token{id, x.st.records[i]})
	}
	for _, e := range x.st.events {
		all.Events = append(all.Events, event{e.At, e.Data})
	}
	if n > 0 {
		if err := x.file("tokens/c/0", ids); err != nil {
			return err
		}
	}
	return join(x.json("tokens/zarr.json", map[string]any{
		"zarr_format": 3, "node_type": "array", "data_type": "int32", "fill_value": 0, "attributes": struct{}{}, "shape": []int{n},
		"dimension_names":    []string{"token"},
		"chunk_grid":         named("regular", map[string]any{"chunk_shape": []int{max(n, 1)}}),
		"chunk_key_encoding": named("default", map[string]any{"separator": "/"}),
		"codecs":             []any{named("bytes", map[string]any{"endian": "little"})},
	}), x.json("conversation.json", all), x.json("zarr.json", map[string]any{
		"zarr_format": 3, "node_type": "group", "attributes": map[string]any{"conversation": info.ID, "layers": x.layers(), "model": info.Space.Model, "codec": info.Codec},
	}))
}

func (x *exporter) json(name string, v any) error {
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	return x.file(name, append(data, '\n'))
}

func (x *exporter) file(name string, data []byte) error {
	name = filepath.Join(x.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), dirPerm); err != nil {
		return plain(err)
	}
	return plain(os.WriteFile(name, data, filePerm))
}
