package explorer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A server is the real program, in a process of its own, so that it can be killed and begun again.
type server struct {
	t                    *testing.T
	binary, addr, folder string
	cmd                  *exec.Cmd
}

func buildServer(t *testing.T) *server {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "gopherlens")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/gopherlens/gopherlens/kernel/cmd/gopherlens").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := &server{t: t, binary: binary, addr: l.Addr().String(), folder: t.TempDir()}
	t.Cleanup(s.stop)
	return s
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, "serve", "--addr", s.addr, "--model", "teach", "--model", filepath.Join("..", "..", "lenstest", "testdata", "llama3"))
	s.cmd.Env = append(os.Environ(), "GOPHERLENS_CACHE_DIR="+s.folder)
	s.cmd.Stderr = s.t.Output()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	for range 600 {
		if r, err := http.Get(s.url("/readyz")); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.t.Fatal("the server was not ready within 30 s")
}

func (s *server) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *server) url(path string) string { return "http://" + s.addr + path }

// A tab belongs to a headless Chromium, and has a log of what it asked for.
type tab struct {
	t       *testing.T
	ctx     context.Context
	shots   string
	mu      sync.Mutex
	asked   []string        // method and address of each request
	called  map[string]bool // addresses whose request was called off
	ids     map[network.RequestID]string
	bytes   float64  // received, as sent over the wire
	trouble []string // exceptions, and what the page's policy refused
}

func openTab(t *testing.T) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx, shots: os.Getenv("GOPHERLENS_SCREENSHOTS"), called: map[string]bool{}, ids: map[network.RequestID]string{}}
	if b.shots == "" {
		b.shots = t.TempDir()
	} else if err := os.MkdirAll(b.shots, 0o755); err != nil {
		t.Fatal(err)
	}
	// The tab lives as long as the context of its first use, which therefore has no time limit.
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, runtime.Enable, cdp.Empty{})
	b.do(chromedp.EmulateViewport(1280, 800))
	return b
}

func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.asked = append(b.asked, e.Request.Method+" "+e.Request.URL)
		b.ids[e.RequestID] = e.Request.URL
	case *network.EventLoadingFinished:
		b.bytes += e.EncodedDataLength
	case *network.EventLoadingFailed:
		if e.Canceled {
			b.called[b.ids[e.RequestID]] = true
		}
	case *runtime.EventExceptionThrown:
		b.trouble = append(b.trouble, fmt.Sprintf("%s: %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception))
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError {
			b.trouble = append(b.trouble, fmt.Sprint(e.Args))
		}
	}
}

// do performs actions, and fails the test when they take long: a real defect looks like that.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.shot("failed")
		b.t.Fatal(err)
	}
}

// call sends a command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.Call(ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// eval is the value of a script in the page.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.shot("failed")
		b.t.Fatalf("%s: %v", script, err)
	}
	return out
}

// js runs a script for what it does.
func (b *tab) js(script string) {
	b.t.Helper()
	eval[bool](b, "(() => { "+script+"; return true; })()")
}

// until waits for a condition of the page.
func (b *tab) until(what, condition string) {
	b.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for time.Now().Before(end) {
		if eval[bool](b, "Boolean("+condition+")") {
			return
		}
		time.Sleep(15 * time.Millisecond)
	}
	b.shot("failed")
	b.t.Fatalf("the page never had: %s (%s)", what, condition)
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

func (b *tab) press(keys string) { b.t.Helper(); b.do(chromedp.KeyEvent(keys)) }

// move takes the mouse to the middle of an element.
func (b *tab) move(selector string) {
	b.t.Helper()
	at := eval[[]float64](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({block: "nearest"}); const r = e.getClientRects()[0]; return [r.x + r.width / 2, r.y + r.height / 2]; })()`, selector))
	call(b, input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: input.DispatchMouseEventTypeMouseMoved, X: at[0], Y: at[1]})
}

// say writes a message and waits for the end of the answer.
func (b *tab) say(text string) {
	b.t.Helper()
	turns := eval[int](b, `document.querySelectorAll(".turn.assistant").length`)
	b.write("#say", text)
	b.until("an answer to "+text, fmt.Sprintf(`document.querySelectorAll(".turn.assistant").length > %d && document.querySelector("#chat").getAttribute("aria-busy") === "false"`, turns))
	time.Sleep(100 * time.Millisecond) // the page reads the whole conversation again
}

// answer is the text of the last turn of the model.
func (b *tab) answer() string {
	b.t.Helper()
	return eval[string](b, `[...document.querySelectorAll(".turn.assistant")].at(-1).textContent`)
}

func token(position int) string { return fmt.Sprintf(`.token[data-p="%d"]`, position) }

// open goes to an address and waits until the page has asked for all that it shows at first.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
	if url != "about:blank" {
		b.until("the page ready", `document.documentElement.dataset.ready`)
	}
}

// reload empties the page's own cache.
func (b *tab) reload() {
	b.t.Helper()
	b.do(chromedp.Reload())
	b.until("the page ready", `document.documentElement.dataset.ready && (!/^#[^?]/.test(location.hash) || document.querySelector(".token"))`)
}

// write types into a field, and then Enter.
func (b *tab) write(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
	// As a keyboard does it: one event, whose character the page can refuse.
	enter := input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, Text: "\r"}
	call(b, input.DispatchKeyEvent, enter)
	enter.Type, enter.Text = input.DispatchKeyEventTypeKeyUp, ""
	call(b, input.DispatchKeyEvent, enter)
}

// slow bounds what the tab receives, in bytes a second; -1 is no bound.
func (b *tab) slow(bytes float64) {
	b.t.Helper()
	call(b, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: []*network.Conditions{{DownloadThroughput: bytes, UploadThroughput: -1}}})
}

// choose picks an entry of a list.
func (b *tab) choose(label, value string) {
	b.t.Helper()
	b.js(fmt.Sprintf(`const s = document.querySelector('select[aria-label=%q]'); s.value = %q; s.dispatchEvent(new Event("change"))`, label, value))
}

// pinNow clicks from within the page, so that the time counted is the page's alone.
func (b *tab) pinNow(position int) {
	b.t.Helper()
	b.js(fmt.Sprintf(`document.querySelector(%q).click()`, token(position)))
	b.layers(position)
	time.Sleep(120 * time.Millisecond) // the neighbours come
}

// forgive forgets errors that a step provoked.
func (b *tab) forgive() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = nil
}

// pin clicks the token at a position and waits for its last row.
func (b *tab) pin(position int) {
	b.t.Helper()
	b.click(token(position))
	b.layers(position)
}

func (b *tab) layers(position int) {
	b.t.Helper()
	b.until(fmt.Sprintf("the layers of position %d", position), fmt.Sprintf(`document.querySelector("#panel .facts")?.textContent.includes("position %d ") && document.querySelectorAll("#panel .layer").length === 7`, position))
}

// requests counts what was asked for since the log was last emptied.
func (b *tab) requests(part string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, r := range b.asked {
		if strings.Contains(r, part) {
			n++
		}
	}
	return n
}

// emptyLog begins the log anew, when nothing more comes of what was done before.
func (b *tab) emptyLog() {
	for before := -1; before != b.requests(""); time.Sleep(150 * time.Millisecond) {
		before = b.requests("")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked, b.called = nil, map[string]bool{}
}

func (b *tab) calledOff(part string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for url := range b.called {
		if strings.Contains(url, part) {
			return true
		}
	}
	return false
}

// quiet fails when the page threw, or its policy refused something.
func (b *tab) quiet() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range b.trouble {
		b.t.Errorf("the page: %s", t)
	}
	b.trouble = nil
}

// shot keeps a picture of the window.
func (b *tab) shot(name string) {
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(b.shots, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Logf("no picture %s: %v", name, err)
	}
}
