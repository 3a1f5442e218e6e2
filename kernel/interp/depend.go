package interp

import (
	"maps"
	"slices"
	"strings"
)

// declaredNames is the set of names that the cell's declarations give a new
// meaning, methods left out.
func declaredNames(ds []*decl) map[string]bool {
	m := map[string]bool{}
	for _, d := range ds {
		for _, n := range d.names {
			if !strings.Contains(n, ".") && n != "_" {
				m[n] = true
			}
		}
	}
	return m
}

// unchanged splits off the declarations that repeat a live one word for word
// and depend on nothing that changes: they keep their identity.
func (s *Session) unchanged(own []*decl, vars map[string]bool) (fresh []*decl) {
	same := map[*decl]bool{}
	for _, d := range own {
		if live := s.decls[d.names[0]]; live != nil && live.src == d.src && live.doc == d.doc && live.tok == d.tok &&
			slices.Equal(live.names, d.names) && !vars[d.names[0]] {
			same[d] = true
		}
	}
	for again := true; again; {
		again = false
		changed := maps.Clone(vars)
		types := map[string]bool{}
		for _, d := range own {
			if same[d] {
				continue
			}
			for _, n := range d.names {
				base, _, method := strings.Cut(n, ".")
				if method {
					types[base] = true
				}
				changed[base] = true
			}
		}
		for _, d := range own {
			if !same[d] {
				continue
			}
			base, _, method := strings.Cut(d.names[0], ".")
			hit := types[d.names[0]] || method && changed[base]
			for n := range d.deps {
				hit = hit || changed[n]
			}
			if hit {
				delete(same, d)
				again = true
			}
		}
	}
	for _, d := range own {
		if !same[d] {
			fresh = append(fresh, d)
		}
	}
	return fresh
}

// inherited lists, in order of declaration, the live declarations that have to
// be compiled again with the cell: those that depend on a changed name,
// directly or not, and all methods of a type that is compiled again.
func (s *Session) inherited(own []*decl, changedVars map[string]bool) []*decl {
	mine := map[string]bool{}
	declared := declaredNames(own)
	changed := maps.Clone(changedVars)
	take := map[*decl]bool{}
	for _, d := range own {
		for _, n := range d.names {
			mine[n] = true
			base, _, method := strings.Cut(n, ".")
			switch {
			case method && !declared[base]:
				changed[base] = true
				if t := s.decls[base]; t != nil {
					take[t] = true
				}
			case s.scope[n] != nil:
				changed[n] = true
			}
		}
	}
	live := s.liveDecls()
	for grow := true; grow; {
		grow = false
		for _, d := range live {
			if take[d] || slices.ContainsFunc(d.names, func(n string) bool { return mine[n] || changedVars[n] }) {
				continue
			}
			base, _, method := strings.Cut(d.names[0], ".")
			if method && declared[base] {
				continue // the type is declared anew: its old methods go
			}
			hit := method && changed[base]
			for n := range d.deps {
				hit = hit || changed[n]
			}
			if !hit {
				continue
			}
			take[d] = true
			grow = true
			if method {
				if t := s.decls[base]; t != nil {
					take[t] = true
				}
			}
			for _, n := range d.names {
				b, _, _ := strings.Cut(n, ".")
				changed[b] = true
			}
		}
	}
	var out []*decl
	for _, d := range live {
		if take[d] {
			out = append(out, d)
		}
	}
	return out
}

// liveDecls lists the live declarations once each, in order of declaration.
func (s *Session) liveDecls() []*decl {
	seen := map[*decl]bool{}
	var out []*decl
	for _, d := range s.decls {
		if !seen[d] {
			seen[d] = true
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *decl) int { return a.seq - b.seq })
	return out
}
