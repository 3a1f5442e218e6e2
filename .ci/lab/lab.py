"""Drives JupyterLab as a person would, in headless Chromium: lab.py BUNDLE PICTURES NOTEBOOK...

BUNDLE is what build.mjs made. Each notebook is opened, run, and photographed in the light and the dark theme into the folder PICTURES; all that
its outputs show must be readable in both. In the first one the editor's helpers, an interrupt, a question and a restart are tried too.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from browser import chromium, free_port, until  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SETTINGS = {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # cells out of sight are not on a picture
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}

# What the page of a notebook is asked, with the notebook's panel as p.
PANEL = "const p = [...lab.shell.widgets('main')].find(w => w.context); "
KERNEL = "p && p.context && p.context.isReady && p.sessionContext.session && p.sessionContext.session.kernel"
STATE = PANEL + """
    const cells = p.content.widgets.filter(c => c.model.type == 'code' && c.model.sharedModel.source.trim());
    const outputs = cells.flatMap(c => c.model.outputs.toJSON());
    const images = [...p.node.querySelectorAll('.jp-OutputArea img')];
    return {cells: cells.length, unrun: cells.filter(c => !c.model.executionCount).length,
        errors: outputs.filter(o => o.output_type == 'error').map(o => o.ename + ': ' + o.evalue),
        scripts: outputs.flatMap(o => Object.keys(o.data || {})).filter(t => t.includes('javascript')),
        complaints: [...p.node.querySelectorAll('.jp-OutputArea-output')].map(n => n.innerText).filter(t => /javascript|is not defined/i.test(t)),
        images: images.length, broken: images.filter(i => !i.complete || i.naturalWidth < 2).length,
        tables: p.node.querySelectorAll('.jp-OutputArea .jp-RenderedHTMLCommon table').length,
        wide: [...p.node.querySelectorAll('.jp-OutputArea-output')].filter(o => o.scrollWidth > o.clientWidth + 1)
            .map(o => (o.innerText || o.innerHTML).slice(0, 60) + ' is ' + o.scrollWidth + ' px wide in ' + o.clientWidth)}"""

# The least contrast of a text in an output with what is behind it, as WCAG counts it.
CONTRAST = PANEL + """
    const rgba = s => { const n = (s.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number); return s.startsWith('color(srgb') ? [...n.slice(0, 3).map(v => 255 * v), n[3] ?? 1] : [n[0], n[1], n[2], n[3] ?? 1]; };
    const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
    const luminance = c => { const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const parents = n => n ? [...parents(n.parentElement), n] : [];
    let worst = {ratio: 99};
    for (const output of p.node.querySelectorAll('.jp-OutputArea-output')) {
        const texts = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
        while (texts.nextNode()) {
            const text = texts.currentNode.data.trim(), element = texts.currentNode.parentElement;
            if (!text || !element.offsetParent) continue;
            let below = [255, 255, 255, 1], opacity = 1;
            for (const n of parents(element)) { const s = getComputedStyle(n); below = over(rgba(s.backgroundColor), below); opacity *= Number(s.opacity); }
            const own = rgba(getComputedStyle(element).color);
            const front = over([...own.slice(0, 3), own[3] * opacity], below);
            const [dark, light] = [luminance(front), luminance(below)].sort((a, b) => a - b);
            const ratio = (light + 0.05) / (dark + 0.05);
            if (ratio < worst.ratio) worst = {ratio, text: text.slice(0, 60), colour: front.map(Math.round).join(), behind: below.map(Math.round).join()};
        }
    }
    return worst"""


class Lab:
    def __init__(self, bundle, folder):
        self.folder = folder
        (folder / "state/app").mkdir(parents=True)
        (folder / "state/app/overrides.json").write_text(json.dumps(SETTINGS))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = open(folder / "server.log", "w")
        self.server = subprocess.Popen(
            ["/usr/bin/python3", str(HERE / "server.py"), bundle, str(folder / "state"), "--no-browser", "--allow-root", "--ip=127.0.0.1",
             "--port=" + self.url.rsplit(":", 1)[1], "--ServerApp.port_retries=0", "--ServerApp.token=", "--ServerApp.password=", f"--ServerApp.root_dir={folder}"],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.browser = None
        try:
            until("JupyterLab's server", 60, lambda: urllib.request.urlopen(self.url + "/api", timeout=2))
            self.browser = chromium(folder / "profile")
            self.browser.set_script_timeout(300)
        except BaseException:
            self.close()
            raise

    def close(self):
        if self.browser:
            self.browser.quit()
        self.server.terminate()
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()

    def js(self, source, *args):
        return self.browser.execute_script(source, *args)

    def command(self, name, **args):
        """Runs a command of JupyterLab's and returns what it gave, once it is done."""
        done = self.browser.execute_async_script(
            "const done = arguments[2]; lab.commands.execute(arguments[0], arguments[1]).then(v => done([typeof v == 'boolean' ? v : null]), e => done('' + e))", name, args)
        if not isinstance(done, list):
            raise SystemExit(f"FAILED: {name}: {done}")
        return done[0]

    def open(self, name):
        if self.js("return !!window.lab"):
            self.command("docmanager:save")  # a page with changes asks before it is left
        self.browser.get(f"{self.url}/lab/tree/{name}?reset")
        until("JupyterLab", 120, lambda: self.js("return !!window.lab || window.labError"))
        if error := self.js("return window.labError"):
            raise SystemExit(f"FAILED: JupyterLab does not start: {error}")
        until("the kernel", 60, lambda: self.js(PANEL + f"return ({KERNEL}).status == 'idle'"))

    def cell(self, source):
        """Adds a cell at the end with the cursor behind source, and lets the editor have the keys."""
        self.js(PANEL + "p.content.activeCellIndex = p.content.widgets.length - 1; p.content.deselectAll()")
        self.command("notebook:insert-cell-below")
        self.js(PANEL + """const e = p.content.activeCell.editor; e.model.sharedModel.setSource(arguments[0]);
            e.setCursorPosition(e.getPositionAt(arguments[0].length))""", source)
        self.command("notebook:enter-edit-mode")
        until("the editor", 10, lambda: self.js(PANEL + "return p.content.activeCell.editor.hasFocus()"))

    def keys(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()

    def chord(self, modifier, key):
        ActionChains(self.browser).key_down(modifier).send_keys(key).key_up(modifier).perform()

    def outputs(self):
        return self.js(PANEL + "return p.content.activeCell.model.outputs.toJSON()")

    def run(self, source, seconds=60):
        """Runs source in a new cell and returns its outputs."""
        self.cell(source)
        self.command("notebook:run-cell")
        return self.outputs()

    def seen(self, what, selector, text, seconds=20):
        """Waits until text can be read in selector."""
        find = "return [...document.querySelectorAll(arguments[0])].filter(n => n.getClientRects().length).map(n => n.innerText).join('\\n')"
        try:
            until(what, seconds, lambda: text in self.js(find, selector))
        except SystemExit:
            raise SystemExit(f"FAILED: {what} shows {self.js(find, selector)[:500]!r}, without {text!r}")

    def picture(self, file, tall=False):
        """Photographs the window, grown so that it holds the whole notebook if tall."""
        if tall:
            self.command("notebook:enter-command-mode")
            height = self.js(PANEL + """p.content.activeCellIndex = 0; p.content.node.querySelector('.jp-WindowedPanel-outer').scrollTop = 0;
                const cells = [...p.content.node.querySelectorAll('.jp-Cell')].map(n => n.getBoundingClientRect());
                return Math.max(...cells.map(c => c.bottom)) - cells[0].top""")
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 1280, "height": min(int(height) + 200, 12000), "deviceScaleFactor": 1, "mobile": False})
            time.sleep(1)
        self.browser.save_screenshot(str(file))
        if tall:
            self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})

    def theme(self, name):
        self.command("apputils:change-theme", theme=name)
        until(name, 30, lambda: self.js("return document.body.dataset.jpThemeName") == name)


def check(ok, what):
    if not ok:
        raise SystemExit(f"FAILED: {what}")


def runs(lab, notebook, pictures):
    """All cells run, all pictures load, nothing is an error, and all can be read in both themes."""
    lab.open(notebook.name)
    start = time.monotonic()
    check(lab.command("notebook:run-all-cells"), f"{notebook.name}: a cell failed: {lab.js(STATE)['errors']}")
    seconds = time.monotonic() - start
    until("the pictures", 30, lambda: lab.js(STATE)["broken"] == 0)
    shows(lab, notebook.stem, pictures, f"all cells ran in {seconds:.1f} s")


def shows(lab, name, pictures, how):
    state = lab.js(STATE)
    check(state["cells"] and state["images"] and not (state["unrun"] or state["errors"] or state["broken"] or state["scripts"] or state["complaints"] or state["wide"]), f"{name}: {state}")
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        lab.theme(theme)
        lab.picture(pictures / f"lab-{name}-{theme.split()[1].lower()}.png", tall=True)
        worst = lab.js(CONTRAST)
        check(worst["ratio"] >= 3, f"{name}: hardly to be read in {theme}: {worst}")
    print(f"{name}: {how}; {state['cells']} code cells, {state['images']} images, {state['tables']} tables", flush=True)


def reopened(lab, notebook, pictures):
    """A notebook that somebody else ran is not trusted: what the sanitizer leaves of its outputs must still show all."""
    trusted = lab.js(STATE)
    lab.command("docmanager:save")
    saved = json.loads((lab.folder / notebook.name).read_text())
    saved["metadata"]["from"] = "elsewhere"  # a signature holds for one content only
    name = f"{notebook.stem}-untrusted"
    (lab.folder / f"{name}.ipynb").write_text(json.dumps(saved))
    lab.open(f"{name}.ipynb")
    check(not lab.js(PANEL + "return p.content.widgets.filter(c => c.model.type == 'code').every(c => c.model.trusted)"), "the copy is trusted")
    until("the pictures", 30, lambda: lab.js(STATE)["broken"] == 0)
    now = lab.js(STATE)
    check((now["images"], now["tables"]) == (trusted["images"], trusted["tables"]), f"not trusted: {now}; trusted: {trusted}")
    titles = "return document.querySelectorAll('.jp-OutputArea [title^=position]').length"
    check(lab.js(titles) > 20, "tokens do not tell their positions")
    shows(lab, name, pictures, "reopened without trust")


def editor(lab, pictures):
    """Colours, completion and help."""
    lab.cell("// a comment\nfor i := range 3 { fmt.Println(\"text\", i) }")
    check(lab.js(PANEL + "return p.content.activeCell.model.mimeType") == "text/x-go", "the editor does not know that this is Go")
    colours = "return new Set([...p.content.activeCell.node.querySelectorAll('.cm-line span')].map(n => getComputedStyle(n).color)).size"
    until("colours for Go", 10, lambda: lab.js(PANEL + colours) >= 3)
    lab.cell("chat.Cli")
    lab.keys(Keys.TAB)
    lab.seen("the completer", ".jp-Completer", "Click")
    lab.keys(Keys.ENTER)
    until("a completion", 10, lambda: lab.js(PANEL + "return p.content.activeCell.model.sharedModel.source") == "chat.Click")
    lab.cell("chat.")
    lab.keys(Keys.TAB)
    lab.seen("the completer", ".jp-Completer", "Say")
    lab.picture(pictures / "lab-completion.png")
    lab.keys(Keys.ESCAPE)
    lab.cell("chat.Click")
    lab.chord(Keys.SHIFT, Keys.TAB)
    lab.seen("help", ".jp-Tooltip", "TokenView")
    lab.picture(pictures / "lab-help.png")
    lab.keys(Keys.ESCAPE)


def session(lab, pictures):
    """Questions, an interrupt that keeps the state, updates in place, a restart that forgets it."""
    lab.cell('Must(Input("who are you? "))')
    lab.js("lab.commands.execute('notebook:run-cell')")
    lab.seen("a question", ".jp-Stdin-prompt", "who are you?")
    lab.js("document.querySelector('.jp-Stdin-input').focus()")
    lab.keys("Gopher", Keys.ENTER)
    lab.seen("the answer", ".jp-OutputArea-executeResult", "Gopher")
    lab.cell("for {}")
    lab.js("lab.commands.execute('notebook:run-cell')")
    until("a busy kernel", 20, lambda: lab.js(PANEL + f"return ({KERNEL}).status") == "busy")
    lab.command("notebook:interrupt-kernel")
    until("an interrupt", 20, lambda: [o["ename"] for o in lab.outputs()] == ["interrupted"])
    lab.picture(pictures / "lab-interrupted.png")
    check(lab.run("chat.Len() > 10")[0]["data"]["text/plain"] == "true", "an interrupt loses the state")
    check([o["data"]["text/plain"] for o in lab.run('DisplayID("d", 1)\nUpdateDisplay("d", 2)')] == ["2"], "a display is not updated")
    script = lab.run('%%javascript\ndocument.body.dataset.ran = "yes"')
    check(lab.js("return document.body.dataset.ran") == "yes", f"%%javascript does not run: {script}")
    lab.js("lab.commands.execute('notebook:restart-kernel')")
    lab.seen("a dialog", ".jp-Dialog", "Restart")
    lab.keys(Keys.ENTER)
    until("a restart", 60, lambda: not lab.js("return document.querySelectorAll('.jp-Dialog').length") and lab.js(PANEL + f"return ({KERNEL}).status") == "idle")
    lab.cell("chat.Len()")
    lab.command("notebook:run-cell")
    check([o["output_type"] for o in lab.outputs()] == ["error"], "a restart keeps the state")
    lab.picture(pictures / "lab-restarted.png")
    check(lab.run("6 * 7")[0]["data"]["text/plain"] == "42", "no cell runs after a restart")


def main():
    bundle, pictures, notebooks = sys.argv[1], pathlib.Path(sys.argv[2]), [pathlib.Path(n) for n in sys.argv[3:]]
    pictures.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        lab = Lab(bundle, pathlib.Path(os.path.realpath(folder)))
        try:
            for i, notebook in enumerate(notebooks):
                shutil.copy(notebook, folder)
                runs(lab, notebook, pictures)
                if i == 0:
                    reopened(lab, notebook, pictures)
                    lab.open(notebook.name)  # its kernel still runs
                    editor(lab, pictures)
                    session(lab, pictures)
        except BaseException:
            if lab.browser:
                lab.picture(pictures / "lab-failed.png")
                print((lab.folder / "server.log").read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            lab.close()


if __name__ == "__main__":
    main()
