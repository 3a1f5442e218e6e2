package weights

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
)

// chunk is how many bytes are read at a time.
const chunk = 1 << 20

// Readable reports whether Float32 can convert tensors of this dtype.
func Readable(dtype string) bool {
	switch dtype {
	case "F32", "F16", "BF16", "F64":
		return true
	}
	return false
}

// Digest is the hex SHA-256 of every tensor's name, dtype, shape and bytes in the order of the names: the same
// for any order within a file and any sharding. It reads the whole checkpoint.
func (s *Set) Digest() (string, error) {
	h := sha256.New()
	var buf []byte
	if slices.ContainsFunc(s.names, func(n string) bool { return s.tensors[n].file.data == nil }) {
		buf = make([]byte, chunk)
	}
	for _, n := range s.names {
		t := s.tensors[n]
		hashString(h, n)
		hashString(h, t.info.DType)
		hashUint(h, uint64(len(t.info.Shape)))
		for _, d := range t.info.Shape {
			hashUint(h, uint64(d))
		}
		if err := t.each(buf, func(b []byte) { h.Write(b) }); err != nil {
			return "", fmt.Errorf("%s: tensor %q: %w", t.info.File, n, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// each hands f the bytes of t in order; buf holds those of a file that is not mapped.
func (t tensor) each(buf []byte, f func(b []byte)) error {
	if t.file.data != nil || t.file.closed {
		return Guard(func() error {
			b, err := t.bytes()
			if err == nil {
				f(b)
			}
			return err
		})
	}
	for at := int64(0); at < t.size; at += chunk {
		b := buf[:min(t.size-at, chunk)]
		if err := readFull(t.file.r, b, t.off+at); err != nil {
			return err
		}
		f(b)
	}
	return nil
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
