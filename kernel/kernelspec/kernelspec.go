package kernelspec

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Defaults of Options.
const (
	DefaultName        = "gopherlens"
	DefaultDisplayName = "Go (gopherlens)"
)

// ErrNotOurs is the error for a kernelspec of that name that another kernel
// wrote.
var ErrNotOurs = errors.New("belongs to another kernel")

// ErrNotInstalled is the error of Uninstall when there is nothing to remove.
var ErrNotInstalled = errors.New("is not installed")

//go:embed logos
var logos embed.FS

// logoFiles are copied as they are; front ends look for these names.
var logoFiles = []string{"logo-32x32.png", "logo-64x64.png", "logo-svg.svg"}

// Options say what to install and where. The zero value installs for the user.
type Options struct {
	// Name is the folder and what front ends call the kernel; default
	// DefaultName. Lower case letters, digits, dot, underscore and hyphen.
	Name string
	// DisplayName is what people see; default DefaultDisplayName.
	DisplayName string
	// SysPrefix installs into the active environment (VIRTUAL_ENV, CONDA_PREFIX)
	// or else /usr/local; Prefix installs below that folder. At most one is set.
	SysPrefix bool
	Prefix    string
	// Executable is the program Jupyter starts; default the running one. If it
	// lies in a temporary build folder, as under go run, it is copied
	// beside kernel.json, because Jupyter starts it long after.
	Executable string
	// Alias allows the names under which other Go kernels install themselves, so
	// that notebooks written for them open with this one. A kernelspec that another
	// kernel wrote is still not replaced.
	Alias bool
	// Env is set for the kernel.
	Env map[string]string
}

// spec is kernel.json.
type spec struct {
	Argv            []string          `json:"argv"`
	DisplayName     string            `json:"display_name"`
	Language        string            `json:"language"`
	InterruptMode   string            `json:"interrupt_mode"`
	ProtocolVersion string            `json:"kernel_protocol_version"`
	Env             map[string]string `json:"env"`
	Metadata        metadata          `json:"metadata"`
}

type metadata struct {
	Debugger bool `json:"debugger"`
	// Gopherlens marks the folder as ours.
	Gopherlens bool `json:"gopherlens"`
}

var nameForm = regexp.MustCompile(`^[a-z0-9_-][a-z0-9._-]{0,99}$`)

// checkName refuses what Jupyter would not find, and the names under which other
// Go kernels install themselves.
func checkName(name string, alias bool) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("kernel name %q is not usable (allowed: up to 100 of a-z, 0-9, '.', '_', '-', not starting with '.')", name)
	}
	if !alias && slices.Contains([]string{"go", "gophernotes"}, name) {
		return fmt.Errorf("kernel name %q belongs to another kernel (allowed: any other, such as %s, and this one as an alias)", name, DefaultName)
	}
	return nil
}

// Dir returns the folder of the kernelspec: KERNELS/NAME.
func Dir(opt Options) (string, error) {
	name := opt.Name
	if name == "" {
		name = DefaultName
	}
	if err := checkName(name, opt.Alias); err != nil {
		return "", err
	}
	if opt.SysPrefix && opt.Prefix != "" {
		return "", errors.New("a prefix and the environment's prefix exclude each other")
	}
	prefix := opt.Prefix
	if opt.SysPrefix {
		var err error
		if prefix, err = sysPrefix(os.Getenv, runtime.GOOS); err != nil {
			return "", err
		}
	}
	if prefix != "" {
		abs, err := filepath.Abs(prefix)
		if err != nil {
			return "", fmt.Errorf("prefix %s: %w", prefix, err)
		}
		return filepath.Join(abs, "share", "jupyter", "kernels", name), nil
	}
	data, err := userDataDir(os.Getenv, os.UserHomeDir, runtime.GOOS)
	if err != nil {
		return "", err
	}
	return filepath.Join(data, "kernels", name), nil
}

func sysPrefix(getenv func(string) string, goos string) (string, error) {
	// A virtual environment inside conda is the more specific of the two.
	for _, v := range []string{"VIRTUAL_ENV", "CONDA_PREFIX"} {
		if p := getenv(v); p != "" {
			return p, nil
		}
	}
	if goos == "windows" {
		return "", errors.New("no environment is active: VIRTUAL_ENV and CONDA_PREFIX are empty (use a prefix instead)")
	}
	return "/usr/local", nil
}

// userDataDir is Jupyter's data folder, found as jupyter_core does.
func userDataDir(getenv func(string) string, home func() (string, error), goos string) (string, error) {
	if d := getenv("JUPYTER_DATA_DIR"); d != "" {
		abs, err := filepath.Abs(d)
		if err != nil {
			return "", fmt.Errorf("JUPYTER_DATA_DIR %s: %w", d, err)
		}
		return abs, nil
	}
	if goos == "windows" {
		if d := getenv("APPDATA"); d != "" {
			return filepath.Join(d, "jupyter"), nil
		}
	}
	if d := getenv("XDG_DATA_HOME"); d != "" && goos != "windows" && goos != "darwin" {
		return filepath.Join(d, "jupyter"), nil
	}
	h, err := home()
	if err != nil {
		return "", fmt.Errorf("find Jupyter's data folder: %w (JUPYTER_DATA_DIR sets it)", err)
	}
	switch goos {
	case "windows":
		return filepath.Join(h, "AppData", "Roaming", "jupyter"), nil
	case "darwin":
		return filepath.Join(h, "Library", "Jupyter"), nil
	}
	return filepath.Join(h, ".local", "share", "jupyter"), nil
}

// Install writes the kernelspec and returns its folder.
func Install(opt Options) (string, error) {
	dir, err := Dir(opt)
	if err != nil {
		return "", err
	}
	if err := ours(dir); err != nil && !errors.Is(err, ErrNotInstalled) {
		return "", fmt.Errorf("install: %w", err)
	}
	exe := opt.Executable
	if exe == "" {
		if exe, err = os.Executable(); err != nil {
			return "", fmt.Errorf("install: find this program: %w", err)
		}
	}
	if exe, err = filepath.Abs(exe); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	if fi, err := os.Stat(exe); err != nil || !fi.Mode().IsRegular() {
		return "", fmt.Errorf("install: %s is not a program that can be started: %w", exe, errors.Join(err, os.ErrInvalid))
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	// Jupyter ignores folders whose names it finds invalid, as one with a tilde.
	tmp, err := os.MkdirTemp(parent, "~"+filepath.Base(dir)+"-")
	if err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	defer os.RemoveAll(tmp)
	if err := fill(tmp, dir, exe, opt); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	if err := swap(tmp, dir); err != nil {
		return "", fmt.Errorf("install: %w", err)
	}
	return dir, nil
}

// fill writes into tmp what is to be dir.
func fill(tmp, dir, exe string, opt Options) error {
	if err := os.Chmod(tmp, 0o755); err != nil { // MkdirTemp's is for one user
		return err
	}
	if temporary(exe) {
		name := DefaultName + filepath.Ext(exe)
		if err := copyProgram(exe, filepath.Join(tmp, name)); err != nil {
			return fmt.Errorf("copy the program: %w", err)
		}
		exe = filepath.Join(dir, name)
	}
	s := spec{
		Argv:            []string{exe, "kernel", "{connection_file}"},
		DisplayName:     opt.DisplayName,
		Language:        "go",
		InterruptMode:   "message",
		ProtocolVersion: "5.5",
		Env:             opt.Env,
		Metadata:        metadata{Gopherlens: true},
	}
	if s.DisplayName == "" {
		s.DisplayName = DefaultDisplayName
	}
	if s.Env == nil {
		s.Env = map[string]string{}
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, "kernel.json"), append(data, '\n'), 0o644); err != nil {
		return err
	}
	for _, name := range logoFiles {
		logo, err := logos.ReadFile("logos/" + name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(tmp, name), logo, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// Command is how Jupyter starts the kernel whose kernelspec lies in dir: its
// arguments, and what is set in its environment.
func Command(dir, connectionFile string) (argv, env []string, err error) {
	name := filepath.Join(dir, "kernel.json")
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	var s spec
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(s.Argv) == 0 {
		return nil, nil, fmt.Errorf("%s names no program to start", name)
	}
	for _, a := range s.Argv {
		argv = append(argv, strings.ReplaceAll(a, "{connection_file}", connectionFile))
	}
	for name, value := range s.Env {
		env = append(env, name+"="+value)
	}
	return argv, env, nil
}

// swap puts tmp in the place of dir; when that fails dir is as it was.
func swap(tmp, dir string) error {
	old := tmp + ".old"
	err := os.Rename(dir, old)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return os.Rename(tmp, dir)
	case err != nil:
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// temporary reports whether the go command built exe only to run it: below a
// folder go-build..., in the temporary folder or in the build cache.
func temporary(exe string) bool {
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	for _, part := range strings.Split(filepath.ToSlash(filepath.Dir(exe)), "/") {
		if strings.HasPrefix(part, "go-build") {
			return true
		}
	}
	return false
}

func copyProgram(from, to string) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// Uninstall removes the kernelspec that Install wrote with the same options and
// returns its folder. Nothing there is ErrNotInstalled.
func Uninstall(opt Options) (string, error) {
	dir, err := Dir(opt)
	if err != nil {
		return "", err
	}
	if err := ours(dir); err != nil {
		return "", fmt.Errorf("uninstall: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("uninstall: %w", err)
	}
	return dir, nil
}

// ours is nil if dir is a kernelspec that Install wrote.
func ours(dir string) error {
	data, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Lstat(dir); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("%s %w", dir, ErrNotInstalled)
		}
		return fmt.Errorf("%s %w: it has no kernel.json", dir, ErrNotOurs)
	}
	if err != nil {
		return err
	}
	var s spec
	if err := json.Unmarshal(data, &s); err != nil || !s.Metadata.Gopherlens {
		return fmt.Errorf("%s %w", dir, ErrNotOurs)
	}
	return nil
}
