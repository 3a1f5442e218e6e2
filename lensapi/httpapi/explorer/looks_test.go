package explorer

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func darkens(t *testing.T, _ *server, b *tab) {
	b.js(`localStorage.removeItem("theme")`)
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
	b.reload()
	if theme := eval[string](b, `document.documentElement.dataset.theme`); theme != "dark" {
		t.Errorf("the theme is %q where the reader prefers dark", theme)
	}
	b.click(".entry")
	b.pin(is)
	b.until("the heatmap's cells", painted("#view canvas")) // the view that was open
	b.shot("dark")
	if text := eval[string](b, unreadable); text != "" {
		t.Errorf("unreadable in the dark: %s", text)
	}
	b.press("d")
	if text := eval[string](b, unreadable); text != "" {
		t.Errorf("unreadable in the light: %s", text)
	}
}

// unreadable names tokens whose text has a contrast below 4.5 with their tint.
const unreadable = `(() => {
	const light = s => { const v = s.match(/[\d.]+/g).slice(0, 3).map(x => x / 255).map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4); return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
	return [...document.querySelectorAll(".token")].filter(t => t.style.backgroundColor).filter(t => {
		const s = getComputedStyle(t), a = light(s.color), b = light(s.backgroundColor);
		return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
	}).map(t => t.textContent).join(" | ");
})()`

func narrows(t *testing.T, _ *server, b *tab) {
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	b.reload()
	b.until("nothing wider than the screen", `document.documentElement.scrollWidth <= innerWidth`)
	b.shot("phone-layers")
	b.until("the layers", `document.querySelector("#panel .layer")?.getBoundingClientRect().right <= innerWidth`)
	b.click(`#panel [aria-label="Unpin"]`)
	b.shot("phone")
	b.click(`#panes [data-pane="views"]`)
	b.until("the heatmap's cells", painted("#view canvas"))
	b.shot("phone-heatmap")
	b.click("#menu")
	b.until("the conversations", `document.querySelector("#sidebar").getBoundingClientRect().width > 100`)
	b.click(".entry")
	b.do(chromedp.EmulateViewport(1280, 800))
}

// named looks for what a screen reader could not say: a control without a name, a broken reference, a list without its parts.
func named(t *testing.T, _ *server, b *tab) {
	at := eval[string](b, `location.href`)
	b.js(`document.querySelector("#skip").click()`)
	if !eval[bool](b, `document.activeElement.matches(".token")`) || eval[string](b, `location.href`) != at {
		t.Error("skipping to the conversation focuses no token, or leaves the view")
	}
	for _, view := range []string{"export", "search", "compare", "attention", "trajectories", "heatmap"} {
		b.click("#tab-" + view)
		b.until(view, fmt.Sprintf(`document.querySelector("#tab-%s").getAttribute("aria-selected") === "true"`, view))
		if bad := eval[string](b, nameless); bad != "" {
			t.Errorf("in %s: %s", view, bad)
		}
	}
}

const nameless = `(() => {
	const bad = [...document.querySelectorAll("button, a, select, input, textarea, [role=img], [role=listbox], [tabindex='0']")].filter(e => e.offsetParent && e.getAttribute("role") !== "option" &&
		!(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length || e.title)).map(e => "no name: " + e.outerHTML.slice(0, 80));
	for (const e of document.querySelectorAll("[aria-controls], [aria-labelledby]")) for (const k of ["aria-controls", "aria-labelledby"]) if (e.hasAttribute(k) && !document.getElementById(e.getAttribute(k))) bad.push(k + " leads nowhere: " + e.id);
	const ids = [...document.querySelectorAll("[id]")].map(e => e.id);
	if (new Set(ids).size !== ids.length) bad.push("an id is used twice");
	return bad.join("\n");
})()`

// times reports how long a click takes to its picture. Nothing is demanded here: a busy machine is not a defect.
func times(t *testing.T, s *server, b *tab) {
	long := eval[string](b, `[...document.querySelectorAll(".token")].length + ""`)
	t.Logf("a conversation of %s tokens; from the click to the frame that shows all seven rows, milliseconds:", long)
	for _, kind := range []string{"cold: server begun anew", "warm"} {
		if kind != "warm" {
			s.stop()
			s.start()
			b.forgive()
		}
		var fetched, cached, script []float64
		for range 6 {
			b.press(kb.Escape) // a pinned token would come with the page
			b.reload()
			for _, p := range []int{1, 7, 13} { // far apart: the neighbours of a pinned token are prefetched
				b.pinNow(p)
			}
			for _, p := range []int{7, 1, 13, 1} {
				b.pinNow(p)
			}
			fetched = append(fetched, eval[[]float64](b, measures("click-fetched"))...)
			cached = append(cached, eval[[]float64](b, measures("click-cached"))...)
			script = append(script, eval[[]float64](b, measures("click-cached-script"))...)
		}
		t.Logf("%s: fetched %s; from the page's cache %s, of which until the screen's next turn %s", kind, summary(fetched), summary(cached), summary(script))
	}
}

func measures(name string) string {
	return fmt.Sprintf(`performance.getEntriesByName(%q).map(m => m.duration)`, name)
}

func summary(x []float64) string {
	if len(x) == 0 {
		return "none"
	}
	slices.Sort(x)
	at := func(q float64) float64 { return x[int(math.Ceil(q*float64(len(x))))-1] }
	return fmt.Sprintf("n %d, median %.1f, p95 %.1f, most %.1f", len(x), at(0.5), at(0.95), x[len(x)-1])
}
