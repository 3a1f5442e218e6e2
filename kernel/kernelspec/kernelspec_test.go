package kernelspec

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func fakeProgram(t *testing.T, dir string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, "gopherlens.exe")
	if err := os.WriteFile(p, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestInstall(t *testing.T) {
	prefix := t.TempDir()
	exe := fakeProgram(t, filepath.Join(t.TempDir(), "bin"))
	opt := Options{Prefix: prefix, Executable: exe, Env: map[string]string{"A": "b"}}
	want := filepath.Join(prefix, "share", "jupyter", "kernels", "gopherlens")
	for range 2 { // installing again replaces
		dir, err := Install(opt)
		if err != nil || dir != want {
			t.Fatalf("%s, %v", dir, err)
		}
	}
	var got map[string]any
	data, err := os.ReadFile(filepath.Join(want, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, map[string]any{
		"argv": []any{exe, "kernel", "{connection_file}"}, "display_name": "Go (gopherlens)", "language": "go", "interrupt_mode": "message",
		"kernel_protocol_version": "5.5", "env": map[string]any{"A": "b"}, "metadata": map[string]any{"debugger": false, "gopherlens": true}}) {
		t.Errorf("kernel.json is %s", data)
	}
	if names := entries(t, want); names != "kernel.json logo-32x32.png logo-64x64.png logo-svg.svg" {
		t.Errorf("the folder has %s", names)
	}
	if names := entries(t, filepath.Dir(want)); names != "gopherlens" {
		t.Errorf("left behind: %s", names)
	}
	if dir, err := Uninstall(opt); err != nil || dir != want {
		t.Errorf("uninstall: %s, %v", dir, err)
	}
	if _, err := Uninstall(opt); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("uninstall twice: %v", err)
	}
}

func entries(t *testing.T, dir string) string {
	t.Helper()
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestInstallCopiesTemporaryProgram(t *testing.T) {
	build := t.TempDir()
	exe := fakeProgram(t, filepath.Join(build, "go-build123", "b001", "exe"))
	opt := Options{Prefix: t.TempDir(), Executable: exe, Name: "mine"}
	var dir string
	for range 2 {
		var err error
		if dir, err = Install(opt); err != nil {
			t.Fatal(err)
		}
	}
	os.RemoveAll(build)
	data, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s spec
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(s.Argv[0]); err != nil || string(got) != "program" || filepath.Dir(s.Argv[0]) != dir {
		t.Errorf("argv is %v: %q, %v", s.Argv, got, err)
	}
}

func TestRefusals(t *testing.T) {
	exe := fakeProgram(t, t.TempDir())
	for _, name := range []string{"go", "gophernotes", "Upper", "a b", "../x", ".", "..", ".hidden", "é", strings.Repeat("a", 101)} {
		if _, err := Install(Options{Name: name, Prefix: t.TempDir(), Executable: exe}); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
	if _, err := Install(Options{Prefix: "x", SysPrefix: true, Executable: exe}); err == nil {
		t.Error("two prefixes were accepted")
	}
	if _, err := Install(Options{Prefix: t.TempDir(), Executable: filepath.Join(t.TempDir(), "nothing")}); err == nil {
		t.Error("a missing program was accepted")
	}
	// Folders of others stay.
	for name, content := range map[string]string{"python3": `{"language":"python"}`, "broken": `{`, "empty": ""} {
		prefix := t.TempDir()
		dir := filepath.Join(prefix, "share", "jupyter", "kernels", name)
		os.MkdirAll(dir, 0o755)
		if content != "" {
			os.WriteFile(filepath.Join(dir, "kernel.json"), []byte(content), 0o644)
		}
		opt := Options{Name: name, Prefix: prefix, Executable: exe}
		if _, err := Install(opt); !errors.Is(err, ErrNotOurs) {
			t.Errorf("install over %s: %v", name, err)
		}
		if _, err := Uninstall(opt); !errors.Is(err, ErrNotOurs) {
			t.Errorf("uninstall of %s: %v", name, err)
		}
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestDirs(t *testing.T) {
	home := func() (string, error) { return "home", nil }
	for _, tc := range []struct{ goos, env, want string }{
		{"linux", "", "home/.local/share/jupyter"},
		{"linux", "XDG_DATA_HOME=xdg", "xdg/jupyter"},
		{"darwin", "XDG_DATA_HOME=xdg", "home/Library/Jupyter"},
		{"windows", "APPDATA=app", "app/jupyter"},
		{"windows", "", "home/AppData/Roaming/jupyter"},
	} {
		got, err := userDataDir(getenv(tc.env), home, tc.goos)
		if err != nil || filepath.ToSlash(got) != tc.want {
			t.Errorf("%+v: %s, %v", tc, got, err)
		}
	}
	abs, _ := filepath.Abs("data")
	if got, err := userDataDir(getenv("JUPYTER_DATA_DIR=data"), home, "linux"); err != nil || got != abs {
		t.Errorf("JUPYTER_DATA_DIR: %s, %v", got, err)
	}
	if _, err := userDataDir(getenv(""), func() (string, error) { return "", errors.New("no home") }, "linux"); err == nil {
		t.Error("no home was accepted")
	}
	for env, want := range map[string]string{"VIRTUAL_ENV=v": "v", "CONDA_PREFIX=c": "c", "": "/usr/local"} {
		if got, err := sysPrefix(getenv(env), "linux"); err != nil || got != want {
			t.Errorf("%s: %s, %v", env, got, err)
		}
	}
	if _, err := sysPrefix(getenv(""), "windows"); err == nil {
		t.Error("Windows has no /usr/local")
	}
}

func getenv(set string) func(string) string {
	key, value, _ := strings.Cut(set, "=")
	return func(k string) string {
		if k == key {
			return value
		}
		return ""
	}
}
