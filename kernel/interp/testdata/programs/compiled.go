package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sort"
	"strings"
	"sync"
	"time"
)

type TT struct {
	name string
	time.Time
}
type TU struct {
	time.Time
	n int
}
type TP struct {
	*time.Time
	n, m int
}
type Bg struct {
	id int64
	*big.Int
}
type lw struct {
	n string
	http.ResponseWriter
	code int
}

func (l *lw) WriteHeader(c int) { l.code = c; l.ResponseWriter.WriteHeader(c) }

type cr struct {
	pre [3]byte
	io.Reader
	n int
}

func (c *cr) Read(p []byte) (int, error) { n, err := c.Reader.Read(p); c.n += n; return n, err }

type pass struct {
	x float32
	io.Reader
}
type pass2 struct {
	a, b string
	*bytes.Buffer
}
type rev struct {
	tag string
	sort.Interface
}

func (r rev) Less(i, j int) bool { return r.Interface.Less(j, i) }

type cx struct {
	a int
	context.Context
}
type cx2 struct {
	a, b string
	context.Context
}
type se struct {
	ctx string
	error
}
type se2 struct {
	ctx int8
	error
	n int
}
type sm struct {
	n int8
	sync.Mutex
}
type rw struct {
	*bufio.Reader
	*bufio.Writer
}
type st struct {
	s string
	fmt.Stringer
}
type st2 struct {
	fmt.Stringer
	s string
}
type U struct {
	x [5]int
	*url.URL
}

func main() {
	t := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	fmt.Println(TT{"a", t}, TU{t, 1}, TP{&t, 1, 2})
	b, err := json.Marshal([]any{TT{"a", t}, TU{t, 1}, TP{&t, 1, 2}})
	fmt.Println(string(b), err)
	fmt.Println(TT{"a", t}.Year(), TU{t, 1}.Add(time.Hour), TP{&t, 3, 4}.Month())
	fmt.Println(Bg{7, big.NewInt(123)}, Bg{8, big.NewInt(5)}.Cmp(big.NewInt(4)))
	fmt.Printf("%x %d\n", Bg{7, big.NewInt(255)}, Bg{7, big.NewInt(255)})
	rec := httptest.NewRecorder()
	w := &lw{n: "q", ResponseWriter: rec}
	http.Error(w, "bad", 418)
	fmt.Println(w.code, rec.Code, rec.Body.String())
	c := &cr{Reader: strings.NewReader("hello world")}
	x, _ := io.ReadAll(c)
	fmt.Println(string(x), c.n)
	x, _ = io.ReadAll(pass{1, strings.NewReader("pp")})
	fmt.Println(string(x))
	p2 := pass2{"a", "b", &bytes.Buffer{}}
	fmt.Fprintf(p2, "x%d", 1)
	fmt.Fprintf(&p2, "y")
	x, _ = io.ReadAll(p2)
	fmt.Println(string(x))
	xs := []int{2, 3, 1}
	sort.Sort(rev{"t", sort.IntSlice(xs)})
	fmt.Println(xs)
	sort.Sort(&rev{"t", sort.StringSlice{"a", "c", "b"}})
	ctx := context.WithValue(context.Background(), "k", "v")
	k, cancel := context.WithCancel(cx{1, ctx})
	fmt.Println(k.Value("k"))
	k2, cancel2 := context.WithCancel(cx2{"a", "b", ctx})
	fmt.Println(k2.Value("k"))
	cancel()
	cancel2()
	fmt.Println(k.Err(), k2.Err())
	fmt.Println(se{"c", io.EOF}, &se{"c", io.EOF}, se2{1, io.ErrClosedPipe, 2}, errors.Join(se{"c", io.EOF}, se2{1, io.ErrClosedPipe, 2}))
	s := &sm{}
	var l sync.Locker = s
	l.Lock()
	fmt.Println(s.TryLock())
	l.Unlock()
	cond := sync.NewCond(s)
	cond.Broadcast()
	var ob bytes.Buffer
	r := rw{bufio.NewReader(strings.NewReader("in\nput")), bufio.NewWriter(&ob)}
	var irw io.ReadWriter = r
	fmt.Fprint(irw, "out")
	r.Flush()
	ln, _ := r.ReadString('\n')
	y, _ := io.ReadAll(irw)
	fmt.Printf("%q %q %q\n", ob.String(), ln, y)
	fmt.Println(st{"z", t}, st2{t, "z"}, st{"w", big.NewInt(3)}, &st2{big.NewInt(4), "q"}, []any{st{"z", st2{t, "i"}}})
	u, _ := url.Parse("http://h/p")
	fmt.Println(U{URL: u}, &U{URL: u})
}
