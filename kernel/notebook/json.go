package notebook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxItems bounds the members of one object, the cells of a notebook and the outputs of all its cells, so that a small file of tiny items
// cannot claim many times its size in memory.
const maxItems = 1 << 20

// Object is a JSON object that remembers the order of its members and keeps values it does not understand byte for byte. The zero value is
// an empty object, ready to use. Copies share members; it is not safe for concurrent use.
type Object struct {
	keys []string
	vals map[string]json.RawMessage
}

// Keys returns the names of the members in file order.
func (o *Object) Keys() []string { return slices.Clone(o.keys) }

// Len returns the number of members.
func (o *Object) Len() int { return len(o.keys) }

// Raw returns the JSON text of a member, and whether there is one.
func (o *Object) Raw(key string) (json.RawMessage, bool) {
	v, ok := o.vals[key]
	return v, ok
}

// Get decodes a member into v as encoding/json does. It reports whether the member is there and fits.
func (o *Object) Get(key string, v any) bool {
	raw, ok := o.vals[key]
	return ok && json.Unmarshal(raw, v) == nil
}

// Text returns a member that is a string, or a list of strings, which Jupyter uses for long text, joined.
func (o *Object) Text(key string) (string, bool) {
	raw, ok := o.vals[key]
	if !ok {
		return "", false
	}
	s, err := joinLines(raw)
	return s, err == nil
}

// Set gives a member a new value, which must be something encoding/json can encode. A new member goes to its alphabetical place if the
// members are sorted, as Jupyter sorts them, and to the end if they are not.
func (o *Object) Set(key string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("member %q: %w", key, err)
	}
	o.set(key, bytes.TrimSpace(b.Bytes()))
	return nil
}

// Delete removes a member if it is there.
func (o *Object) Delete(key string) {
	if _, ok := o.vals[key]; ok {
		delete(o.vals, key)
		o.keys = slices.DeleteFunc(o.keys, func(k string) bool { return k == key })
	}
}

// UnmarshalJSON reads an object, replacing what was there.
func (o *Object) UnmarshalJSON(b []byte) error {
	p, err := parseObject(bytes.Clone(bytes.TrimSpace(b)))
	if err == nil {
		*o = p
	}
	return err
}

// MarshalJSON writes the members in order.
func (o Object) MarshalJSON() ([]byte, error) { return o.append(nil), nil }

func (o *Object) set(key string, raw json.RawMessage) {
	if o.vals == nil {
		o.vals = make(map[string]json.RawMessage)
	}
	if _, ok := o.vals[key]; !ok {
		at := len(o.keys)
		if slices.IsSorted(o.keys) {
			at, _ = slices.BinarySearch(o.keys, key)
		}
		o.keys = slices.Insert(o.keys, at, key)
	}
	o.vals[key] = raw
}

// take removes the value of a member but keeps its place, so that a typed field can be written where it was read.
func (o *Object) take(key string) (json.RawMessage, bool) {
	v, ok := o.vals[key]
	if ok {
		o.vals[key] = nil
	}
	return v, ok
}

// clone copies the object so that members can be set without touching the original.
func (o *Object) clone() Object {
	c := Object{keys: slices.Clone(o.keys), vals: make(map[string]json.RawMessage, len(o.vals)+4)}
	for k, v := range o.vals {
		c.vals[k] = v
	}
	return c
}

// append writes the members that have a value.
func (o *Object) append(b []byte) []byte {
	b = append(b, '{')
	first := true
	for _, k := range o.keys {
		if o.vals[k] == nil {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, k), ':')
		b = append(b, o.vals[k]...)
	}
	return append(b, '}')
}

var errNotObject = errors.New("not a JSON object")

// parseObject slices an object out of JSON text already known to be valid; values share its memory. Of two members of one name the last
// counts, as in Python.
func parseObject(b []byte) (Object, error) {
	var o Object
	if len(b) == 0 || b[0] != '{' {
		return o, errNotObject
	}
	o.vals = make(map[string]json.RawMessage)
	i := skipSpace(b, 1)
	for i < len(b) && b[i] != '}' {
		end := skipValue(b, i)
		key, err := unquote(b[i:end])
		if err != nil {
			return o, err
		}
		i = skipSpace(b, end)
		i = skipSpace(b, i+1) // the colon
		end = skipValue(b, i)
		if _, ok := o.vals[key]; !ok {
			if len(o.keys) >= maxItems {
				return o, fmt.Errorf("an object has more than %d members", maxItems)
			}
			o.keys = append(o.keys, key)
		}
		o.vals[key] = json.RawMessage(b[i:end:end])
		if i = skipSpace(b, end); i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	return o, nil
}

// eachElement calls f for every element of an array in JSON text already known to be valid.
func eachElement(b []byte, f func(i int, raw json.RawMessage) error) error {
	if len(b) == 0 || b[0] != '[' {
		return errors.New("not a JSON array")
	}
	i := skipSpace(b, 1)
	for n := 0; i < len(b) && b[i] != ']'; n++ {
		end := skipValue(b, i)
		if err := f(n, json.RawMessage(b[i:end:end])); err != nil {
			return err
		}
		if i = skipSpace(b, end); i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index after the value that starts at i. It relies on valid JSON but stays inside b whatever b holds.
func skipValue(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			i = min(i+1, len(b))
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ' ', '\n', '\t', '\r', ',', ':':
			i++
			continue
		default:
			for i < len(b) && !strings.ContainsRune(" \n\t\r,:]}", rune(b[i])) {
				i++
			}
		}
		if depth <= 0 {
			break
		}
	}
	return i
}

func unquote(raw []byte) (string, error) {
	if len(raw) == 0 || raw[0] != '"' {
		return "", errors.New("not a string")
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// joinLines reads Jupyter's multi-line text: a string, or a list of strings to be put together.
func joinLines(raw []byte) (string, error) {
	if len(raw) == 0 || raw[0] != '[' {
		s, err := unquote(raw)
		if err != nil {
			return "", errors.New("neither a string nor a list of strings")
		}
		return s, nil
	}
	var sb strings.Builder
	err := eachElement(raw, func(i int, el json.RawMessage) error {
		s, err := unquote(el)
		if err != nil {
			return fmt.Errorf("element %d is not a string", i)
		}
		sb.WriteString(s)
		return nil
	})
	return sb.String(), err
}

// appendLines writes text as a list of lines with their ends kept: cut where Python's str.splitlines cuts, because that is what Jupyter
// writes and a file should not change for having been here.
func appendLines(b []byte, s string) []byte {
	b = append(b, '[')
	for first := true; s != ""; first = false {
		n := lineEnd(s)
		if !first {
			b = append(b, ',')
		}
		b = appendString(b, s[:n])
		s = s[n:]
	}
	return append(b, ']')
}

func lineEnd(s string) int {
	for i, r := range s {
		switch r {
		case '\r':
			if strings.HasPrefix(s[i:], "\r\n") {
				return i + 2
			}
			return i + 1
		case '\n', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
			return i + utf8.RuneLen(r)
		}
	}
	return len(s)
}

// appendString quotes s as Python's json does without ensure_ascii; encoding/json would also escape U+2028. Bytes that are not UTF-8 become
// U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r == '\b':
			b = append(b, `\b`...)
		case r == '\f':
			b = append(b, `\f`...)
		case r < ' ':
			b = append(b, `\u00`...)
			b = append(b, hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
