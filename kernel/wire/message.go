package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"
)

// ProtocolVersion is the version of the messaging protocol in every header.
const ProtocolVersion = "5.5"

// Errors of Decode.
var (
	// ErrSignature: the signature is not the one the key gives; the peer has
	// another key, or somebody else is talking.
	ErrSignature = errors.New("signature does not match the key")
	// ErrReplay: a message with this signature was accepted before.
	ErrReplay = errors.New("message was received before")
	// ErrFormat: frames or JSON are not a Jupyter message.
	ErrFormat = errors.New("malformed message")
)

const (
	delimiter = "<IDS|MSG>"
	// maxIdentities and maxIdentity bound the routing prefix, maxHeader the two
	// headers, maxBuffers the raw buffers: far above what any client sends.
	maxIdentities = 16
	maxIdentity   = 255
	maxHeader     = 64 << 10
	maxBuffers    = 4096
	// replayWindow is how many signatures are remembered. A signature is 32
	// bytes, so the memory stays below about 5 MB.
	replayWindow = 1 << 16
)

// Header identifies a message.
type Header struct {
	MsgID    string `json:"msg_id"`
	Session  string `json:"session"`
	Username string `json:"username"`
	// Date is ISO 8601.
	Date    string `json:"date"`
	MsgType string `json:"msg_type"`
	Version string `json:"version"`
	// SubshellID names a subshell (JEP 91); empty for the main shell.
	SubshellID string `json:"subshell_id,omitempty"`
}

// NewHeader returns a header with a fresh identifier and the current time.
func NewHeader(msgType, session, username string) Header {
	var b [16]byte
	rand.Read(b[:])
	return Header{
		MsgID:    hex.EncodeToString(b[:]),
		Session:  session,
		Username: username,
		Date:     time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		MsgType:  msgType,
		Version:  ProtocolVersion,
	}
}

// Message is one message of any channel. Content stays raw until a handler
// decodes it into its struct, because a wrong content deserves an answer while
// a wrong header cannot have one.
type Message struct {
	// Identities is the routing prefix; on iopub it is the topic.
	Identities [][]byte
	Header     Header
	// Parent is the header of the request this message belongs to, exactly as it
	// was received; nil means none.
	Parent   json.RawMessage
	Metadata json.RawMessage
	Content  json.RawMessage
	// Buffers are raw binary attachments. They are not covered by the signature.
	Buffers [][]byte

	// rawHeader is the header as received, with the fields we do not know.
	rawHeader json.RawMessage
}

// HeaderJSON returns the header as it was received, or else encoded. It is what
// a reply carries as its parent.
func (m *Message) HeaderJSON() json.RawMessage {
	if m.rawHeader != nil {
		return m.rawHeader
	}
	b, err := json.Marshal(m.Header)
	if err != nil { // a struct of strings always encodes
		return json.RawMessage("{}")
	}
	return b
}

// ParentHeader decodes Parent; the zero Header if there is none.
func (m *Message) ParentHeader() Header {
	var h Header
	if len(m.Parent) > 0 && json.Unmarshal(m.Parent, &h) != nil {
		return Header{}
	}
	return h
}

// Decode decodes the content into v, a pointer to one of the content structs.
// Errors wrap ErrFormat.
func (m *Message) Decode(v any) error {
	if b := bytes.TrimLeft(m.Content, " \t\r\n"); len(b) == 0 || b[0] != '{' {
		return fmt.Errorf("%w: content of %s is not an object", ErrFormat, m.Header.MsgType)
	}
	if err := json.Unmarshal(m.Content, v); err != nil {
		return fmt.Errorf("%w: content of %s: %w", ErrFormat, m.Header.MsgType, err)
	}
	return nil
}

// Codec signs, checks and frames messages. It is safe for concurrent use.
type Codec struct {
	macs *sync.Pool // of hash.Hash; nil when unsigned

	window int // signatures that seen and ring hold

	mu   sync.Mutex
	seen map[[sha256.Size]byte]struct{}
	ring [][sha256.Size]byte
	next int
}

// NewCodec returns a codec for a key; an empty key neither signs nor checks.
func NewCodec(key string) *Codec {
	c := &Codec{window: replayWindow, seen: map[[sha256.Size]byte]struct{}{}}
	if key != "" {
		c.macs = &sync.Pool{New: func() any { return hmac.New(sha256.New, []byte(key)) }}
	}
	return c
}

func (c *Codec) sign(parts [][]byte) (sum [sha256.Size]byte) {
	mac := c.macs.Get().(hash.Hash)
	mac.Reset()
	for _, p := range parts {
		mac.Write(p)
	}
	mac.Sum(sum[:0])
	c.macs.Put(mac)
	return sum
}

// Encode returns the frames of m. They share memory with m.
func (c *Codec) Encode(m *Message) [][]byte {
	frames := make([][]byte, 0, len(m.Identities)+6+len(m.Buffers))
	frames = append(frames, m.Identities...)
	frames = append(frames, []byte(delimiter), nil)
	sig := len(frames) - 1
	frames = append(frames, m.HeaderJSON(), object(m.Parent), object(m.Metadata), object(m.Content))
	if c.macs != nil {
		sum := c.sign(frames[sig+1:])
		frames[sig] = []byte(hex.EncodeToString(sum[:]))
	}
	return append(frames, m.Buffers...)
}

func object(raw json.RawMessage) []byte {
	if len(raw) == 0 {
		return []byte("{}")
	}
	return raw
}

// Decode checks and parses the frames of one message; the message shares their
// memory. Errors wrap ErrFormat, ErrSignature or ErrReplay.
func (c *Codec) Decode(frames [][]byte) (*Message, error) {
	d := -1
	for i, f := range frames {
		if string(f) == delimiter {
			d = i
			break
		}
		if i >= maxIdentities || len(f) > maxIdentity {
			break
		}
	}
	if d < 0 {
		return nil, fmt.Errorf("%w: no %s after at most %d identities", ErrFormat, delimiter, maxIdentities)
	}
	rest := frames[d+1:]
	if len(rest) < 5 {
		return nil, fmt.Errorf("%w: %d frames after the delimiter, at least 5 needed", ErrFormat, len(rest))
	}
	if len(rest) > 5+maxBuffers {
		return nil, fmt.Errorf("%w: more than %d buffers", ErrFormat, maxBuffers)
	}
	if len(rest[1]) > maxHeader || len(rest[2]) > maxHeader {
		return nil, fmt.Errorf("%w: a header is longer than %d bytes", ErrFormat, maxHeader)
	}
	if err := c.authenticate(rest[0], rest[1:5]); err != nil {
		return nil, err
	}
	m := &Message{rawHeader: rest[1], Content: rest[4]}
	if d > 0 {
		m.Identities = frames[:d:d]
	}
	if len(rest) > 5 {
		m.Buffers = rest[5:]
	}
	if err := json.Unmarshal(rest[1], &m.Header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", ErrFormat, err)
	}
	if m.Header.MsgType == "" || m.Header.MsgID == "" {
		return nil, fmt.Errorf("%w: header without msg_type or msg_id", ErrFormat)
	}
	for i, p := range []*json.RawMessage{&m.Parent, &m.Metadata} {
		raw, err := optionalObject(rest[2+i])
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrFormat, [...]string{"parent header", "metadata"}[i], err)
		}
		*p = raw
	}
	if !json.Valid(m.Content) {
		return nil, fmt.Errorf("%w: content is not JSON", ErrFormat)
	}
	return m, nil
}

// optionalObject returns raw if it is a JSON object with members, nil if it has
// none (or is null), and an error otherwise.
func optionalObject(raw []byte) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	if len(members) == 0 {
		return nil, nil
	}
	return raw, nil
}

// authenticate compares in constant time and remembers accepted signatures.
func (c *Codec) authenticate(sig []byte, parts [][]byte) error {
	if c.macs == nil {
		return nil
	}
	var got [sha256.Size]byte
	if len(sig) != 2*len(got) {
		return fmt.Errorf("%w (%d characters, want %d)", ErrSignature, len(sig), 2*len(got))
	}
	if _, err := hex.Decode(got[:], sig); err != nil {
		return fmt.Errorf("%w (not hexadecimal)", ErrSignature)
	}
	want := c.sign(parts)
	if !hmac.Equal(got[:], want[:]) {
		return ErrSignature
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, dup := c.seen[want]; dup {
		return ErrReplay
	}
	if len(c.ring) < c.window {
		c.ring = append(c.ring, want)
	} else {
		delete(c.seen, c.ring[c.next])
		c.ring[c.next] = want
		c.next = (c.next + 1) % c.window
	}
	c.seen[want] = struct{}{}
	return nil
}
