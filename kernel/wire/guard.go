package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// ErrTooLarge is the error of a connection whose peer announced or sent more
// than the limits allow.
var ErrTooLarge = errors.New("message is larger than allowed")

const (
	zmtpGreeting = 64
	flagMore     = 1
	flagLong     = 2
	flagCommand  = 4

	// maxCommand bounds ZMTP commands, which carry metadata only.
	maxCommand = 16 << 10
	// maxFrames bounds the frames of one message.
	maxFrames = maxIdentities + 6 + maxBuffers
	// lazyFrame is the size from which a frame is collected as it arrives instead
	// of being allocated on the word of its header.
	lazyFrame = 1 << 20
	// smallWrite is the size up to which a frame is copied into one buffer
	// with its neighbours instead of being a segment of its own.
	smallWrite = 16 << 10
)

// guard is the net.Conn that zmq4 reads from and writes to. It follows the
// framing of both directions, because zmq4 allocates what a frame header
// announces and writes each frame in two pieces.
//
// Reads and writes may run in two goroutines; each alone is not concurrent.
type guard struct {
	net.Conn
	limit int64         // bytes of one message
	stall time.Duration // time without progress after which a write fails

	r         *bufio.Reader
	greetLeft int
	pending   []byte // header bytes and collected bodies to hand out
	bodyLeft  int64  // bytes of the current frame to pass through
	msgBytes  int64  // of the message so far
	msgFrames int
	// command, once set, takes the commands after the handshake out of the stream.
	command func(name string, body []byte) error

	gather bool // collect writes until flush
	tail   []byte
	segs   net.Buffers
}

func newGuard(c net.Conn, limit int64, stall time.Duration) *guard {
	return &guard{Conn: c, limit: limit, stall: stall, r: bufio.NewReaderSize(c, 32<<10), greetLeft: zmtpGreeting}
}

// Read implements io.Reader.
func (g *guard) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(g.pending) == 0 && g.greetLeft == 0 && g.bodyLeft == 0 {
		if err := g.nextFrame(); err != nil {
			return 0, err
		}
	}
	switch {
	case g.greetLeft > 0:
		n, err := g.r.Read(p[:min(len(p), g.greetLeft)])
		g.greetLeft -= n
		return n, err
	case len(g.pending) > 0:
		n := copy(p, g.pending)
		if g.pending = g.pending[n:]; len(g.pending) == 0 {
			g.pending = nil
		}
		return n, nil
	default:
		n, err := g.r.Read(p[:min(int64(len(p)), g.bodyLeft)])
		g.bodyLeft -= int64(n)
		return n, err
	}
}

// nextFrame reads a frame header and decides what becomes of the frame.
func (g *guard) nextFrame() error {
	hdr := make([]byte, 2, 9)
	if _, err := io.ReadFull(g.r, hdr); err != nil {
		return err
	}
	flags := hdr[0]
	if flags&^(flagMore|flagLong|flagCommand) != 0 {
		return fmt.Errorf("%w: reserved bits in a ZMTP frame", ErrFormat)
	}
	size := uint64(hdr[1])
	if flags&flagLong != 0 {
		hdr = hdr[:9]
		if _, err := io.ReadFull(g.r, hdr[2:]); err != nil {
			return err
		}
		size = binary.BigEndian.Uint64(hdr[1:])
	}
	if flags&flagCommand != 0 {
		if size > maxCommand {
			return fmt.Errorf("%w: a ZMTP command of %d bytes (at most %d)", ErrTooLarge, size, maxCommand)
		}
		if g.command != nil {
			return g.takeCommand(int(size))
		}
	} else {
		if g.command == nil {
			return fmt.Errorf("%w: a message before the handshake", ErrFormat)
		}
		if size > uint64(g.limit) || g.msgBytes+int64(size) > g.limit || g.msgFrames >= maxFrames {
			return fmt.Errorf("%w: frame %d of %d bytes (a message may have %d frames and %d bytes)",
				ErrTooLarge, g.msgFrames, size, maxFrames, g.limit)
		}
		g.msgBytes += int64(size)
		g.msgFrames++
		if flags&flagMore == 0 {
			g.msgBytes, g.msgFrames = 0, 0
		}
	}
	if size <= lazyFrame {
		g.pending, g.bodyLeft = hdr, int64(size)
		return nil
	}
	body, err := readLazily(g.r, int64(size))
	if err != nil {
		return err
	}
	g.pending = append(hdr, body...)
	return nil
}

// readLazily reads n bytes, allocating in step with what arrives.
func readLazily(r io.Reader, n int64) ([]byte, error) {
	buf := make([]byte, 0, lazyFrame)
	for int64(len(buf)) < n {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(n, int64(2*cap(buf))))
			copy(grown, buf)
			buf = grown
		}
		end := min(n, int64(cap(buf)))
		m, err := io.ReadFull(r, buf[len(buf):end])
		buf = buf[:len(buf)+m]
		if err != nil {
			return nil, err
		}
	}
	return buf, nil
}

func (g *guard) takeCommand(size int) error {
	body := make([]byte, size)
	if _, err := io.ReadFull(g.r, body); err != nil {
		return err
	}
	if size == 0 || int(body[0]) > size-1 {
		return fmt.Errorf("%w: a ZMTP command without a name", ErrFormat)
	}
	n := int(body[0])
	return g.command(string(body[1:1+n]), body[1+n:])
}

// Write implements io.Writer. While gathering it keeps p until flush, which the
// only caller (Peer, around one SendMsg) allows.
func (g *guard) Write(p []byte) (int, error) {
	if !g.gather {
		return g.Conn.Write(p)
	}
	if len(p) <= smallWrite {
		g.tail = append(g.tail, p...)
		return len(p), nil
	}
	if len(g.tail) > 0 {
		g.segs = append(g.segs, g.tail)
		g.tail = nil
	}
	g.segs = append(g.segs, p)
	return len(p), nil
}

// flush writes what was gathered in one call (one writev), and goes on as long
// as the peer takes anything at all within the stall time.
func (g *guard) flush() error {
	segs := g.segs
	if len(g.tail) > 0 {
		segs = append(segs, g.tail)
	}
	g.segs, g.tail = nil, nil
	for len(segs) > 0 {
		if err := g.Conn.SetWriteDeadline(time.Now().Add(g.stall)); err != nil {
			return err
		}
		n, err := segs.WriteTo(g.Conn)
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return err
		}
	}
	return nil
}
