package httpapi

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// gate lets a number of runs through at a time; some more wait, the rest are refused. Those that were let through compute by turns, token by token, and leave a
// processor to the readers: with as many at work as there are processors, a click would wait for each of them.
type gate struct {
	slots, room int
	compute     chan struct{} // holds one for each that computes

	mu      sync.Mutex
	running int
	waiting []*ticket
	took    time.Duration // moving average of a run
	refused int64
}

func newGate(slots, room int) *gate {
	return &gate{slots: slots, room: room, compute: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
}

// ticket is a place in the queue, or the right to run.
type ticket struct {
	g     *gate
	holds bool          // a place in compute; of the goroutine that runs
	turn  chan struct{} // closed when it may run
	moved chan int      // the latest place in the queue, from 1
	start time.Time
	once  sync.Once
}

// enter takes a place, or says that there is none.
func (g *gate) enter() (*ticket, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := &ticket{g: g, turn: make(chan struct{}), moved: make(chan int, 1)}
	switch {
	case g.running < g.slots:
		g.running++
		t.begin()
	case len(g.waiting) < g.room:
		g.waiting = append(g.waiting, t)
		t.moved <- len(g.waiting)
	default:
		g.refused++
		e := errorf(Busy, "%d runs are at work and %d wait: come again later", g.running, len(g.waiting))
		e.retry = max(time.Second, g.took*time.Duration(len(g.waiting)+1)/time.Duration(g.slots))
		return nil, e
	}
	return t, nil
}

// begin lets it run. Caller holds mu.
func (t *ticket) begin() {
	t.start = time.Now()
	close(t.turn)
}

// wait returns when the run may begin; told, if not nil, hears each place in the queue until then, and the same again after a silence. A ticket that gave up has been left.
func (t *ticket) wait(ctx context.Context, told func(place int) error) error {
	if err := t.queue(ctx, told); err != nil {
		return err
	}
	if err := t.take(ctx); err != nil {
		t.leave()
		return err
	}
	return nil
}

func (t *ticket) take(ctx context.Context) error {
	select {
	case t.g.compute <- struct{}{}:
		t.holds = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *ticket) give() {
	if t.holds {
		t.holds = false
		<-t.g.compute
	}
}

// yield lets those compute that wait to, in the order in which they came.
func (t *ticket) yield(ctx context.Context) error {
	t.give()
	return t.take(ctx)
}

// queue waits for a slot.
func (t *ticket) queue(ctx context.Context, told func(place int) error) error {
	place := 0
	quiet := time.NewTicker(silence)
	defer quiet.Stop()
	for {
		select { // who may run does not hear that it waited
		case <-t.turn:
			return nil
		default:
		}
		select {
		case <-t.turn:
			return nil
		case <-ctx.Done():
			t.leave()
			return ctx.Err()
		case place = <-t.moved:
		case <-quiet.C:
		}
		if told == nil || place == 0 {
			continue
		}
		if err := told(place); err != nil {
			t.leave()
			return err
		}
	}
}

// leave ends the run, or gives the place in the queue up. It may be called again.
func (t *ticket) leave() {
	t.once.Do(func() {
		t.give()
		g := t.g
		g.mu.Lock()
		defer g.mu.Unlock()
		if i := slices.Index(g.waiting, t); i >= 0 {
			g.waiting = slices.Delete(g.waiting, i, i+1)
		} else {
			g.took += (time.Since(t.start) - g.took) / 8
			g.running--
			if len(g.waiting) > 0 {
				next := g.waiting[0]
				g.waiting = slices.Delete(g.waiting, 0, 1)
				g.running++
				next.begin()
			}
		}
		for i, w := range g.waiting {
			select {
			case <-w.moved: // an older place that nobody has read
			default:
			}
			w.moved <- i + 1
		}
	})
}

// Runs says how busy the server is.
type Runs struct {
	Running int   `json:"running"`
	Waiting int   `json:"waiting"`
	Slots   int   `json:"slots" doc:"runs at a time"`
	Refused int64 `json:"refused" doc:"since the server began"`
}

func (g *gate) status() Runs {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Runs{g.running, len(g.waiting), g.slots, g.refused}
}
