package weights

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"
)

// A safetensors file:
//
//	+----------------+---------------------------+------------------------------------------+
//	| n: uint64, LE  | n bytes of JSON           | data: the tensors' bytes, without a gap  |
//	+----------------+---------------------------+------------------------------------------+
//
// The JSON maps a tensor's name to {"dtype", "shape", "data_offsets": [begin, end)}, offsets counted from the
// start of data; "__metadata__" maps strings to strings and is ignored here. Spaces may pad the JSON.
const (
	maxHeader = 100_000_000 // the format's own bound
	maxRank   = 16
)

// dtypeBits is the size of one element of each type the format knows.
var dtypeBits = map[string]uint64{
	"BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
	"I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32,
	"I64": 64, "U64": 64, "F64": 64, "C64": 64,
}

// readHeader returns the tensors of a file of the given size.
func readHeader(r io.ReaderAt, fileSize int64) (map[string]tensor, error) {
	if fileSize < 8 {
		return nil, fmt.Errorf("truncated: %d bytes, less than the 8 of the header length", fileSize)
	}
	var head [8]byte
	if _, err := r.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	n := binary.LittleEndian.Uint64(head[:])
	if n > maxHeader {
		return nil, fmt.Errorf("header of %d bytes, more than the format's %d: not a safetensors file", n, maxHeader)
	}
	if n > uint64(fileSize-8) {
		return nil, fmt.Errorf("truncated: header of %d bytes in a file of %d", n, fileSize)
	}
	js := make([]byte, n)
	if m, err := r.ReadAt(js, 8); m < len(js) {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	if len(js) == 0 || js[0] != '{' {
		return nil, errors.New("header does not start with '{': not a safetensors file")
	}
	if !utf8.Valid(js) {
		return nil, errors.New("header is not valid UTF-8")
	}
	ts := map[string]tensor{}
	start := int64(8 + n)
	err := eachKey(js, func(name string, val json.RawMessage) error {
		if name == "__metadata__" {
			return nil
		}
		t, err := parseTensor(val)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		ts[name] = t
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := checkLayout(ts, fileSize-start); err != nil {
		return nil, err
	}
	for name, t := range ts {
		t.off += start
		ts[name] = t
	}
	return ts, nil
}

// parseTensor reads one header entry; off is still relative to the data.
func parseTensor(val json.RawMessage) (tensor, error) {
	var dtype *string
	var shape, offsets []uint64
	err := eachKey(val, func(key string, val json.RawMessage) error {
		var dst any
		kind := "a list of whole numbers from 0"
		switch key {
		case "dtype":
			dst, kind = &dtype, "text"
		case "shape":
			dst = &shape
		case "data_offsets":
			dst = &offsets
		default:
			return fmt.Errorf("unknown field %q (dtype, shape and data_offsets are known)", key)
		}
		if err := json.Unmarshal(val, dst); err != nil {
			return fmt.Errorf("%s: %.60q is not %s", key, val, kind)
		}
		return nil
	})
	if err != nil {
		return tensor{}, err
	}
	if dtype == nil || shape == nil || len(offsets) != 2 {
		return tensor{}, errors.New("needs a dtype, a shape and two data_offsets")
	}
	size, ok := dtypeBits[*dtype]
	if !ok {
		return tensor{}, fmt.Errorf("unknown dtype %q (known: %s)", *dtype, strings.Join(sortedKeys(dtypeBits), ", "))
	}
	if len(shape) > maxRank {
		return tensor{}, fmt.Errorf("%d dimensions, more than %d", len(shape), maxRank)
	}
	t := tensor{info: Info{DType: *dtype, Shape: make([]int, len(shape))}}
	for i, d := range shape {
		hi, lo := bits.Mul64(size, d)
		if d > math.MaxInt || hi != 0 {
			return tensor{}, fmt.Errorf("shape %v is too large", shape)
		}
		t.info.Shape[i], size = int(d), lo
	}
	begin, end := offsets[0], offsets[1]
	if begin > end || end > math.MaxInt64 {
		return tensor{}, fmt.Errorf("data_offsets [%d, %d] are not an interval", begin, end)
	}
	if size%8 != 0 || size/8 != end-begin {
		return tensor{}, fmt.Errorf("%s of shape %v does not take the %d bytes of its data_offsets", *dtype, shape, end-begin)
	}
	t.off, t.size = int64(begin), int64(end-begin)
	return t, nil
}

// checkLayout demands what the format does: the tensors cover the data exactly, in some order.
func checkLayout(ts map[string]tensor, dataSize int64) error {
	names := sortedKeys(ts)
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(ts[a].off, ts[b].off), cmp.Compare(ts[a].size, ts[b].size))
	})
	var at int64
	for _, n := range names {
		t := ts[n]
		switch {
		case t.off < at:
			return fmt.Errorf("tensor %q starts at %d, inside the tensor before it, which ends at %d", n, t.off, at)
		case t.off > at:
			return fmt.Errorf("gap of %d bytes before tensor %q", t.off-at, n)
		}
		at = t.off + t.size
	}
	switch {
	case at > dataSize:
		return fmt.Errorf("truncated: %d of %d bytes of data", dataSize, at)
	case at < dataSize:
		return fmt.Errorf("%d bytes after the last tensor", dataSize-at)
	}
	return nil
}
