package lens

import (
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

func drawRecord(t *rapid.T) record {
	score1 := rapid.Custom(func(t *rapid.T) score {
		return score{rapid.Float64().Draw(t, "logprob"), int(rapid.Uint32().Draw(t, "rank"))}
	})
	n, k := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 12).Draw(t, "k")
	var r record
	for range n {
		w := row{rapid.Float64().Draw(t, "entropy"), rapid.Float64().Draw(t, "kl"), rapid.Float64().Draw(t, "lse"), nil, score1.Draw(t, "answer")}
		for range k {
			w.top = append(w.top, hit{rapid.IntRange(0, 99).Draw(t, "id"), rapid.Float32().Draw(t, "logit")})
		}
		r.rows = append(r.rows, w)
	}
	if rapid.Bool().Draw(t, "scored") {
		r.self = rapid.SliceOfN(score1, n, n).Draw(t, "self")
	}
	return r
}

func TestRecordRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecord(t)
		got, err := decodeRecord(r.encode(), len(r.rows), 100)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Fatalf("%v\nread back as %v (%v)", r, got, err)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte{})
	f.Add(record{rows: []row{{top: []hit{{1, 2}}}}, self: []score{{-1, 3}}}.encode())
	f.Add(record{rows: []row{{top: []hit{{1, 2}}}, {top: []hit{{9, -2}}}}}.encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, rows := range []int{1, 2, 7} {
			r, err := decodeRecord(b, rows, 100)
			if err != nil {
				continue
			}
			if again := r.encode(); string(again) != string(b) {
				t.Fatalf("%x was accepted and is written as %x", b, again)
			}
		}
	})
}

// lensRows are the rows of the logits [n, d_vocab] of one position.
func lensRows(logits []float32, n, k int) ([]row, error) {
	reads, err := model.ReadLogits(logits, n, len(logits)/n, k, nil)
	if err != nil {
		return nil, err
	}
	return rowsOf(reads), nil
}

// TestLensRowsEqualDefinitions compares rows with the plain definitions, each computed the long way round.
func TestLensRowsEqualDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, v := rapid.IntRange(1, 4).Draw(t, "rows"), rapid.IntRange(1, 30).Draw(t, "vocab")
		k := rapid.IntRange(1, 35).Draw(t, "k")
		// Few distinct values, so that ties are common.
		z := rapid.SliceOfN(rapid.Map(rapid.IntRange(-40, 40), func(i int) float32 { return float32(i) / 2 }), n*v, n*v).Draw(t, "logits")
		rows, err := lensRows(z, n, k)
		if err != nil {
			t.Fatal(err)
		}
		logp := make([][]float64, n)
		for i := range logp {
			var sum float64
			for _, x := range z[i*v : (i+1)*v] {
				sum += math.Exp(float64(x))
			}
			for _, x := range z[i*v : (i+1)*v] {
				logp[i] = append(logp[i], float64(x)-math.Log(sum))
			}
		}
		near := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-9 {
				t.Fatalf("%s %.12f, want %.12f", what, got, want)
			}
		}
		for i, r := range rows {
			var entropy, kl float64
			for j := range v {
				entropy -= math.Exp(logp[i][j]) * logp[i][j]
				kl += math.Exp(logp[n-1][j]) * (logp[n-1][j] - logp[i][j])
			}
			near("entropy", r.entropy, entropy)
			near("kl", r.kl, kl)
			if len(r.top) != min(k, v) {
				t.Fatalf("%d candidates of %d asked and %d there", len(r.top), k, v)
			}
			taken := map[int]bool{}
			for j, h := range r.top {
				near("logprob", float64(h.logit)-r.logPartition, logp[i][h.id])
				if taken[h.id] {
					t.Fatalf("id %d comes twice", h.id)
				}
				taken[h.id] = true
				for id := range v { // nothing left out is better, and ties go to the lower id
					x := z[i*v+id]
					if !taken[id] && (x > h.logit || x == h.logit && id < h.id) {
						t.Fatalf("candidate %d is id %d, but id %d comes first", j, h.id, id)
					}
				}
			}
			next := rapid.IntRange(0, v-1).Draw(t, "next")
			s := scoreNext(z, rows, next)[i]
			rank := 1
			for _, x := range logp[i] {
				if x > logp[i][next] {
					rank++
				}
			}
			near("next", s.logprob, logp[i][next])
			if s.rank != rank {
				t.Fatalf("rank %d, want %d", s.rank, rank)
			}
		}
		if rows[n-1].kl != 0 {
			t.Fatal("the model against itself is not exactly 0")
		}
	})
}

func TestNotFiniteLogitsAreAnError(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for at := range 4 {
			z := []float32{1, 2, 3, 4}
			z[at] = float32(bad)
			if rows, err := lensRows(z, 2, 2); err == nil {
				t.Errorf("logits %v gave %v and no error", z, rows)
			}
		}
	}
}
