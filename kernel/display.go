package kernel

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"reflect"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

const (
	// maxText bounds text/plain; a notebook with more cannot be opened any more.
	maxText = 1 << 20
	// maxDepth is how deep a value may nest before it is taken to contain itself.
	// fmt would follow it until the stack overflows, which ends the process.
	maxDepth = 1000
	// maxNodes bounds the search for such a value.
	maxNodes = 1 << 20
)

// shown is a value as a MIME bundle; data always has text/plain.
type shown struct{ data, metadata wire.Bundle }

// Bundle is the MIME bundle in which v is displayed; see the package
// documentation. It always has text/plain, and can be encoded as JSON. The error
// says what of v could not be shown as v wanted.
func Bundle(v any) (map[string]any, error) {
	s, err := show(v)
	return s.data, err
}

// show makes the bundle of v. It calls methods of v and survives their panics.
// The error says what of v could not be shown as v wanted; the bundle is
// complete without it and can be encoded as JSON.
func show(v any) (shown, error) {
	s := shown{metadata: wire.Bundle{}}
	v = byPointer(v)
	var errs []error
	if b, ok := v.(interface{ MIMEBundle() map[string]any }); ok {
		s.data, errs = encodable("MIMEBundle", b.MIMEBundle, errs)
		if m, ok := v.(interface{ MIMEMetadata() map[string]any }); ok {
			s.metadata, errs = encodable("MIMEMetadata", m.MIMEMetadata, errs)
		}
	} else {
		s.data, errs = kinds(v, errs)
	}
	if r := reflect.ValueOf(v); len(errs) > 0 && r.Kind() == reflect.Pointer && r.IsNil() {
		s.data, errs = wire.Bundle{"text/plain": "<nil>"}, nil // its methods expect something, as fmt has it
	}
	if t, ok := s.data["text/plain"].(string); ok {
		s.data["text/plain"] = clip(t)
	} else {
		s.data["text/plain"] = clip(text(v))
	}
	for _, err := range errs {
		s.data["text/plain"] = fmt.Sprintf("%v\n[%v]", s.data["text/plain"], err)
	}
	return s, errors.Join(errs...)
}

// encodable calls a user's method and keeps the entries that JSON can hold.
func encodable(method string, call func() map[string]any, errs []error) (kept wire.Bundle, _ []error) {
	kept = wire.Bundle{}
	var got map[string]any
	if err := protect(method, func() { got = call() }); err != nil {
		return kept, append(errs, err)
	}
	for key, value := range got {
		if raw, ok := value.([]byte); ok {
			// Binary types travel as base64, text ones as text.
			if strings.HasPrefix(key, "text/") || strings.HasSuffix(key, "+xml") {
				value = string(raw)
			} else {
				value = base64.StdEncoding.EncodeToString(raw)
			}
		}
		if s, ok := value.(string); ok { // always encodes, and may be large
			kept[key] = s
			continue
		}
		var err error
		// A MarshalJSON of the user's may panic; encoding/json itself refuses cycles.
		if perr := protect(method, func() { _, err = encode(value) }); perr != nil {
			err = perr
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %s: %w", method, key, err))
			continue
		}
		kept[key] = value
	}
	return kept, errs
}

// kinds makes the types of values that are not bundles.
func kinds(v any, errs []error) (wire.Bundle, []error) {
	if data, errs, ok := own(v, errs); ok {
		return data, errs
	}
	if data, errs, ok := plotted(v, errs); ok {
		return data, errs
	}
	if g, ok := tabular(v); ok {
		return wire.Bundle{"text/plain": g.text(), "text/html": g.html()}, errs
	}
	if t, ok := shaped(v); ok {
		return wire.Bundle{"text/plain": t}, errs
	}
	return picture(v, errs)
}

// picture makes the image types of values that are images.
func picture(v any, errs []error) (wire.Bundle, []error) {
	data := wire.Bundle{}
	switch img := v.(type) {
	case image.Image:
		var b bytes.Buffer
		var size image.Rectangle
		err := protect("image", func() { size = img.Bounds() })
		if err == nil {
			perr := protect("image", func() { err = png.Encode(&b, img) })
			err = errors.Join(perr, err)
		}
		if err != nil {
			data["text/plain"] = fmt.Sprintf("%T", v)
			return data, append(errs, err)
		}
		data["image/png"] = base64.StdEncoding.EncodeToString(b.Bytes())
		data["text/plain"] = fmt.Sprintf("%T, %d x %d pixels", v, size.Dx(), size.Dy())
	case json.RawMessage:
		if json.Valid(img) {
			data["text/plain"] = string(img)
		}
	case []byte:
		for mime, magic := range map[string]string{"image/png": "\x89PNG\r\n\x1a\n", "image/jpeg": "\xff\xd8\xff", "image/gif": "GIF8", "application/pdf": "%PDF-"} {
			if bytes.HasPrefix(img, []byte(magic)) {
				data[mime] = base64.StdEncoding.EncodeToString(img)
				data["text/plain"] = fmt.Sprintf("%s, %d bytes", mime, len(img))
			}
		}
	}
	return data, errs
}

// text is the text/plain of v. Error and String come before the value's fields,
// as fmt has it.
func text(v any) (s string) {
	err := protect(fmt.Sprintf("%T", v), func() {
		switch t := v.(type) {
		case error, fmt.Stringer:
			s = fmt.Sprint(t) // fmt catches a nil receiver
		default:
			if nests(reflect.ValueOf(v)) {
				s = fmt.Sprintf("%T that contains itself or nests more than %d deep", v, maxDepth)
				return
			}
			s = formatted(v)
		}
	})
	if err != nil {
		return err.Error()
	}
	return s
}

func clip(s string) string {
	if len(s) > maxText {
		cut := maxText - partial([]byte(s[maxText-4:maxText]))
		s = fmt.Sprintf("%s\n[%d more bytes]", s[:cut], len(s)-cut)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// protect calls user code and turns its panic into an error.
func protect(what string, f func()) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", what, p)
		}
	}()
	f()
	return nil
}

// nests reports whether formatting v would not end, or only very deep.
func nests(v reflect.Value) bool {
	nodes := 0
	var deep func(v reflect.Value, depth int) bool
	deep = func(v reflect.Value, depth int) bool {
		if nodes++; depth > maxDepth || nodes > maxNodes {
			return depth > maxDepth
		}
		switch v.Kind() {
		case reflect.Pointer:
			return depth == 0 && !v.IsNil() && deep(v.Elem(), 1) // fmt follows only this one
		case reflect.Interface:
			return !v.IsNil() && deep(v.Elem(), depth+1)
		case reflect.Slice, reflect.Array:
			if flat(v.Type().Elem()) {
				return false
			}
			for i := range v.Len() {
				if deep(v.Index(i), depth+1) {
					return true
				}
			}
		case reflect.Map:
			if flat(v.Type().Elem()) {
				return false
			}
			for it := v.MapRange(); it.Next(); {
				if deep(it.Value(), depth+1) {
					return true
				}
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if !flat(v.Type().Field(i).Type) && deep(v.Field(i), depth+1) {
					return true
				}
			}
		}
		return false
	}
	return v.IsValid() && deep(v, 0)
}

// flat reports whether fmt goes no deeper than a value of t.
func flat(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface, reflect.Slice, reflect.Map, reflect.Struct, reflect.Array:
		return false
	}
	return true
}
