package cache

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
)

const maxIDLen = 64

// checkID accepts the ids that are safe in a URL and cannot hide: [A-Za-z0-9._~-]{1,64}, not starting with a dot.
func checkID(id string) error {
	const allowed = "allowed: 1 to 64 of letters, digits and . _ ~ -, not starting with a dot"
	if id == "" || len(id) > maxIDLen {
		return fmt.Errorf("an id of %d bytes %w (%s)", len(id), ErrID, allowed)
	}
	for i := 0; i < len(id); i++ {
		if !isIDByte(id[i]) || i == 0 && id[i] == '.' {
			return fmt.Errorf("%q %w (%s)", id, ErrID, allowed)
		}
	}
	return nil
}

func isIDByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '.' || b == '_' || b == '~' || b == '-'
}

// dirName turns a checked id into a folder name. The folder is the only record of the id, which makes renaming a
// conversation one atomic step. The name must differ from others where file systems ignore case, drop a trailing dot
// or reserve names such as CON: hence the prefix, and the escapes "~x" for X, "~-" for a dot and "~~" for a tilde.
func dirName(id string) string {
	var b strings.Builder
	b.WriteString("c-")
	for i := 0; i < len(id); i++ {
		switch c := id[i]; {
		case c >= 'A' && c <= 'Z':
			b.WriteByte('~')
			b.WriteByte(c - 'A' + 'a')
		case c == '.':
			b.WriteString("~-")
		case c == '~':
			b.WriteString("~~")
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// idOfDir inverts dirName; ok is false for a folder that no id maps to.
func idOfDir(dir string) (id string, ok bool) {
	enc, ok := strings.CutPrefix(dir, "c-")
	if !ok {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(enc); i++ {
		c := enc[i]
		if c == '~' {
			if i++; i == len(enc) {
				return "", false
			}
			switch c = enc[i]; {
			case c >= 'a' && c <= 'z':
				c -= 'a' - 'A'
			case c == '-':
				c = '.'
			}
		}
		b.WriteByte(c)
	}
	id = b.String()
	return id, checkID(id) == nil && dirName(id) == dir
}

// newID makes an id that sorts by time and that no other process makes.
func newID() string {
	return time.Now().UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:8])
}
