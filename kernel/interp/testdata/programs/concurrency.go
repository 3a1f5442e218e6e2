package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"sync"
	"sync/atomic"
	"time"
)

func gen(ctx context.Context, n int) <-chan int {
	ch := make(chan int)
	go func() {
		defer close(ch)
		for i := range n {
			select {
			case ch <- i:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch
}

func merge(cs ...<-chan int) <-chan int {
	out := make(chan int)
	var wg sync.WaitGroup
	for _, c := range cs {
		wg.Add(1)
		go func(c <-chan int) {
			defer wg.Done()
			for v := range c {
				out <- v * v
			}
		}(c)
	}
	go func() { wg.Wait(); close(out) }()
	return out
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var got []int
	for v := range merge(gen(ctx, 5), gen(ctx, 4)) {
		got = append(got, v)
	}
	sort.Ints(got)
	fmt.Println(got)
	var n atomic.Int64
	var once sync.Once
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			once.Do(func() { n.Add(1000) })
			n.Add(int64(i))
		})
	}
	wg.Wait()
	fmt.Println(n.Load())
	c, stop := context.WithCancelCause(ctx)
	stop(errors.New("enough"))
	<-c.Done()
	fmt.Println(c.Err(), context.Cause(c))
	var mu sync.RWMutex
	m := map[int]int{}
	for i := range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			mu.Lock()
			defer mu.Unlock()
			m[i%3]++
		}()
	}
	wg.Wait()
	fmt.Println(m)
	tick := time.NewTimer(time.Millisecond)
	select {
	case <-tick.C:
		fmt.Println("tick")
	case <-time.After(10 * time.Second):
		fmt.Println("late")
	}
}
