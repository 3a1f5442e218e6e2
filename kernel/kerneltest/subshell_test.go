package kerneltest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

func newSubshell(t *testing.T, c *client.Client) string {
	t.Helper()
	reply, err := c.Request(within(t), wire.Control, wire.CreateSubshellRequest, struct{}{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	made := content[wire.SubshellContent](t, reply)
	if made.Status != wire.StatusOK || made.SubshellID == "" {
		t.Fatalf("%s", reply.Content)
	}
	return made.SubshellID
}

// inShell is an execute_request to a subshell, "" for the main shell. The channel
// gets what came of it; began is closed when its execute_input is there.
func inShell(t *testing.T, c *client.Client, shell string, req wire.ExecuteContent, replies ...string) (began chan struct{}, ended chan ran) {
	t.Helper()
	m, err := c.NewMessage(wire.ExecuteRequest, req)
	if err != nil {
		t.Fatal(err)
	}
	m.Header.SubshellID = shell
	began, ended = make(chan struct{}), make(chan ran, 1)
	ctx := within(t)
	go func() {
		var got ran
		reply, err := c.Do(ctx, wire.Shell, m, func(m *wire.Message) {
			if p := m.ParentHeader(); p.SubshellID != shell {
				t.Errorf("a %s of subshell %q has a parent of %q", m.Header.MsgType, shell, p.SubshellID)
			}
			switch m.Header.MsgType {
			case wire.InputRequest:
				got.asked = append(got.asked, content[wire.InputContent](t, m))
				answer, err := c.NewMessage(wire.InputReply, wire.InputReplyContent{Value: replies[0]})
				if err == nil {
					err = c.Send(wire.Stdin, answer)
				}
				if err != nil {
					t.Error(err)
				}
				replies = replies[1:]
				return
			case wire.ExecuteInput:
				close(began)
			}
			got.msgs = append(got.msgs, m)
		})
		if err != nil {
			t.Error(err)
		} else {
			got.reply = content[wire.ExecuteReplyContent](t, reply)
		}
		ended <- got
	}()
	return began, ended
}

func cellIn(t *testing.T, c *client.Client, shell, code string) ran {
	t.Helper()
	_, ended := inShell(t, c, shell, wire.NewExecuteContent(code))
	return <-ended
}

func interruptAfter(t *testing.T, c *client.Client, began chan struct{}) {
	t.Helper()
	<-began
	time.Sleep(50 * time.Millisecond)
	if err := c.Interrupt(within(t)); err != nil {
		t.Error(err)
	}
}

// counts is a cell that says whether n grows, as soon as it does or when the time is over.
func counts(wait time.Duration) string {
	return fmt.Sprintf("before, until := n.Load(), time.Now().Add(%d); for n.Load() == before && time.Now().Before(until) { time.Sleep(time.Millisecond) }; n.Load() > before", wait)
}

// TestSubshellCells: cells of a subshell run while a cell of the main shell does,
// whatever that one is busy with, and share its state.
func TestSubshellCells(t *testing.T) {
	c := goKernel(t).Client
	a, b := newSubshell(t, c), newSubshell(t, c)
	good(t, c, `import ("encoding/json"; "fmt"; "os"; "sync/atomic"; "time"); var n atomic.Int64; gate := make(chan int)`)
	for name, busy := range map[string]string{
		"loop":    `fmt.Print("main"); for { n.Add(1) }`,
		"sleep":   `fmt.Print("main"); time.Sleep(time.Hour)`,
		"channel": `fmt.Print("main"); <-gate`,
	} {
		t.Run(name, func(t *testing.T) {
			began, ended := inShell(t, c, "", wire.NewExecuteContent(busy))
			<-began
			for _, shell := range []string{a, b, a} {
				got := cellIn(t, c, shell, `fmt.Print("sub"); json.NewEncoder(os.Stdout).Encode(7); DisplayID("d", 1); UpdateDisplay("d", 2); n.Load()`)
				if got.reply.Status != "ok" || got.stream(t, "stdout") != "sub7\n" || !strings.HasSuffix(got.types(), "display_data update_display_data execute_result") {
					t.Errorf("%+v %q %s", got.reply.Failure, got.stream(t, "stdout"), got.types())
				}
			}
			wait, want := 5*time.Millisecond, "false"
			if name == "loop" {
				wait, want = 10*time.Second, "true"
			}
			if got := cellIn(t, c, b, counts(wait)).value(t); got != want {
				t.Errorf("whether the main shell's cell counts: %v", got)
			}
			interruptAfter(t, c, began)
			if got := <-ended; got.reply.EName != "interrupted" || got.stream(t, "stdout") != "main" {
				t.Errorf("%+v %q", got.reply.Failure, got.stream(t, "stdout"))
			}
		})
	}
	// One count for all: no two cells have the same number.
	x, y := cellIn(t, c, a, "made := 41"), good(t, c, "made + 1")
	if y.value(t) != "42" || y.reply.ExecutionCount != x.reply.ExecutionCount+1 {
		t.Errorf("%v, counts %d and %d", y.value(t), x.reply.ExecutionCount, y.reply.ExecutionCount)
	}
}

// TestSubshellInterrupts: an interrupt is for the main shell as long as that is
// busy, as in ipykernel; else for the subshells.
func TestSubshellInterrupts(t *testing.T) {
	c := goKernel(t).Client
	a := newSubshell(t, c)
	good(t, c, `import ("sync/atomic"; "time"); var n atomic.Int64`)
	subBegan, subEnded := inShell(t, c, a, wire.NewExecuteContent("for { n.Add(1) }"))
	mainBegan, mainEnded := inShell(t, c, "", wire.NewExecuteContent("for {}"))
	<-subBegan
	interruptAfter(t, c, mainBegan)
	if got := <-mainEnded; got.reply.EName != "interrupted" {
		t.Errorf("the main shell's cell: %+v", got.reply.Failure)
	}
	if good(t, c, counts(10*time.Second)).value(t) != "true" {
		t.Error("an interrupt of the main shell's cell stopped the subshell's")
	}
	interruptAfter(t, c, subBegan)
	if got := <-subEnded; got.reply.EName != "interrupted" {
		t.Errorf("the subshell's cell: %+v", got.reply.Failure)
	}
	// One that does not stop is given up, and its shell goes on.
	began, ended := inShell(t, c, a, wire.NewExecuteContent("<-make(chan int)"))
	interruptAfter(t, c, began)
	if got := <-ended; got.reply.EName != "interrupted" || !strings.Contains(got.reply.EValue, "left behind") {
		t.Errorf("%+v", got.reply.Failure)
	}
	if v := cellIn(t, c, a, "6 * 7").value(t); v != "42" {
		t.Errorf("%v", v)
	}
}

// TestSubshellQueues: a failed cell aborts what waits in its own shell, and
// deleting a shell what waits there, not what runs.
func TestSubshellQueues(t *testing.T) {
	c := goKernel(t).Client
	a, b := newSubshell(t, c), newSubshell(t, c)
	good(t, c, `import "time"; gate, other := make(chan int), make(chan int)`)
	start := func(shell, code string, wait bool) chan ran {
		began, ended := inShell(t, c, shell, wire.NewExecuteContent(code))
		if wait {
			<-began
		} else {
			time.Sleep(5 * time.Millisecond) // in this order on the wire
		}
		return ended
	}
	fails, alone := start(a, "<-gate; panic(1)", true), start("", "<-other", true)
	behind, waits := start(a, "1", false), start("", "2", false)
	good := func(got ran, want string) {
		t.Helper()
		if got.reply.Status != want {
			t.Errorf("%s %s, want %s", got.reply.Status, got.reply.EValue, want)
		}
	}
	good(cellIn(t, c, b, "close(gate)"), "ok")
	good(<-fails, "error")
	good(<-behind, "aborted")
	good(cellIn(t, c, b, "close(other)"), "ok")
	good(<-alone, "ok")
	good(<-waits, "ok")

	good(cellIn(t, c, b, "last := make(chan int)"), "ok")
	runs := start(a, `<-last; "done"`, true)
	behind = start(a, "1", false)
	if _, err := c.Request(within(t), wire.Control, wire.DeleteSubshellRequest, wire.SubshellContent{SubshellID: a}, nil); err != nil {
		t.Error(err)
	}
	good(cellIn(t, c, b, "close(last)"), "ok")
	got := <-runs
	if good(got, "ok"); got.value(t) != "done" {
		t.Errorf("%v", got.value(t))
	}
	good(<-behind, "aborted")
}

// TestSubshellStdin: questions of two shells are asked one after the other, since
// answers do not say whose they are.
func TestSubshellStdin(t *testing.T) {
	c := goKernel(t).Client
	a := newSubshell(t, c)
	var all []chan ran
	for i, shell := range []string{"", a} {
		req := wire.NewExecuteContent(fmt.Sprintf(`x%[1]d := ""; for range 3 { x%[1]d += Must(Input("%[1]d? ")) }; x%[1]d`, i))
		req.AllowStdin = true
		_, ended := inShell(t, c, shell, req, fmt.Sprint(i, "a"), fmt.Sprint(i, "b"), fmt.Sprint(i, "c"))
		all = append(all, ended)
	}
	for i, ended := range all {
		got := <-ended
		want := strings.NewReplacer("#", fmt.Sprint(i)).Replace("#a#b#c")
		if got.value(t) != want || !slices.Equal(got.asked, []wire.InputContent{{Prompt: fmt.Sprint(i, "? ")}, {Prompt: fmt.Sprint(i, "? ")}, {Prompt: fmt.Sprint(i, "? ")}}) {
			t.Errorf("%v, asked %v, %+v", got.value(t), got.asked, got.reply.Failure)
		}
	}
}

// TestShutdownStopsSubshells: what runs in any shell gets its reply first.
func TestShutdownStopsSubshells(t *testing.T) {
	s := goKernel(t)
	c := s.Client
	a := newSubshell(t, c)
	var all []chan ran
	for _, shell := range []string{"", a} {
		began, ended := inShell(t, c, shell, wire.NewExecuteContent("for {}"))
		<-began
		all = append(all, ended)
	}
	if err := c.Shutdown(within(t), false); err != nil {
		t.Fatal(err)
	}
	for _, ended := range all {
		if got := <-ended; got.reply.EName != "interrupted" {
			t.Errorf("%+v", got.reply.Failure)
		}
	}
	if err := s.Wait(); err != nil {
		t.Error(err)
	}
}
