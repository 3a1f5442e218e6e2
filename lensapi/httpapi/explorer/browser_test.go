package explorer

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestInABrowser uses the page as a student does, in headless Chromium, against the real program and the embedded model. The steps build on each other.
// GOPHERLENS_SCREENSHOTS names a folder for its pictures.
func TestInABrowser(t *testing.T) {
	if os.Getenv("GOPHERLENS_BROWSER") == "" {
		t.Skip("needs Chromium: set GOPHERLENS_BROWSER=1")
	}
	s := buildServer(t)
	s.start()
	b := openTab(t)
	for _, step := range []struct {
		name string
		run  func(*testing.T, *server, *tab)
	}{
		{"first load", firstLoad}, {"modules", modules}, {"chat", chats}, {"click", clicks}, {"rows arrive one by one", rowsArrive}, {"hover", hovers}, {"keyboard", keyboard},
		{"views", views}, {"attention", attends}, {"search", searches}, {"compare", compares}, {"export", exportsFiles}, {"address", addresses},
		{"server dies and comes back", restarts}, {"times", times}, {"two models", models}, {"delete", deletes}, {"dark", darkens}, {"phone", narrows}, {"names for a screen reader", named},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			b.t, s.t = t, t
			step.run(t, s, b)
			b.quiet()
		}) {
			break
		}
	}
	b.t, s.t = t, t
}

func firstLoad(t *testing.T, s *server, b *tab) {
	b.open(s.url("/"))
	b.until("four examples", `document.querySelectorAll(".example").length === 4`)
	usable := eval[float64](b, `performance.getEntriesByName("usable")[0].startTime`)
	b.mu.Lock()
	received := b.bytes
	for _, r := range b.asked {
		if !strings.Contains(r, s.url("/")) {
			t.Errorf("the page asked another server: %s", r)
		}
	}
	b.mu.Unlock()
	t.Logf("first load: %.1f kB received, usable after %.0f ms", received/1000, usable)
	if received > 150_000 {
		t.Errorf("the first load is %.0f bytes, want less than 150000", received)
	}
	b.shot("welcome")
}

// modules asks the page's own modules, where a browser runs them.
func modules(_ *testing.T, _ *server, b *tab) {
	b.js(`import("./glyphs.js").then(m => globalThis.glyphs = m); import("./color.js").then(m => globalThis.color = m); import("./cache.js").then(m => globalThis.cache = m)`)
	b.until("the modules", `globalThis.glyphs && globalThis.color && globalThis.cache`)
	for _, c := range []struct{ what, script, want string }{
		{"glyphs", `["", " a", "a b", "a  b", "\n", "\t", "\0", "\u200b", "\u00a0", "é", "a\u0301", "_", "🙂"].map(glyphs.glyphs).join("|")`, "∅|␣a|a b|a␣␣b|⏎|⇥|⟨00⟩|⟨U+200B⟩|⟨U+00A0⟩|é|a\u0301|_|🙂"},
		{"text", `[" a", "x\ny", "\r"].map(glyphs.inText).join("|")`, " a|x⏎\ny|⟨0D⟩"},
		{"probabilities", `[1, 0.99999, 0.9996, 0.5, 0.0123, 0.00012, 1e-9].map(p => glyphs.percent(Math.log(p))).join("|")`, "100 %|>99.99 %|99.96 %|50.0 %|1.23 %|0.012 %|<0.001 %"},
		{"a cache bounded by bytes, the least used out first", `(() => { const c = new cache.ByteCache(10); c.put("a", 1, 4); c.put("b", 2, 4); c.get("a"); c.put("c", 3, 4); c.put("huge", 4, 11); return [c.get("a"), c.get("b"), c.get("c"), c.get("huge"), c.bytes].join("|"); })()`, "1||3||8"},
	} {
		if got := eval[string](b, c.script); got != c.want {
			b.t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	// Lightness alone orders a quantity, and the better of black and white reads on every step.
	const check = `(() => {
		const light = c => { const v = c.map(x => x / 255 <= 0.04045 ? x / 255 / 12.92 : ((x / 255 + 0.055) / 1.055) ** 2.4); return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
		const bad = [];
		for (const map of ["sequential", "diverging"]) {
			const steps = Array.from({length: 256}, (_, i) => color[map](map === "sequential" ? i / 255 : i / 127.5 - 1));
			for (const c of steps) { const g = light(c), k = color.ink(c) === "#000" ? 0 : 1; if ((Math.max(g, k) + 0.05) / (Math.min(g, k) + 0.05) < 4.5) bad.push(map + " unreadable " + c); }
			if (map === "sequential") { const up = light(steps[255]) > light(steps[0]); for (let i = 8; i < 256; i++) if ((light(steps[i]) > light(steps[i - 8])) !== up) bad.push("not in order at " + i); }
		}
		return bad.join("; ");
	})()`
	for range 2 {
		if bad := eval[string](b, check); bad != "" {
			b.t.Errorf("colours, theme %s: %s", eval[string](b, `document.documentElement.dataset.theme`), bad)
		}
		b.press("d")
	}
}

func chats(t *testing.T, _ *server, b *tab) {
	b.say("What is the capital of France?")
	if text := b.answer(); !strings.Contains(text, "Paris") {
		t.Errorf("the answer shown is %q, want Paris in it", text)
	}
	b.say("And its currency?")
	if text := b.answer(); !strings.Contains(text, "euro") {
		t.Errorf("the second answer shown is %q, want euro in it", text)
	}
	if n := eval[int](b, `document.querySelectorAll(".turn").length`); n != 4 {
		t.Errorf("%d turns are shown, want 4", n)
	}
	if n := eval[int](b, `[...document.querySelectorAll(".token")].filter(t => t.style.backgroundColor).length`); n < 20 {
		t.Errorf("only %d tokens are tinted", n)
	}
	b.shot("chat")
}

// is is the position after which the model says Paris, in the first conversation.
const is = 14

func clicks(t *testing.T, _ *server, b *tab) {
	b.pin(is)
	b.emptyLog()
	for _, c := range []struct{ what, script, want string }{
		{"tokens highlighted before it", `String(document.querySelectorAll(".token.context").length)`, "14"},
		{"first choice of the last row", `document.querySelector("#panel .layer .chip").textContent`, "␣Paris"},
		{"order of the rows", `[...document.querySelectorAll("#panel .layer")].map(r => r.dataset.row).join()`, "5_post,4_post,3_post,2_post,1_post,0_post,embed"},
		{"mark where the answer settles", `String(document.querySelectorAll("#panel tr .settles").length)`, "1"},
		{"token that came, among the candidates", `document.querySelector("#panel .actual .chip").textContent`, "␣Paris"},
		{"candidates of the open row", `String(document.querySelectorAll("#panel .candidate").length)`, "10"},
	} {
		if got := eval[string](b, c.script); got != c.want {
			t.Errorf("%s: %q, want %q", c.what, got, c.want)
		}
	}
	b.shot("click")
	b.pin(20)
	b.emptyLog()
	b.pin(is)
	if n := b.requests("/api/"); n != 0 {
		t.Errorf("a second click on a token asked for %d things, want none", n)
	}
}

// rowsArrive slows the line down, so that the rows of one answer come one after the other.
func rowsArrive(t *testing.T, _ *server, b *tab) {
	b.reload()
	b.js(`globalThis.seen = []; new MutationObserver(() => seen.push([document.querySelectorAll("#panel .layer").length, document.querySelectorAll("#panel .placeholder").length, document.querySelector("#panel .layers")?.offsetHeight]))
		.observe(document.querySelector("#panel"), {childList: true, subtree: true})`)
	b.slow(3000)
	b.pin(5)
	b.slow(-1)
	var seen [][]float64
	if err := json.Unmarshal([]byte(eval[string](b, `JSON.stringify(seen)`)), &seen); err != nil {
		t.Fatal(err)
	}
	steps := map[float64]bool{}
	for _, s := range seen {
		steps[s[0]] = true
		if s[0]+s[1] != 7 {
			t.Errorf("%v rows and %v placeholders, want 7 together", s[0], s[1])
		}
	}
	if !steps[0] || !steps[7] || len(steps) < 4 {
		t.Errorf("rows were seen in steps %v, want placeholders first, then rows one by one", seen)
	}
}

func hovers(t *testing.T, _ *server, b *tab) {
	b.reload()
	b.emptyLog()
	b.move(token(26))
	b.until("the tooltip with the model's next word", `document.querySelector("#tooltip").textContent.includes("then")`)
	if n := b.requests("from=25&to=28"); n != 1 {
		t.Errorf("a hover asked %d times for the token and its neighbours, want once: %q", n, b.asked)
	}
	b.shot("hover")
	b.emptyLog()
	b.pin(26)
	if n := b.requests("/api/activations/") - b.requests("from="); n != 0 { // the neighbours of a pinned token may come
		t.Errorf("a click on a prefetched token asked for it again: %q", b.asked)
	}
	b.emptyLog()
	b.move(token(5))
	b.move(token(8))
	b.move("#legend")
	time.Sleep(200 * time.Millisecond)
	if n := b.requests("/api/"); n != 0 {
		t.Errorf("a mouse that passed by asked for %d things: %q", n, b.asked)
	}
	b.slow(300)
	b.move(token(8))
	time.Sleep(300 * time.Millisecond)
	b.move("#legend")
	time.Sleep(300 * time.Millisecond)
	b.slow(-1)
	if !b.calledOff("&to=10") {
		t.Errorf("the prefetch was not called off when the mouse moved on: %q", b.asked)
	}
}

func keyboard(t *testing.T, _ *server, b *tab) {
	says := func(row string) {
		t.Helper()
		if text := eval[string](b, `document.querySelector("#live").textContent`); !strings.HasPrefix(text, row+": ") {
			t.Errorf("the live region says %q, want row %s", text, row)
		}
	}
	b.reload()
	b.pin(is)
	b.press(kb.ArrowDown)
	time.Sleep(400 * time.Millisecond) // the rows that have just arrived are not read out any more
	says("4_post")
	b.press(kb.ArrowUp)
	b.press("?")
	b.until("the help page", `document.querySelector("#dialog").open`)
	b.shot("help")
	b.press(kb.Escape)
	b.until("no help page", `!document.querySelector("#dialog").open`)
	b.press(kb.ArrowRight)
	b.layers(is + 1)
	b.press(kb.ArrowLeft)
	b.layers(is)
	b.press(kb.ArrowDown)
	b.press(kb.ArrowDown)
	b.until("the third row from above chosen", `document.querySelector("#panel .chosen").dataset.row === "3_post"`)
	says("3_post")
	b.press("t")
	b.until("a tracked token", `document.querySelectorAll("#panel [aria-pressed=true]").length === 1`)
	b.press(kb.Enter)
	b.until("the row closed", `document.querySelectorAll("#panel .candidate").length === 0`)
	b.press("/")
	b.until("the search field", `document.activeElement.matches("#view input, #view select")`)
	b.press(kb.Escape)
	b.press(kb.Escape)
	b.press(kb.Escape)
	b.until("nothing pinned, no view", `document.querySelector("#panel .empty") && !document.body.classList.contains("docked")`)
}

func views(t *testing.T, _ *server, b *tab) {
	b.pin(is)
	b.click("#tab-heatmap")
	b.until("the heatmap's cells", painted("#view canvas"))
	b.shot("heatmap")
	b.choose("Second variant", "raw")
	b.until("two heatmaps", `document.querySelectorAll("#view canvas").length === 2`)
	b.until("the second one's cells", painted("figure:nth-child(2) canvas"))
	b.shot("heatmap-beside")
	b.choose("Second variant", "")
	at := eval[[]float64](b, `(() => { const r = document.querySelector("#view .grid").getBoundingClientRect(); return [r.x + 62 + 44 * 3.5, r.y + 10]; })()`)
	b.do(chromedp.MouseClickXY(at[0], at[1]))
	b.until("a click on a cell pins its row", `location.hash.includes("/5_post")`)
	b.pin(is)
	b.click("#tab-trajectories")
	b.until("lines", `document.querySelectorAll("#view path").length >= 1`)
	b.choose("Measure", "rank")
	b.until("lines of ranks", `document.querySelector("#view svg").getAttribute("aria-label").startsWith("rank")`)
	b.write(`[aria-label="Track a token"]`, "␣Madrid")
	b.until("a line of the token that was written", `document.querySelector("#view .legend-list").textContent.includes("␣Madrid")`)
	b.write(`[aria-label="Track a token"]`, "no such word")
	b.until("the reason why a text cannot be tracked", `document.querySelector("#track-note").textContent.includes("tokens")`)
	b.shot("trajectories")
}

// painted is true when a canvas shows more than a few colours.
func painted(selector string) string {
	return fmt.Sprintf(`(() => { const c = document.querySelector(%q); if (!c || !c.width) return false; const d = new Uint32Array(c.getContext("2d").getImageData(0, 0, c.width, c.height).data.buffer); return new Set(d).size > 150; })()`, selector)
}

func attends(t *testing.T, _ *server, b *tab) {
	b.click("#tab-attention")
	b.until("four heads", `document.querySelectorAll(".heads canvas").length === 4`)
	b.shot("attention")
	b.click(".heads .head:nth-child(2)")
	b.until("one head", painted("#view .grid canvas"))
	weights := eval[string](b, `[...document.querySelectorAll("#view .legend-list .number")].map(x => x.textContent).join()`)
	b.click(`#view input[type=checkbox]`)
	b.until("other numbers when weighted by values", fmt.Sprintf(`[...document.querySelectorAll("#view .legend-list .number")].map(x => x.textContent).join() !== %q`, weights))
	b.shot("attention-head")
	b.choose("Layer", "rollout")
	b.until("the rollout", `document.querySelector("#view .grid").getAttribute("aria-label").includes("rollout")`)
	b.shot("attention-rollout")
	b.choose("Layer", "0")
}

func searches(t *testing.T, _ *server, b *tab) {
	b.click("#legend")
	b.press("/")
	b.write(`#view input`, "France|Paris")
	b.until("hits in the text", `document.querySelectorAll(".hit").length >= 2`)
	b.shot("search")
	b.choose("What to find", "token")
	b.write(`#view input`, "␣Paris")
	b.until("rows that say the token", `document.querySelectorAll(".hit").length >= 1 && document.querySelector(".hit .where").textContent.includes("_post")`)
	b.click(".hit")
	b.until("the place of the hit", `/#[^/]+\/\d+\/\w+/.test(location.hash)`)
	b.choose("What to find", "text")
	b.write(`#view input`, "(")
	b.until("what is wrong with the expression", `document.querySelector("#view .notice.bad")`)
}

func compares(t *testing.T, _ *server, b *tab) {
	b.click(".new")
	b.until("the empty page", `document.querySelectorAll(".example").length === 4`)
	b.say("What is the capital of Spain?")
	b.pin(is)
	b.click("#tab-compare")
	b.until("another conversation to choose", `document.querySelectorAll("[aria-label='Other conversation'] option").length > 1`)
	other := eval[string](b, `document.querySelector("[aria-label='Other conversation'] option:nth-child(2)").value`)
	b.choose("Other conversation", other)
	b.until("the differences", painted("#view .grid canvas"))
	b.shot("compare")
}

func exportsFiles(t *testing.T, _ *server, b *tab) {
	folder := t.TempDir()
	call(b, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder})
	b.click("#tab-export")
	b.shot("export")
	for format, head := range map[string]string{"json": "{", "csv": "", "npz": "PK", "png": "\x89PNG", "svg": "<svg", "html": "<!", "npy": "\x93NUMPY", "safetensors": ""} {
		b.click(fmt.Sprintf(`[data-format=%q]`, format))
		b.until(format+" saved", fmt.Sprintf(`document.querySelector("#view p[role=status]").textContent.endsWith(%q)`, "."+format))
		data := waitFile(t, folder, "."+format)
		if !strings.Contains(strings.ToLower(string(data[:min(200, len(data))])), strings.ToLower(head)) {
			t.Errorf("%s begins with %.40q, want %q", format, data, head)
		}
		if format == "json" {
			var grid struct{ Rows []string }
			if err := json.Unmarshal(data, &grid); err != nil || len(grid.Rows) != 7 {
				t.Errorf("the exported JSON has rows %v (%v), want 7", grid.Rows, err)
			}
		}
	}
}

func waitFile(t *testing.T, folder, ext string) []byte {
	t.Helper()
	for range 200 {
		if files, _ := filepath.Glob(filepath.Join(folder, "*"+ext)); len(files) == 1 {
			if data, err := os.ReadFile(files[0]); err == nil && len(data) > 0 {
				return data
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no %s file was downloaded", ext)
	return nil
}

func addresses(t *testing.T, s *server, b *tab) {
	b.pin(is)
	b.press(kb.ArrowDown)
	b.press("t")
	b.click("#tab-heatmap")
	link := eval[string](b, `location.href`)
	for _, part := range []string{fmt.Sprintf("/%d/4_post", is), "view=heatmap", "tracked="} {
		if !strings.Contains(link, part) {
			t.Errorf("the address %s has no %s", link, part)
		}
	}
	b.pin(is - 3)
	b.do(chromedp.NavigateBack())
	b.layers(is)
	b.open("about:blank")
	b.open(link)
	b.layers(is)
	b.until("the same view", `document.querySelector("#tab-heatmap").getAttribute("aria-selected") === "true" && document.querySelector("#panel .chosen").dataset.row === "4_post" && document.querySelectorAll("#panel [aria-pressed=true]").length > 0`)
	b.open(s.url("/#no-such-conversation/3"))
	b.until("a word about a conversation that is not there", `document.querySelector(".banner")?.textContent.includes("not in the cache")`)
	b.open("about:blank")
	b.open(s.url("/#%E0%A4/x/y?tracked=1,a&layer=-1&view=nothing&head=9e9")) // typed by hand, or mangled on its way
	b.until("a page all the same", `document.documentElement.dataset.ready`)
	b.open("about:blank")
	b.open(link)
	b.layers(is)
}

func restarts(t *testing.T, s *server, b *tab) {
	b.pin(is)
	s.stop()
	b.click(token(2))
	b.until("a banner", `document.querySelector("[data-key=gone]")`)
	b.until("the token's own reason", `document.querySelector("#panel .notice.bad")`)
	b.shot("gone")
	b.pin(is) // what was fetched stays
	b.write("#say", "Hello")
	b.until("the words given back", `document.querySelector("#say").value === "Hello"`)
	b.forgive() // refused connections are what this step is about
	s.start()
	b.until("the good news", `document.querySelector("[data-key=back]") && !document.querySelector("[data-key=gone]")`)
	b.shot("back")
	b.js(`document.querySelector("#say").value = ""`)
	b.reload()
	b.pin(10)
	b.pin(4)
	if n := passes(t, s); n != 0 {
		t.Errorf("clicks on an old conversation ran %d forward passes, want none", n)
	}
}

func passes(t *testing.T, s *server) int {
	t.Helper()
	r, err := http.Get(s.url("/api/cache/status"))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var status struct {
		Forward struct{ Passes int }
	}
	if err := json.NewDecoder(r.Body).Decode(&status); err != nil {
		t.Fatal(err)
	}
	return status.Forward.Passes
}

// models changes to a tiny random model and back: each has its own conversations, rows and vocabulary.
func models(t *testing.T, _ *server, b *tab) {
	before := eval[int](b, `document.querySelectorAll(".entry").length`)
	b.choose("Model", "llama3")
	b.until("an empty page without the other model's conversations", `document.querySelector(".welcome") && document.querySelectorAll(".entry").length === 0`)
	b.say("Hé")
	b.click(token(2))
	b.until("its three rows", `document.querySelectorAll("#panel .layer").length === 3`)
	if text := eval[string](b, `document.querySelector(".turn.user .words").textContent`); !strings.Contains(text, "⟨C3⟩") {
		t.Errorf("half a character is shown as %q, want its byte", text)
	}
	b.choose("Model", "teach")
	b.until("the conversations of the first model", fmt.Sprintf(`document.querySelectorAll(".entry").length === %d`, before))
	b.click(".entry")
	b.until("its text", `document.querySelectorAll(".turn.assistant").length > 0`)
}

func deletes(t *testing.T, s *server, b *tab) {
	before := eval[int](b, `document.querySelectorAll(".entry").length`)
	id := eval[string](b, `location.hash.slice(1).split(/[/?]/)[0]`)
	b.click("#cache")
	b.until("the table of what is kept", fmt.Sprintf(`document.querySelectorAll("#dialog tbody tr").length === %d`, before))
	b.shot("cache")
	row := fmt.Sprintf(`[...document.querySelectorAll("#dialog tbody tr")].find(r => r.textContent.includes(%q)).querySelector("button")`, id)
	b.js(row + ".click()")
	b.until("the question whether really", row+`.textContent === "Really delete"`)
	b.js(row + ".click()")
	b.until("one conversation less", fmt.Sprintf(`document.querySelectorAll("#dialog tbody tr").length === %d && document.querySelectorAll(".entry").length === %d`, before-1, before-1))
	b.press(kb.Escape)
	if r, err := http.Get(s.url("/api/conversations/" + id)); err != nil || r.StatusCode != http.StatusNotFound {
		t.Errorf("the deleted conversation is still answered for: %v, %v", r.Status, err)
	}
}
