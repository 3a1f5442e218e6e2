package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Problem is something in a cache folder that is not as it was written.
type Problem struct {
	File   string // path inside the folder
	Offset int64  // first byte concerned
	Err    error
}

func (p Problem) String() string { return fmt.Sprintf("%s at byte %d: %v", p.File, p.Offset, p.Err) }

// Check is [Checker.Run] with nothing asked for but the problems.
func Check(dir string) iter.Seq[Problem] { return new(Checker).Run(dir) }

// Checker reads everything in a cache folder.
type Checker struct {
	// Progress, if not nil, is called now and then with the bytes of blocks that were read, of how many.
	Progress func(done, total int64)
	// Summary is what there was; it is complete when Run has ended.
	Summary Summary
}

// Summary is what a [Checker] has found.
type Summary struct {
	Conversations int   `json:"conversations"`
	Tokens        int   `json:"tokens"`
	Blocks        int   `json:"blocks"`
	Bytes         int64 `json:"bytes"`   // of the blocks
	Missing       int   `json:"missing"` // blocks that a conversation names and that are not stored: they can be computed again
	Unnamed       int   `json:"unnamed"` // blocks that no conversation names: a sweep removes them
	Problems      int   `json:"problems"`
}

// Run reads everything in a cache folder and gives what is wrong with it: checksums, formats, positions, shapes and
// keys that do not fit, files that should not be there. It changes nothing and takes no locks; while a process
// writes, an unfinished frame at the end of its logs shows as a problem. Rows that are not stored are none, since
// they can be recomputed, and neither are blocks no longer named, which a sweep removes; the summary counts both.
func (c *Checker) Run(dir string) iter.Seq[Problem] {
	return func(yield func(Problem) bool) {
		c.Summary = Summary{}
		d, err := openDisk(dir)
		if err != nil {
			c.Summary.Problems++
			yield(Problem{dir, 0, err})
			return
		}
		defer d.Close()
		ck := checker{disk: d, yield: yield, spaces: map[blockKey]layout{}, unsealed: map[blockKey]bool{}, c: c}
		ck.run(dir)
	}
}

type checker struct {
	disk     filesystem
	yield    func(Problem) bool
	stopped  bool
	spaces   map[blockKey]layout // of the blocks named by conversations
	unsealed map[blockKey]bool   // of those, the ones whose rows are in a tail
	c        *Checker
}

func (ck *checker) problem(file string, err error) {
	if err == nil || ck.stopped {
		return
	}
	p := Problem{File: file, Err: err}
	var corrupt *CorruptError
	var bad *damage
	if errors.As(err, &corrupt) {
		p = Problem{corrupt.File, corrupt.Offset, corrupt.Err}
	} else if errors.As(err, &bad) {
		p = Problem{file, bad.offset, bad.err}
	}
	ck.c.Summary.Problems++
	ck.stopped = !ck.yield(p)
}

func (ck *checker) run(dir string) {
	known, err := readVersion(ck.disk, dir)
	if err == nil && !known {
		err = fs.ErrNotExist
	}
	if err != nil {
		ck.problem(versionFile, err)
		return
	}
	entries, err := ck.disk.ReadDir("conv")
	ck.problem("conv", err)
	for _, e := range entries {
		if ck.stopped {
			return
		}
		name := "conv/" + e.Name()
		if _, ok := idOfDir(e.Name()); !ok || !e.IsDir() {
			ck.problem(name, errors.New("not the folder of a conversation"))
			continue
		}
		ck.conversation(name)
	}
	ck.blocks()
}

func (ck *checker) conversation(dir string) {
	meta, err := readMetadata(ck.disk, dir)
	if err != nil {
		ck.problem(dir+"/metadata.json", err)
		return
	}
	var st state
	sc, err := readTokens(ck.disk, dir, meta, rootKey(meta.Space, meta.layout()), &st, false)
	ck.segment(dir+"/tokens.log", sc, err)
	ck.c.Summary.Conversations++
	ck.c.Summary.Tokens += len(st.tokens)
	for _, k := range st.keys {
		ck.spaces[k] = meta.layout()
	}
	sc, _, err = readTail(ck.disk, dir, meta.layout(), &st, func(n int) bool {
		_, err := ck.disk.Lstat(st.keys[n].path())
		return errors.Is(err, fs.ErrNotExist)
	})
	for _, p := range st.un.blocks {
		ck.unsealed[p.key] = true
	}
	ck.segment(dir+"/tail.wal", sc, err)
	entries, err := ck.disk.ReadDir(dir)
	ck.problem(dir, err)
	for _, e := range entries {
		switch e.Name() {
		case "metadata.json", "tokens.log", "tail.wal":
		default:
			ck.problem(path.Join(dir, e.Name()), errors.New("not a file of a conversation"))
		}
	}
}

func (ck *checker) segment(name string, sc scan, err error) {
	switch {
	case err != nil:
		ck.problem(name, err)
	case sc.bad != nil:
		ck.problem(name, &CorruptError{name, sc.good, sc.bad})
	case sc.torn:
		ck.problem(name, &CorruptError{name, sc.good, errors.New("the file ends inside a frame")})
	}
}

// blocks checks every block file, some at a time. A block that no conversation names tells its own shape.
func (ck *checker) blocks() {
	type job struct {
		name string
		key  blockKey
		size int64
		err  chan error
	}
	var jobs []job
	var total int64
	dirs, err := ck.disk.ReadDir("blocks")
	ck.problem("blocks", err)
	for _, dir := range dirs {
		files, err := ck.disk.ReadDir("blocks/" + dir.Name())
		ck.problem("blocks/"+dir.Name(), err)
		for _, f := range files {
			name := "blocks/" + dir.Name() + "/" + f.Name()
			key, ok := parseBlockKey(f.Name())
			if !ok || key.path() != name {
				ck.problem(name, errors.New("not the name of a block"))
				continue
			}
			j := job{name: name, key: key, err: make(chan error, 1)}
			if info, err := f.Info(); err == nil {
				j.size = info.Size()
			}
			total += j.size
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(a, b job) int { return strings.Compare(a.name, b.name) })
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				jobs[i].err <- ck.block(jobs[i].key)
			}
		})
	}
	defer workers.Wait()
	defer next.Store(int64(len(jobs))) // ends them early
	var done int64
	var found int
	for _, j := range jobs {
		if ck.stopped {
			return
		}
		ck.problem(j.name, <-j.err)
		ck.c.Summary.Blocks++
		ck.c.Summary.Bytes += j.size
		if _, named := ck.spaces[j.key]; named {
			found++
			delete(ck.unsealed, j.key) // sealed meanwhile
		} else {
			ck.c.Summary.Unnamed++
		}
		if done += j.size; ck.c.Progress != nil {
			ck.c.Progress(done, total)
		}
	}
	ck.c.Summary.Missing = len(ck.spaces) - found - len(ck.unsealed)
}

func (ck *checker) block(key blockKey) error {
	l, ok := ck.spaces[key]
	if !ok {
		var err error
		if l, err = shardLayout(ck.disk, key.path()); err != nil {
			return err
		}
	}
	_, err := (&blockStore{disk: ck.disk}).read(key, l, nil)
	return ignoreNotExist(err) // swept meanwhile
}

// shardLayout reads the shape from a block's header.
func shardLayout(d filesystem, name string) (layout, error) {
	f, err := d.Open(name)
	if err != nil {
		return layout{}, err
	}
	defer f.Close()
	var h [shardFixed]byte
	if _, err := f.ReadAt(h[:], 0); err != nil {
		return layout{}, damaged(0, "no header: %w", err)
	}
	l := headerLayout(h[:])
	if err := l.validate(); err != nil {
		return layout{}, damaged(12, "%w", err)
	}
	return l, nil
}
