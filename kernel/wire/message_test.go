package wire_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sample() *wire.Message {
	return &wire.Message{
		Identities: [][]byte{[]byte("client")},
		Header:     wire.NewHeader(wire.ExecuteRequest, "session", "user"),
		Parent:     json.RawMessage(`{"msg_id":"p"}`),
		Metadata:   json.RawMessage(`{"a":1}`),
		Content:    json.RawMessage(`{"code":"x"}`),
		Buffers:    [][]byte{{0, 1, 2}, {}},
	}
}

// TestSignature checks the signature against one made by hand.
func TestSignature(t *testing.T) {
	f := wire.NewCodec("key").Encode(sample())
	mac := hmac.New(sha256.New, []byte("key"))
	for _, part := range f[3:7] {
		mac.Write(part)
	}
	if string(f[0]) != "client" || string(f[1]) != "<IDS|MSG>" || string(f[2]) != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("frames are %q", f)
	}
	if f := wire.NewCodec("").Encode(sample()); len(f[2]) != 0 {
		t.Errorf("unsigned message has signature %q", f[2])
	}
}

func TestRoundTrip(t *testing.T) {
	for _, key := range []string{"", "key"} {
		m := sample()
		got, err := wire.NewCodec(key).Decode(wire.NewCodec(key).Encode(m))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Header, m.Header) || string(got.Parent) != string(m.Parent) || string(got.Metadata) != string(m.Metadata) ||
			string(got.Content) != string(m.Content) || !reflect.DeepEqual(got.Buffers, m.Buffers) || !reflect.DeepEqual(got.Identities, m.Identities) {
			t.Errorf("came back as %+v", got)
		}
		if got.ParentHeader().MsgID != "p" {
			t.Errorf("parent is %+v", got.ParentHeader())
		}
	}
}

// TestUnknownHeaderFields: a reply repeats the request's header with what we do
// not know of.
func TestUnknownHeaderFields(t *testing.T) {
	f := wire.NewCodec("").Encode(sample())
	f[3] = []byte(`{"msg_id":"a","msg_type":"t","new":{"x":[1]}}`)
	m, err := wire.NewCodec("").Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.HeaderJSON()); got != string(f[3]) {
		t.Errorf("header is %s", got)
	}
}

func TestReplay(t *testing.T) {
	c := wire.NewCodec("key")
	first := c.Encode(sample())
	if _, err := c.Decode(first); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Decode(first); !errors.Is(err, wire.ErrReplay) {
		t.Errorf("the second time: %v", err)
	}
	// A forgery must not use up the real message.
	other := c.Encode(sample())
	forged := append([][]byte{}, other...)
	forged[6] = []byte(`{"code":"evil"}`)
	if _, err := c.Decode(forged); !errors.Is(err, wire.ErrSignature) {
		t.Errorf("forged: %v", err)
	}
	if _, err := c.Decode(other); err != nil {
		t.Errorf("after its forgery: %v", err)
	}
}

func TestDecodeErrors(t *testing.T) {
	base := func() [][]byte { return wire.NewCodec("").Encode(sample()) }
	for name, f := range map[string][][]byte{
		"nothing":          nil,
		"no delimiter":     {[]byte("a"), []byte("b")},
		"short":            base()[:6],
		"long identity":    append([][]byte{make([]byte, 256)}, base()...),
		"identities":       append(make([][]byte, 20), base()...),
		"buffers":          append(base(), make([][]byte, 5000)...),
		"header too large": replace(base(), 3, `{"msg_id":"`+strings.Repeat("x", 70_000)+`"}`),
		"content":          replace(base(), 6, `{`),
		"parent":           replace(base(), 4, `[1]`),
		"metadata":         replace(base(), 5, `true`),
	} {
		if _, err := wire.NewCodec("").Decode(f); !errors.Is(err, wire.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := &wire.Message{Header: wire.Header{MsgType: "t"}, Content: json.RawMessage(`[1]`)}
	if err := m.Decode(&struct{}{}); !errors.Is(err, wire.ErrFormat) {
		t.Errorf("content that is a list: %v", err)
	}
}

func replace(f [][]byte, i int, s string) [][]byte {
	f[i] = []byte(s)
	return f
}

// FuzzDecode: decoding never panics, and what decodes encodes to the same again.
// Frames are separated by newlines; the signature is made good, because random
// bytes would never get past it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("id\n<IDS|MSG>\n\n{\"msg_id\":\"a\",\"msg_type\":\"t\"}\n{}\n{}\n{}"), true)
	f.Add(bytes.Join(wire.NewCodec("").Encode(sample()), []byte("\n")), true)
	f.Add([]byte("<IDS|MSG>\n\n{\"msg_id\":\"a\",\"msg_type\":\"t\",\"date\":\"\\ud800\"}\nnull\n{\"a\":1}\n[]\nbuf"), true)
	f.Add([]byte("<IDS|MSG>\nabc\n{}\n{}\n{}\n{}"), false)
	f.Fuzz(func(t *testing.T, data []byte, sign bool) {
		frames := bytes.Split(data, []byte("\n"))
		if sign {
			for i, fr := range frames {
				if string(fr) == "<IDS|MSG>" && len(frames) >= i+6 {
					mac := hmac.New(sha256.New, []byte("key"))
					mac.Write(bytes.Join(frames[i+2:i+6], nil))
					frames[i+1] = []byte(hex.EncodeToString(mac.Sum(nil)))
					break
				}
			}
		}
		m, err := wire.NewCodec("key").Decode(frames)
		if err != nil {
			if !errors.Is(err, wire.ErrFormat) && !errors.Is(err, wire.ErrSignature) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		again, err := wire.NewCodec("key").Decode(wire.NewCodec("key").Encode(m))
		if err != nil {
			t.Fatalf("what was decoded is refused: %v", err)
		}
		if !reflect.DeepEqual(again, m) {
			t.Fatalf("%+v became %+v", m, again)
		}
		var c wire.ExecuteContent
		m.Decode(&c) // must not panic
		m.ParentHeader()
	})
}
