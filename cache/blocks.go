package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// blockStore is the folder of sealed blocks.
type blockStore struct {
	disk    filesystem
	durable bool // sync what is published

	reads, writes, shared, corrupt atomic.Int64

	// Totals are counted once, at the first question, and kept up by this process from then on. publishing is held
	// by changes and excludes the count, so that no block is counted twice.
	publishing  sync.RWMutex
	counted     bool
	bytes, many atomic.Int64
}

// has reports whether an intact looking block is stored: header and index are checked, chunks are not.
func (s *blockStore) has(key blockKey, l layout) bool {
	f, err := s.disk.Open(key.path())
	if err != nil {
		return false
	}
	defer f.Close()
	info, err := f.Stat()
	hs, is := shardHeaderSize(l), shardIndexSize(l)
	if err != nil || info.Size() < int64(hs+is) {
		return false
	}
	header, index := make([]byte, hs), make([]byte, is)
	if _, err := f.ReadAt(header, 0); err != nil {
		return false
	}
	if _, err := f.ReadAt(index, info.Size()-int64(is)); err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	_, _, err = shardHead(key, l, header, index, info.Size())
	return err == nil
}

// renew says whether a block is stored, and makes it young if so: a sweep goes by age, and the block is about to be
// named by a log that it may not see yet.
func (s *blockStore) renew(key blockKey, l layout) (there bool, err error) {
	if !s.has(key, l) {
		return false, nil
	}
	s.shared.Add(1)
	return true, ignoreNotExist(s.disk.Touch(key.path()))
}

// put stores a block. Equal keys mean equal content, so two processes may publish at once.
func (s *blockStore) put(b *block) error {
	name := b.key.path()
	data, err := marshalShard(b)
	if err != nil {
		return fmt.Errorf("block %s: %w", name, err)
	}
	s.publishing.RLock()
	defer s.publishing.RUnlock()
	old := int64(-1)
	if info, err := s.disk.Lstat(name); err == nil {
		old = info.Size()
	}
	if err := s.makeParent(name); err != nil {
		return err
	}
	if err := publish(s.disk, name, data, s.durable); err != nil {
		return fmt.Errorf("block %s: %w", name, err)
	}
	s.writes.Add(1)
	s.bytes.Add(int64(len(data)))
	s.many.Add(1)
	if old >= 0 {
		s.corrupt.Add(1) // has refused it
		s.bytes.Add(-old)
		s.many.Add(-1)
	}
	return nil
}

func (s *blockStore) makeParent(name string) error {
	dir := path.Dir(name)
	if _, err := s.disk.Lstat(dir); err == nil {
		return nil
	}
	if err := s.disk.MkdirAll(dir); err != nil {
		return err
	}
	if !s.durable {
		return nil
	}
	return s.disk.SyncDir(path.Dir(dir))
}

// get reads and checks the chunks of the stored rows at, all if nil. fs.ErrNotExist: not stored; *CorruptError:
// damaged and moved aside.
func (s *blockStore) get(key blockKey, l layout, at []int) (*block, error) {
	b, err := s.read(key, l, at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s.reads.Add(1)
	var corrupt *CorruptError
	if err == nil || !errors.As(err, &corrupt) {
		return b, err
	}
	s.corrupt.Add(1)
	if err := s.quarantine(key); err != nil {
		return nil, fmt.Errorf("%w; moving it aside: %w", corrupt, err)
	}
	return nil, corrupt
}

// read is get that moves nothing.
func (s *blockStore) read(key blockKey, l layout, at []int) (*block, error) {
	f, err := s.disk.Open(key.path())
	if errors.Is(err, errNotRegular) {
		return nil, &CorruptError{key.path(), 0, errNotRegular}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b, err := readShard(f, info.Size(), key, l, at)
	if bad := (*damage)(nil); errors.As(err, &bad) {
		return nil, &CorruptError{key.path(), bad.offset, bad.err}
	}
	return b, err
}

// quarantine keeps a damaged block for inspection, out of the way of its successor.
func (s *blockStore) quarantine(key blockKey) error {
	s.publishing.RLock()
	defer s.publishing.RUnlock()
	info, err := s.disk.Lstat(key.path())
	if err != nil {
		return ignoreNotExist(err)
	}
	if err := s.disk.Rename(key.path(), fmt.Sprintf("quarantine/%s-%d", key, time.Now().UnixNano())); err != nil {
		return ignoreNotExist(err)
	}
	s.bytes.Add(-info.Size())
	s.many.Add(-1)
	return nil
}

func (s *blockStore) remove(key blockKey, size int64) error {
	s.publishing.RLock()
	defer s.publishing.RUnlock()
	if err := s.disk.Remove(key.path()); err != nil {
		return ignoreNotExist(err)
	}
	s.bytes.Add(-size)
	s.many.Add(-1)
	return nil
}

// recount makes the next totals count anew.
func (s *blockStore) recount() {
	s.publishing.Lock()
	s.counted = false
	s.publishing.Unlock()
}

// totals gives bytes and number of the blocks stored.
func (s *blockStore) totals() (bytes, blocks int64) {
	s.publishing.RLock()
	counted := s.counted
	s.publishing.RUnlock()
	if !counted {
		s.publishing.Lock()
		if !s.counted {
			var bytes, many int64
			err := walkBlocks(s.disk, func(_ blockKey, info fs.FileInfo) error {
				bytes += info.Size()
				many++
				return nil
			})
			if err == nil {
				s.bytes.Store(bytes)
				s.many.Store(many)
				s.counted = true
			}
		}
		s.publishing.Unlock()
	}
	return s.bytes.Load(), s.many.Load()
}

// walkBlocks visits the files in blocks/ that have a block's name.
func walkBlocks(d filesystem, fn func(blockKey, fs.FileInfo) error) error {
	dirs, err := d.ReadDir("blocks")
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if !dir.IsDir() {
			continue
		}
		files, err := d.ReadDir("blocks/" + dir.Name())
		if err != nil {
			return err
		}
		for _, f := range files {
			key, ok := parseBlockKey(f.Name())
			if !ok || !strings.HasPrefix(f.Name(), dir.Name()) {
				continue
			}
			info, err := d.Lstat(key.path())
			if errors.Is(err, fs.ErrNotExist) {
				continue // swept by another process meanwhile
			}
			if err != nil {
				return err
			}
			if err := fn(key, info); err != nil {
				return err
			}
		}
	}
	return nil
}
