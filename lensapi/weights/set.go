package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	fileName  = "model.safetensors"
	indexName = "model.safetensors.index.json"

	// maxIndex bounds the shard index; the index of a 70B checkpoint is about 70 KB.
	maxIndex = 16 << 20
)

// Info describes one tensor.
type Info struct {
	DType string // as the file spells it: F32, F16, BF16, ...
	Shape []int  // empty for a scalar
	Bytes int64  // in the file
	File  string // its name
}

// Set is an open checkpoint. It is safe for concurrent use until Close.
type Set struct {
	tensors map[string]tensor
	names   []string
	files   []*file
}

// file is an open file, mapped where the system does that.
type file struct {
	fs.File
	r      io.ReaderAt
	data   []byte // all of it, or nil
	unmap  func() error
	closed bool
}

// tensor is where one tensor's bytes are: [off, off+size) of a file.
type tensor struct {
	info      Info
	file      *file
	off, size int64
}

// Open reads the headers of model.safetensors or, if there is none, of the shards that
// model.safetensors.index.json names. Files of fsys must implement io.ReaderAt, as those of os.DirFS and
// embed.FS do. The caller must Close the Set.
func Open(fsys fs.FS) (*Set, error) {
	s := &Set{tensors: map[string]tensor{}}
	err := s.addFile(fsys, fileName, nil)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.addShards(fsys); errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("no weights: neither %s nor %s: %w", fileName, indexName, err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	for n := range s.tensors {
		s.names = append(s.names, n)
	}
	slices.Sort(s.names)
	return s, nil
}

// addShards opens each file of the index once and checks that the index and the headers agree.
func (s *Set) addShards(fsys fs.FS) error {
	f, err := fsys.Open(indexName)
	if err != nil {
		return err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", indexName, err)
	}
	if len(data) > maxIndex {
		return fmt.Errorf("%s: longer than %d bytes", indexName, maxIndex)
	}
	where, err := parseIndex(data)
	if err != nil {
		return fmt.Errorf("%s: %w", indexName, err)
	}
	shards := map[string]map[string]bool{}
	for name, file := range where {
		if shards[file] == nil {
			shards[file] = map[string]bool{}
		}
		shards[file][name] = true
	}
	for _, file := range sortedKeys(shards) {
		err := s.addFile(fsys, file, shards[file])
		if errors.Is(err, fs.ErrNotExist) { // not the index, which is there
			return fmt.Errorf("%s: shard %s is missing", indexName, file)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseIndex returns tensor name -> file name.
func parseIndex(data []byte) (map[string]string, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not valid UTF-8")
	}
	where := map[string]string{}
	found := false
	err := eachKey(data, func(key string, val json.RawMessage) error {
		if key != "weight_map" {
			return nil
		}
		found = true
		return eachKey(val, func(name string, val json.RawMessage) error {
			var file string
			if err := json.Unmarshal(val, &file); err != nil {
				return fmt.Errorf("tensor %q: file name: %w", name, err)
			}
			if !fs.ValidPath(file) || file == "." || strings.ContainsAny(file, `/\:`) {
				return fmt.Errorf("tensor %q: shard %q is not a plain file name in this folder", name, file)
			}
			where[name] = file
			return nil
		})
	})
	if err == nil && !found {
		err = errors.New("no weight_map")
	}
	return where, err
}

// addFile adds the tensors of one file. With want, exactly those names must be there.
func (s *Set) addFile(fsys fs.FS, name string, want map[string]bool) error {
	opened, err := fsys.Open(name)
	if err != nil {
		return err
	}
	f := &file{File: opened}
	s.files = append(s.files, f)
	var ok bool
	if f.r, ok = opened.(io.ReaderAt); !ok {
		return fmt.Errorf("%s: this file system gives no random access (io.ReaderAt)", name)
	}
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if !st.Mode().IsRegular() {
		return fmt.Errorf("%s: not a regular file", name)
	}
	ts, err := readHeader(f.r, st.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.data, f.unmap = mapFile(opened, st.Size())
	var wrong []string
	for _, n := range sortedKeys(ts) {
		if _, dup := s.tensors[n]; dup {
			wrong = append(wrong, fmt.Sprintf("tensor %q is also in another shard", n))
		} else if want != nil && !want[n] {
			wrong = append(wrong, fmt.Sprintf("tensor %q is not listed for this file in %s", n, indexName))
		}
		t := ts[n]
		t.file, t.info.File, t.info.Bytes = f, name, t.size
		s.tensors[n] = t
	}
	for _, n := range sortedKeys(want) {
		if _, ok := ts[n]; !ok {
			wrong = append(wrong, fmt.Sprintf("tensor %q of %s is missing", n, indexName))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: %s", name, strings.Join(wrong, "; "))
	}
	return nil
}

// Names lists the tensors, sorted. The slice is the caller's.
func (s *Set) Names() []string { return slices.Clone(s.names) }

// Info describes a tensor; ok is false when there is none of that name.
func (s *Set) Info(name string) (info Info, ok bool) {
	t, ok := s.tensors[name]
	t.info.Shape = slices.Clone(t.info.Shape)
	return t.info, ok
}

// Close closes the files. Reads after it fail, and what Stored returned must not be touched again.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.files {
		if f.unmap != nil {
			errs = append(errs, f.unmap())
		}
		f.data, f.closed = nil, true
		errs = append(errs, f.Close())
	}
	s.files = nil
	return errors.Join(errs...)
}

// eachKey calls f for every key of a JSON object in order; a key that appears twice is an error, which
// encoding/json by itself would let the last one win.
func eachKey(data []byte, f func(key string, val json.RawMessage) error) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	t, err := dec.Token()
	if err != nil {
		return jsonError(err)
	}
	if t != json.Delim('{') {
		return errors.New("not a JSON object")
	}
	seen := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return jsonError(err)
		}
		key, _ := t.(string)
		if seen[key] {
			return fmt.Errorf("%q appears twice", key)
		}
		seen[key] = true
		var val json.RawMessage
		if err := dec.Decode(&val); err != nil {
			return jsonError(err)
		}
		if err := f(key, val); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return jsonError(err)
	}
	if rest := bytes.Trim(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 { // bytes.TrimSpace would pass \f and more
		return errors.New("data after the JSON object")
	}
	return nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("bad JSON: %w", err)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
