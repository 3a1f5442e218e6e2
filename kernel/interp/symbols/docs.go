package symbols

import (
	"archive/zip"
	_ "embed"
	"encoding/json"
	"io/fs"
	"strings"
	"sync"
)

// Doc is what the documentation of a package says of a name.
type Doc struct {
	Decl string // of a function or method, on one line, with the names of its parameters; of "Type." what an interface embeds; "" of others
	Text string // the comment; of packages of others its first paragraph
}

// Archives of one JSON file for each package: {"Type.Method": [Decl, Text]}.
var (
	//go:embed docs.zip
	ownDocs string
	//go:embed docs_others.zip
	otherDocs string

	addedDocs string // of the modules in Added

	docsMu sync.Mutex
	docs   = map[string]map[string]Doc{}
)

// Docs is the documentation of the package with that path by name: "" for the
// package itself, Type.Name for a method or field. It is empty for packages
// that the tables lack, and must not be changed. Tables are read when they are
// first asked for; any goroutine may ask.
func Docs(path string) map[string]Doc {
	docsMu.Lock()
	defer docsMu.Unlock()
	if d, ok := docs[path]; ok {
		return d
	}
	d := map[string]Doc{}
	for _, archive := range []string{ownDocs, otherDocs, addedDocs} {
		z, err := zip.NewReader(strings.NewReader(archive), int64(len(archive)))
		if err != nil {
			continue
		}
		data, err := fs.ReadFile(z, path)
		if err != nil {
			continue
		}
		var entries map[string][2]string
		if json.Unmarshal(data, &entries) == nil {
			for n, e := range entries {
				d[n] = Doc{Decl: e[0], Text: e[1]}
			}
		}
	}
	docs[path] = d
	return d
}
