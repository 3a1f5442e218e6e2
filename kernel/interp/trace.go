package interp

import (
	"regexp"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// maxTrace is how many frames of a panic are kept.
const maxTrace = 1000

// framesOf lists the places of the user's in the calls that lead to fr, the
// innermost first. at is the instruction of fr that is being executed.
func (s *Session) framesOf(fr *frame, at ssa.Instruction) (places []place, names []string) {
	for ; fr != nil && fr.pfn != nil && len(places) < maxTrace; fr = fr.caller {
		if at == nil && fr.ipc > 0 && fr.ipc <= len(fr.pfn.ssaInstrs) {
			at = fr.pfn.ssaInstrs[fr.ipc-1]
		}
		if p, ok := s.placeOf(fr.pfn.Fn, at); ok {
			places = append(places, p)
			names = append(names, frameName(fr.pfn.Fn.String()))
		}
		at = nil
	}
	return places, names
}

// placeOf is where the instruction is in a cell; ok is false if it is not in
// one, as in the wrappers that go/ssa makes.
func (s *Session) placeOf(fn *ssa.Function, at ssa.Instruction) (p place, ok bool) {
	if at == nil {
		return place{}, false
	}
	pos := at.Pos()
	if _, end := at.(*ssa.RunDefers); end && fn.Syntax() != nil {
		pos = fn.Syntax().End()
	}
	if !pos.IsValid() {
		return place{}, false
	}
	where := s.base.FileSet.Position(pos)
	return place{where.Filename, where.Line}, strings.HasPrefix(where.Filename, "In[") || isFolder(where.Filename)
}

var closureSuffix = regexp.MustCompile(`\$(\d+)`)

// folderPrefix is what the path of a folder's package has before its name.
var folderPrefix = regexp.MustCompile(`folder@\d+/`)

// frameName is the runtime's name of a function, as its user knows it.
func frameName(name string) string {
	name = closureSuffix.ReplaceAllString(name, ".func$1")
	name = folderPrefix.ReplaceAllString(name, "")
	if recv, ok := strings.CutPrefix(name, "(*main."); ok {
		name = "(*" + recv
	} else if recv, ok := strings.CutPrefix(name, "(main."); ok {
		base, method, _ := strings.Cut(recv, ")")
		name = base + method
	}
	name = strings.TrimPrefix(name, "main.")
	if strings.HasPrefix(name, "cell__") {
		_, rest, _ := strings.Cut(name, ".")
		name = "cell"
		if rest != "" {
			name += "." + rest
		}
	}
	return name
}

// compiled calls compiled code and notes where a panic that comes out of it
// passes, behind what interpreted code called by it has noted.
func (e *engine) compiled(fr *frame, i ssa.Instruction, call func(*frame)) {
	before := e.s.noted.Load()
	done := false
	defer func() {
		if !done {
			e.s.passPanic(fr, i, before)
		}
	}()
	call(fr)
	done = true
}
