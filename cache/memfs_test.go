package cache

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// MemFS is a disk in memory that is as forgetful as a real one may be: a loss of power takes every byte and every name
// that was not synced, and a sync that failed leaves its bytes to be forgotten although a later one succeeds.
type MemFS struct {
	mu    sync.Mutex
	root  *node
	locks map[string]bool
	open  int // files

	// Fault is asked before every operation; what it returns the operation returns, having done nothing.
	Fault func(op, name string) error
	// Short makes a failing write keep half of its bytes.
	Short bool
}

type node struct {
	kids, safe map[string]*node // of a folder: as seen, and as on the device
	data       []byte
	device     []byte
	dirty      []bool // bytes of data that a sync has to write
	mtime      time.Time
}

func NewMemFS() *MemFS { return &MemFS{root: newDir(), locks: map[string]bool{}} }

func newDir() *node {
	return &node{kids: map[string]*node{}, safe: map[string]*node{}, mtime: time.Now()}
}

func (n *node) isDir() bool { return n.kids != nil }

// Crash gives the disk after a loss of power. With names, renames and new files had reached the device by chance, but
// nothing of what is in them; with halves, also half of what was written and not synced.
func (m *MemFS) Crash(names, halves bool) *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	var survive func(n *node) *node
	survive = func(n *node) *node {
		out := &node{mtime: n.mtime}
		if n.isDir() {
			out.kids, out.safe = map[string]*node{}, map[string]*node{}
			from := n.safe
			if names {
				from = n.kids
			}
			for name, kid := range from {
				k := survive(kid)
				out.kids[name], out.safe[name] = k, k
			}
			return out
		}
		out.data = slices.Clone(n.device)
		if halves {
			size := (len(n.device) + len(n.data) + 1) / 2
			out.data = append(out.data, make([]byte, max(size-len(out.data), 0))...)[:size]
			for i := range out.data {
				if i%2 == 0 && i < len(n.data) && n.dirty[i] {
					out.data[i] = n.data[i]
				}
			}
		}
		out.device, out.dirty = slices.Clone(out.data), make([]bool, len(out.data))
		return out
	}
	return &MemFS{root: survive(m.root), locks: map[string]bool{}}
}

// Kill gives the disk as the death of all processes leaves it: the system has everything, and nobody holds a lock.
func (m *MemFS) Kill() *MemFS {
	m.mu.Lock()
	defer m.mu.Unlock()
	var survive func(n *node) *node
	survive = func(n *node) *node {
		out := &node{mtime: n.mtime, data: slices.Clone(n.data), device: slices.Clone(n.device), dirty: slices.Clone(n.dirty)}
		if n.isDir() {
			out.kids, out.safe = map[string]*node{}, map[string]*node{}
			for name, kid := range n.kids {
				out.kids[name] = survive(kid)
			}
		}
		return out
	}
	return &MemFS{root: survive(m.root), locks: map[string]bool{}}
}

// OpenFiles counts files and locks that are not closed.
func (m *MemFS) OpenFiles() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.open + len(m.locks)
}

// begin locks and asks for a fault.
func (m *MemFS) begin(op, name string) error {
	m.mu.Lock()
	if m.Fault != nil {
		if err := m.Fault(op, name); err != nil {
			return &diskError{op + " " + name, err}
		}
	}
	return nil
}

func (m *MemFS) find(name string) (*node, error) {
	n := m.root
	for _, part := range strings.Split(path.Clean(name), "/") {
		if part == "." {
			continue
		}
		if n = n.kids[part]; n == nil {
			return nil, &diskError{name, fs.ErrNotExist}
		}
	}
	return n, nil
}

func (m *MemFS) parent(name string) (*node, string, error) {
	n, err := m.find(path.Dir(name))
	if err == nil && !n.isDir() {
		err = &diskError{name, syscall.ENOTDIR}
	}
	return n, path.Base(name), err
}

func (m *MemFS) Open(name string) (file, error) {
	defer m.mu.Unlock()
	if err := m.begin("open", name); err != nil {
		return nil, err
	}
	n, err := m.find(name)
	if err == nil && n.isDir() {
		err = fmt.Errorf("%s: %w", name, errNotRegular)
	}
	if err != nil {
		return nil, err
	}
	m.open++
	return &memFile{m: m, n: n, name: name}, nil
}

func (m *MemFS) OpenWrite(name string, excl bool) (file, error) {
	defer m.mu.Unlock()
	if err := m.begin("create", name); err != nil {
		return nil, err
	}
	dir, base, err := m.parent(name)
	if err != nil {
		return nil, err
	}
	n := dir.kids[base]
	switch {
	case n == nil:
		n = &node{mtime: time.Now()}
		dir.kids[base] = n
	case excl:
		return nil, &diskError{name, fs.ErrExist}
	case n.isDir():
		return nil, fmt.Errorf("%s: %w", name, errNotRegular)
	}
	m.open++
	return &memFile{m: m, n: n, name: name}, nil
}

func (m *MemFS) MkdirAll(name string) error {
	defer m.mu.Unlock()
	if err := m.begin("mkdir", name); err != nil {
		return err
	}
	n := m.root
	for _, part := range strings.Split(name, "/") {
		if n.kids[part] == nil {
			n.kids[part] = newDir()
		}
		n = n.kids[part]
	}
	return nil
}

func (m *MemFS) Rename(from, to string) error {
	defer m.mu.Unlock()
	if err := m.begin("rename", from); err != nil {
		return err
	}
	a, aName, err := m.parent(from)
	if err != nil {
		return err
	}
	b, bName, err := m.parent(to)
	if err != nil {
		return err
	}
	n, old := a.kids[aName], b.kids[bName]
	switch {
	case n == nil:
		return &diskError{from, fs.ErrNotExist}
	case old != nil && old.isDir() && len(old.kids) > 0:
		return &diskError{to, syscall.ENOTEMPTY}
	}
	delete(a.kids, aName)
	b.kids[bName] = n
	return nil
}

func (m *MemFS) remove(op, name string) error {
	defer m.mu.Unlock()
	if err := m.begin(op, name); err != nil {
		return err
	}
	dir, base, err := m.parent(name)
	if err != nil {
		return err
	}
	if dir.kids[base] == nil && op == "remove" {
		return &diskError{name, fs.ErrNotExist}
	}
	delete(dir.kids, base)
	return nil
}

func (m *MemFS) Remove(name string) error    { return m.remove("remove", name) }
func (m *MemFS) RemoveAll(name string) error { return m.remove("remove all", name) }

func (m *MemFS) Lstat(name string) (fs.FileInfo, error) {
	defer m.mu.Unlock()
	if err := m.begin("stat", name); err != nil {
		return nil, err
	}
	n, err := m.find(name)
	if err != nil {
		return nil, err
	}
	return n.info(path.Base(name)), nil
}

func (m *MemFS) ReadDir(name string) ([]fs.DirEntry, error) {
	defer m.mu.Unlock()
	if err := m.begin("list", name); err != nil {
		return nil, err
	}
	n, err := m.find(name)
	if err != nil {
		return nil, err
	}
	var out []fs.DirEntry
	for name, kid := range n.kids {
		out = append(out, fs.FileInfoToDirEntry(kid.info(name)))
	}
	return out, nil
}

func (m *MemFS) Touch(name string) error {
	defer m.mu.Unlock()
	if err := m.begin("touch", name); err != nil {
		return err
	}
	n, err := m.find(name)
	if err == nil {
		n.mtime = time.Now()
	}
	return err
}

func (m *MemFS) SyncDir(name string) error {
	defer m.mu.Unlock()
	if err := m.begin("sync folder", name); err != nil {
		return err
	}
	n, err := m.find(name)
	if err != nil {
		return err
	}
	clear(n.safe)
	for name, kid := range n.kids {
		n.safe[name] = kid
	}
	return nil
}

func (m *MemFS) Lock(name string) (io.Closer, error) {
	defer m.mu.Unlock()
	if err := m.begin("lock", name); err != nil {
		return nil, err
	}
	if m.locks[name] {
		return nil, ErrLocked
	}
	m.locks[name] = true
	return memLock{m, name}, nil
}

func (m *MemFS) Reopen() (bool, error) {
	defer m.mu.Unlock()
	return false, m.begin("reopen", "")
}

func (m *MemFS) Close() error { return nil }

type memLock struct {
	m    *MemFS
	name string
}

func (l memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.name)
	return nil
}

type memFile struct {
	m      *MemFS
	n      *node
	name   string
	off    int64
	closed bool
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	defer f.m.mu.Unlock()
	if err := f.m.begin("read", f.name); err != nil {
		return 0, err
	}
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.off)
	f.off += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	defer f.m.mu.Unlock()
	err := f.m.begin("write", f.name)
	if err != nil {
		if !f.m.Short {
			return 0, err
		}
		p = p[:len(p)/2]
	}
	f.n.resize(max(int(off)+len(p), len(f.n.data)))
	copy(f.n.data[off:], p)
	for i := range p {
		f.n.dirty[int(off)+i] = true
	}
	f.n.mtime = time.Now()
	return len(p), err
}

func (n *node) resize(size int) {
	for len(n.data) < size {
		n.data, n.dirty = append(n.data, 0), append(n.dirty, true)
	}
	n.data, n.dirty = n.data[:size], n.dirty[:size]
}

func (f *memFile) Truncate(size int64) error {
	defer f.m.mu.Unlock()
	if err := f.m.begin("truncate", f.name); err != nil {
		return err
	}
	f.n.resize(int(size))
	return nil
}

func (f *memFile) Sync() error {
	defer f.m.mu.Unlock()
	err := f.m.begin("sync", f.name)
	n := f.n
	if err == nil {
		device := make([]byte, len(n.data))
		copy(device, n.device)
		for i, d := range n.dirty {
			if d {
				device[i] = n.data[i]
			}
		}
		n.device = device
	}
	clear(n.dirty)
	return err
}

func (f *memFile) Stat() (fs.FileInfo, error) {
	defer f.m.mu.Unlock()
	if err := f.m.begin("stat file", f.name); err != nil {
		return nil, err
	}
	return f.n.info(path.Base(f.name)), nil
}

func (f *memFile) Close() error {
	f.m.mu.Lock()
	defer f.m.mu.Unlock()
	if f.closed {
		return os.ErrClosed
	}
	f.closed = true
	f.m.open--
	return nil
}

type memInfo struct {
	name  string
	size  int64
	dir   bool
	mtime time.Time
}

func (n *node) info(name string) fs.FileInfo {
	return memInfo{name, int64(len(n.data)), n.isDir(), n.mtime}
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return i.mtime }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | dirPerm
	}
	return filePerm
}

// ReadFile, WriteFile, Remove and List are for tests that look at files or damage them.
func (m *MemFS) ReadFile(name string) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(name)
	if err != nil {
		panic(err)
	}
	return slices.Clone(n.data)
}

func (m *MemFS) WriteFile(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dir, base, err := m.parent(name)
	if err != nil {
		panic(err)
	}
	n := &node{mtime: time.Now(), data: slices.Clone(data), device: slices.Clone(data), dirty: make([]bool, len(data))}
	dir.kids[base], dir.safe[base] = n, n
}

// List gives the files below a folder, sorted.
func (m *MemFS) List(dir string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	var walk func(name string, n *node)
	walk = func(name string, n *node) {
		if !n.isDir() {
			out = append(out, name)
		}
		for base, kid := range n.kids {
			walk(path.Join(name, base), kid)
		}
	}
	if n, err := m.find(dir); err == nil {
		walk(dir, n)
	}
	slices.Sort(out)
	return out
}
