package interp

import (
	"os"
	"path"
	"strings"

	"github.com/gopherlens/gopherlens/kernel"
)

// importPrefix reports whether src ends inside the path of an import, and
// where the path starts.
func importPrefix(src string) (start int, ok bool) {
	quote := strings.LastIndexByte(src, '"')
	if quote < 0 || strings.ContainsAny(src[quote:], "\n") {
		return 0, false
	}
	lineStart := strings.LastIndexByte(src[:quote], '\n') + 1
	line := strings.TrimSpace(src[lineStart:quote])
	if strings.Count(src[lineStart:], `"`)%2 == 0 {
		return 0, false
	}
	if strings.HasPrefix(line, "import") {
		return quote + 1, true
	}
	open := strings.LastIndex(src[:lineStart], "import (")
	if open < 0 || strings.Contains(src[open:quote], ")") {
		return 0, false
	}
	return quote + 1, true
}

// completeImport lists the packages of this kernel and the folders beside the
// notebook whose paths begin with what stands between start and cursor.
func completeImport(before string, start, cursor int) kernel.Completions {
	out := kernel.Completions{Start: start, End: cursor}
	prefix := before[start:]
	for _, p := range importPaths() {
		if strings.HasPrefix(p, prefix) {
			out.Items = append(out.Items, kernel.Completion{Text: p, Type: "module"})
		}
	}
	for _, p := range folderPaths(prefix) {
		out.Items = append(out.Items, kernel.Completion{Text: p, Type: "module"})
	}
	return out
}

// maxOffered bounds the folders that completion looks into.
const maxOffered = 200

// folderPaths lists the folders of the working directory that hold Go, and with
// a slash behind them those that hold folders, one step beyond prefix.
func folderPaths(prefix string) (out []string) {
	if prefix != "" && prefix != "." && !strings.HasPrefix(prefix, "./") || strings.Contains(prefix, "..") {
		return nil
	}
	l := &folderLoad{}
	var err error
	if l.root, err = os.OpenRoot("."); err != nil {
		return nil
	}
	defer l.root.Close()
	dir, name := path.Split(strings.TrimPrefix(strings.TrimPrefix(prefix, "."), "/"))
	folders, _, err := l.list(path.Clean("./" + dir))
	if err != nil {
		return nil
	}
	for _, f := range folders[:min(len(folders), maxOffered)] {
		if !strings.HasPrefix(f, name) {
			continue
		}
		inner, files, err := l.list(path.Join(dir, f))
		if err != nil {
			continue
		}
		if len(files) > 0 {
			out = append(out, "./"+dir+f)
		}
		if len(inner) > 0 {
			out = append(out, "./"+dir+f+"/")
		}
	}
	return out
}
