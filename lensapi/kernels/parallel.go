package kernels

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// minWork is the multiply-adds of plain Go, some ten microseconds, below which another thread costs more than it saves.
	minWork = 1 << 14
	// partsPerThread lets a thread that the system has stopped, or that came late, leave its share to the others.
	partsPerThread = 16
	// spinTime is how long a worker looks for the next job before it ends, and a caller for its last parts before it sleeps. The
	// operations between two products of a pass take less, also where the system runs something else for a moment. To start a thread again takes
	// as long as a product.
	spinTime = 500 * time.Microsecond
)

// Parallel splits [0, n) into intervals and calls f on each, on up to GOMAXPROCS threads, one of them the caller's; work
// estimates the multiply-adds of the whole, as plain Go does them. It may be called from within f and by any number of
// goroutines. f must not depend on how [0, n) is split. Parallel returns when all calls have; a panic in one of them is raised
// again in the caller.
func Parallel(n, work int, f func(lo, hi int)) {
	threads := min(n, runtime.GOMAXPROCS(0), work/minWork)
	if threads <= 1 {
		f(0, n)
		return
	}
	j := &job{n: n, parts: min(n, threads*partsPerThread), f: f}
	j.left.Store(int32(j.parts))
	j.all.Add(j.parts)
	workers.invite(j, threads-1)
	j.run()
	if !spin(func() bool { return j.left.Load() == 0 }) {
		j.all.Wait()
	}
	if p := j.failure.Load(); p != nil {
		panic(*p)
	}
}

// job is one call of Parallel. The caller and the workers that it invited take parts until none is left, so a worker that
// comes late, or never, does no harm.
type job struct {
	n, parts int
	f        func(lo, hi int)
	next     atomic.Int32 // the first part that nobody has taken
	left     atomic.Int32 // parts that have not ended
	all      sync.WaitGroup
	failure  atomic.Pointer[any]
}

func (j *job) run() {
	for {
		i := int(j.next.Add(1)) - 1
		if i >= j.parts {
			return
		}
		j.part(i)
	}
}

func (j *job) part(i int) {
	defer func() {
		if p := recover(); p != nil {
			j.failure.Store(&p)
		}
		j.left.Add(-1)
		j.all.Done()
	}()
	j.f(i*j.n/j.parts, (i+1)*j.n/j.parts)
}

// pool holds the workers: goroutines that, after a job, look for another for spinTime and then end. Within a pass one finds the
// next job in a fraction of the time that starting or waking a goroutine takes; after it, none is left behind.
type pool struct {
	mu      sync.Mutex
	idle    []*worker // looking for a job
	workers int
}

var workers pool

// worker is one goroutine. Its job is handed over while it is taken from the idle ones.
type worker struct{ job atomic.Pointer[job] }

// invite hands a job to up to n workers.
func (p *pool) invite(j *job, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ; n > 0 && len(p.idle) > 0; n-- {
		last := len(p.idle) - 1
		p.idle[last].job.Store(j)
		p.idle = p.idle[:last]
	}
	for ; n > 0 && p.workers < runtime.GOMAXPROCS(0)-1; n-- {
		p.workers++
		go p.work(j)
	}
}

func (p *pool) work(j *job) {
	w := &worker{}
	for j != nil {
		j.run()
		j = p.wait(w)
	}
}

// wait returns the next job of w, or nil if w is to end.
func (p *pool) wait(w *worker) *job {
	p.mu.Lock()
	p.idle = append(p.idle, w)
	p.mu.Unlock()
	if !spin(func() bool { return w.job.Load() != nil }) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if i := slices.Index(p.idle, w); i >= 0 {
			p.idle = slices.Delete(p.idle, i, i+1)
			p.workers--
			return nil
		}
	}
	return w.job.Swap(nil)
}

// spin waits until ready, at most for spinTime. Others that can run go first.
func spin(ready func() bool) bool {
	for start := time.Now(); ; runtime.Gosched() {
		for range 32 {
			if ready() {
				return true
			}
			pause(8)
		}
		if time.Since(start) > spinTime {
			return false
		}
	}
}
