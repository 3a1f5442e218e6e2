package lens

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// answered is what a report of kind chat holds.
type answered struct {
	Model       string    `json:"model"`
	ModelDigest string    `json:"model_digest"`
	IDs         []int     `json:"ids"`     // of the answer
	Logprob     []float64 `json:"logprob"` // of each under the model's own output, nats, before temperature
	Stop        Stop      `json:"stop"`
}

// Report puts an answer of this conversation into a report: what was fed, the sampling with its seed, and the tokens that came with their log-probabilities. The answer
// is computed again for it, without the cache, and must come out as it stands here. An answer that was cut off has none.
func (c *Conversation) Report(ctx context.Context, r *Reply) (*Report, error) {
	_, ids, events := c.snapshot()
	for _, e := range events {
		if e.Kind != eventGenerated || e.Start != r.Start || e.End != r.End || e.End > len(ids) || e.Sampling == nil {
			continue
		}
		rep, err := c.m.Report(ctx, ReportRequest{Kind: "chat", IDs: ids[:e.Start], Sampling: e.Sampling, MaxTokens: e.Max, StopTexts: e.StopTexts})
		if err != nil {
			return nil, err
		}
		var again answered
		if err := json.Unmarshal(rep.Result, &again); err != nil {
			return nil, wrap(Internal, err, "report")
		}
		if !slices.Equal(again.IDs, ids[e.Start:e.End]) {
			return nil, &Error{Code: Internal, Message: "computed again, the answer is another than the cache has: gopherlens cache check looks for damage"}
		}
		return rep, nil
	}
	return nil, notFoundf("positions %d to %d are no complete answer of this conversation", r.Start, r.End-1)
}

// answerAgain samples an answer to a request's ids, without the cache.
func (m *Model) answerAgain(ctx context.Context, req ReportRequest) (*answered, error) {
	if err := m.check(req.IDs); err != nil {
		return nil, err
	}
	sampler, err := forward.NewSampler(*req.Sampling)
	if err != nil {
		return nil, wrap(Invalid, err, "report")
	}
	out := &answered{Model: m.name, ModelDigest: m.digest, IDs: []int{}, Logprob: []float64{}, Stop: StopLength}
	sess, last, err := m.whole(ctx, req.IDs, nil)
	if err != nil {
		return nil, wrap(Unavailable, err, "report")
	}
	ends, watch := m.ends(), newWatch(req.StopTexts)
	for len(out.IDs) < req.MaxTokens && out.Stop == StopLength {
		if sess.Len() == m.cfg.NCtx {
			out.Stop = StopContext
			break
		}
		z, err := m.run.Logits(ctx, last)
		if err != nil {
			return nil, wrap(Unavailable, err, "report")
		}
		id, err := sampler.Next(z)
		if err != nil {
			return nil, wrap(Invalid, err, "report")
		}
		read, err := model.ReadLogits(z, 1, len(z), 1, nil)
		if err != nil {
			return nil, wrap(Invalid, errNotFinite, "report")
		}
		out.IDs, out.Logprob = append(out.IDs, id), append(out.Logprob, float64(z[id])-read[0].LogPartition)
		if slices.Contains(ends, id) {
			out.Stop = StopEnd
		} else if watch.sees(m.tok.Bytes(id)) {
			out.Stop = StopText
		}
		t, err := sess.Extend(ctx, []int{id})
		if err != nil {
			return nil, wrap(Unavailable, err, "report")
		}
		last = t.Last()
	}
	return out, nil
}
