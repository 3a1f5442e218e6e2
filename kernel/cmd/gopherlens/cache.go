package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/gopherlens/gopherlens/cache"
	lens "github.com/gopherlens/gopherlens/lensapi"
)

type cacheCmd struct {
	Status   cacheStatusCmd   `cmd:"" help:"Say what the cache holds and how it fares."`
	List     cacheListCmd     `cmd:"" help:"List the conversations, the most recently written first."`
	Check    checkCmd         `cmd:"" help:"Read the whole cache and say what is wrong with it, with file and offset."`
	Gc       cacheGcCmd       `cmd:"" help:"Remove rows that no conversation names, and unfinished files."`
	Rm       cacheRmCmd       `cmd:"" help:"Delete conversations."`
	Export   cacheExportCmd   `cmd:"" help:"Write a conversation as a zarr v3 group, for NumPy and others."`
	Estimate cacheEstimateCmd `cmd:"" help:"Say what a conversation will take on disk."`
}

// openCache opens the chosen cache, which must be there: a command that looks after a cache does not make one.
func openCache() (*cache.Store, error) {
	dir, err := cacheDir()
	if err != nil {
		return nil, err
	}
	opt, err := cache.OptionsFromEnv()
	if err != nil {
		return nil, usageError{err}
	}
	return cache.Open(dir, opt)
}

func cacheDir() (string, error) {
	dir, err := lens.CacheDir("")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err != nil {
		return "", usageError{fmt.Errorf("no cache there: %w", err)}
	}
	return dir, nil
}

// withCache runs fn on the chosen cache.
func withCache(fn func(*cache.Store) error) (err error) {
	s, err := openCache()
	if err != nil {
		return err
	}
	defer func() {
		if closing := s.Close(); err == nil {
			err = closing
		}
	}()
	return fn(s)
}

// show prints v as one JSON object, or text.
func show(w io.Writer, asJSON bool, v any, text string) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	}
	_, err := fmt.Fprintln(w, text)
	return err
}

// progress tells on stderr how far long work is, at most once a second and not at all if it is short.
func progress(w io.Writer, what string) func(done, total int64) {
	start := time.Now()
	last := start
	return func(done, total int64) {
		now := time.Now()
		if now.Sub(start) < 2*time.Second || now.Sub(last) < time.Second || total == 0 {
			return
		}
		last = now
		fmt.Fprintf(w, "%s: %d%%\n", what, 100*done/total)
	}
}

func progressInt(w io.Writer, what string) func(done, total int) {
	p := progress(w, what)
	return func(done, total int) { p(int64(done), int64(total)) }
}

type cacheStatusCmd struct {
	JSON    bool `name:"json" help:"Print one JSON object."`
	Metrics bool `help:"Print metrics in the text format of Prometheus."`
}

func (c *cacheStatusCmd) Run(e *env) error {
	return withCache(func(s *cache.Store) error {
		if _, err := s.List(); err != nil { // reads the tokens, so that they are counted
			return err
		}
		st := s.Status()
		if c.Metrics {
			return st.Metrics(e.stdout)
		}
		return show(e.stdout, c.JSON, st, st.String())
	})
}

type cacheListCmd struct {
	JSON bool `name:"json" help:"Print one JSON array."`
}

type listed struct {
	ID      string      `json:"id"`
	Tokens  int         `json:"tokens"`
	Codec   cache.Codec `json:"codec"`
	Layers  []int       `json:"layers,omitempty"`
	Model   string      `json:"model"`
	Created time.Time   `json:"created"`
	Updated time.Time   `json:"updated"`
}

func (c *cacheListCmd) Run(e *env) error {
	return withCache(func(s *cache.Store) error {
		infos, err := s.List()
		if err != nil {
			return err
		}
		list := make([]listed, len(infos))
		for i, in := range infos {
			list[i] = listed{in.ID, in.Tokens, in.Codec, in.Layers, in.Space.Model, in.Created, in.Updated.UTC()}
		}
		if c.JSON {
			return show(e.stdout, true, list, "")
		}
		w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CONVERSATION\tTOKENS\tCODEC\tMODEL\tUPDATED")
		for _, l := range list {
			fmt.Fprintf(w, "%s\t%d\t%s\t%.12s\t%s\n", l.ID, l.Tokens, l.Codec, l.Model, l.Updated.Format(time.DateTime))
		}
		return w.Flush()
	})
}

type checkCmd struct {
	JSON   bool   `name:"json" help:"Print one JSON object."`
	Repair bool   `help:"Put what is damaged into quarantine, and compute what is missing with --model."`
	Model  string `help:"With --repair: the model whose rows are computed again, teach or a folder." placeholder:"NAME|DIR"`
}

type checkReport struct {
	cache.Summary
	List   []checkProblem      `json:"list"`
	Repair *cache.RepairResult `json:"repair,omitempty"`
}

type checkProblem struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Error  string `json:"error"`
}

func (c *checkCmd) Run(e *env) error {
	dir, err := cacheDir()
	if err != nil {
		return err
	}
	if c.Model != "" && !c.Repair {
		return usageError{errors.New("--model is for computing what is missing: give --repair too")}
	}
	report := checkReport{List: []checkProblem{}}
	if c.Repair {
		res, err := c.repair(e)
		if err != nil {
			return err
		}
		report.Repair = &res
		if !c.JSON {
			for _, d := range res.Damaged {
				fmt.Fprintln(e.stdout, "repaired:", d)
			}
			fmt.Fprintf(e.stdout, "repaired: %d found, %d tokens computed again, %d blocks still missing\n", len(res.Damaged), res.Recomputed, res.Missing)
		}
	}
	ck := cache.Checker{Progress: progress(e.stderr, "check")}
	for p := range ck.Run(dir) {
		report.List = append(report.List, checkProblem{p.File, p.Offset, p.Err.Error()})
		if !c.JSON {
			fmt.Fprintln(e.stdout, p)
		}
	}
	s := ck.Summary
	report.Summary = s
	text := fmt.Sprintf("%s: %d problems", dir, s.Problems)
	if s.Problems == 0 {
		text = fmt.Sprintf("%s: no problems", dir)
	}
	text += fmt.Sprintf(" (%d conversations, %d tokens, %d blocks of %d bytes; %d not stored, %d of no conversation)", s.Conversations, s.Tokens, s.Blocks, s.Bytes, s.Missing, s.Unnamed)
	if err := show(e.stdout, c.JSON, report, text); err != nil {
		return err
	}
	if s.Problems > 0 {
		return fmt.Errorf("%d problems in %s; --repair puts damaged files aside and computes damaged rows again", s.Problems, dir)
	}
	return nil
}

func (c *checkCmd) repair(e *env) (cache.RepairResult, error) {
	tell := progressInt(e.stderr, "repair")
	if c.Model != "" {
		m, err := lens.Load(c.Model)
		if err != nil {
			return cache.RepairResult{}, usage(err)
		}
		defer m.Close()
		return m.RepairCache(e.ctx, tell)
	}
	var res cache.RepairResult
	err := withCache(func(s *cache.Store) (err error) {
		res, err = s.Repair(e.ctx, nil, tell)
		return err
	})
	return res, err
}

type cacheGcCmd struct {
	JSON  bool          `name:"json" help:"Print one JSON object."`
	Grace time.Duration `default:"10m" help:"Leave alone what is younger: another process may be about to name it."`
}

func (c *cacheGcCmd) Run(e *env) error {
	if c.Grace <= 0 {
		return usageError{fmt.Errorf("--grace %v: give a positive duration such as 10m", c.Grace)}
	}
	dir, err := cacheDir()
	if err != nil {
		return err
	}
	s, err := cache.Open(dir, cache.Options{SweepGrace: c.Grace})
	if err != nil {
		return err
	}
	defer s.Close()
	res, err := s.Sweep()
	if err != nil {
		return err
	}
	return show(e.stdout, c.JSON, res, fmt.Sprintf("%d blocks (%d bytes) and %d unfinished files removed", res.Blocks, res.Bytes, res.Temporary))
}

type cacheRmCmd struct {
	ID    []string `arg:"" help:"Conversations."`
	Purge bool     `help:"Also remove, before the command ends, the rows that no other conversation names."`
	JSON  bool     `name:"json" help:"Print one JSON object."`
}

func (c *cacheRmCmd) Run(e *env) error {
	var sum struct {
		Removed []string `json:"removed"`
		cache.SweepResult
	}
	err := withCache(func(s *cache.Store) error {
		for _, id := range c.ID {
			var res cache.SweepResult
			var err error
			if c.Purge {
				res, err = s.Purge(id)
			} else {
				err = s.Delete(id)
			}
			if errors.Is(err, cache.ErrNotFound) || errors.Is(err, cache.ErrID) {
				return usageError{fmt.Errorf("%w (gopherlens cache list shows those that are there)", err)}
			}
			if err != nil {
				return err
			}
			sum.Removed = append(sum.Removed, id)
			sum.Blocks += res.Blocks
			sum.Bytes += res.Bytes
			sum.Temporary += res.Temporary
		}
		return nil
	})
	if err != nil {
		return err
	}
	text := fmt.Sprintf("%d conversations removed; gopherlens cache gc frees their rows", len(sum.Removed))
	if c.Purge {
		text = fmt.Sprintf("%d conversations removed, with %d blocks (%d bytes)", len(sum.Removed), sum.Blocks, sum.Bytes)
	}
	return show(e.stdout, c.JSON, sum, text)
}

type cacheExportCmd struct {
	ID   string `arg:"" help:"Conversation."`
	Dir  path   `arg:"" help:"Folder to make."`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

func (c *cacheExportCmd) Run(e *env) error {
	return withCache(func(s *cache.Store) error {
		conv, err := s.Conversation(c.ID)
		if errors.Is(err, cache.ErrNotFound) || errors.Is(err, cache.ErrID) {
			return usageError{fmt.Errorf("%w (gopherlens cache list shows those that are there)", err)}
		}
		if err != nil {
			return err
		}
		res, err := conv.Export(e.ctx, string(c.Dir), nil, progressInt(e.stderr, "export"))
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s: %d tokens, %d layers, %s", res.Dir, res.Tokens, len(res.Layers), res.Type)
		if res.Missing > 0 {
			text += fmt.Sprintf("; the rows of %d tokens are not stored and are NaN (gopherlens cache check --repair --model NAME computes them)", res.Missing)
		}
		return show(e.stdout, c.JSON, res, text)
	})
}

type cacheEstimateCmd struct {
	Model  string `default:"teach" help:"Model: teach (embedded), or a folder in Hugging Face layout." placeholder:"NAME|DIR"`
	Tokens int    `required:"" help:"Tokens of the conversation." placeholder:"N"`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

func (c *cacheEstimateCmd) Run(e *env) error {
	m, err := lens.Load(c.Model)
	if err != nil {
		return usage(err)
	}
	defer m.Close()
	est, err := m.EstimateCache(c.Tokens, "")
	if err != nil {
		return usage(err)
	}
	return show(e.stdout, c.JSON, est, est.String())
}
