package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/gopherlens/gopherlens/lensapi/forward"
	"github.com/gopherlens/gopherlens/lensapi/model"
)

// serve runs one round for each line read, so that a program beside can alternate it with peers (make bench-peers): a prompt of 100 tokens with the logits
// of its last row, then 50 tokens at position 100 with their logits, then as many with the lens of all their rows. All in milliseconds.
func (b *bench) serve(m *model.Model, in io.Reader, out io.Writer) error {
	r := forward.New(m)
	r.Keep(0)
	round := func() (map[string]float64, error) {
		const prompt, tokens = 100, 50
		s := r.NewSession()
		times := map[string]float64{}
		start := time.Now()
		t, err := s.Extend(b.ctx, b.ids(m.Config(), prompt))
		if err == nil {
			_, err = r.Logits(b.ctx, t.Last())
		}
		if err != nil {
			return nil, err
		}
		times["prefill_ms"] = ms(start)
		for i, id := range b.ids(m.Config(), tokens) {
			for _, lens := range []bool{false, true} {
				start := time.Now()
				t, err := s.Extend(b.ctx, []int{id})
				if err != nil {
					return nil, err
				}
				name := "decode"
				if lens {
					name = "decode_lens"
					_, err = r.Read(b.ctx, t.Resid[t.DModel:], 10)
				} else {
					_, err = r.Logits(b.ctx, t.Last())
				}
				took := ms(start)
				if err != nil {
					return nil, err
				}
				times[name+"_mean_ms"] += took / tokens
				if best, ok := times[name+"_best_ms"]; i == 0 || !ok || took < best {
					times[name+"_best_ms"] = took
				}
				if err := s.Truncate(prompt); err != nil {
					return nil, err
				}
			}
		}
		return times, nil
	}
	if _, err := round(); err != nil { // caches are cold
		return err
	}
	fmt.Fprintln(out, "ready")
	enc := json.NewEncoder(out)
	for lines := bufio.NewScanner(in); lines.Scan(); {
		times, err := round()
		if err != nil {
			return err
		}
		if err := enc.Encode(times); err != nil {
			return err
		}
	}
	return nil
}

func ms(start time.Time) float64 { return time.Since(start).Seconds() * 1e3 }
