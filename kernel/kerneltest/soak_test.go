package kerneltest_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// TestSoak runs 2,000 cells beside a goroutine that never ends, shows 50 MB every
// hundredth cell and interrupts every fiftieth. It fails when a cell is lost or
// memory or goroutines pile up, and logs how the time of a cell has changed.
func TestSoak(t *testing.T) {
	if os.Getenv("GOPHERLENS_SOAK") == "" {
		t.Skip("minutes long: set GOPHERLENS_SOAK=1")
	}
	const cells, shows, interrupts = 2000, 100, 50
	c := goKernel(t).Client
	good(t, c, `import ("fmt"; "strings"; "time")
ticks := 0
go func() { for { ticks++; time.Sleep(time.Millisecond) } }()
type big struct{}
func (big) MIMEBundle() map[string]any { return map[string]any{"text/plain": "big", "text/html": strings.Repeat("x", 50<<20)} }`)
	var took []time.Duration
	var first runtime.MemStats
	var goroutines int
	for n := 1; n <= cells; n++ {
		switch {
		case n%shows == 0:
			got := good(t, c, "Display(big{})")
			if html, _ := content[wire.DisplayContent](t, got.msgs[1]).Data["text/html"].(string); len(html) != 50<<20 {
				t.Fatalf("cell %d: %d bytes arrived", n, len(html))
			}
		case n%interrupts == 0:
			interruptLoop(t, c, n)
		default:
			start := time.Now()
			got := good(t, c, fmt.Sprintf("n := %d\nfmt.Println(n)\nn * 2", n))
			took = append(took, time.Since(start))
			if got.value(t) != fmt.Sprint(2*n) || got.stream(t, "stdout") != fmt.Sprintln(n) {
				t.Fatalf("cell %d gave %v and %q", n, got.value(t), got.stream(t, "stdout"))
			}
		}
		if n == shows+1 {
			runtime.GC()
			runtime.ReadMemStats(&first)
			goroutines = runtime.NumGoroutine()
		}
	}
	if v := good(t, c, "ticks > 100").value(t); v != "true" {
		t.Errorf("the goroutine did not run beside the cells: %v", v)
	}
	runtime.GC()
	var last runtime.MemStats
	runtime.ReadMemStats(&last)
	grown := int64(last.HeapAlloc) - int64(first.HeapAlloc)
	if grown > 256<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
	if n := runtime.NumGoroutine(); n > goroutines+20 {
		t.Errorf("%d goroutines, %d after the first hundred cells", n, goroutines)
	}
	early, late := median(took[50:150]), median(took[len(took)-100:])
	t.Logf("a cell around 100 takes %s, around %d %s: %.2f times; the heap has grown by %d MiB", early, cells, late, float64(late)/float64(early), grown>>20)
}

func interruptLoop(t *testing.T, c *client.Client, n int) {
	t.Helper()
	reply, err := c.Execute(within(t), "for {}", func(m *wire.Message) {
		if m.Header.MsgType == wire.ExecuteInput {
			if err := c.Interrupt(within(t)); err != nil {
				t.Error(err)
			}
		}
	})
	if err != nil || reply.EName != "interrupted" {
		t.Fatalf("cell %d: %+v, %v", n, reply.Failure, err)
	}
}

func median(d []time.Duration) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[len(d)/2]
}
