package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopherlens/gopherlens/kernel/wire"
)

// drainTime bounds how long Run waits, at its end, for clients to read what was
// sent to them.
const drainTime = 4 * time.Second

// Config says what a kernel runs and where. Connection and Evaluator are needed.
type Config struct {
	// Connection is where to listen. A tcp port of 0 means any free one.
	Connection wire.Connection
	Evaluator  Evaluator
	// Version is the version of the program, as in kernel_info; default "devel".
	Version string
	// Banner is what a console prints first.
	Banner    string
	HelpLinks []wire.HelpLink
	// HistoryDir is where cells are kept for later sessions; empty keeps this
	// session's in memory alone. Kernels may share it. The files are for their
	// owner's eyes only; a folder that cannot be used is logged.
	HistoryDir string
	// MemoryLimit is how many bytes the Go runtime may hold before the running cell
	// is stopped with an error that says so; 0 means any number. One allocation
	// that is larger than the system's memory still ends the process.
	MemoryLimit uint64
	// Log gets what clients do wrong; nil discards it.
	Log *slog.Logger
	// Limits bound what clients may cost.
	Limits wire.Limits
	// StreamInterval is how long output is collected before it is sent; default
	// 50 ms.
	StreamInterval time.Duration
	// InterruptGrace is how long an interrupted cell has to return before it is
	// abandoned; default 3 s, long enough for an evaluator that gives cells up by
	// itself (package interp after 1 s) to do so first on a busy machine and say why.
	InterruptGrace time.Duration
}

// Kernel answers Jupyter clients. Make one with New.
type Kernel struct {
	cfg       Config
	conn      wire.Connection
	listeners map[wire.Channel]net.Listener
	codec     *wire.Codec
	session   string
	history   history

	pub            *wire.Publisher
	shell, control *wire.Router
	stdin          *wire.Router
	hb             *wire.Echo
	shellLane      *lane
	controlLane    *lane
	lanes          sync.WaitGroup // of the shell channel

	ctx      context.Context // ends with Run; the parent of every cell's context
	cancel   context.CancelFunc
	asking   chan struct{} // holds a token while a cell waits for input
	stopping chan struct{}
	stopOnce sync.Once
	ran      sync.Once

	mu          sync.Mutex
	running     map[*request]bool // what runs on the shell channel
	inputAnswer chan string       // nil when nobody waits for input
	inputAsker  *request          // whose cell waits for it
	subshells   map[string]*lane
	targets     map[string]CommTarget
	comms       map[string]*Comm

	count atomic.Int64 // execution count

	unsentMu sync.Mutex
	unsent   map[*output]bool // with collected output; their timers run
}

// New checks cfg and binds the five channels, so that clients can connect as
// soon as it returns; they are answered once Run is called. A Kernel that is
// not run must be closed.
func New(cfg Config) (*Kernel, error) {
	if cfg.Evaluator == nil {
		return nil, errors.New("kernel needs an Evaluator")
	}
	if err := cfg.Connection.Validate(); err != nil {
		return nil, fmt.Errorf("kernel connection: %w", err)
	}
	if cfg.Version == "" {
		cfg.Version = "devel"
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.StreamInterval <= 0 {
		cfg.StreamInterval = 50 * time.Millisecond
	}
	if cfg.InterruptGrace <= 0 {
		cfg.InterruptGrace = 3 * time.Second
	}
	k := &Kernel{
		cfg: cfg, conn: cfg.Connection,
		listeners:   map[wire.Channel]net.Listener{},
		codec:       wire.NewCodec(cfg.Connection.Key),
		session:     wire.NewHeader("", "", "").MsgID,
		shellLane:   newLane(),
		controlLane: newLane(),
		stopping:    make(chan struct{}),
		asking:      make(chan struct{}, 1),
		running:     map[*request]bool{},
		subshells:   map[string]*lane{},
		unsent:      map[*output]bool{},
		targets:     map[string]CommTarget{},
		comms:       map[string]*Comm{},
	}
	if cfg.HistoryDir != "" {
		var err error
		if k.history.store, err = openStore(cfg.HistoryDir); err != nil {
			cfg.Log.Warn("the history is kept in memory alone", "err", err)
		}
	}
	for _, ch := range wire.Channels() {
		ln, err := wire.Listen(&k.conn, ch)
		if err != nil {
			k.Close()
			return nil, err
		}
		k.listeners[ch] = ln
	}
	return k, nil
}

// Connection returns where the kernel listens, with the ports that were chosen.
func (k *Kernel) Connection() wire.Connection { return k.conn }

// Close releases the addresses of a Kernel that was not run. After Run it does
// nothing.
func (k *Kernel) Close() error {
	var errs []error
	k.ran.Do(func() {
		for _, ln := range k.listeners {
			errs = append(errs, ln.Close())
		}
	})
	return errors.Join(errs...)
}

// Run answers clients until a shutdown_request (it then returns nil) or until
// ctx is done (it returns ctx's error). On the way out the running cell is
// interrupted, what was sent is delivered, and an Evaluator that is an io.Closer
// is closed; its error is returned. Run can be called once.
func (k *Kernel) Run(ctx context.Context) error {
	first := false
	k.ran.Do(func() { first = true })
	if !first {
		return errors.New("kernel was run or closed before")
	}
	k.ctx, k.cancel = context.WithCancel(ctx)
	defer k.cancel()
	k.open()
	k.publish(wire.Status, nil, wire.StatusContent{ExecutionState: wire.StateStarting})

	k.start(k.shellLane)
	controlled := make(chan struct{})
	go func() {
		defer close(controlled)
		k.work(k.controlLane)
	}()
	select {
	case <-k.stopping:
	case <-k.ctx.Done():
	}
	k.cancel()
	k.controlLane.close()
	<-controlled // which may start subshells
	k.closeShell()
	k.lanes.Wait()
	k.drain()
	k.history.close()

	err := ctx.Err()
	if c, ok := k.cfg.Evaluator.(io.Closer); ok {
		var cerr error
		if perr := protect("Close", func() { cerr = c.Close() }); perr != nil {
			cerr = perr
		}
		if cerr != nil {
			err = errors.Join(err, fmt.Errorf("close the evaluator: %w", cerr))
		}
	}
	return err
}

func (k *Kernel) open() {
	opt := wire.Options{Limits: k.cfg.Limits, Log: k.cfg.Log}
	k.pub = wire.NewPublisher(k.listeners[wire.IOPub], k.codec, k.session, opt)
	k.hb = wire.NewEcho(k.listeners[wire.Heartbeat], opt)
	// Requests may arrive before the Router variable is set, so the lanes start
	// after all sockets are open.
	k.control = wire.NewRouter(k.listeners[wire.Control], wire.Control, k.codec, opt, func(m *wire.Message, from wire.Route) {
		k.controlLane.put(&request{msg: m, from: from, channel: wire.Control, lane: k.controlLane})
	})
	k.shell = wire.NewRouter(k.listeners[wire.Shell], wire.Shell, k.codec, opt, func(m *wire.Message, from wire.Route) {
		l, known := k.laneOf(m)
		l.put(&request{msg: m, from: from, channel: wire.Shell, lane: l, lost: !known})
	})
	k.stdin = wire.NewRouter(k.listeners[wire.Stdin], wire.Stdin, k.codec, opt, k.answered)
}

// drain closes the sockets side by side, each after what waits in it.
func (k *Kernel) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var wg sync.WaitGroup
	for _, s := range []interface{ Close(context.Context) }{k.pub, k.shell, k.control, k.stdin, k.hb} {
		wg.Go(func() { s.Close(ctx) })
	}
	wg.Wait()
}

// shellDone is closed when the last requests of the shell channel were answered.
func (k *Kernel) shellDone() <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.lanes.Wait()
	}()
	return done
}

// stop makes Run return.
func (k *Kernel) stop() { k.stopOnce.Do(func() { close(k.stopping) }) }

// work handles the requests of a lane one after the other.
func (k *Kernel) work(l *lane) {
	for {
		r, ok := l.next()
		if !ok {
			return
		}
		k.handle(r)
	}
}

// Interrupt cancels the context of what runs in the main shell, as front ends
// expect; when nothing runs there, of what runs in subshells. It may be called
// from any goroutine (a signal handler, for one).
func (k *Kernel) Interrupt() {
	if !k.cancelRunning(func(r *request) bool { return r.lane == k.shellLane }) {
		k.cancelRunning(func(*request) bool { return true })
	}
}

// cancelRunning reports whether there was something to cancel.
func (k *Kernel) cancelRunning(which func(*request) bool) (any bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for r := range k.running {
		if which(r) {
			r.cancel(errInterrupted)
			any = true
		}
	}
	return any
}
