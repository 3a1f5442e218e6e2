package lens

import (
	"slices"

	"github.com/gopherlens/gopherlens/lensapi/model"
)

// Variant names what is done to a residual row before it is unembedded. Tools call different things "logit lens"; here it is always said which, in the value,
// its JSON form and its caption.
type Variant string

// The variants. x is a row of the residual stream at one position, x_last the last row there; W_U the unembedding, with any soft cap after it.
const (
	// Normed is W_U norm_final(x), the norm recomputed on each row: the lens of nostalgebraist (2020) and of the tuned-lens library.
	Normed Variant = "normed"
	// Raw is W_U x, without the final norm: the lens of ecco. Its last row is not the model's output.
	Raw Variant = "raw"
	// Scaled is W_U norm_final(x) with the scale of x_last in place of x's own, which makes it linear in x: right for attribution, wrong for distributions,
	// which come out too flat in early rows. It is what TransformerLens's accumulated_resid(apply_ln=True) gave up to version 2.
	Scaled Variant = "scaled"
	// Tuned is W_U norm_final(x + A_row x + b_row), the tuned lens of Belrose et al. (2023); the last row stays as it is.
	Tuned Variant = "tuned"
	// Jacobian is W_U norm_final(J_row x), one matrix per row; the last row stays as it is.
	Jacobian Variant = "jacobian"
)

// Variants lists them.
func Variants() []Variant { return []Variant{Normed, Raw, Scaled, Tuned, Jacobian} }

func (v Variant) check(tr *Translators) error {
	switch {
	case !slices.Contains(Variants(), v):
		return invalidf("lens variant %q is not known: use one of %v", v, Variants())
	case (v == Tuned || v == Jacobian) && tr == nil:
		return invalidf("the %s lens needs translators: load them with LoadTranslators, or fit them with FitTunedLens", v)
	case (v == Tuned || v == Jacobian) && tr.Kind != v:
		return invalidf("these translators are of a %s lens, not of a %s one", tr.Kind, v)
	case v != Tuned && v != Jacobian && tr != nil:
		return invalidf("the %s lens has no translators: leave them out, or choose %s", v, tr.Kind)
	}
	return nil
}

// A reader turns residual rows of one position into what the unembedding reads.
type reader struct {
	m       *Model
	variant Variant
	tr      *Translators
	rows    []string
}

// normalized applies the variant to rows [n, d_model] of one position, the last of which is the last row of the model.
func (r reader) normalized(x []float32) model.Normalized {
	mod, d := r.m.run.Model(), r.m.cfg.DModel
	switch r.variant {
	case Raw:
		return model.Unnormalized(x)
	case Scaled:
		return mod.NormalizeBy(x, x[len(x)-d:])
	case Tuned, Jacobian:
		x = r.tr.apply(x, r.rows)
	}
	return mod.Normalize(x)
}

// batch is what the unembedding reads of some positions x [positions, rows, d_model]: y [positions, per, d_model], per position its rows and behind them, where
// the variant changes the last one too, the model's own output, against which divergences are taken.
func (r reader) batch(x []float32) (y model.Normalized, per int) {
	d := r.m.cfg.DModel
	n := len(r.rows) * d
	var data []float32
	for ; len(x) > 0; x = x[n:] {
		data = append(data, r.normalized(x[:n]).Data()...)
		if r.variant == Raw {
			data = append(data, r.m.run.Model().Normalize(x[n-d:n]).Data()...)
		}
	}
	per = len(r.rows)
	if r.variant == Raw {
		per++
	}
	return model.Unnormalized(data), per // they are normalized already
}
