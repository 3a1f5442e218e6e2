package notebook_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopherlens/gopherlens/kernel/notebook"
)

// script is an Executor that plays outputs by the text of the cell.
type script struct {
	count int
	outs  map[string][]notebook.Output
	fail  map[string]notebook.Result
	err   error // of the Executor, for cells in neither
	late  func(notebook.Output)
}

func (s *script) Execute(ctx context.Context, code string, output func(notebook.Output)) (notebook.Result, error) {
	s.count++
	s.late = output
	if code == "hang" {
		<-ctx.Done()
		return notebook.Result{ExecutionCount: s.count}, ctx.Err()
	}
	outs, known := s.outs[code]
	done := make(chan bool)
	go func() { // as a client's reading goroutine does
		defer close(done)
		for _, o := range outs {
			output(o)
		}
	}()
	<-done
	r, failed := s.fail[code]
	r.ExecutionCount, r.Failed = s.count, failed
	if !known && !failed {
		return r, s.err
	}
	return r, nil
}

func stream(name, text string) notebook.Output {
	return notebook.Output{Type: notebook.Stream, Name: name, Text: text}
}

func display(t notebook.OutputType, id, text string) notebook.Output {
	o := notebook.Output{Type: t, DisplayID: id}
	if err := o.Data.Set("text/plain", text); err != nil {
		panic(err)
	}
	return o
}

func code(src string, tags ...string) *notebook.Cell {
	c := &notebook.Cell{Type: notebook.Code, Source: src, ExecutionCount: 77, Outputs: []notebook.Output{stream("stdout", "old")}}
	if tags != nil {
		if err := c.Metadata.Set("tags", tags); err != nil {
			panic(err)
		}
	}
	return c
}

func texts(c *notebook.Cell) []string {
	var got []string
	for _, o := range c.Outputs {
		switch o.Type {
		case notebook.Stream:
			got = append(got, o.Name+":"+o.Text)
		case notebook.Error:
			got = append(got, "error:"+o.ErrName)
		default:
			text, _ := o.Data.Text("text/plain")
			got = append(got, text)
		}
	}
	return got
}

func TestRunOutputs(t *testing.T) {
	show, update, clear := notebook.DisplayData, notebook.UpdateDisplayData, notebook.ClearOutput
	ex := &script{outs: map[string][]notebook.Output{
		"merge": {stream("stdout", "a"), stream("stdout", "b\n"), stream("stderr", "e"), stream("stdout", "c"), display(show, "", "d"), stream("stdout", "f")},
		"show":  {display(show, "p", "0%"), display(show, "q", "keep"), display(update, "p", "50%")},
		"later": {display(update, "p", "100%"), display(update, "nobody", "x"), stream("stdout", "done")},
		"clear": {stream("stdout", "1"), {Type: clear}, stream("stdout", "2"), {Type: clear, Wait: true}, stream("stdout", "3")},
		"wait":  {stream("stdout", "stays"), {Type: clear, Wait: true}},
	}}
	nb := &notebook.Notebook{Cells: []*notebook.Cell{
		{Type: notebook.Markdown, Source: "merge"}, code("merge"), code("show"), code("later"), code("clear"), code("wait"), code(" \n"),
	}}
	nb.Cells[1].Metadata.Set("execution", map[string]string{"iopub.status.busy": "2020-01-01T00:00:00Z"})
	if err := nb.Run(t.Context(), ex, notebook.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]string{
		1: {"stdout:ab\n", "stderr:e", "stdout:c", "d", "stdout:f"},
		2: {"100%", "keep"},
		3: {"stdout:done"},
		4: {"stdout:3"},
		5: {"stdout:stays"},
		6: nil,
	} {
		if got := texts(nb.Cells[i]); !reflect.DeepEqual(got, want) {
			t.Errorf("cell %d: %q, want %q", i, got, want)
		}
	}
	if nb.Cells[1].ExecutionCount != 1 || nb.Cells[5].ExecutionCount != 5 || nb.Cells[6].ExecutionCount != 0 {
		t.Errorf("execution counts %d %d %d", nb.Cells[1].ExecutionCount, nb.Cells[5].ExecutionCount, nb.Cells[6].ExecutionCount)
	}
	first := write(t, nb)
	if strings.Contains(first, "iopub") {
		t.Error("time stamps stayed")
	}
	ex.late(stream("stdout", "too late"))
	ex.count = 0
	if err := nb.Run(t.Context(), ex, notebook.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if second := write(t, nb); second != first {
		t.Errorf("a second run gave another file: %s", firstDiff(second, first))
	}
}

func TestRunErrors(t *testing.T) {
	boom := notebook.Result{Name: "panic", Message: "index 3\nmore", Line: 2}
	ex := func() *script {
		return &script{
			outs: map[string][]notebook.Output{"ok": nil, "bad": {{Type: notebook.Error, ErrName: "panic"}}},
			fail: map[string]notebook.Result{"bad": boom, "mute": boom},
		}
	}
	nb := &notebook.Notebook{Cells: []*notebook.Cell{
		{Type: notebook.Markdown}, code("ok"), code("bad", notebook.TagRaisesException), code("skipped", notebook.TagSkipExecution), code("mute"), code("ok"),
	}}
	var events []notebook.CellEvent
	err := nb.Run(t.Context(), ex(), notebook.RunOptions{Progress: func(ev notebook.CellEvent) { events = append(events, ev) }})
	var ce *notebook.CellError
	if !errors.As(err, &ce) || ce.Cell != 4 || ce.Index != 4 || ce.Line != 2 || ce.Name != "panic" || ce.Err != nil {
		t.Fatalf("error %#v", err)
	}
	if got, want := err.Error(), "cell 4, line 2: panic: index 3"; got != want {
		t.Errorf("says %q, want %q", got, want)
	}
	for i, want := range [][]string{2: {"error:panic"}, 3: {"stdout:old"}, 4: {"error:panic"}, 5: nil} {
		if got := texts(nb.Cells[i]); i > 1 && !reflect.DeepEqual(got, want) {
			t.Errorf("cell %d: %q, want %q", i, got, want)
		}
	}
	if len(events) != 8 || events[0].Cells != 5 || events[0].Done || events[3].Err == nil || !events[5].Skipped || events[7].Err != ce {
		t.Errorf("events %+v", events)
	}
	if err := nb.Run(t.Context(), ex(), notebook.RunOptions{AllowErrors: true}); err != nil {
		t.Errorf("errors allowed, but %v", err)
	}
	if nb.Cells[5].ExecutionCount != 4 {
		t.Errorf("last cell has count %d", nb.Cells[5].ExecutionCount)
	}
}

func TestRunEnds(t *testing.T) {
	nb := &notebook.Notebook{Cells: []*notebook.Cell{code("hang"), code("ok")}}
	err := nb.Run(t.Context(), &script{}, notebook.RunOptions{Timeout: 10 * time.Millisecond, AllowErrors: true})
	var ce *notebook.CellError
	if !errors.As(err, &ce) || ce.Name != "Timeout" || !errors.Is(err, context.DeadlineExceeded) || ce.Cell != 1 {
		t.Errorf("timeout: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err = nb.Run(ctx, &script{}, notebook.RunOptions{AllowErrors: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	lost := errors.New("connection lost")
	nb.Cells = nb.Cells[1:]
	if err = nb.Run(t.Context(), &script{err: lost}, notebook.RunOptions{AllowErrors: true}); !errors.Is(err, lost) {
		t.Errorf("lost kernel: %v", err)
	}
}

// flood reports outputs without end until it is told to stop.
type flood struct{}

func (flood) Execute(ctx context.Context, _ string, output func(notebook.Output)) (notebook.Result, error) {
	piece := stream("stdout", strings.Repeat("x", 1000))
	for ctx.Err() == nil {
		output(piece)
	}
	return notebook.Result{}, ctx.Err()
}

func TestRunTooMuchOutput(t *testing.T) {
	nb := &notebook.Notebook{Cells: []*notebook.Cell{code("flood")}}
	if err := nb.RunLimited(t.Context(), flood{}, 10_500); !errors.Is(err, notebook.ErrOutputTooLarge) {
		t.Errorf("got %v", err)
	}
	if n := len(nb.Cells[0].Outputs[0].Text); n != 10_000 {
		t.Errorf("kept %d bytes, want the 10 pieces that fit", n)
	}
}

// echo runs a cell by handing "late" to the outputs of all cells before it.
type echo struct{ outputs []func(notebook.Output) }

func (e *echo) Execute(_ context.Context, code string, output func(notebook.Output)) (notebook.Result, error) {
	output(stream("stdout", code))
	for _, earlier := range e.outputs {
		earlier(stream("stdout", "+late"))
	}
	e.outputs = append(e.outputs, output)
	return notebook.Result{}, nil
}

// TestLateOutput: what comes for a cell that has ended is that cell's.
func TestLateOutput(t *testing.T) {
	nb := &notebook.Notebook{Cells: []*notebook.Cell{code("a"), code("b"), code("c")}}
	if err := nb.Run(t.Context(), &echo{}, notebook.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"stdout:a+late+late", "stdout:b+late", "stdout:c"} {
		if got := texts(nb.Cells[i]); !slices.Equal(got, []string{want}) {
			t.Errorf("cell %d: %q, want %q", i, got, want)
		}
	}
}
