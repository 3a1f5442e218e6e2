package notebook

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
)

//go:embed style.css
var styleCSS string

// HTMLOptions says how to make a page. The zero value takes the title from the notebook and trusts nothing in it.
type HTMLOptions struct {
	Title   string // default: the notebook's title in its metadata, else its first heading, else "Notebook"
	Trusted bool   // let HTML and scripts of the notebook into the page; still without network
}

// frameScript gives every sandboxed output the height of its content. It is the only script of an untrusted page.
const frameScript = `for(const f of document.querySelectorAll("iframe.sandbox")){` +
	`const fit=()=>{try{f.style.height="0";f.style.height=f.contentDocument.documentElement.scrollHeight+2+"px"}catch(e){}};` +
	`f.addEventListener("load",fit);addEventListener("resize",fit);fit()}`

// HTML writes the notebook as one self-contained page that needs no network, for screen, phone and paper, in light and dark. The same
// notebook always gives the same bytes. See the package comment for what of the notebook it trusts.
func (nb *Notebook) HTML(w io.Writer, opt HTMLOptions) error {
	p := &page{nb: nb, opt: opt, md: newMarkdown(opt.Trusted), language: nb.Language(), Writer: bufio.NewWriter(w)}
	if p.language == "" {
		p.language = "go"
	}
	p.head()
	for _, c := range nb.Cells {
		p.cell(c)
	}
	p.WriteString("</main>\n")
	if p.frames {
		p.WriteString("<script>" + frameScript + "</script>\n")
	}
	p.WriteString("</body>\n</html>\n")
	if err := p.Flush(); err != nil { // a bufio.Writer keeps its first error for Flush
		return fmt.Errorf("write page: %w", err)
	}
	return nil
}

// page is the state of one HTML call.
type page struct {
	*bufio.Writer
	nb       *Notebook
	opt      HTMLOptions
	md       *markdown
	language string
	frames   bool
}

func (p *page) head() {
	script := "'sha256-" + sum(frameScript) + "'"
	if p.opt.Trusted {
		script = "'unsafe-inline'"
	}
	p.WriteString(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ` + script + `; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>` + html.EscapeString(p.title()) + `</title>
<style>
` + styleCSS + `</style>
</head>
<body>
<main>
`)
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(h[:])
}

func (p *page) title() string {
	if p.opt.Title != "" {
		return p.opt.Title
	}
	if t, ok := p.nb.Metadata.Text("title"); ok && t != "" {
		return t
	}
	for _, c := range p.nb.Cells {
		if c.Type != Markdown {
			continue
		}
		for line := range strings.Lines(c.Source) {
			if t, ok := strings.CutPrefix(line, "# "); ok {
				return strings.TrimSpace(strings.Trim(strings.TrimSpace(t), "#"))
			}
		}
	}
	return "Notebook"
}

func (p *page) cell(c *Cell) {
	switch c.Type {
	case Markdown:
		var files Object
		c.fields.Get("attachments", &files)
		p.WriteString("<section class=\"cell md\">\n" + p.md.html(c.Source, files) + "</section>\n")
	case Raw:
		if strings.TrimSpace(c.Source) != "" {
			p.WriteString("<section class=\"cell raw\"><pre>" + html.EscapeString(c.Source) + "</pre></section>\n")
		}
	case Code:
		p.code(c)
	}
}

func (p *page) code(c *Cell) {
	var view struct {
		SourceHidden  bool `json:"source_hidden"`
		OutputsHidden bool `json:"outputs_hidden"`
	}
	c.Metadata.Get("jupyter", &view)
	if strings.TrimSpace(c.Source) == "" && len(c.Outputs) == 0 {
		return
	}
	n := "&nbsp;"
	if c.ExecutionCount > 0 {
		n = strconv.Itoa(c.ExecutionCount)
	}
	p.WriteString("<section class=\"cell code\">\n")
	p.row("in", "In ["+n+"]", view.SourceHidden, "Code", `<pre class="code">`+highlight(p.language, c.Source)+`</pre>`)
	for i := range c.Outputs {
		o := &c.Outputs[i]
		body := p.output(o)
		if body == "" {
			continue
		}
		prompt := ""
		if o.Type == ExecuteResult && o.ExecutionCount > 0 {
			prompt = "Out [" + strconv.Itoa(o.ExecutionCount) + "]"
		}
		p.row("out", prompt, view.OutputsHidden, "Output", body)
	}
	p.WriteString("</section>\n")
}

func (p *page) row(class, prompt string, hidden bool, name, body string) {
	p.WriteString(`<div class="row ` + class + `"><div class="prompt">` + prompt + `</div><div class="body">`)
	if hidden {
		p.WriteString("<details><summary>" + name + "</summary>" + body + "</details>")
	} else {
		p.WriteString(body)
	}
	p.WriteString("</div></div>\n")
}

func (p *page) output(o *Output) string {
	switch o.Type {
	case Stream:
		class := "stream"
		if o.Name == "stderr" {
			class += " stderr"
		}
		return `<pre class="` + class + `">` + ansiHTML(o.Text) + `</pre>`
	case Error:
		head := o.ErrName
		if o.ErrValue != "" && o.ErrValue != o.ErrName {
			head = strings.TrimPrefix(head+": "+o.ErrValue, ": ")
		}
		text := strings.Join(o.Traceback, "\n")
		if strings.TrimSpace(text) == "" {
			text = head
		}
		return `<pre class="error" role="alert">` + ansiHTML(text) + `</pre>`
	case DisplayData, ExecuteResult:
		return p.bundle(o)
	}
	return ""
}

// shown lists the MIME types that have a form of their own, best first. PNG goes before SVG because as an image the SVG has no more to give
// and depends on the fonts of the reader's machine.
var shown = []string{"text/html", "image/png", "image/svg+xml", "image/jpeg", "image/webp", "image/gif", "text/markdown", "text/latex", "text/plain"}

func (p *page) bundle(o *Output) string {
	for _, mime := range shown {
		s, ok := o.Data.Text(mime)
		if !ok {
			continue
		}
		switch mime {
		case "text/html":
			return p.fragment(s)
		case "text/markdown":
			return `<div class="md">` + p.md.html(s, Object{}) + `</div>`
		case "text/latex":
			return `<pre class="math">` + html.EscapeString(s) + `</pre>`
		case "text/plain":
			return `<pre>` + ansiHTML(s) + `</pre>`
		}
		return image(o, mime, s)
	}
	for _, mime := range o.Data.keys {
		if raw := o.Data.vals[mime]; isJSON(mime) && json.Valid(raw) {
			var b bytes.Buffer
			_ = json.Indent(&b, raw, "", "  ") // valid, so it cannot fail
			return `<pre>` + highlight("json", b.String()) + `</pre>`
		}
	}
	return `<p class="missing">[` + html.EscapeString(strings.Join(o.Data.keys, ", ")) + `]</p>`
}

func (p *page) fragment(s string) string {
	if p.opt.Trusted || plainFragment(s) {
		return `<div class="html">` + s + `</div>`
	}
	p.frames = true
	doc := `<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><style>` + frameCSS + `</style>` + s
	// allow-same-origin lets our script measure the content; without allow-scripts nothing in it can make use of that.
	return `<iframe class="sandbox" sandbox="allow-same-origin" title="output" srcdoc="` + html.EscapeString(doc) + `"></iframe>`
}

const frameCSS = `html{font:15px/1.5 system-ui,sans-serif}body{margin:0}table{border-collapse:collapse;font-size:14px}` +
	`th,td{padding:.25em .6em;border-bottom:1px solid #8884}img,svg{max-width:100%;height:auto}`

// image shows a picture in the size its metadata asks for, with the value's plain text as its description.
func image(o *Output, mime, data string) string {
	var size struct {
		Width  float64 `json:"width"`
		Height float64 `json:"height"`
	}
	o.Metadata.Get(mime, &size)
	alt, _ := o.Data.Text("text/plain")
	if first, _, more := strings.Cut(alt, "\n"); more || len(alt) > 200 {
		alt = strings.ToValidUTF8(first[:min(len(first), 200)], "")
	}
	var b strings.Builder
	b.WriteString(`<img src="` + html.EscapeString(dataURI(mime, data)) + `" alt="` + html.EscapeString(alt) + `"`)
	for _, d := range []struct {
		name string
		v    float64
	}{{"width", size.Width}, {"height", size.Height}} {
		if d.v >= 1 && d.v <= 1e5 {
			fmt.Fprintf(&b, ` %s="%d"`, d.name, int(d.v+0.5))
		}
	}
	b.WriteString(">")
	return b.String()
}
