package symbols

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"hash"
	"hash/maphash"
	"reflect"

	"github.com/goplus/ixgo"
)

// native is the package of the instances of generic functions that generic holds on to, which has no name in cells.
const native = "gopherlens/native"

func registerNative() {
	ixgo.RegisterPackage(&ixgo.Package{
		Name: "native", Path: native, Deps: map[string]string{"hash": "hash", "hash/maphash": "maphash"},
		Interfaces: map[string]reflect.Type{}, NamedTypes: map[string]reflect.Type{}, AliasTypes: map[string]reflect.Type{},
		Vars: map[string]reflect.Value{},
		Funcs: map[string]reflect.Value{
			"Expand":          reflect.ValueOf(hkdf.Expand[hash.Hash]),
			"Extract":         reflect.ValueOf(hkdf.Extract[hash.Hash]),
			"Key":             reflect.ValueOf(hkdf.Key[hash.Hash]),
			"PasswordKey":     reflect.ValueOf(pbkdf2.Key[hash.Hash]),
			"Comparable":      reflect.ValueOf(maphash.Comparable[any]),
			"WriteComparable": reflect.ValueOf(maphash.WriteComparable[any]),
		},
		TypedConsts: map[string]ixgo.TypedConst{}, UntypedConsts: map[string]ixgo.UntypedConst{},
	})
}

// generic is what the interpreter lacks of the standard library's generic functions, which no table can hold. They are interpreted,
// those of cryptography and hashing down to the compiled instance for any argument.
var generic = map[string]string{
	"errors": `package errors

import "errors"

func AsType[E error](err error) (E, bool) {
	var e E
	ok := errors.As(err, &e)
	return e, ok
}
`,
	"reflect": `package reflect

import "reflect"

func TypeAssert[T any](v reflect.Value) (T, bool) {
	if !v.IsValid() {
		panic(&reflect.ValueError{Method: "reflect.TypeAssert", Kind: reflect.Invalid})
	}
	t, ok := v.Interface().(T)
	return t, ok
}
`,
	"hash/maphash": `package maphash

import (
	"gopherlens/native"
	"hash/maphash"
)

func Comparable[T comparable](seed maphash.Seed, v T) uint64 { return native.Comparable(seed, v) }

func WriteComparable[T comparable](h *maphash.Hash, x T) { native.WriteComparable(h, x) }
`,
	"crypto/hkdf": `package hkdf

import (
	"gopherlens/native"
	"hash"
)

func Extract[H hash.Hash](h func() H, secret, salt []byte) ([]byte, error) {
	return native.Extract(func() hash.Hash { return h() }, secret, salt)
}

func Expand[H hash.Hash](h func() H, pseudorandomKey []byte, info string, keyLength int) ([]byte, error) {
	return native.Expand(func() hash.Hash { return h() }, pseudorandomKey, info, keyLength)
}

func Key[Hash hash.Hash](h func() Hash, secret, salt []byte, info string, keyLength int) ([]byte, error) {
	return native.Key(func() hash.Hash { return h() }, secret, salt, info, keyLength)
}
`,
	"crypto/pbkdf2": `package pbkdf2

import (
	"gopherlens/native"
	"hash"
)

func Key[Hash hash.Hash](h func() Hash, password string, salt []byte, iter, keyLength int) ([]byte, error) {
	return native.PasswordKey(func() hash.Hash { return h() }, password, salt, iter, keyLength)
}
`,
}
