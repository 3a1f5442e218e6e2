package extend

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/interp/symbols"
)

// ourModule is the module that this package is of.
const ourModule = "github.com/gopherlens/gopherlens"

// spec is what is to be added: a module or a package of it in some version, or
// the module of a folder.
type spec struct {
	text    string // as it was given
	path    string
	version string
	dir     string // of a local module, absolute
}

var (
	pathForm    = regexp.MustCompile(`^[A-Za-z0-9_~][A-Za-z0-9._~-]*(/[A-Za-z0-9._~-]+)*$`)
	versionForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.+_-]*$`)
	majorForm   = regexp.MustCompile(`(?:/|\.)v([0-9]+)$`)
)

// parseSpec reads MODULE@VERSION, MODULE/sub/pkg@VERSION or a folder.
func parseSpec(text string) (spec, error) {
	s := spec{text: text}
	if strings.HasPrefix(text, ".") || filepath.IsAbs(text) {
		return s, s.folder()
	}
	var ok bool
	s.path, s.version, ok = strings.Cut(text, "@")
	switch {
	case !ok:
		return s, fmt.Errorf("%q has no version (allowed: MODULE@VERSION, MODULE@latest, MODULE/sub/pkg@VERSION, or a folder such as ./helpers)", text)
	case !pathForm.MatchString(s.path):
		return s, fmt.Errorf("%q is not the path of a module or package", s.path)
	case !versionForm.MatchString(s.version) || s.version == "none":
		return s, fmt.Errorf("%q is not a version (allowed: one such as v1.2.3, a branch or commit, latest)", s.version)
	}
	if host, _, _ := strings.Cut(s.path, "/"); !strings.Contains(host, ".") {
		return s, fmt.Errorf("%q is not the path of a module that can be downloaded (the first element of those has a dot); what is in a folder is named by the folder, as in ./helpers", s.path)
	}
	return s, s.allowed()
}

func (s *spec) folder() error {
	dir, err := filepath.Abs(s.text)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s holds no go.mod: it is not the folder of a module (cells import plain folders as they are, by import \"./folder\")", dir)
		}
		return err
	}
	data, err := goCommand{dir: dir}.output("mod", "edit", "-json", "go.mod")
	if err != nil {
		return err
	}
	var mod struct{ Module struct{ Path string } }
	if err := json.Unmarshal(data, &mod); err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(dir, "go.mod"), err)
	}
	s.dir, s.path = dir, mod.Module.Path
	if !pathForm.MatchString(s.path) {
		return fmt.Errorf("%s names the module %q, which cannot be imported", filepath.Join(dir, "go.mod"), s.path)
	}
	return s.allowed()
}

// allowed refuses paths that mean something else in a cell.
func (s *spec) allowed() error {
	host, _, _ := strings.Cut(s.path, "/")
	for _, p := range []string{"github.com/goplus", "github.com/qiniu"} {
		if within(s.path, p) {
			return fmt.Errorf("%s cannot be added: %s is the interpreter's own", s.path, p)
		}
	}
	switch {
	case within(s.path, ourModule):
		return fmt.Errorf("%s is the kernel itself; it has lens, plots, cache and display", s.path)
	case symbols.Short[host] != "":
		return fmt.Errorf("%s cannot be added: cells know %s as a package of the kernel (rename the module)", s.path, host)
	}
	return nil
}

// requirement is the version under which a local module is required: one that
// its path allows.
func (s *spec) requirement() string {
	if m := majorForm.FindStringSubmatch(s.path); m != nil {
		return "v" + m[1] + ".0.0"
	}
	return "v0.0.0"
}

// within reports whether p is the path base or below it.
func within(p, base string) bool { return p == base || strings.HasPrefix(p, base+"/") }

// internal reports whether no other module may import p.
func internal(p string) bool {
	for ; p != "." && p != "/"; p = path.Dir(p) {
		if path.Base(p) == "internal" {
			return true
		}
	}
	return false
}
