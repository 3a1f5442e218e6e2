package cache

import (
	"container/list"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

// memory keeps blocks within a budget of bytes. It is a hint: Add may be refused and anything may be gone at the next
// Get. Keys name their content, so an entry is never updated. All methods are safe for concurrent use.
type memory interface {
	Get(key blockKey) (*block, bool)
	Add(b *block)
	Remove(key blockKey)
	Stats() memoryStats
}

type memoryStats struct {
	bytes, max int64
	rejected   int64 // blocks not kept: dearer than the budget, or refused by the policy
}

// newMemory makes the cache of a policy and the function that ends it.
func newMemory(policy string, b *budget) (memory, func()) {
	if policy == PolicyLRU {
		return newLRU(b), func() {}
	}
	m := newRistretto(b)
	return m, m.close
}

// budget is how many bytes of blocks may be in memory. With a limit on the process it shrinks as models and everything
// else grow, because a collector that is short of memory does little else than collect.
type budget struct {
	max   int64 // bytes of blocks
	limit int64 // bytes of the process, 0 for none
	live  func(held int64) int64

	mu   sync.Mutex
	now  int64
	next time.Time // of the next look
}

const budgetEvery = 200 * time.Millisecond

func newBudget(max, limit int64) *budget {
	return &budget{max: max, limit: limit, live: liveHeap, now: max}
}

// liveHeap is what the last collection found to be in use.
func liveHeap(int64) int64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(s[0].Value.Uint64())
}

// get gives the budget when held bytes of blocks are in memory. A third of the limit is left to garbage, without which
// nothing could be allocated; the cache never goes below a thirtieth, so that a click is served twice.
func (b *budget) get(held int64) int64 {
	if b.limit == 0 {
		return b.max
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); now.After(b.next) {
		b.next = now.Add(budgetEvery)
		others := max(b.live(held)-held, 0)
		b.now = min(b.max, max(b.limit*2/3-others, b.limit/30))
	}
	return b.now
}

// ristrettoMemory guards ristretto's sharp edges; each rule below was measured against v2.4.2.
type ristrettoMemory struct {
	budget   *budget
	rejected atomic.Int64

	mu     sync.RWMutex // Close during a Set panics inside ristretto
	closed bool
	c      *ristretto.Cache[string, *block] // integer keys would have no conflict hash; nil until the first Add
}

func newRistretto(budget *budget) *ristrettoMemory { return &ristrettoMemory{budget: budget} }

// make makes the cache when the cost of a block is known. How often a block was asked for is halved after as many
// requests as there are counters: with the ten per block that ristretto advises, blocks that were hot an hour ago keep
// out those of the present turn (0.5 of the clicks of our trace are served from memory with room for a third, against
// 0.95 with two). mu is held.
func (m *ristrettoMemory) make(cost int64) {
	c, err := ristretto.NewCache(&ristretto.Config[string, *block]{
		NumCounters: min(max(2*m.budget.max/cost, 16), 1e7),
		MaxCost:     m.budget.max,
		BufferItems: 64,
		// A slow callback lets queued values pile up outside the budget: only count.
		OnReject: func(*ristretto.Item[*block]) { m.rejected.Add(1) },
	})
	if err == nil {
		m.c = c
	}
}

func (m *ristrettoMemory) Get(key blockKey) (*block, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed || m.c == nil {
		return nil, false
	}
	b, ok := m.c.Get(string(key[:]))
	if !ok || b == nil || b.key != key { // ristretto compares hashes, not keys
		return nil, false
	}
	return b, true
}

// Add waits until the block is visible: Set alone is asynchronous, and the reader that follows would miss.
func (m *ristrettoMemory) Add(b *block) {
	m.mu.RLock()
	made := m.c != nil || m.closed
	m.mu.RUnlock()
	if !made && b.cost() < m.budget.max {
		m.mu.Lock()
		if m.c == nil && !m.closed {
			m.make(b.cost())
		}
		m.mu.Unlock()
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return
	}
	if m.c == nil {
		m.rejected.Add(1)
		return
	}
	if now := m.budget.get(m.c.MaxCost() - m.c.RemainingCost()); now != m.c.MaxCost() {
		m.c.UpdateMaxCost(now)
	}
	if b.cost() >= m.c.MaxCost() { // Set would claim success and drop it
		m.rejected.Add(1)
		return
	}
	m.c.Set(string(b.key[:]), b, b.cost())
	m.c.Wait()
}

func (m *ristrettoMemory) Remove(key blockKey) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if !m.closed && m.c != nil {
		m.c.Del(string(key[:]))
		m.c.Wait()
	}
}

func (m *ristrettoMemory) Stats() memoryStats {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := memoryStats{rejected: m.rejected.Load(), max: m.budget.max}
	if !m.closed && m.c != nil {
		s.max = m.c.MaxCost()
		s.bytes = s.max - m.c.RemainingCost()
	}
	return s
}

func (m *ristrettoMemory) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		if m.c != nil {
			m.c.Close()
		}
	}
}

// lruMemory drops the least recently used blocks.
type lruMemory struct {
	mu       sync.Mutex
	budget   *budget
	max      int64
	bytes    int64
	rejected int64
	order    *list.List // of *block, most recent first
	byKey    map[blockKey]*list.Element
}

func newLRU(budget *budget) *lruMemory {
	return &lruMemory{budget: budget, max: budget.max, order: list.New(), byKey: map[blockKey]*list.Element{}}
}

func (m *lruMemory) Get(key blockKey) (*block, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.byKey[key]
	if !ok {
		return nil, false
	}
	m.order.MoveToFront(e)
	return e.Value.(*block), true
}

func (m *lruMemory) Add(b *block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.max = m.budget.get(m.bytes)
	if b.cost() > m.max {
		m.rejected++
		return
	}
	if e, ok := m.byKey[b.key]; ok {
		m.order.MoveToFront(e)
		return
	}
	m.byKey[b.key] = m.order.PushFront(b)
	m.bytes += b.cost()
	for m.bytes > m.max {
		m.remove(m.order.Back())
	}
}

func (m *lruMemory) Remove(key blockKey) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.byKey[key]; ok {
		m.remove(e)
	}
}

func (m *lruMemory) remove(e *list.Element) {
	b := m.order.Remove(e).(*block)
	delete(m.byKey, b.key)
	m.bytes -= b.cost()
}

func (m *lruMemory) Stats() memoryStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return memoryStats{bytes: m.bytes, max: m.max, rejected: m.rejected}
}
