package main

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBench: the shape of --json is a promise, and so are the names of the rows. What is measured is not looked at but for sense.
func TestBench(t *testing.T) {
	code, out, errs := gopherlens(t, "bench", "--shape", "teach", "--weights", "bf16", "--time", "1ms", "--json")
	if code != exitOK {
		t.Fatalf("status %d, %s", code, errs)
	}
	var got struct {
		Machine struct {
			CPU       string  `json:"cpu"`
			Cores     int     `json:"cores"`
			FMAGflops float64 `json:"fma_gflops"`
			Sustained float64 `json:"fma_gflops_sustained"`
			ReadGBps  float64 `json:"read_gbps"`
		} `json:"machine"`
		Rows []struct {
			Name   string  `json:"name"`
			Min    float64 `json:"seconds_min"`
			Median float64 `json:"seconds_median"`
			Share  float64 `json:"share_of_limit"`
			Flops  float64 `json:"flops"`
			Bytes  float64 `json:"bytes"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if m := got.Machine; m.CPU == "" || m.Cores < 1 || m.FMAGflops < 0.01 || m.FMAGflops > 1e6 || m.Sustained < 0.01 || m.Sustained > 1e6 || m.ReadGBps < 0.01 || m.ReadGBps > 1e5 {
		t.Errorf("machine %+v", m)
	}
	var names []string
	for _, r := range got.Rows {
		names = append(names, r.Name)
		if !(r.Min > 0 && r.Min <= r.Median && r.Share > 0 && r.Flops > 0 && r.Bytes > 0) {
			t.Errorf("row %+v", r)
		}
		if !strings.Contains(errs, r.Name+"\n") {
			t.Errorf("no progress of %s in %s", r.Name, errs)
		}
	}
	for _, want := range []string{"prefill-100", "decode-100", "lens-token", "lens-6x100"} {
		if !slices.Contains(names, want) {
			t.Errorf("no %s among %v", want, names)
		}
	}
	if !strings.HasPrefix(names[0], "gemm-") || !strings.HasSuffix(names[0], "-m128") {
		t.Errorf("the first row is %s", names[0])
	}
	for args, want := range map[string]string{
		"--model nowhere":            "nowhere",
		"--shape gpt5":               "must be one of",
		"--weights f8":               "must be one of",
		"--model . --shape llama-7b": "cannot be used together",
	} {
		if code, _, errs := gopherlens(t, append([]string{"bench"}, strings.Fields(args)...)...); code != exitUsage || !strings.Contains(errs, want) {
			t.Errorf("%s: status %d, %s", args, code, errs)
		}
	}
}

// TestBenchRow: a row is repeated until its time is used up, and ends.
func TestBenchRow(t *testing.T) {
	b := &bench{progress: io.Discard, budget: time.Millisecond}
	calls := 0
	if err := b.row("short", 1, 1, func() (time.Duration, error) { calls++; return time.Microsecond, nil }); err != nil {
		t.Fatal(err)
	}
	if err := b.row("long", 1, 1, func() (time.Duration, error) { return time.Second, nil }); err != nil {
		t.Fatal(err)
	}
	if short, long := b.Rows[0], b.Rows[1]; short.Repeats < 2 || short.Repeats != calls-1 || long.Repeats != 1 {
		t.Errorf("%d calls, %+v, %+v", calls, short, long)
	}
}

func TestBenchTable(t *testing.T) {
	code, out, errs := gopherlens(t, "bench", "--shape", "teach", "--time", "1ms")
	if code != exitOK {
		t.Fatalf("status %d, %s", code, errs)
	}
	for _, want := range []string{"GFLOPS of fused multiply-adds", "GB/s read", "teach, weights as stored, loaded in", "min ms", "of limit", "decode-100", "lens-6x100"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
