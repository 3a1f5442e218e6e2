package weights

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"math"

	"github.com/x448/float16"
)

// chunk is how many bytes are read at a time; a multiple of every element size.
const chunk = 1 << 18

// Readable reports whether Float32 can convert tensors of this dtype.
func Readable(dtype string) bool {
	switch dtype {
	case "F32", "F16", "BF16", "F64":
		return true
	}
	return false
}

// Float32 reads a whole tensor, row-major. F32, F16 and BF16 convert exactly; F64 is rounded to nearest. Other
// types are refused by name. The slice is the caller's.
func (s *Set) Float32(name string) ([]float32, error) {
	t, ok := s.tensors[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %q", name)
	}
	var width int64
	var conv func(dst []float32, b []byte)
	switch t.info.DType {
	case "F32":
		width, conv = 4, func(dst []float32, b []byte) {
			for i := range dst {
				dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
		}
	case "F16":
		width, conv = 2, func(dst []float32, b []byte) {
			for i := range dst {
				dst[i] = float16.Frombits(binary.LittleEndian.Uint16(b[2*i:])).Float32()
			}
		}
	case "BF16":
		width, conv = 2, func(dst []float32, b []byte) {
			for i := range dst {
				dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
			}
		}
	case "F64":
		width, conv = 8, func(dst []float32, b []byte) {
			for i := range dst {
				dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
			}
		}
	default:
		return nil, fmt.Errorf("tensor %q: dtype %s is not supported (supported: F32, F16, BF16, F64)", name, t.info.DType)
	}
	out := make([]float32, t.size/width)
	buf := make([]byte, min(t.size, chunk))
	for at := int64(0); at < t.size; at += chunk {
		b := buf[:min(t.size-at, chunk)]
		if err := readFull(t.r, b, t.off+at); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		conv(out[at/width:(at+int64(len(b)))/width], b)
	}
	return out, nil
}

// readFull reads all of b; a file that shrank after Open is an error, as is a read of a closed one.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// Digest is the hex SHA-256 of every tensor's name, dtype, shape and bytes in the order of the names: the same
// for any order within a file and any sharding. It reads the whole checkpoint.
func (s *Set) Digest() (string, error) {
	h := sha256.New()
	buf := make([]byte, chunk)
	for _, n := range s.names {
		t := s.tensors[n]
		hashString(h, n)
		hashString(h, t.info.DType)
		hashUint(h, uint64(len(t.info.Shape)))
		for _, d := range t.info.Shape {
			hashUint(h, uint64(d))
		}
		for at := int64(0); at < t.size; at += chunk {
			b := buf[:min(t.size-at, chunk)]
			if err := readFull(t.r, b, t.off+at); err != nil {
				return "", fmt.Errorf("tensor %q: %w", n, err)
			}
			h.Write(b)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hashString writes the length first, so that no two lists of strings hash alike.
func hashString(h hash.Hash, s string) {
	hashUint(h, uint64(len(s)))
	io.WriteString(h, s)
}

func hashUint(h hash.Hash, n uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	h.Write(b[:])
}
