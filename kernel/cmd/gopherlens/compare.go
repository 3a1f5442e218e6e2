package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	_ "image/jpeg"
	_ "image/png"
	"slices"
	"strings"

	"github.com/gopherlens/gopherlens/kernel/notebook"
)

// tagIgnoreOutput marks cells whose output is not compared, as for nbval.
const tagIgnoreOutput = "nbval-ignore-output"

// snapshot is what the code cells of a notebook show, in a form that is compared: text as it is, pictures by type and size. nil where the cell does
// not take part.
func snapshot(nb *notebook.Notebook) []*string {
	var all []*string
	for _, c := range nb.Cells {
		if c.Type != notebook.Code {
			continue
		}
		if c.HasTag(tagIgnoreOutput) {
			all = append(all, nil)
			continue
		}
		// Front ends differ in how they cut streams, and in where one stream stands beside the other.
		var text [2]strings.Builder
		var b strings.Builder
		for _, o := range c.Outputs {
			switch o.Type {
			case notebook.Stream:
				i := 0
				if o.Name == "stderr" {
					i = 1
				}
				text[i].WriteString(o.Text)
			case notebook.Error:
				fmt.Fprintf(&b, "error %s: %s\n", o.ErrName, o.ErrValue)
			default:
				fmt.Fprintf(&b, "%s\n", o.Type)
				for _, mime := range sortedKeys(o) {
					fmt.Fprintf(&b, "%s %s\n", mime, shownAs(o, mime))
				}
			}
		}
		for i, name := range []string{"stdout", "stderr"} {
			if text[i].Len() > 0 {
				fmt.Fprintf(&b, "%s %s\n", name, text[i].String())
			}
		}
		s := b.String()
		all = append(all, &s)
	}
	return all
}

func sortedKeys(o notebook.Output) []string {
	keys := o.Data.Keys()
	slices.Sort(keys)
	return keys
}

func shownAs(o notebook.Output, mime string) string {
	s, ok := o.Data.Text(mime)
	if !ok {
		raw, _ := o.Data.Raw(mime)
		return string(raw)
	}
	if strings.HasPrefix(mime, "image/") && mime != "image/svg+xml" {
		data, err := base64.StdEncoding.DecodeString(strings.TrimSpace(strings.ReplaceAll(s, "\n", "")))
		if err == nil {
			if cfg, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil {
				return fmt.Sprintf("%d x %d", cfg.Width, cfg.Height)
			}
		}
	}
	return s
}

// differences names the cells that show something else than before, with the first line that differs.
func differences(before, after []*string) []string {
	var diffs []string
	for i := range min(len(before), len(after)) {
		if before[i] == nil || after[i] == nil || *before[i] == *after[i] {
			continue
		}
		was, is := strings.Split(*before[i], "\n"), strings.Split(*after[i], "\n")
		for n := range max(len(was), len(is)) {
			w, s := "(nothing)", "(nothing)"
			if n < len(was) {
				w = was[n]
			}
			if n < len(is) {
				s = is[n]
			}
			if w != s {
				diffs = append(diffs, fmt.Sprintf("cell %d: was %.200q, is %.200q", i+1, w, s))
				break
			}
		}
	}
	return diffs
}
