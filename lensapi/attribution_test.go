package lens_test

import (
	"context"
	"math"
	"testing"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

func TestAttributionEqualsReference(t *testing.T) {
	eachModel(t, func(t *testing.T, m *lens.Model, name string, ref numpy) {
		for kind, want := range ref.Models[name].Attribution {
			target, opt := lens.LogitOf(ref.A), lens.AttributionOptions{CentredUnembedding: kind == "centred"}
			if kind == "difference" {
				target = lens.DifferenceOf(ref.A, ref.B)
			}
			a, err := m.AttributeIDs(context.Background(), ref.IDs, -1, target, opt)
			if err != nil {
				t.Fatal(err)
			}
			near := func(what string, got, want float64) {
				t.Helper()
				if !(math.Abs(got-want) <= tolerance) {
					t.Errorf("%s: %s %.7f, reference %.7f", kind, what, got, want)
				}
			}
			near("embed", a.Embed, want.Embed)
			near("pos_embed", a.PosEmbed, want.PosEmbed)
			near("bias", a.Bias, want.Bias)
			near("total", a.Total, want.Total)
			near("remainder", a.Remainder, 0)
			near("sum", a.Sum+a.Remainder, a.Total)
			for l := range want.Attn {
				near("attn", a.Attn[l], want.Attn[l])
				near("mlp", a.MLP[l], want.MLP[l])
				near("attn bias", a.AttnBias[l], want.AttnBias[l])
				near("mlp bias", a.MLPBias[l], want.MLPBias[l])
				heads, neurons := a.AttnBias[l], a.MLPBias[l]
				for h := range want.Heads[l] {
					near("head", a.Heads[l][h], want.Heads[l][h])
					heads += a.Heads[l][h]
				}
				if len(a.Neurons[l]) != len(want.Neurons[l]) {
					t.Fatalf("%d neurons, reference %d", len(a.Neurons[l]), len(want.Neurons[l]))
				}
				for i := range want.Neurons[l] {
					near("neuron", a.Neurons[l][i], want.Neurons[l][i])
					neurons += a.Neurons[l][i]
				}
				near("sum of heads", heads, a.Attn[l])
				near("sum of neurons", neurons, a.MLP[l])
			}
			opt.ValueBiasApart = true
			apart, err := m.AttributeIDs(context.Background(), ref.IDs, len(ref.IDs)-1, target, opt)
			if err != nil {
				t.Fatal(err)
			}
			for l := range want.Heads {
				bias := want.AttnBias[l]
				for h := range want.Heads[l] {
					near("head without its value bias", apart.Heads[l][h], want.Heads[l][h]-want.Values[l][h])
					bias += want.Values[l][h]
				}
				near("bias with the value bias", apart.AttnBias[l], bias)
			}
		}
	})
}

// Without the norm the parts sum to the raw lens.
func TestAttributionWithoutNorm(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "gemma2"} {
		m := tiny(t, name)
		ref, err := readReference()
		if err != nil {
			t.Fatal(err)
		}
		a, err := m.AttributeIDs(context.Background(), ref.IDs, 3, lens.LogitOf(ref.A), lens.AttributionOptions{NoNorm: true})
		if err != nil {
			t.Fatal(err)
		}
		tr, err := m.TrackIDs(context.Background(), ref.IDs, []int{ref.A}, lens.LensOptions{Variant: lens.Raw})
		if err != nil {
			t.Fatal(err)
		}
		want := tr.Logit[0][2][3]
		if cap := m.Config().LogitCap; cap > 0 {
			want = cap * math.Atanh(want/cap)
		}
		if math.Abs(a.Total-want) > tolerance || math.Abs(a.Remainder) > tolerance {
			t.Errorf("%s: total %.6f and remainder %g, raw lens %.6f", name, a.Total, a.Remainder, want)
		}
	}
}

func TestAttributionOfTeach(t *testing.T) {
	m := load(t, lens.Embedded)
	ctx := context.Background()
	paris, _ := m.TokenID(" Paris")
	rome, _ := m.TokenID(" Rome")
	a, err := m.Attribute(ctx, "The capital of France is", -1, lens.DifferenceOf(paris, rome), lens.AttributionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := m.Track(ctx, "The capital of France is", []int{paris, rome}, lens.LensOptions{})
	if err != nil {
		t.Fatal(err)
	}
	diff, err := tr.Difference(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(a.Total-diff[6][4]) > tolerance || math.Abs(a.Remainder) > tolerance {
		t.Errorf("total %.6f, remainder %g; the model's own difference is %.6f", a.Total, a.Remainder, diff[6][4])
	}
	if top := a.TopHeads(1)[0]; math.Abs(top.Value) < 0.1 || len(a.TopNeurons(10000)) != 6*384 {
		t.Errorf("first head %+v, %d neurons", top, len(a.TopNeurons(10000)))
	}
	_, err = m.Attribute(ctx, "a", 1, lens.LogitOf(3), lens.AttributionOptions{})
	wantError(t, err, lens.NotFound, "0 to 0")
	_, err = m.Attribute(ctx, "a", 0, lens.DifferenceOf(3, -1), lens.AttributionOptions{})
	wantError(t, err, lens.Invalid, "0 to 1019")
	chat, err := m.NewChat(lens.ChatOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = chat.Attribute(ctx, 0, lens.LogitOf(3), lens.AttributionOptions{})
	wantError(t, err, lens.NotFound, "no tokens yet")
}
