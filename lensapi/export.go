package lens

import (
	"archive/zip"
	"bufio"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Safetensors writes the rows as float32 tensors [positions, d_model] under TransformerLens's names: blocks.0.hook_resid_pre for embed,
// blocks.{l}.hook_resid_post for l_post. The metadata say how the rows were stored.
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
	return wrap(Unavailable, writeSafetensors(w, ts, map[string]string{"gopherlens.codec": codec}), "writing residuals")
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

// NPZ writes the grid as NumPy arrays: ids [positions], first (its first position), top_id, top_logit and top_logprob [rows, positions, candidates], and each
// statistic that the grid has, [rows, positions] in float64, under the statistic's name.
func (g *Grid) NPZ(w io.Writer) error { return wrap(Unavailable, g.npz(w), "writing the grid") }

func (g *Grid) npz(w io.Writer) error {
	z := zip.NewWriter(w)
	add := func(name, dtype string, shape []int, values func(put func(bits uint64))) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Deflate}) // no time of day: equal grids, equal bytes
		if err != nil {
			return err
		}
		b := bufio.NewWriter(f)
		b.WriteString(npyHeader(dtype, shape...))
		values(func(bits uint64) { b.Write(binary.LittleEndian.AppendUint64(nil, bits)) })
		return b.Flush()
	}
	rows, n, k := len(g.Rows), len(g.IDs), len(g.Cells[0][0].Top)
	err := add("ids", "<i8", []int{n}, func(put func(uint64)) {
		for _, id := range g.IDs {
			put(uint64(id))
		}
	})
	if err != nil {
		return err
	}
	if err := add("first", "<i8", nil, func(put func(uint64)) { put(uint64(g.First)) }); err != nil {
		return err
	}
	for _, c := range []struct {
		name, dtype string
		of          func(c Candidate) uint64
	}{
		{"top_id", "<i8", func(c Candidate) uint64 { return uint64(c.ID) }},
		{"top_logit", "<f8", func(c Candidate) uint64 { return math.Float64bits(c.Logit) }},
		{"top_logprob", "<f8", func(c Candidate) uint64 { return math.Float64bits(c.Logprob) }},
	} {
		err := add(c.name, c.dtype, []int{rows, n, k}, func(put func(uint64)) {
			for _, row := range g.Cells {
				for _, cell := range row {
					for _, t := range cell.Top {
						put(c.of(t))
					}
				}
			}
		})
		if err != nil {
			return err
		}
	}
	for _, s := range Statistics() {
		values, err := g.Values(s)
		if err != nil {
			continue // not asked for
		}
		err = add(string(s), "<f8", []int{rows, n}, func(put func(uint64)) {
			for _, row := range values {
				for _, v := range row {
					put(math.Float64bits(v))
				}
			}
		})
		if err != nil {
			return err
		}
	}
	return z.Close()
}

// CSV writes the grid as a table, a line for each cell: row, position, the input token, the first candidate, the actual next token with its log-probability and
// rank, and each statistic that the grid has. Numbers are in full precision; what a cell lacks is empty. Texts that spreadsheets would take for a formula are
// left as they are: read the ids.
func (g *Grid) CSV(w io.Writer) error { return wrap(Unavailable, g.csv(w), "writing the grid") }

func (g *Grid) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	head := []string{"row", "position", "id", "token", "top_id", "top_token", "top_logprob", "next_id", "next_logprob", "next_rank"}
	var stats []Statistic
	for _, s := range Statistics() {
		if _, err := g.Values(s); err == nil {
			stats, head = append(stats, s), append(head, string(s))
		}
	}
	if err := c.Write(head); err != nil {
		return err
	}
	number := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	for r, row := range g.Cells {
		for p, cell := range row {
			top := cell.Top[0]
			line := []string{g.Rows[r], strconv.Itoa(g.First + p), strconv.Itoa(g.IDs[p]), g.Tokens[p], strconv.Itoa(top.ID), top.Token, number(top.Logprob), "", "", ""}
			if n := cell.Next; n != nil {
				line[7], line[8], line[9] = strconv.Itoa(n.ID), number(n.Logprob), strconv.Itoa(n.Rank)
			}
			for _, s := range stats {
				line = append(line, number(cell.Value(s)))
			}
			if err := c.Write(line); err != nil {
				return err
			}
		}
	}
	c.Flush()
	return c.Error()
}
