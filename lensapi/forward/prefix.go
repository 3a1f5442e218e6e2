package forward

import (
	"slices"
	"sync"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// defaultKeep bounds the keys and values that a Runner keeps for Resume.
const defaultKeep = 256 << 20

// prefixes are keys and values of sequences that were fed without hooks, the latest used last.
type prefixes struct {
	mu    sync.Mutex
	list  []*prefix
	limit int64 // bytes
}

// prefix is one sequence. Its blocks are shared with the session that fed it for as long as that lasts.
type prefix struct {
	ids   []int
	cache *model.Cache
}

// Keep bounds the memory, in bytes, of keys and values kept for Resume after their sessions; 0 keeps none. The default is 256 MiB.
func (r *Runner) Keep(bytes int64) {
	r.prefixes.mu.Lock()
	defer r.prefixes.mu.Unlock()
	r.prefixes.limit = bytes
	r.prefixes.evict()
}

// Resume returns a session that already holds as much of the beginning of ids as some session before it was fed without hooks and is
// still kept: its Len tells how much, 0 at least and len(ids) at most. What is to be fed is ids[Len:].
func (r *Runner) Resume(ids []int) *Session {
	s := r.NewSession()
	p := &r.prefixes
	p.mu.Lock()
	defer p.mu.Unlock()
	best, n := -1, 0
	for i, x := range p.list {
		if c := commonPrefix(x.ids, ids); c > n {
			best, n = i, c
		}
	}
	if best < 0 {
		return s
	}
	x := p.list[best]
	p.list = append(slices.Delete(p.list, best, best+1), x)
	s.cache = x.cache.Fork()
	s.cache.Truncate(n)
	s.ids, s.clean = x.ids[:n:n], n
	return s
}

// keep remembers all of s, in place of what was remembered of it before.
func (p *prefixes) keep(s *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.limit <= 0 {
		return
	}
	was := int64(-1)
	if i := slices.Index(p.list, s.kept); i >= 0 {
		p.list = slices.Delete(p.list, i, i+1)
		was = model.Bytes(s.kept.cache)
	}
	s.kept = &prefix{slices.Clip(s.ids), s.cache.Fork()}
	p.list = append(p.list, s.kept)
	if was != model.Bytes(s.kept.cache) { // not for every token
		p.evict()
	}
}

// maxKept bounds what Resume looks through.
const maxKept = 64

// evict drops the prefixes that were used least lately until the rest keeps to the limit.
func (p *prefixes) evict() {
	for len(p.list) > 0 && (len(p.list) > maxKept || p.bytes() > p.limit) {
		p.list = slices.Delete(p.list, 0, 1)
	}
}

func (p *prefixes) bytes() int64 {
	caches := make([]*model.Cache, len(p.list))
	for i, x := range p.list {
		caches[i] = x.cache
	}
	return model.Bytes(caches...)
}

func commonPrefix(a, b []int) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
