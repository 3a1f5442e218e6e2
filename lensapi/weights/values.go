package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/x448/float16"
)

// Values are a tensor's numbers, row-major, as wide as the file stores them. One of the slices is set, or none when there are no
// numbers. They may be the mapped file itself: they must not be written, they end with Close, and they are to be read within Guard.
type Values struct {
	F32  []float32 // F32; F64 rounded to nearest
	F16  []uint16  // bits of IEEE half floats
	BF16 []uint16  // upper halves of the bits of float32
}

// Len is how many numbers there are.
func (v Values) Len() int { return len(v.F32) + len(v.F16) + len(v.BF16) }

// Slice is the numbers from lo to hi-1.
func (v Values) Slice(lo, hi int) Values {
	switch {
	case v.F16 != nil:
		return Values{F16: v.F16[lo:hi]}
	case v.BF16 != nil:
		return Values{BF16: v.BF16[lo:hi]}
	}
	return Values{F32: v.F32[lo:hi]}
}

// Widen writes the numbers, which float32 holds exactly, to dst of the same length.
func (v Values) Widen(dst []float32) {
	copy(dst, v.F32)
	for i, b := range v.F16 {
		dst[i] = float16.Frombits(b).Float32()
	}
	for i, b := range v.BF16 {
		dst[i] = math.Float32frombits(uint32(b) << 16)
	}
}

// NotFinite is the index of the first NaN or infinity, -1 when there is none.
func (v Values) NotFinite() int {
	const f32, f16, bf16 = 0xff << 23, 0x1f << 10, 0xff << 7 // exponents
	for i, x := range v.F32 {
		if math.Float32bits(x)&f32 == f32 {
			return i
		}
	}
	for i, b := range v.F16 {
		if b&f16 == f16 {
			return i
		}
	}
	for i, b := range v.BF16 {
		if b&bf16 == bf16 {
			return i
		}
	}
	return -1
}

// Stored returns a whole tensor of type F32, F16, BF16 or F64; others are refused by name. F64, and everything where files
// cannot be mapped, is memory of the caller's own.
func (s *Set) Stored(name string) (v Values, err error) {
	t, ok := s.tensors[name]
	if !ok {
		return Values{}, fmt.Errorf("no tensor %q", name)
	}
	if !Readable(t.info.DType) {
		return Values{}, fmt.Errorf("%s: tensor %q: dtype %s is not supported (supported: F32, F16, BF16, F64)", t.info.File, name, t.info.DType)
	}
	err = Guard(func() error {
		b, err := t.bytes()
		if err != nil {
			return err
		}
		switch t.info.DType {
		case "F32":
			v.F32 = view(b, 4, func(b []byte) float32 { return math.Float32frombits(binary.LittleEndian.Uint32(b)) })
		case "F16":
			v.F16 = view(b, 2, binary.LittleEndian.Uint16)
		case "BF16":
			v.BF16 = view(b, 2, binary.LittleEndian.Uint16)
		case "F64":
			v.F32 = make([]float32, len(b)/8)
			for i := range v.F32 {
				v.F32[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
			}
		}
		return nil
	})
	if err != nil {
		return Values{}, fmt.Errorf("%s: tensor %q: %w", t.info.File, name, err)
	}
	return v, nil
}

// Float32 reads a whole tensor, row-major. F32, F16 and BF16 convert exactly; F64 is rounded to nearest. Other
// types are refused by name. The slice is the caller's.
func (s *Set) Float32(name string) ([]float32, error) {
	v, err := s.Stored(name)
	if err != nil {
		return nil, err
	}
	out := make([]float32, v.Len())
	if err := Guard(func() error { v.Widen(out); return nil }); err != nil {
		return nil, fmt.Errorf("tensor %q: %w", name, err)
	}
	return out, nil
}

// Release says that a tensor is not needed for now: what Stored returned stays valid, but its pages in memory may go.
func (s *Set) Release(name string) {
	t, ok := s.tensors[name]
	if !ok || t.file.data == nil {
		return
	}
	page := int64(os.Getpagesize())
	if at := (t.off + page - 1) / page * page; at < t.off+t.size {
		release(t.file.data[at : t.off+t.size])
	}
}

// bytes is the tensor in the mapped file, or a copy.
func (t tensor) bytes() ([]byte, error) {
	if t.file.closed {
		return nil, errors.New("read after Close")
	}
	if t.file.data != nil {
		return t.file.data[t.off : t.off+t.size : t.off+t.size], nil
	}
	b := make([]byte, t.size)
	return b, readFull(t.file.r, b, t.off)
}

// view is b as numbers of the given size: the same memory if the processor reads it so, else a copy. A header whose length is not a
// multiple of 8, which the format allows, leaves every tensor of a file unaligned.
func view[T any](b []byte, size int, decode func(b []byte) T) []T {
	n := len(b) / size
	if n == 0 {
		return nil
	}
	if p := unsafe.Pointer(unsafe.SliceData(b)); littleEndian && (unaligned || uintptr(p)%uintptr(size) == 0) {
		return unsafe.Slice((*T)(p), n)
	}
	out := make([]T, n)
	for i := range out {
		out[i] = decode(b[i*size:])
	}
	return out
}

// unaligned says that loads of numbers need no alignment; Go allows such pointers to what holds none (checkptr does not object).
const unaligned = runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64"

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// errGone is what Guard makes of a fault.
var errGone = errors.New("the file can no longer be read: it was cut or replaced, or its disk failed")

// Guard calls f and turns a fault into an error: a mapped file that another program cuts short faults where it ends. It covers the
// calling goroutine, not those that f starts.
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if _, fault := p.(interface{ Addr() uintptr }); !fault {
			panic(p)
		}
		err = errGone
	}()
	return f()
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
