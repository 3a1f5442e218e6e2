package kernel_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cells stands in for a language: the source of a cell names what it does.
type cells map[string]func(context.Context, *kernel.Cell) (any, error)

func (s cells) Eval(ctx context.Context, c *kernel.Cell) (any, error) {
	if f, ok := s[c.Source]; ok {
		return f(ctx, c)
	}
	return nil, &kernel.EvalError{Name: "NameError", Message: "no cell " + c.Source, Line: 1}
}

func value(v any) func(context.Context, *kernel.Cell) (any, error) {
	return func(context.Context, *kernel.Cell) (any, error) { return v, nil }
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// run executes a cell and returns its reply and its iopub messages but status.
func run(t testing.TB, c *client.Client, req wire.ExecuteContent) (wire.ExecuteReplyContent, []*wire.Message) {
	t.Helper()
	var out []*wire.Message
	reply, err := c.ExecuteRequest(testContext(t), req, func(m *wire.Message) { out = append(out, m) })
	if err != nil {
		t.Fatalf("execute %q: %v", req.Code, err)
	}
	return reply, out
}

func types(msgs []*wire.Message) string {
	var s []string
	for _, m := range msgs {
		s = append(s, m.Header.MsgType)
	}
	return strings.Join(s, " ")
}

func streams(t testing.TB, msgs []*wire.Message, name string) (text string, n int) {
	t.Helper()
	for _, m := range msgs {
		if m.Header.MsgType != wire.Stream {
			continue
		}
		c := content[wire.StreamContent](t, m)
		if c.Name == name {
			text, n = text+c.Text, n+1
		}
	}
	return text, n
}

func content[T any](t testing.TB, m *wire.Message) T {
	t.Helper()
	var v T
	if err := m.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestKernelInfo(t *testing.T) {
	s := kerneltest.Start(t, cells{})
	info, err := s.Client.KernelInfo(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	want := wire.LanguageInfo{Name: "go", MIMEType: "text/x-go", FileExtension: ".go", PygmentsLexer: "go", CodemirrorMode: "go"}
	got := info.LanguageInfo
	if got.Version == "" {
		t.Error("no language version")
	}
	got.Version = ""
	if got != want || info.ProtocolVersion != "5.5" || info.Implementation != "gopherlens" || info.Status != "ok" {
		t.Errorf("kernel_info is %+v", info)
	}
}

// TestTranscript pins the messages of one execution, which PROTOCOL.md promises.
func TestTranscript(t *testing.T) {
	s := kerneltest.Start(t, cells{
		"all": func(_ context.Context, c *kernel.Cell) (any, error) {
			fmt.Fprint(c.Stdout, "one\n")
			fmt.Fprint(c.Stderr, "two\n")
			c.Display(picture{})
			c.ClearOutput(true)
			fmt.Fprint(c.Stdout, "three")
			c.DisplayID("d", 1)
			c.UpdateDisplay("d", 2)
			return 42, nil
		},
		"bad": func(_ context.Context, c *kernel.Cell) (any, error) {
			fmt.Fprint(c.Stdout, "before")
			return nil, &kernel.EvalError{Name: "TypeError", Message: "mismatch", Line: 3}
		},
	})
	var mu sync.Mutex
	seen := map[wire.Channel][]*wire.Message{}
	s.Client.Tap(func(ch wire.Channel, m *wire.Message) {
		mu.Lock()
		defer mu.Unlock()
		seen[ch] = append(seen[ch], m)
	})
	var got bytes.Buffer
	for _, code := range []string{"all", "bad"} {
		run(t, s.Client, wire.NewExecuteContent(code))
		mu.Lock()
		fmt.Fprintf(&got, "# execute_request %s\n", code)
		for _, ch := range []wire.Channel{wire.IOPub, wire.Shell} {
			for _, m := range seen[ch] {
				fmt.Fprintf(&got, "%s %s %s\n", ch, m.Header.MsgType, sorted(t, m.Content))
			}
		}
		clear(seen)
		mu.Unlock()
	}
	golden := filepath.Join("testdata", "transcript.txt")
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got.String() != string(want) {
		t.Errorf("transcript is\n%s\nwant\n%s", got.String(), want)
	}
}

func sorted(t *testing.T, raw json.RawMessage) []byte {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// picture displays itself.
type picture struct{}

func (picture) MIMEBundle() map[string]any {
	return map[string]any{"text/plain": "a picture", "image/png": []byte("\x89PNG"), "text/html": []byte("<b>")}
}
func (picture) MIMEMetadata() map[string]any {
	return map[string]any{"image/png": map[string]any{"width": 10}}
}

func TestSilentAndHistory(t *testing.T) {
	s := kerneltest.Start(t, cells{
		"a":     value(1),
		"b/c":   value(2),
		"print": func(_ context.Context, c *kernel.Cell) (any, error) { fmt.Fprint(c.Stdout, "x"); return 3, nil },
	})
	silent := wire.NewExecuteContent("print")
	silent.Silent = true
	if reply, out := run(t, s.Client, silent); len(out) != 0 || reply.ExecutionCount != 0 || reply.Status != "ok" {
		t.Errorf("silent: %s, count %d", types(out), reply.ExecutionCount)
	}
	unstored := wire.NewExecuteContent("print")
	unstored.StoreHistory = false
	if reply, out := run(t, s.Client, unstored); types(out) != "execute_input stream execute_result" || reply.ExecutionCount != 0 {
		t.Errorf("store_history false: %s, count %d", types(out), reply.ExecutionCount)
	}
	for i, code := range []string{"a", "b/c", "a"} {
		if reply, _ := run(t, s.Client, wire.NewExecuteContent(code)); reply.ExecutionCount != i+1 {
			t.Errorf("count is %d, want %d", reply.ExecutionCount, i+1)
		}
	}
	n, stop := 2, 2
	for name, tc := range map[string]struct {
		req  wire.HistoryContent
		want string
	}{
		"tail":   {wire.HistoryContent{HistAccessType: "tail", N: &n}, `[[1,2,"b/c"],[1,3,"a"]]`},
		"output": {wire.HistoryContent{HistAccessType: "tail", N: &n, Output: true}, `[[1,2,["b/c","2"]],[1,3,["a","1"]]]`},
		"range":  {wire.HistoryContent{HistAccessType: "range", Session: 1, Start: 1, Stop: &stop}, `[[1,1,"a"]]`},
		"other":  {wire.HistoryContent{HistAccessType: "range", Session: 7, Start: 1}, `[]`},
		"search": {wire.HistoryContent{HistAccessType: "search", Pattern: "b*c"}, `[[1,2,"b/c"]]`},
		"unique": {wire.HistoryContent{HistAccessType: "search", Pattern: "*", Unique: true}, `[[1,2,"b/c"],[1,3,"a"]]`},
	} {
		got, err := s.Client.History(testContext(t), tc.req)
		if err != nil {
			t.Fatal(name, err)
		}
		if b, _ := json.Marshal(got.History); string(b) != tc.want {
			t.Errorf("%s: %s, want %s", name, b, tc.want)
		}
	}
	for _, bad := range []wire.HistoryContent{{HistAccessType: "all"}, {HistAccessType: "search", Pattern: "["}} {
		var refused *client.ReplyError
		if _, err := s.Client.History(testContext(t), bad); !errors.As(err, &refused) {
			t.Errorf("%+v: %v, want a refusal", bad, err)
		}
	}
}

func TestUserExpressions(t *testing.T) {
	s := kerneltest.Start(t, cells{
		"cell": value(nil), "x": value(picture{}), "boom": func(context.Context, *kernel.Cell) (any, error) { panic("boom") },
	})
	req := wire.NewExecuteContent("cell")
	req.UserExpressions = map[string]string{"good": "x", "missing": "y", "panics": "boom"}
	reply, _ := run(t, s.Client, req)
	got := reply.UserExpressions
	if e := got["good"]; e.Status != "ok" || e.Data["text/plain"] != "a picture" {
		t.Errorf("good is %+v", e)
	}
	if e := got["missing"]; e.Status != "error" || e.EName != "NameError" || len(e.Traceback) == 0 {
		t.Errorf("missing is %+v", e)
	}
	if e := got["panics"]; e.Status != "error" || e.EName != "panic" || e.EValue != "boom" {
		t.Errorf("panics is %+v", e)
	}
	if reply.Status != "ok" {
		t.Errorf("a failing expression made the cell %s", reply.Status)
	}
}

func TestStreams(t *testing.T) {
	release := make(chan struct{})
	ev := cells{
		"flood": func(_ context.Context, c *kernel.Cell) (any, error) {
			for i := range 10_000 {
				fmt.Fprintln(c.Stdout, "line", i, "αβγ→日本語")
			}
			return nil, nil
		},
		"bytes": func(_ context.Context, c *kernel.Cell) (any, error) {
			for _, b := range []byte("héllo 日本語 🎈\n") {
				c.Stdout.Write([]byte{b})
				time.Sleep(3 * time.Millisecond)
			}
			return nil, nil
		},
		"mixed": func(_ context.Context, c *kernel.Cell) (any, error) {
			c.Stdout.Write([]byte("日")[:2])
			c.Stderr.Write([]byte("!"))
			c.Stdout.Write([]byte("日")[2:])
			c.Stderr.Write([]byte{0xff, 'x', 0xe2})
			return nil, nil
		},
		"large": func(_ context.Context, c *kernel.Cell) (any, error) {
			fmt.Fprint(c.Stdout, strings.Repeat("日", 3<<19))
			return nil, nil
		},
		"late": func(_ context.Context, c *kernel.Cell) (any, error) {
			go func() { <-release; fmt.Fprint(c.Stdout, "late") }()
			return nil, nil
		},
	}
	// A loaded machine may need so long for the lines that time cuts them more
	// often than size; it is size that is tested.
	patient := kerneltest.StartConfig(t, kernel.Config{Connection: kerneltest.TCP(), Evaluator: ev, StreamInterval: time.Second})
	_, out := run(t, patient.Client, wire.NewExecuteContent("flood"))
	if text, n := streams(t, out, "stdout"); n > 20 || strings.Count(text, "\n") != 10_000 || strings.ContainsRune(text, utf8.RuneError) {
		t.Errorf("10,000 lines came as %d messages and %d lines", n, strings.Count(text, "\n"))
	}
	s := kerneltest.Start(t, ev)
	_, out = run(t, s.Client, wire.NewExecuteContent("bytes"))
	if text, n := streams(t, out, "stdout"); text != "héllo 日本語 🎈\n" || n < 2 {
		t.Errorf("bytes came as %q in %d messages", text, n)
	}
	_, out = run(t, s.Client, wire.NewExecuteContent("mixed"))
	if text, _ := streams(t, out, "stdout"); text != "日" {
		t.Errorf("stdout across stderr is %q", text)
	}
	if text, _ := streams(t, out, "stderr"); text != "!\uFFFDx\uFFFD" {
		t.Errorf("invalid bytes came as %q", text)
	}
	_, out = run(t, s.Client, wire.NewExecuteContent("large"))
	if text, _ := streams(t, out, "stdout"); text != strings.Repeat("日", 3<<19) {
		t.Errorf("4.5 MiB came back as %d bytes", len(text))
	}

	// What a goroutine prints after its cell belongs to that cell.
	late := make(chan *wire.Message, 1)
	s.Client.Tap(func(_ wire.Channel, m *wire.Message) {
		if m.Header.MsgType == wire.Stream {
			late <- m
		}
	})
	m, _ := s.Client.NewMessage(wire.ExecuteRequest, wire.NewExecuteContent("late"))
	if _, err := s.Client.Do(testContext(t), wire.Shell, m, nil); err != nil {
		t.Fatal(err)
	}
	run(t, s.Client, wire.NewExecuteContent("none"))
	close(release)
	select {
	case got := <-late:
		if got.ParentHeader().MsgID != m.Header.MsgID {
			t.Error("late output has another cell's parent")
		}
	case <-time.After(5 * time.Second):
		t.Error("late output never came")
	}
}

func TestShutdown(t *testing.T) {
	for _, ch := range []wire.Channel{wire.Control, wire.Shell} {
		t.Run(string(ch), func(t *testing.T) {
			ev := &closer{cells: cells{
				"wait": func(ctx context.Context, c *kernel.Cell) (any, error) {
					<-ctx.Done()
					fmt.Fprint(c.Stdout, "cleaned up")
					return nil, ctx.Err()
				},
				"print": func(_ context.Context, c *kernel.Cell) (any, error) {
					for range 200 {
						c.Display(strings.Repeat("x", 10_000))
					}
					return nil, nil
				},
			}}
			s := kerneltest.Start(t, ev)
			var cell sync.WaitGroup
			started := make(chan struct{})
			if ch == wire.Control { // control does not wait for a running cell
				cell.Go(func() {
					var text string
					reply, err := s.Client.Execute(testContext(t), "wait", func(m *wire.Message) {
						switch m.Header.MsgType {
						case wire.ExecuteInput:
							close(started)
						case wire.Stream:
							text += content[wire.StreamContent](t, m).Text
						}
					})
					if err != nil || reply.EName != "interrupted" || text != "cleaned up" {
						t.Errorf("the running cell: %+v, output %q, %v", reply.Failure, text, err)
					}
				})
				<-started
			} else {
				// What was published before the shutdown arrives although nobody waits.
				cell.Go(func() {
					n := 0
					_, err := s.Client.Execute(testContext(t), "print", func(m *wire.Message) {
						switch m.Header.MsgType {
						case wire.ExecuteInput:
							close(started)
						case wire.DisplayData:
							n++
						}
					})
					if n != 200 || err != nil {
						t.Errorf("%d of 200 displays arrived before the end: %v", n, err)
					}
				})
				<-started
			}
			var broadcast bool
			reply, err := s.Client.Request(testContext(t), ch, wire.ShutdownRequest, wire.ShutdownContent{Restart: true},
				func(m *wire.Message) { broadcast = broadcast || m.Header.MsgType == wire.ShutdownReply })
			if err != nil {
				t.Fatal(err)
			}
			if got := content[wire.ShutdownContent](t, reply); !got.Restart || got.Status != "ok" || !broadcast {
				t.Errorf("shutdown_reply is %+v, broadcast %v", got, broadcast)
			}
			cell.Wait()
			if err := s.Wait(); err != nil {
				t.Errorf("Run: %v", err)
			}
			if !ev.closed {
				t.Error("the evaluator was not closed")
			}
			if _, err := s.Client.KernelInfo(testContext(t)); !errors.Is(err, client.ErrClosed) {
				t.Errorf("a request after the end: %v", err)
			}
		})
	}
}

type closer struct {
	cells
	closed bool
}

func (c *closer) Close() error { c.closed = true; return nil }

func TestConfig(t *testing.T) {
	if _, err := kernel.New(kernel.Config{Connection: kerneltest.TCP()}); err == nil {
		t.Error("a kernel without an evaluator was made")
	}
	if _, err := kernel.New(kernel.Config{Evaluator: cells{}}); err == nil {
		t.Error("a kernel without a connection was made")
	}
	k, err := kernel.New(kernel.Config{Evaluator: cells{}, Connection: kerneltest.TCP()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kernel.New(kernel.Config{Evaluator: cells{}, Connection: k.Connection()}); err == nil {
		t.Error("two kernels share their ports")
	}
	if err := k.Close(); err != nil {
		t.Error(err)
	}
	if err := k.Run(context.Background()); err == nil {
		t.Error("a closed kernel ran")
	}
}

func TestIPC(t *testing.T) {
	cfg := kernel.Config{Evaluator: cells{"a": value("over ipc")}, Connection: kerneltest.IPC(t)}
	s := kerneltest.StartConfig(t, cfg)
	_, out := run(t, s.Client, wire.NewExecuteContent("a"))
	if got := content[wire.ExecuteResultContent](t, out[len(out)-1]); got.Data["text/plain"] != "over ipc" {
		t.Errorf("result is %+v", got)
	}
	// A second kernel does not take over the sockets of a living one ...
	if _, err := kernel.New(cfg); err == nil {
		t.Error("two kernels share their sockets")
	}
	// ... but replaces those that a dead one left behind.
	if err := s.Client.Shutdown(testContext(t), false); err != nil {
		t.Fatal(err)
	}
	s.Wait()
	_, path := cfg.Connection.Addr(wire.Shell)
	leaveSocket(t, path)
	run(t, kerneltest.StartConfig(t, cfg).Client, wire.NewExecuteContent("a"))
}

// BenchmarkStart is from New to a client that is ready.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		k, err := kernel.New(kernel.Config{Evaluator: cells{}, Connection: kerneltest.TCP()})
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- k.Run(ctx) }()
		c, err := client.Dial(ctx, k.Connection())
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		c.Close()
		cancel()
		<-done
		b.StartTimer()
	}
}

// BenchmarkFlood is a cell that prints 10,000 lines.
func BenchmarkFlood(b *testing.B) {
	s := kerneltest.Start(b, cells{"flood": func(_ context.Context, c *kernel.Cell) (any, error) {
		for i := range 10_000 {
			fmt.Fprintln(c.Stdout, "line", i)
		}
		return nil, nil
	}})
	for b.Loop() {
		run(b, s.Client, wire.NewExecuteContent("flood"))
	}
}
