package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Options of a Server. Models is required; the zero value of every other field is its default.
type Options struct {
	Models  []Source     // the first is the default one
	Page    http.Handler // answers what is no address of the API; nil: nothing there
	Version string       // of the program, for the API's description

	Token string   // demanded of every request but /healthz; "": none is needed
	Hosts []string // names of this server besides localhost and loopback addresses; "*" for any name or address, with a Token

	Slots    int           // runs at a time, which compute by turns; default 4
	Queue    int           // that wait for a slot; default 32
	MaxBody  int64         // bytes of a request; default 1 MiB
	Patience time.Duration // how long answers may go on after Serve was told to end; default 10 s

	Log *log.Logger // of failures; default: none
}

// Server answers requests. New makes one.
type Server struct {
	opt    Options
	models models
	talks  talks
	gate   *gate
	api    huma.API
	mux    *http.ServeMux
	begun  time.Time
}

var sourceName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)

// New checks the options. Nothing is loaded yet.
func New(opt Options) (*Server, error) {
	if len(opt.Models) == 0 {
		return nil, errors.New("no model to serve")
	}
	if opt.Slots == 0 {
		opt.Slots = 4
	}
	if opt.Queue == 0 {
		opt.Queue = 32
	}
	if opt.MaxBody == 0 {
		opt.MaxBody = 1 << 20
	}
	if opt.Patience == 0 {
		opt.Patience = 10 * time.Second
	}
	if opt.Slots < 1 || opt.Queue < 0 || opt.MaxBody < 1 {
		return nil, fmt.Errorf("slots %d, queue %d, max body %d: give at least 1, 0 and 1", opt.Slots, opt.Queue, opt.MaxBody)
	}
	s := &Server{opt: opt, talks: talks{open: map[string]*openTalk{}}, gate: newGate(opt.Slots, opt.Queue), mux: http.NewServeMux(), begun: time.Now()}
	for _, src := range opt.Models {
		if !sourceName.MatchString(src.Name) {
			return nil, fmt.Errorf("model name %q: use up to 64 letters, digits and . _ -, not beginning with a dot", src.Name)
		}
		if e, err := s.models.find(src.Name); err == nil && e != nil {
			return nil, fmt.Errorf("two models are named %q", src.Name)
		}
		s.models = append(s.models, &modelEntry{Source: src})
	}
	s.routes()
	return s, nil
}

// Handler answers requests; Serve serves it.
func (s *Server) Handler() http.Handler { return s.guarded() }

// Close gives the models back. No request may be in progress.
func (s *Server) Close() error { return s.models.close() }

// Serve answers requests from ln until ctx ends, then lets answers in progress end, for Options.Patience at most: what was written by then is kept. It closes
// ln, and the server. The default model begins to load at once.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	base, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	srv := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second, // of the whole request; answers have their own deadlines
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		BaseContext:       func(net.Listener) context.Context { return base },
		ErrorLog:          s.opt.Log,
	}
	if srv.ErrorLog == nil {
		srv.ErrorLog = log.New(nowhere{}, "", 0)
	}
	var ahead unused
	srv.ConnState = ahead.note
	srv.RegisterOnShutdown(ahead.close)
	loading := make(chan struct{})
	go func() {
		defer close(loading)
		if _, err := s.models[0].get(base); err != nil && base.Err() == nil {
			s.logf("%v", err)
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	select {
	case err := <-ended:
		giveUp()
		<-loading
		return errors.Join(err, s.Close())
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Patience)
	defer cancel()
	err := srv.Shutdown(patience)
	giveUp()
	if errors.Is(err, context.DeadlineExceeded) { // they are told, and have a moment to end
		moment, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err = srv.Shutdown(moment); err != nil {
			err = errors.Join(err, srv.Close())
		}
	}
	<-ended
	<-loading
	return errors.Join(err, s.Close())
}

// unused are the connections on which no request has come yet. Browsers open some ahead; Shutdown would wait five seconds
// for each.
type unused struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
}

func (u *unused) note(c net.Conn, state http.ConnState) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.conns == nil {
		u.conns = map[net.Conn]bool{}
	}
	if state == http.StateNew {
		u.conns[c] = true
	} else {
		delete(u.conns, c)
	}
}

func (u *unused) close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for c := range u.conns {
		c.Close()
	}
}

type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }

func (s *Server) logf(format string, args ...any) {
	if s.opt.Log != nil {
		s.opt.Log.Printf(format, args...)
	}
}

// note logs what a client is not told.
func (s *Server) note(r *http.Request, e *Error) {
	if e.cause != nil && !errors.Is(e.cause, context.Canceled) {
		s.logf("%s %s: %v", r.Method, r.URL.Path, e.cause)
	}
}

func panicked(p any) error {
	e := errorf(Internal, "a defect of the server: its log says more")
	e.cause = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	return e
}

// newAPI is the framework without its own pages, which load from elsewhere.
func newAPI(mux *http.ServeMux, version string) huma.API {
	huma.DefaultArrayNullable = false
	if version == "" {
		version = "devel"
	}
	c := huma.Config{OpenAPI: &huma.OpenAPI{OpenAPI: "3.1.0",
		Info: &huma.Info{Title: "gopherlens", Version: version, Description: "Chat with a language model, click any token of any turn, and see layer by layer what it was about to say. " +
			"Logarithms are natural, entropy and KL in nats, positions from 0 over all turns, ranks from 1."},
		Components: &huma.Components{Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)}},
		Formats:       map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat: "application/json", RejectUnknownQueryParameters: true}
	return onlyJSON{humago.New(mux, c), c}
}

// onlyJSON writes what the framework answers as JSON whatever Accept says: its reader of that header panics at some, and streams are ours.
type onlyJSON struct {
	huma.API
	config huma.Config
}

func (onlyJSON) Negotiate(string) (string, error) { return "application/json", nil }

// Config is what the framework looks for beside the methods of huma.API.
func (a onlyJSON) Config() huma.Config { return a.config }
