package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	lens "github.com/gopherlens/gopherlens/lensapi"
	"github.com/gopherlens/gopherlens/plots"
)

type lensCmd struct {
	Model   string  `default:"teach" help:"Model: teach (embedded), or a folder in Hugging Face layout." placeholder:"NAME|DIR"`
	Weights string  `enum:"f16,bf16,int8," default:"" help:"Round the weights to f16, bf16 or int8: an approximation, which the output says (logits move by 0.1, 0.8 or 4 % of their deviation; default: as stored, exactly)." placeholder:"TYPE"`
	Prompt  *string `xor:"in" required:"" help:"Text to read." placeholder:"TEXT"`
	IDs     *string `xor:"in" required:"" name:"ids" help:"Token ids to read, fed as they are." placeholder:"1,2,3"`
	BOS     string  `enum:"auto,yes,no" default:"auto" name:"bos" help:"BOS token before the prompt: auto (as the checkpoint's tokenizer does), yes, no."`
	Top     int     `default:"10" help:"Candidates per cell, 1 to 1000."`
	Variant string  `default:"normed" help:"Lens variant: normed, raw, scaled, tuned, jacobian."`
	Transl  *path   `name:"translators" help:"Translators of a tuned or jacobian lens (lensapi/API.md)." placeholder:"FILE"`
	Stats   bool    `help:"With reverse KL, Jensen-Shannon, total variation, cross-entropy of each cell (in --json)."`
	Mid     bool    `help:"With the rows between attention and MLP."`
	Rows    string  `enum:"fresh,stored" default:"fresh" help:"Rows for what is not recorded: fresh (exact; runs the blocks), stored (float16; from the cache)."`
	Colour  string  `enum:"probability,entropy,kl,rank," default:"" help:"What --png is coloured by: probability (default), entropy, kl, rank." placeholder:"NAME"`

	JSON bool `name:"json" help:"Print one JSON object (lensapi/API.md) in place of the table."`
	PNG  path `name:"png" help:"Write the heatmap." placeholder:"FILE"`
	HTML path `name:"html" help:"Write a self-contained page." placeholder:"FILE"`
	CSV  path `name:"csv" help:"Write a line for each cell." placeholder:"FILE"`
	NPZ  path `name:"npz" help:"Write NumPy arrays." placeholder:"FILE"`

	Parquet path `help:"Write a line for each cell, typed." placeholder:"FILE"`
	Zarr    path `help:"Write the arrays of --npz as a zarr v3 group." placeholder:"DIR"`
	Kit     path `name:"logitlenskit" help:"Write for LogitLensKit (its JSON, version 2)." placeholder:"FILE"`

	Report path `help:"Write a report that gopherlens verify can compute again." placeholder:"FILE"`
}

var scales = map[string]plots.Scale{"": plots.Probability, "probability": plots.Probability, "entropy": plots.Entropy, "kl": plots.KL, "rank": plots.Rank}

func (c *lensCmd) Run(e *env) error {
	if c.Top < 1 {
		return usageError{fmt.Errorf("--top %d: ask for 1 to 1000 candidates per cell", c.Top)}
	}
	if c.Colour != "" && c.PNG == "" {
		return usageError{errors.New("--colour is for the picture: give --png FILE too")}
	}
	load := lens.LoadOptions{Weights: c.Weights}
	if mem, err := lens.Estimate(c.Model, load); err == nil && mem.Weights >= 1e9 {
		fmt.Fprintf(e.stderr, "%s takes %.1f GB of memory\n", c.Model, float64(mem.Weights)/1e9)
	}
	m, err := lens.LoadWith(c.Model, load)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	opt := lens.LensOptions{Variant: lens.Variant(c.Variant), BOS: lens.BOS(c.BOS), Top: c.Top, Stats: c.Stats, Mid: c.Mid, Rows: lens.RowSource(c.Rows)}
	if c.Transl != nil {
		if opt.Translators, err = m.LoadTranslators(string(*c.Transl)); err != nil {
			return usage(err)
		}
	}
	var g *lens.Grid
	if c.IDs != nil {
		ids, err := parseIDs(*c.IDs)
		if err != nil {
			return usageError{err}
		}
		g, err = m.LogitLensIDs(e.ctx, ids, opt)
		if err != nil {
			return usage(err)
		}
	} else if g, err = m.LogitLens(e.ctx, *c.Prompt, opt); err != nil {
		return usage(err)
	}
	if c.PNG != "" {
		fig, err := g.Heatmap(scales[c.Colour])
		if err != nil {
			return err
		}
		png, err := fig.PNG()
		if err != nil {
			return err
		}
		if err := os.WriteFile(string(c.PNG), png, 0o644); err != nil {
			return err
		}
	}
	files, err := c.files(e, m, g, opt)
	if err != nil {
		return usage(err)
	}
	switch {
	case c.JSON:
		enc := json.NewEncoder(e.stdout)
		enc.SetEscapeHTML(false)
		err = enc.Encode(g)
	case c.PNG == "" && files == 0:
		_, err = fmt.Fprint(e.stdout, g)
	}
	return err
}

// files writes what is asked for besides the picture, and says how many files.
func (c *lensCmd) files(e *env, m *lens.Model, g *lens.Grid, opt lens.LensOptions) (n int, err error) {
	kit := func(w io.Writer) error {
		opt.BOS = lens.BOSNo // the ids have it
		k, err := m.LogitLensKitIDs(e.ctx, g.IDs, opt)
		if err != nil {
			return err
		}
		return k.Write(w)
	}
	for _, f := range []struct {
		path  path
		write func(io.Writer) error
	}{{c.HTML, g.HTML}, {c.CSV, g.CSV}, {c.NPZ, g.NPZ}, {c.Parquet, g.Parquet}, {c.Kit, kit}, {c.Report, func(w io.Writer) error {
		return report(e, m, lens.ReportRequest{Kind: "lens", IDs: g.IDs, Variant: lens.Variant(c.Variant), Lens: opt.Translators, Top: c.Top, Stats: c.Stats, Mid: c.Mid}, w)
	}}} {
		if f.path == "" {
			continue
		}
		n++
		if err := writeTo(f.path, f.write); err != nil {
			return n, err
		}
	}
	if c.Zarr == "" {
		return n, nil
	}
	return n + 1, g.Zarr(string(c.Zarr))
}

// report writes a report of a result that is computed again for it, without the cache.
func report(e *env, m *lens.Model, req lens.ReportRequest, w io.Writer) error {
	r, err := m.Report(e.ctx, req)
	if err != nil {
		return err
	}
	return r.Write(w)
}

// writeTo writes a file, or nothing for "".
func writeTo(path path, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	return os.WriteFile(string(path), b.Bytes(), 0o644)
}

type verifyCmd struct {
	File   path    `arg:"" help:"Report, as --report writes it."`
	Transl *path   `name:"translators" help:"Translators of a tuned or jacobian lens, which the report names." placeholder:"FILE"`
	Model  *string `help:"Model that it was made with: teach (embedded), or a folder. Default: the report's, if it is the embedded one." placeholder:"NAME|DIR"`
}

func (c *verifyCmd) Run(e *env) error {
	f, err := os.Open(string(c.File))
	if err != nil {
		return usageError{err}
	}
	defer f.Close()
	r, err := lens.ReadReport(f)
	if err != nil {
		return usage(err)
	}
	name := r.Model
	if c.Model != nil {
		name = *c.Model
	} else if name != lens.Embedded {
		return usageError{fmt.Errorf("the report is of model %s: name its folder with --model", name)}
	}
	m, err := lens.Load(name)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	if c.Transl != nil {
		if r.Request.Lens, err = m.LoadTranslators(string(*c.Transl)); err != nil {
			return usage(err)
		}
	}
	v, err := m.Verify(e.ctx, r)
	if err != nil {
		return usage(err)
	}
	fmt.Fprint(e.stdout, v)
	if !v.Equal {
		return errors.New("the report does not hold")
	}
	return nil
}

// usage marks errors of the request as errors of the arguments.
func usage(err error) error {
	var l *lens.Error
	if errors.As(err, &l) && (l.Code == lens.Invalid || l.Code == lens.NotFound) {
		return usageError{err}
	}
	return err
}

func parseIDs(s string) ([]int, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil // an empty prompt: the lens says so
	}
	var ids []int
	for _, f := range strings.Split(s, ",") {
		id, err := strconv.Atoi(strings.TrimSpace(f))
		if err != nil {
			return nil, fmt.Errorf("--ids: %q is not a token id: give whole numbers with commas between them, such as 464,3290", f)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
