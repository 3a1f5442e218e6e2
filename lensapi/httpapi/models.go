package httpapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	lens "github.com/gopherlens/gopherlens/lensapi"
)

// Source is a model that can be asked for by its name. Nothing else that a request says reaches the file system.
type Source struct {
	Name string // up to 64 letters, digits and . _ -
	Load func() (*lens.Model, error)
	// Translators, if not nil, loads those of a tuned and a jacobian lens, after the model.
	Translators func(*lens.Model) ([]*lens.Translators, error)
}

// modelEntry is a registered model. It is loaded when it is first asked for, and shared.
type modelEntry struct {
	Source

	mu          sync.Mutex
	loading     chan struct{} // closed when the load in progress is done
	model       *lens.Model
	translators []*lens.Translators
}

// get loads the model if need be. Giving up does not stop the load: the next to ask has it.
func (e *modelEntry) get(ctx context.Context) (*lens.Model, error) {
	for {
		e.mu.Lock()
		if e.model != nil {
			defer e.mu.Unlock()
			return e.model, nil
		}
		wait, failed := e.loading, make(chan error, 1)
		if wait == nil {
			wait = make(chan struct{})
			e.loading = wait
			go e.load(wait, failed)
		}
		e.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		select {
		case err := <-failed:
			return nil, err
		default: // loaded; or another's load failed, and this one tries itself
		}
	}
}

// load reports a failure before it says that it is done.
func (e *modelEntry) load(done chan struct{}, failed chan<- error) {
	var m *lens.Model
	var tr []*lens.Translators
	err := func() (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("loading model %s: panic: %v", e.Name, p)
			}
		}()
		if m, err = e.Load(); err == nil && e.Translators != nil {
			if tr, err = e.Translators(m); err != nil {
				err = errors.Join(err, m.Close())
			}
		}
		return err
	}()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.loading = nil
	if err == nil {
		e.model, e.translators = m, tr
	} else {
		failed <- err
	}
	close(done)
}

// loaded is the model if it is there.
func (e *modelEntry) loaded() *lens.Model {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.model
}

// lensOptions are those of a lens; tuned and jacobian ones need translators.
func (e *modelEntry) lensOptions(variant, rows string, top int) (lens.LensOptions, error) {
	opt := lens.LensOptions{Variant: lens.Variant(variant), Top: top, Rows: lens.RowSource(rows)}
	if opt.Rows == "" {
		opt.Rows = lens.Stored
	}
	if opt.Variant != lens.Tuned && opt.Variant != lens.Jacobian {
		return opt, nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, tr := range e.translators {
		if tr.Kind == opt.Variant {
			opt.Translators = tr
			return opt, nil
		}
	}
	return opt, errorf(Invalid, "variant %s: the server has no translators of %s for it: use one of %s", variant, e.Name, strings.Join(e.variants(), " "))
}

// variants are those that can be asked for. Caller holds mu.
func (e *modelEntry) variants() []string {
	var out []string
	for _, v := range lens.Variants() {
		if v == lens.Tuned || v == lens.Jacobian {
			if !slices.ContainsFunc(e.translators, func(tr *lens.Translators) bool { return tr.Kind == v }) {
				continue
			}
		}
		out = append(out, string(v))
	}
	return out
}

// models are the registered ones; the first is the default.
type models []*modelEntry

// named is a model by its name; "" is the default.
func (ms models) named(name string) (*modelEntry, error) {
	if name == "" {
		return ms[0], nil
	}
	return ms.find(name)
}

func (ms models) find(name string) (*modelEntry, error) {
	var names []string
	for _, e := range ms {
		if e.Name == name {
			return e, nil
		}
		names = append(names, e.Name)
	}
	return nil, errorf(NotFound, "no model %q is served: there is %s", clip(name), strings.Join(names, ", "))
}

// inOrder has those that are loaded first.
func (ms models) inOrder() []*modelEntry {
	out := slices.Clone(ms)
	slices.SortStableFunc(out, func(a, b *modelEntry) int {
		switch x, y := a.loaded() != nil, b.loaded() != nil; {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	return out
}

// close waits for loads in progress, so that nothing is opened behind its back.
func (ms models) close() error {
	var errs []error
	for _, e := range ms {
		e.mu.Lock()
		wait := e.loading
		e.mu.Unlock()
		if wait != nil {
			<-wait
		}
		if m := e.loaded(); m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// clip shortens what a request said, for a message.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
