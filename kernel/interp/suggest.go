package interp

import (
	"fmt"
	"go/types"
	"regexp"
	"strconv"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
	"github.com/goplus/ixgo"
)

// near is the candidate that want is most likely a misspelling of, "" if none
// is close.
func near(want string, candidates []string) string {
	best, at := "", 1 // edits that a misspelling may have
	if len(want) > 5 {
		at = 2
	}
	for _, c := range candidates {
		if c == want || strings.Contains(c, "__") || strings.ContainsAny(c, "·") {
			continue
		}
		if d := edits(strings.ToLower(want), strings.ToLower(c), at); d < at || d == at && (best == "" || c < best) {
			best, at = c, d
		}
	}
	return best
}

// edits is the number of insertions, deletions, changes and swaps of
// neighbours that make b of a; more than limit is limit+1.
func edits(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit {
		return limit + 1
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return min(last[len(b)], limit+1)
}

var (
	undefinedName   = regexp.MustCompile(`^undefined: (\w+)$`)
	undefinedMember = regexp.MustCompile(`^undefined: (\w+)\.(\w+)$`)
	unexported      = regexp.MustCompile(`, but does have unexported (?:field|method) \w+\)$`)
	undefinedField  = regexp.MustCompile(`undefined \(type \*?(?:(\w+)\.)?(\w+) has no field or method (\w+)\)$`)
)

// packagesNamed lists the import paths, quoted, of packages of that name.
func packagesNamed(name string) (paths []string) {
	if symbols.Short[name] != "" {
		return []string{strconv.Quote(name)}
	}
	for _, p := range importPaths() {
		if q, ok := ixgo.LookupPackage(p); ok && q.Name == name {
			paths = append(paths, strconv.Quote(p))
		}
	}
	return paths
}

// sameName matches the refusal of a value whose type is called as the wanted one:
// a type was declared, or a folder's package loaded, twice.
var sameName = regexp.MustCompile(`of (?:\w+ )*type (\S+)\) as (\S+) value`)

// ending is the shortest candidate that ends in want: LogitLens for Lens.
func ending(want string, candidates []string) string {
	best := ""
	for _, c := range candidates {
		if len(want) < 4 || !strings.HasSuffix(strings.ToLower(c), strings.ToLower(want)) {
			continue
		}
		if best == "" || len(c) < len(best) || len(c) == len(best) && c < best {
			best = c
		}
	}
	return best
}

// typeNamed finds the type that a message calls pkg.name, or name if it is of cells; nil if there is none.
func (s *Session) typeNamed(u *unit, a *assembly, pkg, name string) types.Object {
	if pkg == "" {
		if o := u.pkg.Scope().Lookup(name); o != nil {
			return o
		}
		if o, ok := s.scope[name]; ok {
			return o
		}
		return nil
	}
	paths := []string{a.imports[pkg]}
	for _, quoted := range packagesNamed(pkg) {
		if p, err := strconv.Unquote(quoted); err == nil {
			paths = append(paths, p)
		}
	}
	for _, path := range paths {
		if path == "" {
			continue
		}
		if p, err := s.importer().Import(path); err == nil && p.Scope().Lookup(name) != nil {
			return p.Scope().Lookup(name)
		}
	}
	return nil
}

// suggest adds to a message about an unknown name the one that may be meant.
func (s *Session) suggest(u *unit, a *assembly, msg string) string {
	var want string
	var candidates []string
	msg = unexported.ReplaceAllString(msg, ")") // of a package: nobody can call it
	if m := sameName.FindStringSubmatch(msg); m != nil && m[1] == m[2] {
		if !strings.Contains(m[1], ".") {
			return msg + "; a variable defined before " + strings.TrimLeft(m[1], "*[]") + " was declared anew has the type of then: define it again"
		}
		return msg + "; a value made before the package was imported anew has the " + m[1] + " of then"
	}
	if m := undefinedName.FindStringSubmatch(msg); m != nil {
		want = m[1]
		if paths := packagesNamed(want); len(paths) > 0 {
			return fmt.Sprintf("%s; import %s first", msg, strings.Join(paths, " or "))
		}
		for n := range s.scope {
			candidates = append(candidates, n)
		}
		for n := range a.imports {
			candidates = append(candidates, n)
		}
		candidates = append(append(candidates, u.pkg.Scope().Names()...), types.Universe.Names()...)
	} else if m := undefinedMember.FindStringSubmatch(msg); m != nil {
		want = m[2]
		if p, err := s.importer().Import(a.imports[m[1]]); err == nil {
			for _, n := range p.Scope().Names() {
				if p.Scope().Lookup(n).Exported() {
					candidates = append(candidates, n)
				}
			}
		}
	} else if m := undefinedField.FindStringSubmatch(msg); m != nil {
		want = m[3]
		o := s.typeNamed(u, a, m[1], m[2])
		if o != nil {
			for _, f := range fieldsOf(o.Type()) {
				if m[1] == "" || f.Exported() {
					candidates = append(candidates, f.Name())
				}
			}
			for sel := range types.NewMethodSet(types.NewPointer(o.Type())).Methods() {
				if m[1] == "" || sel.Obj().Exported() {
					candidates = append(candidates, sel.Obj().Name())
				}
			}
		}
	}
	c := near(want, candidates)
	if c == "" && undefinedField.MatchString(msg) {
		c = ending(want, candidates)
	}
	if want != "" && c != "" {
		return fmt.Sprintf("%s; did you mean %s?", msg, c)
	}
	return msg
}
