package cache

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A segment is an append-only file: a magic of 8 bytes, then frames. FORMAT.md draws it.
const (
	magicSize       = 8
	frameHeaderSize = 24
	tokensMagic     = "GLTOKS\x00\x01"
	tailMagic       = "GLROWS\x00\x01"
)

// MaxRecord is the largest lens record of a token and the largest event, in bytes.
const MaxRecord = 1 << 20

type frameKind uint32

const (
	frameToken frameKind = 1 // at: position, id: token id, payload: lens record
	frameEvent frameKind = 2 // at: tokens known before it, id: 0, payload: JSON
	frameRow   frameKind = 3 // at: position, id: token id, payload: encoded row
)

type frame struct {
	kind    frameKind
	at, id  int
	payload []byte // valid during the call only
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crc(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

// appendFrame adds the frame to dst.
func appendFrame(dst []byte, f frame) []byte {
	var h [frameHeaderSize]byte
	le := binary.LittleEndian
	le.PutUint32(h[0:], uint32(len(f.payload)))
	le.PutUint32(h[4:], uint32(f.kind))
	le.PutUint32(h[8:], uint32(f.at))
	le.PutUint32(h[12:], uint32(f.id))
	le.PutUint32(h[16:], crc(f.payload))
	le.PutUint32(h[20:], crc(h[:20]))
	return append(append(dst, h[:]...), f.payload...)
}

// scan tells how far a segment can be read.
type scan struct {
	good int64 // end of the last good frame
	torn bool  // the file ends inside a frame: a write that was cut short
	bad  error // the bytes at good are not a frame; what follows cannot be trusted
}

func (s scan) clean() bool { return !s.torn && s.bad == nil }

// scanSegment reads the frames of r between start and size and gives each to fn; an error of fn means that the
// frame, though intact, cannot stand there. start 0 means that the magic is to be read too. The header has its own
// checksum: without it a flipped length would look like a torn tail and hide all that follows. Read errors are
// returned apart from damage.
func scanSegment(r io.ReaderAt, start, size int64, magic string, maxPayload int, fn func(frame) error) (scan, error) {
	br := bufio.NewReaderSize(io.NewSectionReader(r, start, max(size-start, 0)), 1<<16)
	pos := start
	if pos == 0 && size > 0 {
		var m [magicSize]byte
		n, err := io.ReadFull(br, m[:])
		switch {
		case err != nil && !isEOF(err):
			return scan{}, err
		case string(m[:n]) != magic[:n]:
			return scan{bad: errors.New("not a segment of this version")}, nil
		case n < magicSize:
			return scan{torn: true}, nil
		}
		pos = magicSize
	}
	var header [frameHeaderSize]byte
	var buf []byte
	for pos < size {
		f, n, err := readFrame(br, header[:], &buf, size-pos, maxPayload)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return scan{good: pos, torn: true}, nil
		case errors.Is(err, errBadFrame):
			return scan{good: pos, bad: err}, nil
		case err != nil:
			return scan{good: pos}, err
		}
		if err := fn(f); err != nil {
			return scan{good: pos, bad: err}, nil
		}
		pos += n
	}
	return scan{good: pos}, nil
}

var errBadFrame = errors.New("bad frame")

// readFrame reads one frame of at most left bytes. io.ErrUnexpectedEOF means that the frame is longer than that.
func readFrame(br *bufio.Reader, header []byte, buf *[]byte, left int64, maxPayload int) (frame, int64, error) {
	if left < frameHeaderSize {
		return frame{}, 0, io.ErrUnexpectedEOF
	}
	if _, err := io.ReadFull(br, header); err != nil {
		return frame{}, 0, unexpected(err)
	}
	le := binary.LittleEndian
	if le.Uint32(header[20:]) != crc(header[:20]) {
		return frame{}, 0, fmt.Errorf("%w: header checksum differs", errBadFrame)
	}
	length := int64(le.Uint32(header))
	if length > int64(maxPayload) {
		return frame{}, 0, fmt.Errorf("%w: payload of %d bytes, at most %d allowed", errBadFrame, length, maxPayload)
	}
	if length > left-frameHeaderSize {
		return frame{}, 0, io.ErrUnexpectedEOF
	}
	if int64(cap(*buf)) < length {
		*buf = make([]byte, length)
	}
	p := (*buf)[:length]
	if _, err := io.ReadFull(br, p); err != nil {
		return frame{}, 0, unexpected(err)
	}
	if le.Uint32(header[16:]) != crc(p) {
		return frame{}, 0, fmt.Errorf("%w: payload checksum differs", errBadFrame)
	}
	at, id := le.Uint32(header[8:]), le.Uint32(header[12:])
	if at > maxTokenID || id > maxTokenID {
		return frame{}, 0, fmt.Errorf("%w: position %d or token %d out of range", errBadFrame, at, id)
	}
	f := frame{kind: frameKind(le.Uint32(header[4:])), at: int(at), id: int(id), payload: p}
	return f, frameHeaderSize + length, nil
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
