package extend

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
)

// source finds the source of gopherlens: in dir, if that is not empty; in the
// checkout that the running binary was built from or lies in; in the current
// folder's; or else the module in the version of the binary, which is
// downloaded. version is that of a module, "" of a checkout.
func (b *builder) source(dir, tmp string) (root, version string, err error) {
	if dir != "" {
		root, err := checkout(dir)
		if err != nil {
			return "", "", fmt.Errorf("%s holds no source of gopherlens (wanted: a checkout, whose go.mod names the module %s)", dir, ourModule)
		}
		return b.writable(root, tmp)
	}
	var candidates []string
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) { // not with -trimpath
		candidates = append(candidates, filepath.Dir(file))
	}
	if exe, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Dir(exe))
	}
	if wd, err := os.Getwd(); err == nil {
		candidates = append(candidates, wd)
	}
	for _, c := range candidates {
		if root, err := checkout(c); err == nil {
			return b.writable(root, tmp)
		}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Path != ourModule || !strings.HasPrefix(info.Main.Version, "v") {
		return "", "", errors.New("this gopherlens does not know its source: it was built from a checkout that is not here; name one with --source DIR")
	}
	version = info.Main.Version
	data, err := b.goIn(tmp).output("mod", "download", "-json", ourModule+"@"+version)
	var mod struct{ Dir, Error string }
	if json.Unmarshal(data, &mod) == nil && mod.Error != "" {
		err = errors.New(mod.Error)
	}
	if err != nil {
		return "", "", fmt.Errorf("the source of gopherlens %s cannot be had: %w (a checkout of it can be named with --source DIR)", version, err)
	}
	return b.writable(mod.Dir, tmp)
}

// writable copies a source in the go command's module cache, where go install
// leaves it, to tmp: nothing may be added to that. It tells the version of such
// a source, "" of others.
func (b *builder) writable(root, tmp string) (dir, version string, err error) {
	cache, err := b.goIn(tmp).output("env", "GOMODCACHE")
	if err != nil {
		return "", "", err
	}
	rel, err := filepath.Rel(strings.TrimSpace(string(cache)), root)
	if err != nil || !filepath.IsLocal(rel) {
		return root, "", nil
	}
	dir = filepath.Join(tmp, "source")
	if err := os.CopyFS(dir, os.DirFS(root)); err != nil {
		return "", "", err
	}
	return dir, root[strings.LastIndexByte(root, '@')+1:], nil
}

// checkout is the root of the checkout of gopherlens that dir is in.
func checkout(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		switch {
		case err == nil:
			if line, _, _ := strings.Cut(string(data), "\n"); strings.TrimSpace(line) != "module "+ourModule {
				return "", errors.New("another module")
			}
			return dir, nil
		case !errors.Is(err, os.ErrNotExist):
			return "", err
		case filepath.Dir(dir) == dir:
			return "", err
		}
		dir = filepath.Dir(dir)
	}
}
