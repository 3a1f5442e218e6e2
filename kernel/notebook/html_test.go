package notebook_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/gopherlens/gopherlens/kernel/notebook"
)

func page(t testing.TB, nb *notebook.Notebook, opt notebook.HTMLOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := nb.HTML(&b, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	tagRE   = regexp.MustCompile(`(?s)<([a-zA-Z!/][^\s>/]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>`)
	loadRE  = regexp.MustCompile(`(?i)[\s"'](src|srcset|data|poster|action|formaction|background)\s*=\s*["']?([^"'\s>]*)`)
	eventRE = regexp.MustCompile(`(?i)[\s"']on[a-z]+\s*=`)
	quoteRE = regexp.MustCompile(`"[^"]*"|'[^']*'`)
)

// checkPage looks at every tag of an untrusted page for what must not be there, independently of how the page was made.
func checkPage(t testing.TB, s string) {
	t.Helper()
	if n := strings.Count(s, "<script"); n > 1 || n == 1 && !strings.Contains(s, "<script>"+notebook.FrameScript+"</script>") {
		t.Errorf("a script of the notebook got into the page")
	}
	if i := strings.LastIndex(s, "</style>"); i >= 0 && strings.Count(s, "<style") == 1 {
		s = s[i:]
	} else {
		t.Errorf("a style sheet of the notebook got into the page")
	}
	for _, m := range tagRE.FindAllStringSubmatch(s, -1) {
		name, attrs := strings.ToLower(m[1]), m[2]
		switch name {
		case "object", "embed", "form", "link", "meta", "base", "svg", "math", "video", "audio", "frame", "button":
			t.Errorf("<%s> got into the page", name)
		case "iframe":
			if !strings.Contains(attrs, `sandbox="allow-same-origin"`) || loadRE.MatchString(quoteRE.ReplaceAllString(attrs, `""`)) {
				t.Errorf("an iframe is not in a sandbox: %.200s", attrs)
			}
			continue
		}
		for _, l := range loadRE.FindAllStringSubmatch(attrs, -1) {
			if !strings.HasPrefix(l[2], "data:image/") {
				t.Errorf("<%s> loads %q", name, l[2])
			}
		}
		if eventRE.MatchString(quoteRE.ReplaceAllString(attrs, `""`)) {
			t.Errorf("<%s> has an event handler: %.200s", name, attrs)
		}
		if strings.Contains(strings.ToLower(attrs), `href="javascript:`) {
			t.Errorf("<%s> runs a script when clicked", name)
		}
	}
}

func TestHTMLShowcase(t *testing.T) {
	nb := readFile(t, "showcase.ipynb")
	s := page(t, nb, notebook.HTMLOptions{})
	checkPage(t, s)
	if s != page(t, nb, notebook.HTMLOptions{}) {
		t.Error("two pages of one notebook differ")
	}
	for _, want := range []string{
		"<title>A tour of what a page can show</title>",
		`<h2 id="Tables-in-HTML">Tables in HTML</h2>`,
		`<a href="#Tables-in-HTML">the table</a>`,
		`<span class="math">$h_\ell$</span>`,
		"It costs $5, not $10.",
		"A line<br>break, H<sub>2</sub>O, <kbd>Ctrl</kbd> and &lt;script&gt;alert(1)&lt;/script&gt; &lt;img src=x onerror=alert(1)&gt;.",
		`<a class="missing" href="https://example.com/x.png">[far away]</a>`,
		`alt="a dot"`,
		`<div class="prompt">In [3]</div>`, `<div class="prompt">Out [3]</div><div class="body"><pre>1099511627776</pre>`,
		`<pre class="stream stderr">loading 100%` + "\nwarning",
		`<span class="kn">import</span>`,
		`alt="heatmap: 8 rows, 16 positions" width="480" height="192">`,
		`<img src="data:image/svg+xml;base64,`,
		`<div class="html"><table style="border-collapse: collapse">`, // ours: plain enough for the page
		`<iframe class="sandbox" sandbox="allow-same-origin"`,         // a stranger's: not
		`<span class="af1">runtime error</span>: index out of range`,
		`<details><summary>Code</summary>`,
		"default-src 'none'",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("page lacks %s", want)
		}
	}
	trusted := page(t, nb, notebook.HTMLOptions{Trusted: true, Title: "A & B"})
	for _, want := range []string{"<title>A &amp; B</title>", "<script>document.body", "<script>alert(1)</script>", "default-src 'none'"} {
		if !strings.Contains(trusted, want) {
			t.Errorf("trusted page lacks %s", want)
		}
	}
}

// The whole body of a small notebook, as a person would write it.
func TestHTMLBody(t *testing.T) {
	nb := parse(t, `{"nbformat":4,"nbformat_minor":4,"metadata":{},"cells":[
		{"cell_type":"markdown","source":"# Hi *you*"},
		{"cell_type":"raw","source":"a < b"},
		{"cell_type":"code","source":"x := 1","execution_count":1,"outputs":[
			{"output_type":"stream","name":"stdout","text":["one\n"]},
			{"output_type":"execute_result","execution_count":1,"metadata":{},"data":{"application/json":{"a":[1]}}},
			{"output_type":"display_data","metadata":{},"data":{"application/x-unknown":"?"}},
			{"output_type":"error","ename":"E","evalue":"bad <x>","traceback":[]}]}]}`)
	const want = `<section class="cell md">
<h1 id="Hi-*you*">Hi <em>you</em></h1>
</section>
<section class="cell raw"><pre>a &lt; b</pre></section>
<section class="cell code">
<div class="row in"><div class="prompt">In [1]</div><div class="body"><pre class="code"><span class="nx">x</span> <span class="o">:=</span> <span class="mi">1</span></pre></div></div>
<div class="row out"><div class="prompt"></div><div class="body"><pre class="stream">one
</pre></div></div>
<div class="row out"><div class="prompt">Out [1]</div><div class="body"><pre><span class="p">{</span>
  <span class="nt">&#34;a&#34;</span><span class="p">:</span> <span class="p">[</span>
    <span class="mi">1</span>
  <span class="p">]</span>
<span class="p">}</span></pre></div></div>
<div class="row out"><div class="prompt"></div><div class="body"><p class="missing">[application/x-unknown]</p></div></div>
<div class="row out"><div class="prompt"></div><div class="body"><pre class="error" role="alert">E: bad &lt;x&gt;</pre></div></div>
</section>
`
	_, body, _ := strings.Cut(page(t, nb, notebook.HTMLOptions{}), "<main>\n")
	body, _, _ = strings.Cut(body, "</main>")
	if body != want {
		t.Errorf("%s\n\nwhole:\n%s", firstDiff(body, want), body)
	}
}

func TestANSI(t *testing.T) {
	for in, want := range map[string]string{
		"plain <b>":                            "plain &lt;b&gt;",
		"\x1b[31mred\x1b[0m":                   `<span class="af1">red</span>`,
		"\x1b[1;91mx\x1b[22my\x1b[39mz":        `<span class="af9 a-b">x</span><span class="af9">y</span>z`,
		"\x1b[38;5;208mo\x1b[m.":               `<span style="color:#ff8700">o</span>.`,
		"\x1b[38;5;244mg":                      `<span style="color:#808080">g</span>`,
		"\x1b[48;2;1;2;300mb":                  `<span style="background-color:#01022c">b</span>`,
		"\x1b[44;97mw":                         `<span class="af15 ab4">w</span>`,
		"\x1b[7;31mi":                          `<span class="ai ab1">i</span>`,
		"a\x1b[2Kb\x1b]0;title\ac\x1b(d\x07":   "abcd",
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\a": "link",
		"10%\r50%\r100%\ndone\r\n":             "100%\ndone\n",
		"10%\r":                                "10%",
		"cut \x1b[3":                           "cut ",
		"\x1b[38;5mx":                          "x",
		"\x1b[99999999999999999999mx":          "x",
		"\x1b[31ma\nb":                         "<span class=\"af1\">a\n</span><span class=\"af1\">b</span>",
	} {
		if got := notebook.ANSI(in); got != want {
			t.Errorf("%q:\ngot  %s\nwant %s", in, got, want)
		}
	}
}

func TestPlainFragment(t *testing.T) {
	for _, s := range []string{
		"", "text &amp; more", "<p>a<br>b<br/></p>", `<TABLE class='t'><tr><td title="p > 0.5">x</td></tr></TABLE>`,
		`<td style="background-color: rgba(0, 1, 2, .5)">x</td >`, `<details open><summary>s</summary></details>`,
		`<a href="https://example.com/?a=1">x</a><a href="#y">y</a>`, `<img src="data:image/png;base64,AAAA" alt="">`,
		`<div data-x="1" aria-label='l'></div>`,
	} {
		if !notebook.PlainFragment(s) {
			t.Errorf("refused %s", s)
		}
	}
	for _, s := range []string{
		"<script>x</script>", "<style>x</style>", "<p>", "</p>", "<b><i></b></i>", "<", "a < b", "<!-- x -->", "<!doctype html>",
		`<p onclick="x()">a</p>`, `<p id="x"></p>`, `<a href="javascript:x">y</a>`, `<a href=" javascript:x">y</a>`, `<p href="#x"></p>`,
		`<img src="https://example.com/x.png">`, `<img src="//example.com/x.png">`, `<img src="data:text/html;base64,AAAA">`,
		`<p style="background:url(x)"></p>`, `<p style="background:u&#114;l(x)"></p>`, `<p style="background:u\72l(x)"></p>`,
		`<p style="position:fixed"></p>`, `<p style="p/**/osition:fixed"></p>`, `<p style="width:expression(x)"></p>`, `<p style=x></p>`,
		`<p style="x"title="y"></p>`, `<p title="x></p>`, `<iframe srcdoc="x"></iframe>`, `<svg></svg>`, `<meta http-equiv="refresh">`,
		`<form><input></form>`, `<x-y></x-y>`, `<p/>`, strings.Repeat("<div>", 300) + strings.Repeat("</div>", 300),
	} {
		if notebook.PlainFragment(s) {
			t.Errorf("accepted %.80s", s)
		}
	}
}

func TestMarkdownRaw(t *testing.T) {
	for in, want := range map[string]string{
		"a <b>x</b> y":                   "<p>a <b>x</b> y</p>\n",
		"a <b>x":                         "<p>a <b>x</p>\n</b>",
		"x</b></section> y":              "<p>x&lt;/section&gt; y</p>\n",
		"<div>\nx\n</div>":               "&lt;div&gt;\nx\n&lt;/div&gt;",
		"a <!-- secret --> b":            "<p>a  b</p>\n",
		"[x](javascript:alert(1))":       "<p><a href=\"\">x</a></p>\n",
		"![x](http://h/y.png)":           "<p><a class=\"missing\" href=\"http://h/y.png\">[x]</a></p>\n",
		"![x](javascript:1)":             "<p><span class=\"missing\">[x]</span></p>\n",
		"$a_1 * b_1 * c$ and $$x\n_y_$$": "<p><span class=\"math\">$a_1 * b_1 * c$</span> and <span class=\"math\">$$x\n_y_$$</span></p>\n",
		"$$ open":                        "<p>$$ open</p>\n",
		"`$x$`":                          "<p><code>$x$</code></p>\n",
		"# A b\n# A b":                   "<h1 id=\"A-b\">A b</h1>\n<h1 id=\"A-b-1\">A b</h1>\n",
	} {
		if got := notebook.RenderMarkdown(in); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", in, got, want)
		}
	}
}

func FuzzHTML(f *testing.F) {
	for _, s := range []string{
		"a <b>x</b>", "<p style=\"color:red\">x</p>", "<script>1</script>", "<img src='data:image/png;base64,'>", "\x1b[31mx\x1b[0m\r\n", "$x$ ![a](b)",
		"<a href=\"http://x\">y</a>", "<div\n>", "&lt;script>", "[a](<javascript:x> \"t\")", "<details><summary>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := notebook.Output{Type: notebook.DisplayData}
		if err := out.Data.Set("text/html", s); err != nil {
			t.Fatal(err)
		}
		nb := &notebook.Notebook{Cells: []*notebook.Cell{
			{Type: notebook.Markdown, Source: s},
			{Type: notebook.Code, Source: s, Outputs: []notebook.Output{out, stream(s, s), {Type: notebook.Error, ErrName: s, Traceback: []string{s}}}},
		}}
		checkPage(t, page(t, nb, notebook.HTMLOptions{Title: s}))
	})
}
