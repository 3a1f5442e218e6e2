package main

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"sort"
	"strings"
	"text/template"
	"time"
)

type img struct{ w, h int }

func (m img) ColorModel() color.Model { return color.RGBAModel }
func (m img) Bounds() image.Rectangle { return image.Rect(0, 0, m.w, m.h) }
func (m img) At(x, y int) color.Color {
	if (x+y)%3 == 0 {
		return rgb{uint8(x * 20), uint8(y * 20), 99}
	}
	return color.Gray{uint8(x * y)}
}

type rgb struct{ r, g, b uint8 }

func (c rgb) RGBA() (r, g, b, a uint32) {
	return uint32(c.r) * 257, uint32(c.g) * 257, uint32(c.b) * 257, 0xffff
}

type src struct{ n uint64 }

func (s *src) Uint64() uint64 {
	s.n = s.n*6364136223846793005 + 1442695040888963407
	return s.n ^ s.n>>29
}

type lst []string

func (l *lst) String() string { return strings.Join(*l, "+") }
func (l *lst) Set(s string) error {
	if s == "bad" {
		return errors.New("nope")
	}
	*l = append(*l, s)
	return nil
}

type rdr struct {
	s   string
	pos int
}

func (r *rdr) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(r.s)) {
		return 0, io.EOF
	}
	n := copy(p, r.s[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
func (r *rdr) Read(p []byte) (n int, err error) {
	n, err = r.ReadAt(p[:min(3, len(p))], int64(r.pos))
	r.pos += n
	if n > 0 {
		err = nil
	}
	return
}
func (r *rdr) Seek(o int64, w int) (int64, error) {
	switch w {
	case 0:
		r.pos = int(o)
	case 1:
		r.pos += int(o)
	case 2:
		r.pos = len(r.s) + int(o)
	}
	return int64(r.pos), nil
}
func (r *rdr) Close() error { return fmt.Errorf("closed at %d", r.pos) }

type multi struct{ es []error }

func (m multi) Error() string   { return fmt.Sprint(len(m.es), " errors") }
func (m multi) Unwrap() []error { return m.es }

type timeoutErr struct{}

func (timeoutErr) Error() string { return "to" }
func (timeoutErr) Timeout() bool { return true }

type pt struct{ x, y float64 }

func (p *pt) Scan(st fmt.ScanState, v rune) error {
	_, err := fmt.Fscanf(st, "(%g,%g)", &p.x, &p.y)
	return err
}
func (p pt) Format(f fmt.State, v rune) {
	w, wok := f.Width()
	pr, pok := f.Precision()
	fmt.Fprintf(f, "pt[%c %d %v %d %v %v %g %g]", v, w, wok, pr, pok, f.Flag('#'), p.x, p.y)
}

type myctx struct {
	context.Context
	k, v any
}

func (c myctx) Value(k any) any {
	if k == c.k {
		return c.v
	}
	return c.Context.Value(k)
}

type hdl struct {
	n   *int
	pre string
}

func (h hdl) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	*h.n++
	w.Header().Set("X", h.pre)
	w.WriteHeader(201)
	fmt.Fprintf(w, "%s %s %s", h.pre, r.Method, r.URL.Path)
}

type rt func(*http.Request) (*http.Response, error)

func (f rt) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type slh struct {
	buf   *strings.Builder
	attrs []slog.Attr
}

func (h slh) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }
func (h slh) Handle(_ context.Context, r slog.Record) error {
	fmt.Fprint(h.buf, r.Level, " ", r.Message)
	for _, a := range h.attrs {
		fmt.Fprint(h.buf, " ", a)
	}
	r.Attrs(func(a slog.Attr) bool { fmt.Fprint(h.buf, " ", a); return true })
	h.buf.WriteString(";")
	return nil
}
func (h slh) WithAttrs(a []slog.Attr) slog.Handler {
	h.attrs = append(h.attrs[:len(h.attrs):len(h.attrs)], a...)
	return h
}
func (h slh) WithGroup(string) slog.Handler { return h }

type val float64

func (v val) Value() (driver.Value, error) { return float64(v) * 2, nil }

type fsT map[string]string

func (f fsT) Open(n string) (fs.File, error) {
	s, ok := f[n]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: n, Err: fs.ErrNotExist}
	}
	return &fl{n: n, r: strings.NewReader(s)}, nil
}

type fl struct {
	n string
	r *strings.Reader
}

func (f *fl) Stat() (fs.FileInfo, error) { return fi{f}, nil }
func (f *fl) Read(b []byte) (int, error) { return f.r.Read(b) }
func (f *fl) Close() error               { return nil }

type fi struct{ f *fl }

func (i fi) Name() string       { return i.f.n }
func (i fi) Size() int64        { return i.f.r.Size() }
func (i fi) Mode() fs.FileMode  { return 0644 }
func (i fi) ModTime() time.Time { return time.Unix(0, 0).UTC() }
func (i fi) IsDir() bool        { return false }
func (i fi) Sys() any           { return nil }

type xy []struct{ X, Y float64 }

func (x xy) Len() int                    { return len(x) }
func (x xy) XY(i int) (float64, float64) { return x[i].X, x[i].Y }

type XYer interface {
	Len() int
	XY(int) (float64, float64)
}

func sum(x XYer) (s float64) {
	for i := range x.Len() {
		a, b := x.XY(i)
		s += a * b
	}
	return
}

type tm struct{ A float64 }

func (t tm) Mul(a, b float64, n int, s string) (string, error) {
	if n < 0 {
		return "", errors.New("neg")
	}
	return fmt.Sprint(a*b*t.A, n, s), nil
}
func (t tm) Var(a int, xs ...string) string { return fmt.Sprint(a, len(xs), xs) }
func main() {
	var b bytes.Buffer
	fmt.Println(png.Encode(&b, img{7, 5}))
	fmt.Printf("%s\n", b.Bytes()[1:4])
	di, _ := png.Decode(&b)
	fmt.Println(di.At(3, 3), di.At(1, 1), di.Bounds())
	fmt.Println(color.NRGBAModel.Convert(rgb{10, 20, 30}), color.GrayModel.Convert(rgb{100, 100, 10}))
	r := rand.New(&src{1})
	fmt.Println(r.IntN(1000), r.Float64(), r.Perm(4))
	fset := flag.NewFlagSet("x", flag.ContinueOnError)
	fset.SetOutput(io.Discard)
	var l lst
	fset.Var(&l, "l", "u")
	fmt.Println(fset.Parse([]string{"-l", "a", "-l=b", "z"}), l, fset.Args(), fset.Parse([]string{"-l", "bad"}))
	rd := &rdr{s: "hello world"}
	all, err := io.ReadAll(rd)
	fmt.Println(string(all), err, rd.Close())
	sr := io.NewSectionReader(rd, 3, 5)
	x, _ := io.ReadAll(sr)
	fmt.Println(string(x))
	rd.Seek(-3, 2)
	x, _ = io.ReadAll(rd)
	fmt.Println(string(x))
	var c io.Closer = rd
	fmt.Println(c.Close())
	m := multi{[]error{io.EOF, timeoutErr{}}}
	var te interface{ Timeout() bool }
	fmt.Println(errors.Is(m, io.EOF), errors.As(m, &te), te.Timeout(), m)
	var p pt
	fmt.Println(fmt.Sscan("(1.5,2)", &p))
	fmt.Printf("%v|%8.3q|%#s\n", p, p, []pt{p})
	fmt.Println(p)
	ctx := myctx{context.Background(), "a", 1}
	c2, cancel := context.WithTimeout(ctx, time.Hour)
	fmt.Println(c2.Value("a"), c2.Value("b"))
	cancel()
	fmt.Println(c2.Err(), ctx.Err())
	n := 0
	rec := httptest.NewRecorder()
	h := http.StripPrefix("/p", hdl{&n, "H"})
	h.ServeHTTP(rec, httptest.NewRequest("POST", "/p/q", nil))
	fmt.Println(rec.Code, rec.Body.String(), rec.Header().Get("X"), n)
	cl := http.Client{Transport: rt(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader("rt " + r.URL.Host))}, nil
	})}
	rs, err := cl.Get("http://foo/")
	bd, _ := io.ReadAll(rs.Body)
	fmt.Println(string(bd), err)
	sb := &strings.Builder{}
	lg := slog.New(slh{buf: sb}).With("a", 1)
	lg.Info("m", "k", 2.5)
	lg.Debug("no")
	lg.Warn("w")
	fmt.Println(sb.String())
	dv, err := driver.DefaultParameterConverter.ConvertValue(val(2))
	fmt.Println(dv, err)
	f := fsT{"a.txt": "abc"}
	data, err := fs.ReadFile(f, "a.txt")
	fmt.Println(string(data), err)
	_, err = fs.ReadFile(f, "b")
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	st, _ := fs.Stat(f, "a.txt")
	fmt.Println(fs.FormatFileInfo(st))
	fmt.Println(sum(xy{{1, 2}, {3, 4}}))
	t := template.Must(template.New("").Parse("{{.Mul 1.5 2.0 3 \"s\"}} {{.Var 1 \"a\" \"b\"}} {{.Var 2}}\n"))
	fmt.Println(t.Execute(os.Stdout, tm{2}))
	fmt.Println(template.Must(template.New("").Parse("{{.Mul 1.5 2.0 -3 \"s\"}}")).Execute(io.Discard, tm{2}))
	ix := []int{3, 1, 2}
	sort.Stable(sort.Reverse(sort.IntSlice(ix)))
	fmt.Println(ix)
	fired := make(chan bool)
	tr := time.AfterFunc(time.Millisecond, func() { n = 100; close(fired) })
	<-fired
	fmt.Println(n, tr.Stop())
	mf := func(s string) (int, error) { return len(s), nil }
	fmt.Println(strings.IndexFunc("ab1", func(r rune) bool { return r == '1' }))
	fmt.Println(mf("abc"))
}
