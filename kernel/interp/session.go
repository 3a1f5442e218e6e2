package interp

import (
	"context"
	"fmt"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
	"github.com/goplus/ixgo"
	_ "github.com/goplus/ixgo/pkg"                 // the standard library's symbols
	_ "github.com/goplus/reflectx/icall/icall8192" // room for methods of interpreted types
)

// Session is a kernel.Evaluator for Go: the state that cells build up. It also
// implements kernel.Completer, kernel.Inspector, kernel.Checker,
// kernel.Formatter and io.Closer.
type Session struct {
	mu   turn // one cell is compiled at a time; guards everything below it
	base *ixgo.Context
	ld   *loader

	scope   map[string]types.Object // what names mean at top level
	imports map[string]string       // name -> path
	dots    []string                // paths imported with a dot
	decls   map[string]*decl        // live declarations by name, methods as "T.m"
	funcs   map[string]any          // compiled functions by name
	cells   map[*types.Package]*stub
	deps    map[*types.Package][]*types.Package // of packages with source
	folders map[string]*folder                  // last loaded, by absolute path
	seq     int                                 // cells compiled, failures included
	declSeq int
	hooks   map[string]any    // overrides common to all cells
	offsets map[token.Pos]int // lengths of the paths that unsafe.Offsetof follows in generic code

	view atomic.Pointer[view] // what completion and inspection see

	stop      int32 // how many cells are being stopped; read by compiled code
	calls     int32
	runMu     sync.Mutex
	runs      []*run // in the order in which they began
	ending    bool   // nothing begins any more
	ended     sync.Cond
	latest    atomic.Pointer[cellIO]
	posMu     sync.Mutex
	positions map[string]panicSite // where each goroutine last panicked
	noted     atomic.Int64
	logging   sync.Map // address of a logger -> *sync.Mutex, see log
	sources   sync.Map // by goroutine -> func() *slog.Source, see logsFrom
	panics    chan ixgo.PanicError
	done      chan struct{}

	stdout, stderr *pipe
	osOut, osErr   *os.File // os.Stdout and os.Stderr of cells, which may set them
	stdin          *os.File
	args           []string       // os.Args of cells
	first          state          // after the prelude
	process        *processOutput // nil unless CatchProcess was called
	closed         bool
}

var _ interface {
	kernel.Evaluator
	kernel.Completer
	kernel.Inspector
	kernel.Checker
	kernel.Formatter
	io.Closer
} = (*Session)(nil)

// register makes the packages of this binary known to the interpreter.
var register = sync.OnceFunc(func() {
	registerRuntime()
	symbols.Register()
})

// New starts a session with the predeclared names of the package documentation.
// Close it to release its pipes.
func New() (*Session, error) {
	register()
	catchLog()
	s := &Session{
		mu: newTurn(), scope: map[string]types.Object{}, imports: map[string]string{}, decls: map[string]*decl{}, funcs: map[string]any{},
		cells: map[*types.Package]*stub{}, deps: map[*types.Package][]*types.Package{}, folders: map[string]*folder{}, positions: map[string]panicSite{}, offsets: map[token.Pos]int{},
		panics: make(chan ixgo.PanicError), done: make(chan struct{}),
	}
	s.ended.L = &s.runMu
	s.base = ixgo.NewContext(ixgo.SupportMultipleInterp | ixgo.OptionLoadAllImethod)
	s.base.SetEvalMode(true) // packages with source may import what they do not use
	s.base.Lookup = func(string, string) (string, bool) { return "", false }
	s.base.BuildContext.IsDir = func(string) bool { return false } // nor is GOROOT searched
	if err := symbols.Patch(s.base); err != nil {
		return nil, err
	}
	s.ld = newLoader(s.base.Loader)
	s.base.Loader = s.ld
	var err error
	if s.stdout, err = newPipe(func(p []byte) { s.deliver(p, false) }); err != nil {
		return nil, err
	}
	if s.stderr, err = newPipe(func(p []byte) { s.deliver(p, true) }); err != nil {
		s.stdout.close()
		return nil, err
	}
	s.osOut, s.osErr = s.stdout.w, s.stderr.w
	if s.stdin, err = os.Open(os.DevNull); err != nil {
		s.stdout.close()
		s.stderr.close()
		return nil, fmt.Errorf("cannot give cells a standard input: %w", err)
	}
	s.args = slices.Clone(os.Args[:1]) // the rest is for the kernel
	go s.watch()
	s.hooks = s.overrides()
	if _, err := s.importer().Import("os"); err != nil {
		s.Close()
		return nil, err
	}
	s.ld.install("os", map[string]reflect.Value{
		"Args": reflect.ValueOf(&s.args), "Stdin": reflect.ValueOf(&s.stdin), "Stdout": reflect.ValueOf(&s.osOut), "Stderr": reflect.ValueOf(&s.osErr),
	})
	if _, err := s.Eval(context.Background(), &kernel.Cell{Source: prelude}); err != nil {
		s.Close()
		return nil, fmt.Errorf("the predeclared names do not compile: %w", err)
	}
	clear(s.imports)
	s.imports["display"] = "display" // as in gophernotes
	s.first = s.state()
	s.publish()
	return s, nil
}

func (s *Session) deliver(p []byte, stderr bool) {
	c := s.current()
	if c == nil {
		return
	}
	w := c.stdout
	if stderr {
		w = c.stderr
	}
	c.write(w, p)
}

// Close ends the session when no cell runs any more. Goroutines of cells keep
// running, but what they print to os.Stdout is lost.
func (s *Session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.endAll()
	close(s.done)
	s.process.release()
	s.stdout.close()
	s.stderr.close()
	return s.stdin.Close()
}

// Eval runs one cell; see kernel.Evaluator. An interrupt (ctx cancelled) stops
// interpreted code at the next loop head or call; a cell that is blocked in
// compiled code or on a channel is left behind after 0.9 s. When Eval
// returns a compile error nothing has changed; after a run-time error the
// cell's definitions stand. Cells that are evaluated at the same time are
// compiled one after the other and run beside each other.
func (s *Session) Eval(ctx context.Context, c *kernel.Cell) (value any, err error) {
	u, r, err := s.ready(ctx, c)
	if u == nil || err != nil {
		return nil, err
	}
	return s.execute(ctx, u, r)
}

// ready compiles a cell, makes what it defines the session's, and counts it among
// what runs. It returns nil for a cell with nothing to run.
func (s *Session) ready(ctx context.Context, c *kernel.Cell) (*unit, *run, error) {
	if s.mu.LockWithin(ctx) != nil {
		return nil, nil, stopped("the cell was interrupted before it began")
	}
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, &kernel.EvalError{Name: compileError, Message: "the session is closed"}
	}
	s.seq++
	cio := &cellIO{stdout: c.Stdout, stderr: c.Stderr, host: *c, ctx: ctx, apart: c.Subshell != ""}
	cio.host.Source = "" // late goroutines keep the rest
	file := fmt.Sprintf("In[%d]", c.Count)
	if s.seq == 1 {
		file = "prelude"
	}
	if err := s.loadFolders(ctx, file, c.Source, cio); err != nil {
		return nil, nil, err
	}
	u, fail := s.compile(file, c.Source)
	if fail != nil {
		return nil, nil, compileErrors(file, map[string]string{file: c.Source}, fail)
	}
	if u == nil {
		return nil, nil, nil
	}
	r := newRun(cio, file)
	if err := s.load(u, r); err != nil {
		return nil, nil, &kernel.EvalError{Name: compileError, Message: err.Error()}
	}
	s.latest.Store(cio)
	s.commit(u, cio)
	s.renew(u)
	for _, v := range u.reset {
		if p := s.ld.address(v.Pkg().Path(), v.Name()); p != nil {
			reflect.ValueOf(p).Elem().SetZero()
		}
	}
	s.begin(r)
	return u, r, nil
}

// compile takes a cell up to checked syntax. It returns nil for a cell with
// nothing to run. The session does not change.
func (s *Session) compile(file, src string) (u *unit, fail []diagnostic) {
	defer func() {
		if r := recover(); r != nil {
			u, fail = nil, []diagnostic{{msg: fmt.Sprintf("internal error of the checker: %v", r)}}
		}
	}()
	p, errs := planCell(file, src, s.seq)
	if errs != nil {
		return nil, syntaxDiagnostics(file, errs)
	}
	imports, dots, fail := s.resolveImports(p)
	if fail != nil {
		return nil, fail
	}
	vars := map[string]bool{}
	for _, st := range p.stmts {
		for _, n := range st.defs {
			vars[n] = true
		}
	}
	if fail := duplicates(p, vars); fail != nil {
		return nil, fail
	}
	if fail := s.bindEarlier(p.decls); fail != nil {
		return nil, fail
	}
	own := s.unchanged(p.decls, vars)
	a := &assembly{file: file, seq: s.seq, plan: p, own: own, imports: imports, dots: dots, showLast: p.displays(), stay: map[string]bool{}}
	changed, dropped := s.reloaded(imports), map[*decl]string{}
	for range 50 {
		a.inherit = a.inherit[:0]
		for _, d := range s.inherited(own, changed) {
			if _, ok := dropped[d]; !ok {
				a.inherit = append(a.inherit, d)
			}
		}
		a.extra = map[string]string{}
		a.carry = s.carry(a)
		for _, c := range a.carry {
			if !changed[c.name] {
				changed[c.name] = true
				a.again = true
			}
		}
		if a.again { // what uses a carried variable comes along
			a.again = false
			continue
		}
		u, next, fail := s.check(a, changed, dropped)
		if fail != nil {
			return nil, fail
		}
		if next {
			continue
		}
		if u != nil {
			u.dropped = dropped
			for n := range a.stay {
				if !vars[n] && s.scope[n] != nil {
					u.stays = append(u.stays, n)
				}
			}
			for _, n := range s.staysBehind(u) {
				if !vars[n] && !slices.Contains(u.stays, n) {
					u.stays = append(u.stays, n)
				}
			}
			slices.Sort(u.stays)
		}
		return u, nil
	}
	return nil, []diagnostic{{msg: "the cell redefines too much at once; split it"}}
}

// duplicates finds names declared twice in one cell, where the checker would
// not: a redeclared method or constant, and a variable beside a declaration.
func duplicates(p *plan, vars map[string]bool) []diagnostic {
	seen := map[string]*decl{}
	for _, d := range p.decls {
		for _, n := range d.names {
			if n == "_" || strings.HasSuffix(n, "._") {
				continue
			}
			if o := seen[n]; o != nil || vars[n] {
				msg := n + " redeclared in this cell"
				if o != nil {
					msg += fmt.Sprintf(" (other declaration at %s:%d:%d)", o.file, o.line, o.col)
				}
				return []diagnostic{{token.Position{Filename: d.file, Line: d.line, Column: d.col}, msg}}
			}
			seen[n] = d
		}
	}
	return nil
}

// commit makes what the unit defines the session's.
func (s *Session) commit(u *unit, out *cellIO) {
	for d, msg := range u.dropped {
		for _, n := range d.names {
			if s.decls[n] == d {
				delete(s.decls, n)
				delete(s.funcs, n)
				delete(s.scope, n)
			}
		}
		fmt.Fprintf(cellFile{out}, "%s no longer compiles and was dropped: %s\n", d.names[0], msg)
	}
	for _, n := range u.stays {
		fmt.Fprintf(cellFile{out}, "%s keeps its value of the earlier type; define it again to give it the new one\n", n)
	}
	s.imports, s.dots = u.imports, u.dots
	for _, v := range u.vars {
		s.forget(v.Name())
		s.scope[v.Name()] = v
	}
	for _, m := range u.moved {
		s.scope[m.new.Name()] = m.new
	}
	own := declaredNames(u.own)
	for n := range own {
		s.forget(n)
	}
	for _, list := range [][]*decl{u.inherit, u.own} {
		for _, d := range list {
			s.declSeq++
			d.seq = s.declSeq
			for _, n := range d.names {
				if n == "_" || strings.HasPrefix(n, "init__") {
					continue
				}
				s.decls[n] = d
				if !strings.Contains(n, ".") {
					if o := u.pkg.Scope().Lookup(n); o != nil {
						s.scope[n] = o
					}
				}
			}
		}
	}
	for n := range u.importNames {
		if _, ok := s.scope[n]; ok && !own[n] {
			s.forget(n)
		}
	}
	s.keepEarlier(u)
	maps.Copy(s.funcs, u.funcs)
	s.cells[u.pkg] = newStub(u)
	s.prune()
	s.publish()
}

// cellFile writes to a cell's standard error.
type cellFile struct{ c *cellIO }

func (w cellFile) Write(p []byte) (int, error) { return w.c.write(w.c.stderr, p) }

// forget removes a name and, if it is a type, its methods.
func (s *Session) forget(name string) {
	delete(s.scope, name)
	delete(s.funcs, name)
	if d := s.decls[name]; d != nil {
		if d.tok == token.CONST {
			// the other constants of the group stay, without their source
			for _, n := range d.names {
				if s.decls[n] == d {
					delete(s.decls, n)
				}
			}
		}
		delete(s.decls, name)
	}
	for n := range s.decls {
		if base, _, ok := strings.Cut(n, "."); ok && base == name {
			delete(s.decls, n)
		}
	}
}

// prune forgets the packages of earlier cells that no live name, and no
// generic code of a live cell, can reach.
func (s *Session) prune() {
	keep := map[*types.Package]bool{}
	var visit func(p *types.Package)
	visit = func(p *types.Package) {
		st := s.cells[p]
		if st == nil || keep[p] {
			return
		}
		keep[p] = true
		for _, q := range st.deps {
			visit(q)
		}
	}
	for _, o := range s.scope {
		visit(o.Pkg())
		for _, q := range typePackages(o.Type()) {
			visit(q)
		}
	}
	for _, path := range slices.Concat(slices.Collect(maps.Values(s.imports)), s.dots) {
		if ofFolder(path) {
			if p, err := s.folderPackage(path); err == nil {
				visit(p)
			}
		}
	}
	for _, f := range s.folders {
		visit(f.pkg)
	}
	for p := range s.cells {
		if !keep[p] {
			delete(s.cells, p)
		}
	}
}

// sizes are those of the compiler that built this program.
var sizes = types.SizesFor("gc", runtime.GOARCH)
