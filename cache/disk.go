package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const (
	dirPerm  = 0o700 // conversations are private
	filePerm = 0o600
)

// filesystem is what the store asks of a disk. It exists so that tests can make any single operation fail. Names are
// slash-separated and relative to the cache folder.
type filesystem interface {
	// Open opens an existing regular file for reading; a link, pipe or folder is refused.
	Open(name string) (file, error)
	// OpenWrite opens a regular file for reading and writing, making it if need be. With excl it must not exist.
	OpenWrite(name string, excl bool) (file, error)
	MkdirAll(name string) error
	Rename(from, to string) error
	Remove(name string) error
	RemoveAll(name string) error
	Lstat(name string) (fs.FileInfo, error)
	ReadDir(name string) ([]fs.DirEntry, error)
	Touch(name string) error
	// SyncDir makes renames in a folder durable.
	SyncDir(name string) error
	// Lock takes the exclusive lock of that name or gives ErrLocked. The system drops it if the process dies.
	Lock(name string) (io.Closer, error)
	// Reopen looks the folder up again and makes it if it is gone. moved: it is another one than before, so that
	// files and locks that are open belong to the old one.
	Reopen() (moved bool, err error)
	Close() error
}

type file interface {
	io.Reader
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(size int64) error
	Sync() error
	Stat() (fs.FileInfo, error)
}

var errNotRegular = errors.New("not a regular file")

// osDisk is the disk below one folder. os.Root keeps every name, also through links, inside it.
type osDisk struct {
	dir  string
	root atomic.Pointer[os.Root]

	mu  sync.Mutex
	old []*os.Root // of folders that were moved away; calls may still be using them
}

func openDisk(dir string) (*osDisk, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, plain(err)
	}
	d := &osDisk{dir: dir}
	d.root.Store(root)
	return d, nil
}

// diskError is a failed operation without the name of the system call, which is of no use to people.
type diskError struct {
	name string
	err  error
}

func (e *diskError) Error() string { return e.name + ": " + e.err.Error() }
func (e *diskError) Unwrap() error { return e.err }

func plain(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return &diskError{e.Path, e.Err}
	case *os.LinkError:
		return &diskError{e.Old + " to " + e.New, e.Err}
	}
	return err
}

func (d *osDisk) Open(name string) (file, error) {
	// Looking first avoids opening a pipe, which would wait for a writer.
	info, err := d.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, errNotRegular)
	}
	f, err := d.root.Load().Open(name)
	if err != nil {
		return nil, plain(err)
	}
	return f, nil
}

func (d *osDisk) OpenWrite(name string, excl bool) (file, error) {
	flag := os.O_RDWR | os.O_CREATE
	if excl {
		flag |= os.O_EXCL
	} else if info, err := d.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", name, errNotRegular)
	}
	f, err := d.root.Load().OpenFile(name, flag, filePerm)
	if err != nil {
		return nil, plain(err)
	}
	return f, nil
}

func (d *osDisk) MkdirAll(name string) error   { return plain(d.root.Load().MkdirAll(name, dirPerm)) }
func (d *osDisk) Rename(from, to string) error { return plain(d.root.Load().Rename(from, to)) }
func (d *osDisk) Remove(name string) error     { return plain(d.root.Load().Remove(name)) }
func (d *osDisk) RemoveAll(name string) error  { return plain(d.root.Load().RemoveAll(name)) }

func (d *osDisk) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, r := range append(d.old, d.root.Load()) {
		errs = append(errs, r.Close())
	}
	return join(errs...)
}

func (d *osDisk) Lstat(name string) (fs.FileInfo, error) {
	info, err := d.root.Load().Lstat(name)
	return info, plain(err)
}

func (d *osDisk) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := d.root.Load().Open(name)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	return entries, plain(err)
}

func (d *osDisk) Touch(name string) error {
	now := time.Now()
	return plain(d.root.Load().Chtimes(name, now, now))
}

func (d *osDisk) SyncDir(name string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there; NTFS journals renames
	}
	f, err := d.root.Load().Open(name)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	return plain(f.Sync())
}

// Lock waits a moment, because a reader that repairs a torn log holds the lock for as long. Lock files are swept, so one
// that was locked is compared with what now has its name.
func (d *osDisk) Lock(name string) (io.Closer, error) {
	for range 10 {
		l, err := d.lockFile(name)
		if err != nil {
			return nil, err
		}
		was, err := l.Stat()
		if err == nil {
			if is, err := d.Lstat(name); err == nil && os.SameFile(was, is) {
				return l, nil
			}
		}
		if err := join(err, l.Close()); err != nil {
			return nil, plain(err)
		}
	}
	return nil, ErrLocked
}

func (d *osDisk) lockFile(name string) (*flock.Flock, error) {
	f, err := d.OpenWrite(name, false) // through the root: flock itself would follow a link out of the folder
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(d.dir, filepath.FromSlash(name)), flock.SetPermissions(filePerm))
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	ok, err := l.TryLockContext(ctx, 5*time.Millisecond)
	switch {
	case ok:
		return l, nil
	case err == nil || errors.Is(err, context.DeadlineExceeded):
		return nil, ErrLocked
	case errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK):
		return nil, fmt.Errorf("%w (%v)", ErrNoLocks, err)
	}
	return nil, plain(err)
}

func (d *osDisk) Reopen() (moved bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := os.MkdirAll(d.dir, dirPerm); err != nil {
		return false, plain(err)
	}
	now, err := os.Stat(d.dir)
	if err != nil {
		return false, plain(err)
	}
	root := d.root.Load()
	if was, err := root.Stat("."); err == nil && os.SameFile(was, now) {
		return false, nil
	}
	fresh, err := os.OpenRoot(d.dir)
	if err != nil {
		return false, plain(err)
	}
	d.root.Store(fresh)
	d.old = append(d.old, root)
	return true, nil
}

// tempName is a fresh name in the folder for unfinished files.
func tempName() string { return "tmp/" + rand.Text() }

// publish writes a whole file so that the name shows all of it or nothing: temporary file, sync, rename, sync of the
// folder. Without durable both syncs are left out.
func publish(d filesystem, name string, data []byte, durable bool) error {
	tmp := tempName()
	if err := writeNew(d, tmp, data, durable); err != nil {
		return join(err, ignoreNotExist(d.Remove(tmp)))
	}
	if err := d.Rename(tmp, name); err != nil {
		return join(err, ignoreNotExist(d.Remove(tmp)))
	}
	if !durable {
		return nil
	}
	return d.SyncDir(path.Dir(name))
}

func writeNew(d filesystem, name string, data []byte, durable bool) error {
	f, err := d.OpenWrite(name, true)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(data, 0)
	if err == nil && durable {
		err = f.Sync()
	}
	return join(err, f.Close())
}

func ignoreNotExist(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// readSmall reads a file of at most limit bytes.
func readSmall(d filesystem, name string, limit int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, &CorruptError{name, 0, fmt.Errorf("%d bytes, at most %d allowed", info.Size(), limit)}
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, err
	}
	return data, nil
}
