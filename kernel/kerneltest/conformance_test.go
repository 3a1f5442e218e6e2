package kerneltest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel"
	"github.com/gopherlens/gopherlens/kernel/client"
	"github.com/gopherlens/gopherlens/kernel/interp"
	"github.com/gopherlens/gopherlens/kernel/kerneltest"
	"github.com/gopherlens/gopherlens/kernel/wire"
)

// The conformance suite: one test for each behaviour that clients of kernels
// depend on, with Go cells, over real sockets. Dial checks every message.

// goKernel runs Go cells.
func goKernel(t testing.TB) *kerneltest.Server {
	t.Helper()
	return goKernelConfig(t, kernel.Config{Connection: kerneltest.TCP()})
}

func goKernelConfig(t testing.TB, cfg kernel.Config) *kerneltest.Server {
	t.Helper()
	session, err := interp.New()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Evaluator = session
	return kerneltest.StartConfig(t, cfg)
}

func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// ran is what came of one execute_request.
type ran struct {
	reply wire.ExecuteReplyContent
	msgs  []*wire.Message     // iopub but status
	asked []wire.InputContent // on stdin, whose order beside iopub is open
}

// answers to input_request, in order.
type answers []string

func execute(t testing.TB, c *client.Client, req wire.ExecuteContent, replies answers) ran {
	t.Helper()
	var got ran
	reply, err := c.ExecuteRequest(within(t), req, func(m *wire.Message) {
		if m.Header.MsgType != wire.InputRequest {
			got.msgs = append(got.msgs, m)
			return
		}
		got.asked = append(got.asked, content[wire.InputContent](t, m))
		if len(replies) > 0 {
			answer, err := c.NewMessage(wire.InputReply, wire.InputReplyContent{Value: replies[0]})
			if err == nil {
				err = c.Send(wire.Stdin, answer)
			}
			if err != nil {
				t.Error(err)
			}
			replies = replies[1:]
		}
	})
	if err != nil {
		t.Fatalf("execute %q: %v", req.Code, err)
	}
	got.reply = reply
	return got
}

// cell runs code as a front end does.
func cell(t testing.TB, c *client.Client, code string, replies ...string) ran {
	t.Helper()
	req := wire.NewExecuteContent(code)
	req.AllowStdin = len(replies) > 0
	return execute(t, c, req, replies)
}

// good is cell for code that must succeed.
func good(t testing.TB, c *client.Client, code string, replies ...string) ran {
	t.Helper()
	got := cell(t, c, code, replies...)
	if got.reply.Status != wire.StatusOK {
		t.Fatalf("%s\n%s: %s %v", code, got.reply.Status, got.reply.EValue, got.reply.Traceback)
	}
	return got
}

// types are the messages but execute_input.
func (r ran) types() string {
	var s []string
	for _, m := range r.msgs {
		if m.Header.MsgType != wire.ExecuteInput {
			s = append(s, m.Header.MsgType)
		}
	}
	return strings.Join(s, " ")
}

func (r ran) stream(t testing.TB, name string) (text string) {
	t.Helper()
	for _, m := range r.msgs {
		if m.Header.MsgType == wire.Stream {
			if c := content[wire.StreamContent](t, m); c.Name == name {
				text += c.Text
			}
		}
	}
	return text
}

// value is text/plain of the result.
func (r ran) value(t testing.TB) any {
	t.Helper()
	for _, m := range r.msgs {
		if m.Header.MsgType == wire.ExecuteResult {
			return content[wire.ExecuteResultContent](t, m).Data["text/plain"]
		}
	}
	return nil
}

func content[T any](t testing.TB, m *wire.Message) T {
	t.Helper()
	var v T
	if err := m.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestDisplayUpdateAndClear(t *testing.T) {
	c := goKernel(t).Client
	got := good(t, c, `import "fmt"
fmt.Println("before")
DisplayID("bar", "one")
UpdateDisplay("bar", "two")
ClearOutput(true)
fmt.Println("after")`)
	if want := "stream display_data update_display_data clear_output stream"; got.types() != want {
		t.Errorf("%s, want %s", got.types(), want)
	}
	for i, m := range got.msgs[2:4] {
		d := content[wire.DisplayContent](t, m)
		if d.Transient["display_id"] != "bar" || d.Data["text/plain"] != []any{"one", "two"}[i] {
			t.Errorf("%s is %s", m.Header.MsgType, m.Content)
		}
	}
	if !content[wire.ClearOutputContent](t, got.msgs[4]).Wait {
		t.Error("clear_output does not wait")
	}
	// Any later cell may update what an earlier one shows.
	if got := good(t, c, `UpdateDisplay("bar", 3)`); got.types() != "update_display_data" {
		t.Errorf("update from another cell: %s", got.types())
	}
	if got := good(t, c, `UpdateDisplay("", 3)`); !strings.Contains(got.stream(t, "stderr"), "needs the id") {
		t.Errorf("update of nothing says %q", got.stream(t, "stderr"))
	}
}

func TestPager(t *testing.T) {
	c := goKernel(t).Client
	got := good(t, c, `Page("long text")`)
	if p := got.reply.Payload; len(p) != 1 || p[0]["source"] != "page" || p[0]["start"] != 0.0 || p[0]["data"].(map[string]any)["text/plain"] != "long text" {
		t.Errorf("payload is %v", p)
	}
	if got := good(t, c, `1`); len(got.reply.Payload) != 0 {
		t.Errorf("the next cell has the payload %v", got.reply.Payload)
	}
}

func TestStdin(t *testing.T) {
	c := goKernel(t).Client
	got := good(t, c, `import "fmt"
fmt.Print("who? ")
name := Must(Input("Name: "))
word := Must(Password("Word: "))
name + "/" + word`, "Gopher", "secret")
	if got.value(t) != "Gopher/secret" || got.types() != "stream execute_result" {
		t.Errorf("%s: %v", got.types(), got.value(t))
	}
	if want := []wire.InputContent{{Prompt: "Name: "}, {Prompt: "Word: ", Password: true}}; !slices.Equal(got.asked, want) {
		t.Errorf("asked %+v", got.asked)
	}
	if got := cell(t, c, `Must(Input("anybody? "))`); got.reply.EValue != kernel.ErrNoInput.Error() {
		t.Errorf("without allow_stdin: %+v", got.reply.Failure)
	}
	// A goroutine that outlives its cell has nobody to ask.
	req := wire.NewExecuteContent(`late := make(chan error, 1)
gate := make(chan bool)
go func() { <-gate; _, err := Input("late? "); late <- err }()`)
	req.AllowStdin = true
	execute(t, c, req, nil)
	req.Code = "close(gate)\n(<-late).Error()"
	if got := execute(t, c, req, answers{"x"}); !strings.Contains(got.value(t).(string), "canceled") || len(got.asked) > 0 {
		t.Errorf("late question: %v %v", got.asked, got.value(t))
	}
}

func TestPredeclaredNamesAreTheUsersToo(t *testing.T) {
	c := goKernel(t).Client
	got := good(t, c, `type Page struct{ Title string }
func Input(s string) string { return "my " + s }
func ClearOutput() int { return 1 }
DisplayID := 2
fmtless := Input("own") + Page{"t"}.Title
fmtless`)
	if got.value(t) != "my ownt" {
		t.Errorf("%v", got.value(t))
	}
	if got := good(t, c, `Display(ClearOutput() + DisplayID)`); got.types() != "display_data" {
		t.Errorf("%s", got.types())
	}
}
