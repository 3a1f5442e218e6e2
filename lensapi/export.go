package lens

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
)

// Safetensors writes the rows as float32 tensors [positions, d_model] under TransformerLens's names: blocks.0.hook_resid_pre for embed,
// blocks.{l}.hook_resid_post for l_post. The metadata say the model and how the rows were stored.
func (r *Residuals) Safetensors(w io.Writer) error {
	var ts []tensor
	for i, row := range r.Rows {
		data := make([]float32, 0, r.Positions*r.DModel)
		for p := range r.Positions {
			data = append(data, r.At(i, p)...)
		}
		ts = append(ts, tensor{siteOfRow(row), []int{r.Positions, r.DModel}, data})
	}
	codec := r.Codec
	if codec == "" {
		codec = "exact"
	}
	return wrap(Unavailable, writeSafetensors(w, ts, map[string]string{"gopherlens.model": r.Model, "gopherlens.codec": codec}), "writing residuals")
}

// siteOfRow is TransformerLens's name of a row.
func siteOfRow(row string) string {
	layer, kind, ok := strings.Cut(row, "_")
	if !ok {
		return "blocks.0.hook_resid_pre"
	}
	return "blocks." + layer + ".hook_resid_" + kind
}

// NPY writes the rows as one NumPy array [positions, rows, d_model] of float32.
func (r *Residuals) NPY(w io.Writer) error {
	b := bufio.NewWriter(w)
	b.WriteString(npyHeader("<f4", r.Positions, len(r.Rows), r.DModel))
	writeFloats(b, r.Data)
	return wrap(Unavailable, b.Flush(), "writing residuals")
}

// npyHeader is the header of a NumPy array file, version 1.0: little endian, C order.
func npyHeader(dtype string, shape ...int) string {
	var dims strings.Builder
	for _, n := range shape {
		fmt.Fprintf(&dims, "%d, ", n)
	}
	head := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", dtype, dims.String())
	head += strings.Repeat(" ", (64-(len(head)+11)%64)%64) + "\n" // magic, version and length are 10 bytes
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(head)))) + head
}

// array is one array of a grid, for files: ids [positions], first (its first position), top_id, top_logit and top_logprob [rows, positions, candidates], and each
// statistic that the grid has, [rows, positions] in float64, NaN where a cell has none.
type array struct {
	name  string
	whole bool // int64, otherwise float64
	shape []int
	dims  []string
	data  []byte // little endian
}

func (g *Grid) arrays() []array {
	var all []array
	rows, n, k := len(g.Rows), len(g.IDs), len(g.Cells[0][0].Top)
	add := func(name string, whole bool, shape []int, values func(put func(bits uint64))) {
		a := array{name: name, whole: whole, shape: shape, dims: [][]string{{}, {"position"}, {"row", "position"}, {"row", "position", "candidate"}}[len(shape)]}
		values(func(bits uint64) { a.data = binary.LittleEndian.AppendUint64(a.data, bits) })
		all = append(all, a)
	}
	add("ids", true, []int{n}, func(put func(uint64)) {
		for _, id := range g.IDs {
			put(uint64(id))
		}
	})
	add("first", true, []int{}, func(put func(uint64)) { put(uint64(g.First)) })
	candidates := func(name string, whole bool, of func(c Candidate) uint64) {
		add(name, whole, []int{rows, n, k}, func(put func(uint64)) {
			for _, row := range g.Cells {
				for _, cell := range row {
					for _, t := range cell.Top {
						put(of(t))
					}
				}
			}
		})
	}
	candidates("top_id", true, func(c Candidate) uint64 { return uint64(c.ID) })
	candidates("top_logit", false, func(c Candidate) uint64 { return math.Float64bits(c.Logit) })
	candidates("top_logprob", false, func(c Candidate) uint64 { return math.Float64bits(c.Logprob) })
	for _, s := range Statistics() {
		values, err := g.Values(s)
		if err != nil {
			continue // not asked for
		}
		add(string(s), false, []int{rows, n}, func(put func(uint64)) {
			for _, row := range values {
				for _, v := range row {
					put(math.Float64bits(v))
				}
			}
		})
	}
	return all
}

// NPZ writes the grid as NumPy arrays: ids [positions], first (its first position), top_id, top_logit and top_logprob [rows, positions, candidates], and each
// statistic that the grid has, [rows, positions] in float64, under the statistic's name. model is a text: its name, with what is approximate about it.
func (g *Grid) NPZ(w io.Writer) error { return wrap(Unavailable, g.npz(w), "writing the grid") }

func (g *Grid) npz(w io.Writer) error {
	z := zip.NewWriter(w)
	write := func(name, dtype string, shape []int, data []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate}) // no time of day: equal grids, equal bytes
		if err != nil {
			return err
		}
		if _, err := io.WriteString(f, npyHeader(dtype, shape...)); err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	}
	for _, a := range g.arrays() {
		dtype := "<f8"
		if a.whole {
			dtype = "<i8"
		}
		if err := write(a.name, dtype, a.shape, a.data); err != nil {
			return err
		}
	}
	name := []rune(g.Model)
	var text []byte // UTF-32, as NumPy has it
	for _, r := range name {
		text = binary.LittleEndian.AppendUint32(text, uint32(r))
	}
	if err := write("model", fmt.Sprintf("<U%d", len(name)), nil, text); err != nil {
		return err
	}
	return z.Close()
}
