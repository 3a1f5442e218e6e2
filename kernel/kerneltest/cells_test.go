package kerneltest_test

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

func TestInfo(t *testing.T) {
	info, err := goKernel(t).Client.KernelInfo(within(t))
	if err != nil {
		t.Fatal(err)
	}
	l := info.LanguageInfo
	if info.ProtocolVersion != wire.ProtocolVersion || l.Name != "go" || l.MIMEType != "text/x-go" || l.FileExtension != ".go" || l.Version == "" ||
		l.CodemirrorMode != "go" || l.PygmentsLexer != "go" || !slices.Contains(info.SupportedFeatures, "kernel subshells") || info.Debugger {
		t.Errorf("%+v", info)
	}
}

func TestSilentAndUnstored(t *testing.T) {
	c := goKernel(t).Client
	req := wire.NewExecuteContent("import \"fmt\"\nfmt.Println(1)\nx := 2\nx")
	req.Silent = true
	if got := execute(t, c, req, nil); len(got.msgs) != 0 || got.reply.ExecutionCount != 0 {
		t.Errorf("silent: %s, count %d", got.types(), got.reply.ExecutionCount)
	}
	req = wire.NewExecuteContent("x + 1")
	req.StoreHistory = false
	if got := execute(t, c, req, nil); got.value(t) != "3" || got.reply.ExecutionCount != 0 {
		t.Errorf("not stored: %v, count %d", got.value(t), got.reply.ExecutionCount)
	}
	if got := good(t, c, "x + 2"); got.reply.ExecutionCount != 1 {
		t.Errorf("count %d", got.reply.ExecutionCount)
	}
	hist, err := c.History(within(t), wire.HistoryContent{HistAccessType: "tail"})
	if err != nil || len(hist.History) != 1 {
		t.Errorf("history is %v, %v", hist.History, err)
	}
}

func TestExpressions(t *testing.T) {
	c := goKernel(t).Client
	req := wire.NewExecuteContent("x := []int{1, 2}")
	req.UserExpressions = map[string]string{"good": "len(x) + 40", "bad": "nowhere", "panics": "x[7]"}
	got := execute(t, c, req, nil).reply.UserExpressions
	if got["good"].Status != "ok" || got["good"].Data["text/plain"] != "42" || got["bad"].Status != "error" || got["bad"].EName == "" || got["panics"].Status != "error" {
		t.Errorf("%+v", got)
	}
}

// failures are cells that fail in every way Go knows.
var failures = map[string]struct{ code, name, text string }{
	"does not compile":      {"x := 1 +", "", "syntax"},
	"type error":            {`var s string = 1`, "", "cannot use"},
	"panic":                 {`panic("on purpose")`, "panic", "on purpose"},
	"own error":             {`import "errors"; Must(0, errors.New("mine"))`, "", "mine"},
	"index":                 {`a := []int{1}; i := 5; a[i]`, "panic", "index out of range"},
	"nil dereference":       {`type T struct{ next *T; v int }; var p *T; p.next.v`, "panic", "nil pointer"},
	"nil map":               {`var m map[string]int; m["a"] = 1`, "panic", "nil map"},
	"division":              {`zero := 0; 1 / zero`, "panic", "divide by zero"},
	"stack overflow":        {`func down(n int) int { return down(n+1) + 1 }; down(0)`, "panic", "stack overflow"},
	"closed channel":        {`ch := make(chan int); close(ch); close(ch)`, "panic", "close of closed channel"},
	"type assertion":        {`var v any = 1; v.(string)`, "panic", "interface conversion"},
	"goroutine":             {`go func() { panic("elsewhere") }(); select {}`, "panic", "elsewhere"},
	"WaitGroup":             {`import "sync"; var wg sync.WaitGroup; wg.Go(func() { panic("in a group") }); wg.Wait(); select {}`, "panic", "in a group"},
	"negative WaitGroup":    {`import "sync"; var wg2 sync.WaitGroup; wg2.Done()`, "panic", "negative WaitGroup"},
	"os.Exit":               {`import "os"; os.Exit(3)`, "", "exit status 3"},
	"log.Fatal":             {`import "log"; log.Fatal("enough")`, "", "exit status 1"},
	"Goexit":                {`import "runtime"; runtime.Goexit()`, "", "Goexit"},
	"panics while printing": {`panic(any(nil))`, "", "nil"},
	"huge slice":            {`n := -1; make([]int, n)`, "panic", "out of range"},
}

// TestFailuresLeaveTheKernelAlive: each way to fail is one error output with all
// its fields, the process lives, and so does the state.
func TestFailuresLeaveTheKernelAlive(t *testing.T) {
	c := goKernel(t).Client
	good(t, c, "state := 41")
	for name, f := range failures {
		t.Run(name, func(t *testing.T) {
			got := cell(t, c, f.code)
			r := got.reply
			if r.Status != "error" || r.EName == "" || f.name != "" && r.EName != f.name || !strings.Contains(strings.Join(r.Traceback, "\n")+r.EValue, f.text) {
				t.Errorf("%s: %q %v", r.EName, r.EValue, r.Traceback)
			}
			outputs := slices.DeleteFunc(strings.Fields(got.types()), func(s string) bool { return s == wire.Stream })
			if len(outputs) != 1 || outputs[0] != wire.Error || name != "log.Fatal" && strings.Contains(got.types(), wire.Stream) {
				t.Errorf("outputs %q", got.types())
			}
			e := content[wire.ErrorContent](t, got.msgs[len(got.msgs)-1])
			if e.EName != r.EName || e.EValue != r.EValue || len(e.Traceback) == 0 {
				t.Errorf("error %+v, reply %+v", e, r.Failure)
			}
			if v := good(t, c, "state + 1").value(t); v != "42" {
				t.Errorf("the state is %v", v)
			}
		})
	}
}

func TestAbortedQueue(t *testing.T) {
	c := goKernel(t).Client
	for stop, want := range map[bool]string{true: "error aborted aborted", false: "error ok ok"} {
		var waits []func() string
		for i, code := range []string{"import \"time\"; time.Sleep(50 * time.Millisecond); panic(1)", "1", "2"} {
			req := wire.NewExecuteContent(code)
			req.StopOnError = stop
			m, err := c.NewMessage(wire.ExecuteRequest, req)
			if err != nil {
				t.Fatal(err)
			}
			reply := make(chan string, 1)
			sent := make(chan struct{})
			go func() {
				close(sent)
				r, err := c.Do(within(t), wire.Shell, m, nil)
				if err != nil {
					t.Error(i, err)
					reply <- ""
					return
				}
				reply <- content[wire.Failure](t, r).Status
			}()
			<-sent
			time.Sleep(5 * time.Millisecond) // in this order on the wire
			waits = append(waits, func() string { return <-reply })
		}
		var got []string
		for _, wait := range waits {
			got = append(got, wait())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("stop_on_error %v: %v, want %s", stop, got, want)
		}
	}
}

func TestCompleteAndInspectCountCharacters(t *testing.T) {
	c := goKernel(t).Client
	code := "import \"strings\"; s := \"🎈é\"; strings.ToUpp"
	got, err := c.Complete(within(t), code, utf8.RuneCountInString(code))
	if err != nil || !slices.Contains(got.Matches, "ToUpper") || got.CursorEnd != utf8.RuneCountInString(code) || got.CursorStart != got.CursorEnd-len("ToUpp") {
		t.Errorf("%+v, %v", got, err)
	}
	types, _ := got.Metadata["_jupyter_types_experimental"].([]any)
	if len(types) == 0 || len(types) != len(got.Matches) || types[0].(map[string]any)["type"] != "function" {
		t.Errorf("types are %v", types)
	}
	code += "er"
	doc, err := c.Inspect(within(t), code, utf8.RuneCountInString(code), 0)
	if err != nil || !doc.Found || !strings.Contains(fmt.Sprint(doc.Data["text/plain"]), "ToUpper") {
		t.Errorf("%+v, %v", doc, err)
	}
	for src, want := range map[string]string{"x := 1": "complete", "for {": "incomplete", "x := )": "invalid"} {
		if got, err := c.IsComplete(within(t), src); err != nil || got.Status != want || want == "incomplete" && got.Indent == "" {
			t.Errorf("%s: %+v, %v", src, got, err)
		}
	}
}

// TestInterrupts: by message; state is kept and the next cell runs.
func TestInterrupts(t *testing.T) {
	c := goKernel(t).Client
	// n is atomic: nothing else orders a goroutine that is left behind and the next cell
	good(t, c, "import (\"sync\"; \"sync/atomic\"; \"time\"); var n atomic.Int64; gate := make(chan int); var mu sync.Mutex; mu.Lock()")
	for name, code := range map[string]string{
		"loop":    "n.Add(1); for {}",
		"sleep":   "n.Add(1); time.Sleep(time.Hour)",
		"calls":   "func f(i int) int { return i + 1 }; n.Add(1); for { f(1) }",
		"channel": "n.Add(1); <-gate",
		"mutex":   "n.Add(1); mu.Lock()",
		"context": "n.Add(1); <-ctx.Done(); ctx.Err()",
		"select":  "n.Add(1); select {}",
	} {
		t.Run(name, func(t *testing.T) {
			before := good(t, c, "n.Load()").value(t)
			var reply wire.ExecuteReplyContent
			reply, err := c.Execute(within(t), code, func(m *wire.Message) {
				if m.Header.MsgType == wire.ExecuteInput {
					time.AfterFunc(100*time.Millisecond, func() {
						if err := c.Interrupt(within(t)); err != nil {
							t.Error(err)
						}
					})
				}
			})
			if err != nil || reply.EName != "interrupted" {
				t.Errorf("%+v, %v", reply.Failure, err)
			}
			if after := good(t, c, "n.Load()").value(t); after == before {
				t.Errorf("n is still %v", after)
			}
		})
	}
}

func TestControlAndHeartbeatWhileACellRuns(t *testing.T) {
	s := goKernel(t)
	c := s.Client
	good(t, c, "gate := make(chan int)")
	_, err := c.Execute(within(t), "<-gate", func(m *wire.Message) {
		if m.Header.MsgType != wire.ExecuteInput {
			return
		}
		if _, err := c.Request(within(t), wire.Control, wire.KernelInfoRequest, struct{}{}, nil); err != nil {
			t.Error(err)
		}
		if err := c.Ping(within(t)); err != nil {
			t.Error(err)
		}
		// A second client connects, sees the output, and leaves.
		other := s.Dial()
		if err := other.Interrupt(within(t)); err != nil {
			t.Error(err)
		}
		other.Close()
	})
	if err != nil {
		t.Error(err)
	}
	good(t, c, "1")
}

func TestOutputOfEveryKind(t *testing.T) {
	c := goKernelConfig(t, kernel.Config{Connection: kerneltest.TCP(), StreamInterval: time.Second}).Client
	got := good(t, c, "import (\"fmt\"; \"os\"; \"log\")\nfor i := range 10_000 { fmt.Println(\"line\", i, \"→日本語\") }")
	if text, n := got.stream(t, "stdout"), strings.Count(got.types(), wire.Stream); strings.Count(text, "\n") != 10_000 || n > 20 || strings.ContainsRune(text, utf8.RuneError) {
		t.Errorf("10,000 lines came as %d messages, %d lines", n, strings.Count(text, "\n"))
	}
	got = good(t, c, "for _, b := range []byte(\"日本語🎈\\n\") { os.Stdout.Write([]byte{b}) }\nfmt.Print(\"50%\\r100%\\n\\x1b[1mbold\\x1b[0m\\n\")")
	if text := got.stream(t, "stdout"); text != "日本語🎈\n50%\r100%\n\x1b[1mbold\x1b[0m\n" {
		t.Errorf("%q", text)
	}
	got = good(t, c, "log.SetFlags(0); log.Print(\"logged\"); fmt.Fprintln(os.Stderr, \"written\"); println(\"built in\")")
	if text := got.stream(t, "stderr"); text != "logged\nwritten\nbuilt in\n" {
		t.Errorf("%q", text)
	}
	if sh, err := exec.LookPath("sh"); err == nil {
		got = good(t, c, "import \"os/exec\"\ncmd := exec.Command(\""+sh+"\", \"-c\", \"echo child; echo aside >&2\")\ncmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr\nMust(0, cmd.Run())")
		if got.stream(t, "stdout") != "child\n" || got.stream(t, "stderr") != "aside\n" {
			t.Errorf("%q %q", got.stream(t, "stdout"), got.stream(t, "stderr"))
		}
	}
}

// TestLateOutput: what a goroutine prints when its cell is over belongs to that
// cell.
func TestLateOutput(t *testing.T) {
	c := goKernel(t).Client
	late := make(chan *wire.Message, 10)
	c.Tap(func(_ wire.Channel, m *wire.Message) {
		if m.Header.MsgType == wire.Stream || m.Header.MsgType == wire.DisplayData {
			late <- m
		}
	})
	m, err := c.NewMessage(wire.ExecuteRequest, wire.NewExecuteContent("import \"fmt\"\ngate := make(chan int)\ngo func() { <-gate; fmt.Println(\"late\"); Display(1) }()"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(within(t), wire.Shell, m, nil); err != nil {
		t.Fatal(err)
	}
	good(t, c, "close(gate)")
	for range 2 {
		select {
		case got := <-late:
			if got.ParentHeader().MsgID != m.Header.MsgID {
				t.Errorf("a late %s has another cell's parent", got.Header.MsgType)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the late output never came")
		}
	}
}

func TestLargeDisplay(t *testing.T) {
	if testing.Short() {
		t.Skip("50 MB take a while")
	}
	c := goKernel(t).Client
	got := good(t, c, `import "strings"
type big struct{}
func (big) MIMEBundle() map[string]any { return map[string]any{"text/plain": "big", "text/html": strings.Repeat("x", 50<<20)} }
Display(big{})`)
	if html, _ := content[wire.DisplayContent](t, got.msgs[1]).Data["text/html"].(string); len(html) != 50<<20 {
		t.Errorf("%d bytes arrived", len(html))
	}
}

func TestOverIPC(t *testing.T) {
	c := goKernelConfig(t, kernel.Config{Connection: kerneltest.IPC(t)}).Client
	if v := good(t, c, "6 * 7").value(t); v != "42" {
		t.Errorf("%v", v)
	}
}

// TestReconnect: a client that has left comes back to the same state.
func TestReconnect(t *testing.T) {
	s := goKernel(t)
	good(t, s.Client, "x := 42")
	s.Client.Close()
	if v := good(t, s.Dial(), "x").value(t); v != "42" {
		t.Errorf("%v", v)
	}
}
