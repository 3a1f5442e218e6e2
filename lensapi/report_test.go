package lens_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// Every kind of report is verified by another model of the same files with an empty cache, and a number that is changed is found.
func TestReportsVerify(t *testing.T) {
	ref, err := readReference()
	if err != nil {
		t.Fatal(err)
	}
	m, again := tiny(t, "gemma2"), tiny(t, "gemma2")
	ctx := context.Background()
	target := lens.DifferenceOf(ref.A, ref.B)
	for _, req := range []lens.ReportRequest{
		{Kind: "lens", IDs: ref.IDs, Stats: true, Top: 2},
		{Kind: "lens", IDs: ref.IDs, Variant: lens.Raw, Mid: true},
		{Kind: "track", IDs: ref.IDs, Tokens: []int{1, 2}},
		{Kind: "attribution", IDs: ref.IDs, Target: &target, Position: 3, Convention: &lens.AttributionOptions{ValueBiasApart: true}},
		{Kind: "attention", IDs: ref.IDs, Layers: []int{1}, Weighted: true},
		{Kind: "patch", IDs: ref.IDs, Corrupted: ref.Other, Target: &target, Site: "z", ByHead: true},
	} {
		r, err := m.Report(ctx, req)
		if err != nil {
			t.Fatalf("%s: %v", req.Kind, err)
		}
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		read, err := lens.ReadReport(&b)
		if err != nil {
			t.Fatalf("%s: %v", req.Kind, err)
		}
		v, err := again.Verify(ctx, read)
		if err != nil || !v.Equal || v.First != "" || !strings.HasPrefix(v.String(), "equal to the bit") {
			t.Errorf("%s: %v, %v", req.Kind, v, err)
		}
		// A changed digit is noticed when the report is read, and found when its digest was changed as well.
		at := strings.LastIndex(text, "0.") + 3
		changed := text[:at] + string('0'+(text[at]-'0'+1)%10) + text[at+1:]
		if _, err := lens.ReadReport(strings.NewReader(changed)); err == nil || !strings.Contains(err.Error(), "was changed") {
			t.Errorf("%s: a changed report is read: %v", req.Kind, err)
		}
		var forged lens.Report
		if err := json.Unmarshal([]byte(changed), &forged); err != nil {
			t.Fatalf("%s: %v", req.Kind, err)
		}
		v, err = again.Verify(ctx, &forged)
		if err != nil || v.Equal || !strings.Contains(v.First, "result.") || !strings.Contains(v.First, " in the report, ") {
			t.Errorf("%s: a forged report gives %+v, %v", req.Kind, v, err)
		}
	}
}

func TestReportsRefuse(t *testing.T) {
	m := tiny(t, "gpt2")
	ctx := context.Background()
	for says, req := range map[string]lens.ReportRequest{
		"use lens, track": {Kind: "soul", IDs: []int{1}},
		"no site":         {Kind: "lens", IDs: []int{1}, Site: "z"},
		"needs a target":  {Kind: "patch", IDs: []int{1}},
		"needs tokens":    {Kind: "track", IDs: []int{1}},
		"translators":     {Kind: "lens", IDs: []int{1}, Variant: lens.Tuned},
		"its sampling":    {Kind: "chat", IDs: []int{1}},
		"prompt is empty": {Kind: "lens"},
	} {
		_, err := m.Report(ctx, req)
		wantError(t, err, lens.Invalid, says)
	}
	r, err := m.Report(ctx, lens.ReportRequest{Kind: "lens", IDs: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = tiny(t, "llama").Verify(ctx, r)
	wantError(t, err, lens.Invalid, "load the one it was made with")
	_, err = lens.ReadReport(strings.NewReader("{}"))
	wantError(t, err, lens.Invalid, "format 0")
	_, err = lens.ReadReport(strings.NewReader("soul"))
	wantError(t, err, lens.Invalid, "not a report")
}

// Numbers of reports have the same digests on every architecture. These are of amd64 and say nothing of right or wrong, which the reference does; .ci/run compares on arm64.
func TestSameBitsEverywhere(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	ids, err := m.Encode("The capital of France is")
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.Encode("The capital of Italy is")
	if err != nil {
		t.Fatal(err)
	}
	target := lens.DifferenceOf(ids[3], other[3])
	for want, req := range map[string]lens.ReportRequest{
		"39be0ffc6107146a": {Kind: "lens", IDs: ids, Stats: true, Mid: true, Variant: lens.Raw},
		"09920b461591c133": {Kind: "lens", IDs: ids, Stats: true, Variant: lens.Scaled},
		"a3a83767eea37615": {Kind: "attribution", IDs: ids, Position: 4, Target: &target},
		"7153d418d274f8a9": {Kind: "attention", IDs: ids, Weighted: true},
		"f9869b52262723be": {Kind: "patch", IDs: ids, Corrupted: other, Target: &target, Site: "z", ByHead: true},
		"7a425c28fb34d6fd": {Kind: "chat", IDs: ids, Sampling: &lens.Sampling{Temperature: 1.3, TopP: 0.95, Seed: 3}, MaxTokens: 20},
	} {
		r, err := m.Report(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Numbers[:16]; got != want {
			t.Errorf("%s %q: %s, on amd64 %s", req.Kind, req.Variant, got, want)
		}
	}
}

// An answer is reported with its seed, and comes out again.
func TestAnswerReports(t *testing.T) {
	m, again := load(t, lens.Embedded), load(t, lens.Embedded)
	ctx := context.Background()
	c, err := m.NewChat(lens.ChatOptions{Sampling: lens.Sampling{Temperature: 1, TopK: 40, Seed: 7}, MaxTokens: 12})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"What is the capital of France?", "And its currency?"} {
		reply, err := c.Say(ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Report(ctx, reply)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := r.Write(&b); err != nil {
			t.Fatal(err)
		}
		read, err := lens.ReadReport(&b)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := again.Verify(ctx, read); err != nil || !v.Equal {
			t.Errorf("%v, %v", v, err)
		}
		grid, err := c.Grid(reply.Start-1, reply.End)
		if err != nil {
			t.Fatal(err)
		}
		var result struct {
			IDs     []int
			Logprob []float64
			Stop    lens.Stop
		}
		if err := json.Unmarshal(r.Result, &result); err != nil || !equal(result.IDs, grid.IDs[1:]) || result.Stop != reply.Stop {
			t.Fatalf("%+v, %v; the conversation has %v", result, err, grid.IDs[1:])
		}
		for i, p := range result.Logprob {
			if next := grid.Cells[len(grid.Rows)-1][i].Next; next.Logprob != p {
				t.Errorf("token %d of the answer: log-probability %v, the lens has %v", i, p, next.Logprob)
			}
		}
	}
	_, err = c.Report(ctx, &lens.Reply{Start: 1, End: 3})
	wantError(t, err, lens.NotFound, "no complete answer")
}

// A report of a tuned lens names its translators, and is verified with them alone.
func TestTunedReports(t *testing.T) {
	m := tiny(t, "gpt2")
	ctx := context.Background()
	tr, err := m.LoadTranslators(translatorFile(t, m, lens.Tuned, m.HeadDigest(), false))
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.LoadTranslators(translatorFile(t, m, lens.Jacobian, m.HeadDigest(), false))
	if err != nil {
		t.Fatal(err)
	}
	r, err := m.Report(ctx, lens.ReportRequest{Kind: "lens", IDs: []int{1, 2, 3}, Variant: lens.Tuned, Lens: tr})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	read, err := lens.ReadReport(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Verify(ctx, read)
	wantError(t, err, lens.Invalid, "translators")
	read.Request.Lens = other
	_, err = m.Verify(ctx, read)
	wantError(t, err, lens.Invalid, "the report is of translators")
	read.Request.Lens = tr
	if v, err := m.Verify(ctx, read); err != nil || !v.Equal {
		t.Errorf("%v, %v", v, err)
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"format":1,"request":{"kind":"lens","ids":[1]},"numbers_digest":"","result":{}}`))
	f.Add([]byte(`{"format":1,"request":{"kind":"patch","ids":[1],"target":null}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := lens.ReadReport(bytes.NewReader(b))
		if err == nil && r.Format != 1 {
			t.Fatalf("format %d was read", r.Format)
		}
	})
}
