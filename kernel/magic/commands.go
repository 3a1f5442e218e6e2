package magic

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/gopherlens/gopherlens/kernel"
)

// maxLoad bounds the file that %load puts into a cell.
const maxLoad = 1 << 20

func builtin() []Command {
	return []Command{
		{Name: "bash", Args: "[OPTIONS]", Help: "Run the cell with bash; another exit status than 0 is an error.", Cell: script("bash")},
		{Name: "cd", Args: "[FOLDER | -]", Help: "Go to a folder: the home folder without an argument, the folder before with -.", Line: cd},
		{Name: "env", Args: "[NAME[=VALUE]]", Help: "Show the environment or a variable of it, or set one.", Line: env},
		{Name: "fmt", Help: "Replace the cell with its Go as gofmt writes it.", Cell: formatCell},
		{Name: "go111module", Args: "on|off", Help: "Accepted for notebooks of gophernotes; imports do not depend on it here.", Line: go111module},
		{Name: "help", Args: "[NAME]", Help: "List the commands, or explain one.", Line: help},
		{Name: "html", Help: "Show the cell as HTML.", Cell: show("text/html", "%s")},
		{Name: "javascript", Help: "Run the cell as JavaScript in the front end.", Cell: show("text/html", "<script>\n%s\n</script>")},
		{Name: "load", Args: "FILE", Help: "Replace the cell with the text of a file.", Line: load},
		{Name: "lsmagic", Args: "[NAME]", Help: "As %help.", Line: help},
		{Name: "markdown", Help: "Show the cell as Markdown.", Cell: show("text/markdown", "%s")},
		{Name: "pwd", Help: "Say which folder is the current one.", Line: pwd},
		{Name: "reset", Help: "Forget every name that cells have defined or imported.", Line: reset},
		{Name: "sh", Args: "[OPTIONS]", Help: "Run the cell with sh; another exit status than 0 is an error.", Cell: script("sh")},
		{Name: "time", Args: "CODE", Help: "Run code once and say how long it took, compiling included.", Line: timeLine, Cell: timeCell, Code: true},
		{Name: "timeit", Args: "CODE", Help: "Run code many times and say how long one time takes.", Line: timeitLine, Cell: timeitCell, Code: true},
		{Name: "who", Args: "[NAME...]", Help: "List the names that cells have defined, with their types.", Line: who},
		{Name: "writefile", Args: "[-a] FILE", Help: "Write the cell to a file, or with -a to its end.", Cell: writefile},
	}
}

func (c Command) usage() string {
	var forms []string
	if c.Line != nil {
		forms = append(forms, strings.TrimSpace("%"+c.Name+" "+c.Args))
	}
	if c.Cell != nil {
		args := c.Args
		if c.Code {
			args = "" // its cell is the code
		}
		forms = append(forms, strings.TrimSpace("%%"+c.Name+" "+args))
	}
	return strings.Join(forms, "   ")
}

func help(_ context.Context, c *Call) (any, error) {
	if name := strings.TrimLeft(c.Args, "%"); name != "" {
		cmd, ok := c.e.find(name)
		if !ok {
			return nil, fail("there is no command %%%s (%%help lists those there are)", name)
		}
		fmt.Fprintf(c.Cell.Stdout, "%s\n    %s\n", cmd.usage(), cmd.Help)
		return nil, nil
	}
	w := tabwriter.NewWriter(c.Cell.Stdout, 0, 0, 3, ' ', 0)
	for _, cmd := range c.e.commands {
		fmt.Fprintf(w, "%s\t%s\n", cmd.usage(), cmd.Help)
	}
	fmt.Fprintf(w, "!COMMAND   $COMMAND\tRun a shell command; another exit status than 0 ends the cell.\n")
	fmt.Fprintf(w, "?NAME   NAME?\tSay what a name is; with ?? show its source too.\n")
	w.Flush()
	fmt.Fprintln(c.Cell.Stdout, "\nA command stands on a line of its own, also behind //; %% takes the whole cell.")
	return nil, nil
}

// tilde is path with a ~ at its head replaced by the home folder.
func tilde(path string) (string, error) {
	path = strings.Trim(path, `"'`)
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, path[1:]), nil
}

func cd(_ context.Context, c *Call) (any, error) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	to := c.Args
	switch to {
	case "":
		to = "~"
	case "-":
		if to = c.e.previous; to == "" {
			return nil, fail("%%cd -: no folder was left before")
		}
	}
	before, err := os.Getwd()
	if err == nil {
		if to, err = tilde(to); err == nil {
			err = os.Chdir(to)
		}
	}
	if err != nil {
		return nil, fail("%%cd: %v", err)
	}
	c.e.previous = before
	now, err := os.Getwd()
	if err != nil {
		return nil, fail("%%cd: %v", err)
	}
	fmt.Fprintln(c.Cell.Stdout, now)
	return nil, nil
}

func pwd(_ context.Context, c *Call) (any, error) {
	now, err := os.Getwd()
	if err != nil {
		return nil, fail("%%pwd: %v", err)
	}
	fmt.Fprintln(c.Cell.Stdout, now)
	return nil, nil
}

// explain prints what a name is.
func (c *Call) explain(name string, detail int) error {
	bundle, found := c.e.Inspect(name, len(name), detail)
	if !found {
		return fail("nothing is known of %s", name)
	}
	fmt.Fprintln(c.Cell.Stdout, bundle["text/plain"])
	return nil
}

func formatCell(_ context.Context, c *Call) (any, error) {
	f, ok := c.e.inner.(kernel.Formatter)
	if !ok {
		return nil, fail("%%%%fmt: this language has no formatter")
	}
	if slices.ContainsFunc(c.e.split(c.Body), func(p part) bool { return p.command }) {
		return nil, fail("%%%%fmt: the cell has commands; only Go can be formatted")
	}
	text, err := f.Format(c.Body)
	if err != nil {
		return nil, fail("%%%%fmt: %v", err)
	}
	c.Cell.Payload(map[string]any{"source": "set_next_input", "text": text, "replace": true})
	return nil, nil
}

func env(_ context.Context, c *Call) (any, error) {
	name, value, set := strings.Cut(c.Args, "=")
	if !set {
		name, value, set = strings.Cut(c.Args, " ")
	}
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case c.Args == "":
		all := os.Environ()
		slices.Sort(all)
		fmt.Fprintln(c.Cell.Stdout, strings.Join(all, "\n"))
	case set:
		if err := os.Setenv(name, value); err != nil {
			return nil, fail("%%env: %v", err)
		}
	default:
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, fail("%%env: %s is not set", name)
		}
		fmt.Fprintln(c.Cell.Stdout, value)
	}
	return nil, nil
}

func go111module(_ context.Context, c *Call) (any, error) {
	if c.Args != "on" && c.Args != "off" {
		return nil, fail("%%go111module %s: on or off", c.Args)
	}
	return nil, nil
}

// markup is a value in one MIME type.
type markup struct{ mime, data, text string }

func (m markup) MIMEBundle() map[string]any {
	return map[string]any{m.mime: m.data, "text/plain": m.text}
}

func show(mime, format string) func(context.Context, *Call) (any, error) {
	return func(_ context.Context, c *Call) (any, error) {
		if err := c.Cell.Display(markup{mime, fmt.Sprintf(format, c.Body), c.Body}); err != nil {
			return nil, fail("%v", err)
		}
		return nil, nil
	}
}

func load(_ context.Context, c *Call) (any, error) {
	if c.Args == "" {
		return nil, fail("%%load: name a file")
	}
	name, err := tilde(c.Args)
	if err != nil {
		return nil, fail("%%load: %v", err)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fail("%%load: %v", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxLoad+1))
	switch {
	case err != nil:
		return nil, fail("%%load: %v", err)
	case len(text) > maxLoad:
		return nil, fail("%%load: %s is larger than the %d KiB that fit a cell", name, maxLoad>>10)
	case !utf8.Valid(text):
		return nil, fail("%%load: %s is not text in UTF-8", name)
	}
	c.Cell.Payload(map[string]any{"source": "set_next_input", "text": "// %load " + c.Args + "\n" + string(text), "replace": true})
	return nil, nil
}

func writefile(_ context.Context, c *Call) (any, error) {
	name, add := strings.CutPrefix(c.Args, "-a ")
	name, err := tilde(strings.TrimSpace(name))
	if name == "" {
		return nil, fail("%%%%writefile: name a file")
	}
	if err != nil {
		return nil, fail("%%%%writefile: %v", err)
	}
	flags, did := os.O_TRUNC, "wrote"
	if add {
		flags, did = os.O_APPEND, "appended to"
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|flags, 0o644)
	if err == nil {
		_, err = io.WriteString(f, c.Body)
		if c.Body != "" && !strings.HasSuffix(c.Body, "\n") && err == nil {
			_, err = io.WriteString(f, "\n") // front ends cut the last one off
		}
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, fail("%%%%writefile: %v", err)
	}
	fmt.Fprintf(c.Cell.Stdout, "%s %s\n", did, name)
	return nil, nil
}

func who(_ context.Context, c *Call) (any, error) {
	wanted := strings.Fields(c.Args)
	w := tabwriter.NewWriter(c.Cell.Stdout, 0, 0, 3, ' ', 0)
	n := 0
	for _, name := range c.e.names() {
		if name.Predeclared || len(wanted) == 0 && name.Kind == "package" || len(wanted) > 0 && !slices.Contains(wanted, name.Name) {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name.Name, name.Kind, name.Type)
		n++
	}
	w.Flush()
	if n == 0 {
		fmt.Fprintln(c.Cell.Stdout, "no names")
	}
	return nil, nil
}

func reset(_ context.Context, c *Call) (any, error) {
	r, ok := c.e.inner.(kernel.Resetter)
	if !ok {
		return nil, fail("%%reset: this language cannot forget")
	}
	if err := r.Reset(); err != nil {
		return nil, fail("%%reset: %v", err)
	}
	return nil, nil
}
