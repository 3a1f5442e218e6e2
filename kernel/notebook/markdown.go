package notebook

import (
	"bytes"
	"encoding/base64"
	"html"
	"strconv"
	"strings"

	"github.com/alecthomas/chroma/v2"
	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// maxMarkup bounds the Markdown and code, in bytes, that is rendered and coloured; longer text is shown plain.
const maxMarkup = 1 << 20

// markdown renders the Markdown of one page.
type markdown struct {
	md      goldmark.Markdown
	trusted bool
	ids     headingIDs
	filter  tagFilter
	files   Object // attachments of the cell being rendered: name to MIME bundle
}

func newMarkdown(trusted bool) *markdown {
	m := &markdown{trusted: trusted, ids: headingIDs{}}
	m.md = goldmark.New(
		goldmark.WithExtensions(extension.GFM, extension.Footnote),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithInlineParsers(util.Prioritized(mathParser{}, 150))),
		goldmark.WithRendererOptions(renderer.WithNodeRenderers(util.Prioritized(m, 100))),
	)
	return m
}

// html renders one cell.
func (m *markdown) html(src string, files Object) string {
	if len(src) > maxMarkup {
		return "<pre>" + html.EscapeString(src) + "</pre>\n"
	}
	m.files, m.filter = files, tagFilter{}
	var b bytes.Buffer
	if err := m.md.Convert([]byte(src), &b, parser.WithContext(parser.NewContext(parser.WithIDs(m.ids)))); err != nil {
		return "<pre>" + html.EscapeString(src) + "</pre>\n"
	}
	b.WriteString(m.filter.close())
	return b.String()
}

// RegisterFuncs implements renderer.NodeRenderer for what this page shows otherwise than goldmark.
func (m *markdown) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindRawHTML, m.rawHTML)
	r.Register(ast.KindHTMLBlock, m.htmlBlock)
	r.Register(ast.KindImage, m.image)
	r.Register(ast.KindFencedCodeBlock, m.fenced)
	r.Register(kindMath, m.math)
}

func (m *markdown) raw(w util.BufWriter, s string) {
	if m.trusted {
		_, _ = w.WriteString(s)
		return
	}
	var b strings.Builder
	m.filter.filter(&b, s)
	_, _ = w.WriteString(b.String())
}

func (m *markdown) rawHTML(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		m.raw(w, string(n.(*ast.RawHTML).Segments.Value(source)))
	}
	return ast.WalkSkipChildren, nil
}

func (m *markdown) htmlBlock(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		block := n.(*ast.HTMLBlock)
		s := string(block.Lines().Value(source))
		if block.HasClosure() {
			s += string(block.ClosureLine.Value(source))
		}
		m.raw(w, s)
	}
	return ast.WalkContinue, nil
}

// image shows inline and attached pictures. One that lies elsewhere becomes a link: the page loads nothing.
func (m *markdown) image(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	img := n.(*ast.Image)
	alt := html.EscapeString(nodeText(img, source))
	dest := string(img.Destination)
	if name, ok := strings.CutPrefix(dest, "attachment:"); ok {
		dest = m.attachment(name)
	}
	switch {
	case inlineImage(dest):
		_, _ = w.WriteString(`<img src="` + html.EscapeString(dest) + `" alt="` + alt + `">`)
	case dest == "" || !isWeb(dest):
		_, _ = w.WriteString(`<span class="missing">[` + alt + `]</span>`)
	default:
		_, _ = w.WriteString(`<a class="missing" href="` + html.EscapeString(dest) + `">[` + alt + `]</a>`)
	}
	return ast.WalkSkipChildren, nil
}

func isWeb(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}

func (m *markdown) attachment(name string) string {
	var bundle Object
	if !m.files.Get(name, &bundle) {
		return ""
	}
	for _, mime := range bundle.keys {
		if data, ok := bundle.Text(mime); ok {
			return dataURI(mime, data)
		}
	}
	return ""
}

// dataURI makes the address of an image: the data of SVG is text, that of other types is base64 already.
func dataURI(mime, data string) string {
	if mime == "image/svg+xml" {
		data = base64.StdEncoding.EncodeToString([]byte(data))
	}
	return "data:" + mime + ";base64," + strings.Join(strings.Fields(data), "")
}

func nodeText(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

func (m *markdown) fenced(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		block := n.(*ast.FencedCodeBlock)
		_, _ = w.WriteString(`<pre class="code">` + highlight(string(block.Language(source)), string(block.Lines().Value(source))) + "</pre>\n")
	}
	return ast.WalkSkipChildren, nil
}

// highlight colours code with the classes of style.css. A language it does not know stays plain.
func highlight(language, code string) string {
	code = strings.TrimRight(code, "\n")
	var lexer chroma.Lexer
	if language != "" && len(code) <= maxMarkup {
		lexer = lexers.Get(language)
	}
	if lexer == nil {
		return html.EscapeString(code)
	}
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, code)
	if err != nil {
		return html.EscapeString(code)
	}
	var b strings.Builder
	for _, t := range tokens.Tokens() {
		class := chroma.StandardTypes[t.Type]
		if class == "" || class == "w" || class == "err" {
			b.WriteString(html.EscapeString(t.Value))
			continue
		}
		b.WriteString(`<span class="` + class + `">` + html.EscapeString(t.Value) + "</span>")
	}
	return strings.TrimRight(b.String(), "\n")
}

// headingIDs makes the anchors of a whole page, as Jupyter does: the text with dashes for blanks.
type headingIDs map[string]bool

// Generate implements parser.IDs.
func (ids headingIDs) Generate(value []byte, _ ast.NodeKind) []byte {
	base := strings.Join(strings.Fields(strings.ReplaceAll(string(value), "`", "")), "-")
	id := base
	for n := 1; id == "" || ids[id]; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	ids[id] = true
	return []byte(id)
}

// Put implements parser.IDs.
func (ids headingIDs) Put(value []byte) { ids[string(value)] = true }

// mathNode is LaTeX between dollars, shown as it is: Markdown would take its underscores and stars for emphasis.
type mathNode struct {
	ast.BaseInline
	text []byte
}

var kindMath = ast.NewNodeKind("Math")

// Kind implements ast.Node.
func (*mathNode) Kind() ast.NodeKind { return kindMath }

// Dump implements ast.Node.
func (n *mathNode) Dump(source []byte, level int) {
	ast.DumpHelper(n, source, level, map[string]string{"Text": string(n.text)}, nil)
}

func (m *markdown) math(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString(`<span class="math">` + html.EscapeString(string(n.(*mathNode).text)) + "</span>")
	}
	return ast.WalkSkipChildren, nil
}

// mathParser finds $...$ on one line and $$...$$ over lines of one paragraph. As in Pandoc the dollars of the short form must touch what they
// enclose and no digit may follow: prices are no formulas.
type mathParser struct{}

// Trigger implements parser.InlineParser.
func (mathParser) Trigger() []byte { return []byte{'$'} }

// Parse implements parser.InlineParser.
func (mathParser) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, _ := block.PeekLine()
	if bytes.HasPrefix(line, []byte("$$")) {
		l, pos := block.Position()
		got := []byte("$$")
		block.Advance(2)
		for {
			line, _ = block.PeekLine()
			if line == nil {
				block.SetPosition(l, pos)
				return nil
			}
			if end := bytes.Index(line, []byte("$$")); end >= 0 {
				block.Advance(end + 2)
				return &mathNode{text: append(got, line[:end+2]...)}
			}
			got = append(got, line...)
			block.AdvanceLine()
		}
	}
	for i := 1; i < len(line); i++ {
		switch {
		case line[i] == '\\':
			i++
		case line[i] == '$':
			inside := line[1:i]
			if len(inside) == 0 || util.IsSpace(inside[0]) || util.IsSpace(inside[len(inside)-1]) || i+1 < len(line) && util.IsNumeric(line[i+1]) {
				return nil
			}
			block.Advance(i + 1)
			return &mathNode{text: bytes.Clone(line[:i+1])}
		}
	}
	return nil
}
