package explorer

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func get(t *testing.T, target string, head map[string]string) *http.Response {
	t.Helper()
	return send(t, http.MethodGet, target, head)
}

func send(t *testing.T, method, target string, head map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = target // as a hostile client may send it, not cleaned
	for k, v := range head {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func TestServesThePage(t *testing.T) {
	for name, kind := range map[string]string{"/": "text/html", "/index.html": "text/html", "/main.js": "text/javascript", "/base.css": "text/css", "/icon.svg": "image/svg+xml"} {
		r := get(t, name, nil)
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), kind) {
			t.Errorf("%s: status %d, type %q, want 200 and %s", name, r.StatusCode, r.Header.Get("Content-Type"), kind)
		}
		body, _ := io.ReadAll(r.Body)
		packed := get(t, name, map[string]string{"Accept-Encoding": "br, gzip;q=0.5"})
		if packed.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s is not packed for a client that takes gzip", name)
		}
		z, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if un, err := io.ReadAll(z); err != nil || !bytes.Equal(un, body) {
			t.Errorf("%s: unpacked it is not the same (%v)", name, err)
		}
	}
}

func TestNoOtherPath(t *testing.T) {
	for _, name := range []string{"/nothing", "/../explorer.go", "/page/index.html", "//index.html", "/main.js/", "/.", "/a\x00b"} {
		if r := get(t, name, nil); r.StatusCode != http.StatusNotFound {
			t.Errorf("%q: status %d, want 404", name, r.StatusCode)
		}
	}
	if r := send(t, http.MethodPost, "/", nil); r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: status %d, Allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
	r := send(t, http.MethodHead, "/", nil)
	if body, _ := io.ReadAll(r.Body); r.StatusCode != http.StatusOK || len(body) != 0 || r.Header.Get("Content-Length") == "0" {
		t.Errorf("HEAD: status %d, %d bytes, length %s", r.StatusCode, len(body), r.Header.Get("Content-Length"))
	}
}

func TestUnchangedIsNotSentAgain(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		first := get(t, "/main.js", map[string]string{"Accept-Encoding": encoding})
		tag := first.Header.Get("ETag")
		for _, header := range []string{tag, `"other", ` + tag, "W/" + tag, "*"} {
			again := get(t, "/main.js", map[string]string{"Accept-Encoding": encoding, "If-None-Match": header})
			if body, _ := io.ReadAll(again.Body); again.StatusCode != http.StatusNotModified || len(body) != 0 || again.Header.Get("ETag") != tag {
				t.Errorf("encoding %q, If-None-Match %s: status %d, %d bytes", encoding, header, again.StatusCode, len(body))
			}
		}
		if r := get(t, "/main.js", map[string]string{"Accept-Encoding": encoding, "If-None-Match": `"other"`}); r.StatusCode != http.StatusOK {
			t.Errorf("another tag: status %d", r.StatusCode)
		}
	}
	if a, b := get(t, "/main.js", nil).Header.Get("ETag"), get(t, "/main.js", map[string]string{"Accept-Encoding": "gzip"}).Header.Get("ETag"); a == b {
		t.Error("packed and plain have one tag: a cache could mix them up")
	}
}

func TestAcceptsGzip(t *testing.T) {
	for header, want := range map[string]bool{"": false, "gzip": true, "br": false, "br, gzip": true, "gzip;q=0": false, "gzip;q=0.0": false, "*": true, "GZIP;q=1": true, "gzip;q=x": false, "xgzip": false} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", header)
		if got := acceptsGzip(r); got != want {
			t.Errorf("Accept-Encoding %q: %v, want %v", header, got, want)
		}
	}
}

// What a first visit loads is all of it.
func TestSizeBudget(t *testing.T) {
	const most = 150_000
	total := 0
	for name, a := range assets() {
		if name != "" {
			total += len(a.packed)
		}
	}
	if total > most {
		t.Errorf("the page is %d bytes compressed, want at most %d", total, most)
	}
}

func TestPolicy(t *testing.T) {
	policy := get(t, "/", nil).Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none';") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
		t.Errorf("the policy is lax: %s", policy)
	}
}

var (
	importing = regexp.MustCompile(`(?m)^(?:import|export) [^;]*?from "([^"]+)"`)
	linked    = regexp.MustCompile(`(?:src|href)="([^"#][^"]*)"`)
	outside   = regexp.MustCompile(`(?i)(?:https?:|wss?:)?//[a-z0-9.-]+\.[a-z]{2,}`)
	forbidden = regexp.MustCompile(`\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|new Function|setAttribute\("style")`)
	inline    = regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script>|javascript:`)
)

// Each module finds what it imports, and nothing comes from outside or by way of markup.
func TestFilesHangTogether(t *testing.T) {
	h := assets()
	for name, a := range h {
		text := strings.ReplaceAll(string(a.plain), `xmlns="http://www.w3.org/2000/svg"`, "")
		text = strings.ReplaceAll(text, `"http://www.w3.org/2000/svg"`, "")
		for _, m := range importing.FindAllStringSubmatch(text, -1) {
			if !strings.HasPrefix(m[1], "./") || h[path.Clean(m[1])] == nil {
				t.Errorf("%s imports %q, which is no file of the page", name, m[1])
			}
		}
		if found := outside.FindString(text); found != "" {
			t.Errorf("%s names an address outside: %s", name, found)
		}
		if found := forbidden.FindString(text); found != "" {
			t.Errorf("%s uses %s: text must never become markup", name, found)
		}
		if lines := strings.Count(text, "\n"); lines > 500 {
			t.Errorf("%s has %d lines: split it by subject", name, lines)
		}
	}
	index := string(h["index.html"].plain)
	if found := inline.FindString(index); found != "" {
		t.Errorf("index.html has %q, which the policy forbids", found)
	}
	for _, m := range linked.FindAllStringSubmatch(index, -1) {
		if h[m[1]] == nil && !strings.HasPrefix(m[1], "/api/") {
			t.Errorf("index.html loads %q, which is no file of the page", m[1])
		}
	}
	for name := range h { // a module that is found only through others comes one round trip later for each
		if path.Ext(name) == ".js" && !strings.Contains(index, `="`+name+`"`) {
			t.Errorf("index.html does not load %s in advance", name)
		}
	}
}

// Every number with a ? beside it has a sentence, and every element that a module looks for by name exists.
func TestNamesResolve(t *testing.T) {
	h := assets()
	notes := regexp.MustCompile(`(?m)^  (\w+): \["`).FindAllStringSubmatch(string(h["explain.js"].plain), -1)
	known := map[string]bool{}
	for _, m := range notes {
		known[m[1]] = true
	}
	if len(known) < 15 {
		t.Fatalf("found only %d explanations", len(known))
	}
	asked := regexp.MustCompile(`\b(?:why|sentence|title)\("(\w+)"\)`)
	ids := regexp.MustCompile(`\$\("([\w-]+)"\)`)
	all := ""
	for _, a := range h {
		all += string(a.plain)
	}
	for _, m := range asked.FindAllStringSubmatch(all, -1) {
		if !known[m[1]] {
			t.Errorf("%q has no explanation", m[1])
		}
	}
	for _, m := range ids.FindAllStringSubmatch(all, -1) {
		if !strings.Contains(all, `id="`+m[1]+`"`) && !strings.Contains(all, `id: "`+m[1]+`"`) {
			t.Errorf("no element has the id %q", m[1])
		}
	}
}

// The contrast of WCAG 2.2, level AA, for each text on each ground it stands on, in both themes.
func TestContrast(t *testing.T) {
	sheet := string(assets()["base.css"].plain)
	light, dark, ok := strings.Cut(sheet, `:root[data-theme="dark"]`)
	if !ok {
		t.Fatal("base.css has no dark theme")
	}
	texts := map[string][]string{
		"ink":        {"surface", "ground", "ghost", "raised", "link-ground", "bar", "accent-bar"},
		"soft":       {"surface", "ground", "raised", "ghost", "link-ground"},
		"link":       {"surface", "link-ground", "ground"},
		"bad":        {"surface", "bad-ground"},
		"good":       {"surface", "good-ground", "ghost", "link-ground"},
		"quiet":      {"quiet-ground"},
		"surface":    {"link", "bad"}, // of buttons
		"accent-ink": {"surface", "raised", "link-ground", "ghost"},
	}
	for theme, css := range map[string]string{"light": light, "dark": dark[:strings.Index(dark, "}")]} {
		for text, grounds := range texts {
			for _, ground := range grounds {
				if c := ratio(t, css, text, ground); c < 4.5 {
					t.Errorf("%s theme: %s on %s has a contrast of %.2f, want 4.5", theme, text, ground, c)
				}
			}
		}
		if c := ratio(t, css, "accent", "surface"); c < 3 {
			t.Errorf("%s theme: the outline of the pinned token has a contrast of %.2f, want 3", theme, c)
		}
	}
}

func ratio(t *testing.T, css, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, css, a), luminance(t, css, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, css, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(fmt.Sprintf(`--%s: #([0-9a-f]{6});`, name)).FindStringSubmatch(css)
	if m == nil {
		t.Fatalf("no colour --%s", name)
	}
	n, err := strconv.ParseUint(m[1], 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	channel := func(shift int) float64 {
		x := float64(n>>shift&255) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(16) + 0.7152*channel(8) + 0.0722*channel(0)
}
