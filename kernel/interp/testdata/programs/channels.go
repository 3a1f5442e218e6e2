package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

func worker(id int, jobs <-chan int, res chan<- [2]int, wg *sync.WaitGroup) {
	defer wg.Done()
	for j := range jobs {
		res <- [2]int{j, j * j}
	}
}
func gen(ctx context.Context) <-chan int {
	c := make(chan int)
	go func() {
		defer close(c)
		for i := 0; ; i++ {
			select {
			case c <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return c
}

type Counter struct {
	sync.Mutex
	n map[string]int
}

func (c *Counter) Inc(k string) { c.Lock(); defer c.Unlock(); c.n[k]++ }
func main() {
	jobs, res := make(chan int, 10), make(chan [2]int, 10)
	var wg sync.WaitGroup
	for w := range 3 {
		wg.Add(1)
		go worker(w, jobs, res, &wg)
	}
	for i := range 10 {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
	close(res)
	sum := 0
	for r := range res {
		sum += r[0] * r[1]
	}
	fmt.Println(sum)
	ctx, cancel := context.WithCancel(context.Background())
	for v := range gen(ctx) {
		if v == 5 {
			break
		}
		fmt.Print(v, " ")
	}
	cancel()
	fmt.Println(ctx.Err(), errors.Is(ctx.Err(), context.Canceled))
	c := Counter{n: map[string]int{}}
	for i := range 50 {
		wg.Go(func() { c.Inc(fmt.Sprint(i % 3)) })
	}
	wg.Wait()
	fmt.Println(c.n)
	var at atomic.Int64
	for range 20 {
		wg.Add(1)
		go func() { defer wg.Done(); at.Add(2) }()
	}
	wg.Wait()
	fmt.Println(at.Load())
	var once sync.Once
	for range 3 {
		once.Do(func() { fmt.Println("once") })
	}
	select {
	case x := <-make(chan int):
		fmt.Println(x)
	case <-time.After(5 * time.Millisecond):
		fmt.Println("timeout")
	}
	var nilc chan int
	select {
	case nilc <- 1:
	default:
		fmt.Println("default")
	}
	done := make(chan struct{})
	data := make(chan int)
	go func() {
		defer close(done)
		for {
			v, ok := <-data
			if !ok {
				return
			}
			fmt.Print(v, ",")
		}
	}()
	for i := range 4 {
		data <- i
	}
	close(data)
	<-done
	fmt.Println()
	v, ok := <-data
	fmt.Println(v, ok, len(jobs), cap(jobs))
	tctx, c2 := context.WithTimeout(context.Background(), time.Millisecond)
	defer c2()
	<-tctx.Done()
	fmt.Println(tctx.Err(), context.Cause(tctx))
	type key struct{}
	vctx := context.WithValue(context.Background(), key{}, 42)
	fmt.Println(vctx.Value(key{}), vctx.Value("x"))
	func() { defer func() { fmt.Println(recover()) }(); close(data) }()
	func() { defer func() { fmt.Println(recover()) }(); data <- 1 }()
	func() { defer func() { fmt.Println(recover()) }(); close(nilc) }()
	cond := sync.NewCond(&sync.Mutex{})
	ready := false
	go func() { cond.L.Lock(); ready = true; cond.L.Unlock(); cond.Broadcast() }()
	cond.L.Lock()
	for !ready {
		cond.Wait()
	}
	cond.L.Unlock()
	fmt.Println(ready)
	var m sync.Map
	m.Store("a", 1)
	x, _ := m.LoadOrStore("a", 2)
	fmt.Println(x)
	pool := sync.Pool{New: func() any { return "new" }}
	fmt.Println(pool.Get())
	pipe := func(in <-chan int, f func(int) int) <-chan int {
		out := make(chan int)
		go func() {
			for v := range in {
				out <- f(v)
			}
			close(out)
		}()
		return out
	}
	src := make(chan int)
	go func() {
		for i := range 4 {
			src <- i
		}
		close(src)
	}()
	for v := range pipe(pipe(src, func(i int) int { return i + 1 }), func(i int) int { return i * i }) {
		fmt.Print(v, " ")
	}
	fmt.Println()
	ov := sync.OnceValue(func() int { fmt.Print("calc "); return 7 })
	fmt.Println(ov(), ov())
	tk := time.NewTicker(time.Millisecond)
	n := 0
	for range tk.C {
		n++
		if n == 3 {
			tk.Stop()
			break
		}
	}
	fmt.Println(n)
	rw := sync.RWMutex{}
	rw.RLock()
	fmt.Println(rw.TryLock(), rw.TryRLock())
}
