package console

import (
	"bytes"
	"io"
	"regexp"
	"slices"
	"time"
)

// answerTime is how long a terminal has to say what it is.
const answerTime = 250 * time.Millisecond

// keys is what the user types. It notes Ctrl-C, which the terminal reports as the
// end of the input.
type keys struct {
	r         io.Reader
	cancelled bool

	rest    []byte     // read and not yet taken
	coming  chan typed // of the read that runs
	reading bool
}

type typed struct {
	text []byte
	err  error
}

func newKeys(r io.Reader) *keys { return &keys{r: r, coming: make(chan typed, 1)} }

// more starts to read, once: a read of a terminal cannot be given up, so the next
// one to ask gets what it brings.
func (k *keys) more() <-chan typed {
	if !k.reading {
		k.reading = true
		go func() {
			b := make([]byte, 256)
			n, err := k.r.Read(b)
			k.coming <- typed{b[:n], err}
		}()
	}
	return k.coming
}

func (k *keys) Read(p []byte) (int, error) {
	if len(k.rest) == 0 {
		got := <-k.more()
		k.reading = false
		if k.rest = got.text; len(k.rest) == 0 {
			return 0, got.err
		}
	}
	n := copy(p, k.rest)
	k.rest = k.rest[n:]
	if bytes.IndexByte(p[:n], 0x03) >= 0 {
		k.cancelled = true
	}
	return n, nil
}

// attributes is the answer to the question for them (DA1).
var attributes = regexp.MustCompile(`\x1b\[\?([0-9;]*)c`)

// knowsSixels asks the terminal. What the user types meanwhile is kept, and an
// answer that comes too late is a key that means nothing.
func (k *keys) knowsSixels(terminal io.Writer) bool {
	if _, err := io.WriteString(terminal, "\x1b[c"); err != nil {
		return false
	}
	late := time.NewTimer(answerTime)
	defer late.Stop()
	for {
		select {
		case got := <-k.more():
			k.reading = false
			k.rest = append(k.rest, got.text...)
			if at := attributes.FindSubmatchIndex(k.rest); at != nil {
				// the first number is the class of the terminal
				_, list, _ := bytes.Cut(k.rest[at[2]:at[3]], []byte(";"))
				has := slices.ContainsFunc(bytes.Split(list, []byte(";")), func(n []byte) bool { return string(n) == "4" })
				k.rest = slices.Concat(k.rest[:at[0]], k.rest[at[1]:])
				return has
			}
			if got.err != nil {
				return false // the next read meets it again
			}
		case <-late.C:
			return false
		}
	}
}
