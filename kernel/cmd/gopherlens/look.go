package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/plots"
)

// input is a prompt for a model.
type input struct {
	Model  string  `default:"teach" help:"Model: teach (embedded), or a folder in Hugging Face layout." placeholder:"NAME|DIR"`
	Prompt *string `xor:"in" required:"" help:"Text to read." placeholder:"TEXT"`
	IDs    *string `xor:"in" required:"" name:"ids" help:"Token ids to read, fed as they are." placeholder:"1,2,3"`
	BOS    string  `enum:"auto,yes,no" default:"auto" name:"bos" help:"BOS token before the prompt: auto (as the checkpoint's tokenizer does), yes, no."`

	outputs
}

// outputs say what is written of a result.
type outputs struct {
	JSON bool `name:"json" help:"Print one JSON object (lensapi/API.md) in place of the table."`
	PNG  path `name:"png" help:"Write the picture." placeholder:"FILE"`
}

// reported is a command whose result a report can hold.
type reported struct {
	Report path `help:"Write a report that gopherlens verify can compute again." placeholder:"FILE"`
}

// write writes the report of a request, if one is asked for.
func (r *reported) write(e *env, m *lens.Model, req lens.ReportRequest) error {
	return writeTo(r.Report, func(w io.Writer) error { return report(e, m, req, w) })
}

// result is a value that shows itself.
type result interface {
	fmt.Stringer
	Chart() (*plots.Figure, error)
}

// look loads the model, reads the prompt and shows what f makes of it.
func (in *input) look(e *env, f func(m *lens.Model, ids []int) (result, error)) error {
	m, err := lens.Load(in.Model)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	var ids []int
	if in.IDs != nil {
		if ids, err = parseIDs(*in.IDs); err != nil {
			return usageError{err}
		}
		ids, err = m.WithBOS(ids, lens.BOS(in.BOS))
	} else {
		ids, err = m.PromptIDs(*in.Prompt, lens.BOS(in.BOS))
	}
	if err != nil {
		return usage(err)
	}
	r, err := f(m, ids)
	if err != nil {
		return usage(err)
	}
	return in.show(e, r)
}

// show writes a result as it was asked for.
func (out *outputs) show(e *env, r result) error {
	if out.PNG != "" {
		fig, err := r.Chart()
		if err != nil {
			return err
		}
		png, err := fig.PNG()
		if err != nil {
			return err
		}
		if err := os.WriteFile(string(out.PNG), png, 0o644); err != nil {
			return err
		}
	}
	switch {
	case out.JSON:
		enc := json.NewEncoder(e.stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(r)
	case out.PNG == "":
		_, err := fmt.Fprint(e.stdout, r)
		return err
	}
	return nil
}

// parseToken reads a token: its text, or id: and its number.
func parseToken(m *lens.Model, s string) (int, error) {
	if digits, ok := strings.CutPrefix(s, "id:"); ok {
		id, err := strconv.Atoi(digits)
		if err != nil {
			return 0, usageError{fmt.Errorf("token %q: give id: and a number, or the token's text", s)}
		}
		return id, nil
	}
	return m.TokenID(s)
}

type trackCmd struct {
	input
	reported
	Token   []string `sep:"none" help:"Token to follow, as text (\" Paris\") or id:123; may be repeated. Default: each row's first choice at the last position." placeholder:"TOKEN"`
	Variant string   `default:"normed" help:"Lens variant: normed, raw, scaled."`
	Ranks   bool     `help:"With the rank of each token in each row."`
}

func (c *trackCmd) Run(e *env) error {
	return c.look(e, func(m *lens.Model, ids []int) (result, error) {
		var tokens []int
		for _, s := range c.Token {
			id, err := parseToken(m, s)
			if err != nil {
				return nil, err
			}
			tokens = append(tokens, id)
		}
		t, err := m.TrackIDs(e.ctx, ids, tokens, lens.LensOptions{Variant: lens.Variant(c.Variant), Stats: c.Ranks, BOS: lens.BOSNo})
		if err != nil {
			return nil, err
		}
		for _, tok := range t.Tracked {
			if len(c.Token) == 0 {
				tokens = append(tokens, tok.ID)
			}
		}
		return lastTrack{t}, c.write(e, m, lens.ReportRequest{Kind: "track", IDs: ids, Variant: lens.Variant(c.Variant), Stats: c.Ranks, Tokens: tokens})
	})
}

// lastTrack shows tracks at the last position.
type lastTrack struct{ *lens.Tracks }

func (t lastTrack) Chart() (*plots.Figure, error) { return t.Tracks.Chart(-1) }

type attributeCmd struct {
	input
	reported
	Token     string `required:"" help:"Token whose logit is explained, as text (\" Paris\") or id:123." placeholder:"TOKEN"`
	Against   string `help:"Token whose logit is subtracted." placeholder:"TOKEN"`
	Position  int    `default:"-1" help:"Position; -1 is the last."`
	BiasApart bool   `help:"Count attention's value bias apart from its heads, as TransformerLens does when it folds it."`
	Centred   bool   `help:"Take the mean over the vocabulary out of the unembedding."`
	NoNorm    bool   `help:"Leave the final norm out."`
}

func (c *attributeCmd) Run(e *env) error {
	return c.look(e, func(m *lens.Model, ids []int) (result, error) {
		target, err := parseTarget(m, c.Token, c.Against)
		if err != nil {
			return nil, err
		}
		convention := lens.AttributionOptions{ValueBiasApart: c.BiasApart, CentredUnembedding: c.Centred, NoNorm: c.NoNorm}
		a, err := m.AttributeIDs(e.ctx, ids, c.Position, target, convention)
		if err != nil {
			return nil, err
		}
		return a, c.write(e, m, lens.ReportRequest{Kind: "attribution", IDs: ids, Position: c.Position, Target: &target, Convention: &convention})
	})
}

type attentionCmd struct {
	input
	reported
	Layer    []int  `help:"Layer, may be repeated. Default: all." placeholder:"N"`
	Weighted bool   `help:"With weights times the length of what each value adds (in --json)."`
	Rollout  bool   `help:"Show the attention rollout over all layers (Abnar and Zuidema 2020) in place of each head."`
	Rows     string `enum:"fresh,stored" default:"fresh" help:"fresh: from a pass; stored: from the cache's rows, without one."`
}

func (c *attentionCmd) Run(e *env) error {
	return c.look(e, func(m *lens.Model, ids []int) (result, error) {
		a, err := m.AttentionIDs(e.ctx, ids, lens.AttentionOptions{Layers: c.Layer, Weighted: c.Weighted, Rows: lens.RowSource(c.Rows)})
		if err != nil {
			return nil, err
		}
		if err := c.write(e, m, lens.ReportRequest{Kind: "attention", IDs: ids, Layers: c.Layer, Weighted: c.Weighted}); err != nil || !c.Rollout {
			return a, err
		}
		return a.RolledOut()
	})
}

type headsCmd struct {
	outputs
	Model  string `default:"teach" help:"Model: teach (embedded), or a folder in Hugging Face layout." placeholder:"NAME|DIR"`
	Length int    `default:"0" help:"Random tokens before they are repeated. Default: 32, less where the context is short."`
	Texts  int    `default:"4" help:"Texts to average over, 1 to 100."`
	Seed   uint64 `help:"Seed of the tokens."`
}

func (c *headsCmd) Run(e *env) error {
	m, err := lens.Load(c.Model)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	s, err := m.HeadScores(e.ctx, lens.HeadScoreOptions{Length: c.Length, Texts: c.Texts, Seed: c.Seed})
	if err != nil {
		return usage(err)
	}
	return c.show(e, s)
}

type patchCmd struct {
	outputs
	reported
	Model     string `default:"teach" help:"Model: teach (embedded), or a folder in Hugging Face layout." placeholder:"NAME|DIR"`
	Clean     string `required:"" help:"Prompt whose answer is right." placeholder:"TEXT"`
	Corrupted string `required:"" help:"Prompt with as many tokens whose answer is another." placeholder:"TEXT"`
	Token     string `required:"" help:"Token whose logit is looked at, as text (\" Paris\") or id:123." placeholder:"TOKEN"`
	Against   string `help:"Token whose logit is subtracted." placeholder:"TOKEN"`
	Site      string `default:"resid_pre" help:"What is patched: resid_pre, resid_mid, resid_post, attn_out, mlp_out, q, k, v, z, pattern, pre, post."`
	Heads     bool   `help:"Sweep layers by heads in place of layers by positions."`
	Noising   bool   `help:"Put values of the corrupted run into the clean one, in place of the other way round."`
	Layer     []int  `help:"Layer, may be repeated. Default: all." placeholder:"N"`
	Gradient  bool   `help:"Estimate to first order from one gradient (attribution patching) in place of a run for each cell."`
	Check     int    `default:"0" help:"With --gradient: cells run exactly to tell the error, -1 for all (default 16)."`
	BOS       string `enum:"auto,yes,no" default:"auto" name:"bos" help:"BOS token before the prompts."`
}

func (c *patchCmd) Run(e *env) error {
	if c.Gradient && c.Report != "" {
		return usageError{errors.New("--report is for exact numbers: leave --gradient out")}
	}
	m, err := lens.Load(c.Model)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	target, err := parseTarget(m, c.Token, c.Against)
	if err != nil {
		return usage(err)
	}
	s, err := m.Patch(e.ctx, c.Clean, c.Corrupted, target, lens.PatchOptions{Site: c.Site, ByHead: c.Heads, Noising: c.Noising, Layers: c.Layer, BOS: lens.BOS(c.BOS),
		Gradient: c.Gradient, Check: c.Check, Progress: lens.PrintProgress(e.stderr)})
	if s == nil {
		return usage(err)
	}
	if err == nil {
		err = c.write(e, m, lens.ReportRequest{Kind: "patch", IDs: s.Clean, Corrupted: s.Corrupted, Target: &target, Site: c.Site, ByHead: c.Heads, Noising: c.Noising, Layers: c.Layer})
	}
	return errors.Join(usage(err), c.show(e, s)) // interrupted, it shows the part that is done
}

type fitCmd struct {
	outputs
	Model      string  `default:"teach" help:"Model: teach (embedded), or a folder in Hugging Face layout." placeholder:"NAME|DIR"`
	Text       path    `required:"" help:"File of text to fit on; some thousand tokens at least." placeholder:"FILE"`
	Out        path    `required:"" help:"Where the translators are written (safetensors)." placeholder:"FILE"`
	Steps      int     `default:"300" help:"Steps of the optimizer."`
	Batch      int     `default:"64" help:"Positions of a step."`
	Rate       float64 `default:"0.002" help:"Rate of Adam; it falls linearly to 0."`
	Seed       uint64  `help:"Seed of the order of positions."`
	Checkpoint path    `help:"Where an interrupted fit is kept, to go on from with the same options." placeholder:"FILE"`
	BOS        string  `enum:"auto,yes,no" default:"auto" name:"bos" help:"BOS token before each stretch of text."`
}

// maxText bounds the text of a fit, whose rows are held in memory.
const maxText = 64 << 20

func (c *fitCmd) Run(e *env) error {
	info, err := os.Stat(string(c.Text))
	switch {
	case err != nil:
		return usageError{err}
	case !info.Mode().IsRegular() || info.Size() > maxText:
		return usageError{fmt.Errorf("--text %s: give a regular file of at most %d bytes", c.Text, maxText)}
	}
	text, err := os.ReadFile(string(c.Text))
	if err != nil {
		return err
	}
	m, err := lens.Load(c.Model)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	progress := lens.PrintProgress(e.stderr)
	fit, err := m.FitTunedLens(e.ctx, string(text), lens.FitOptions{Steps: c.Steps, Batch: c.Batch, Rate: c.Rate, Seed: c.Seed, Checkpoint: string(c.Checkpoint), BOS: lens.BOS(c.BOS),
		Progress: func(step, steps int, _ float64, left time.Duration) { progress(step, steps, left) }})
	if err != nil {
		return usage(err)
	}
	if err := fit.Translators.Save(string(c.Out)); err != nil {
		return err
	}
	return c.show(e, fit)
}

// parseTarget reads a target: a token, and one against it or "".
func parseTarget(m *lens.Model, token, against string) (lens.Target, error) {
	if token == "" {
		return lens.Target{}, usageError{errors.New("the token is empty: give its text or id:123")}
	}
	id, err := parseToken(m, token)
	if err != nil || against == "" {
		return lens.LogitOf(id), err
	}
	other, err := parseToken(m, against)
	return lens.DifferenceOf(id, other), err
}
