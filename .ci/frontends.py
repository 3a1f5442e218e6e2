"""Drives Debian's front ends, headless, with our kernel: frontends.py [NAME...] (default: all)

nbclient    and jupyter execute: tags, errors, time-outs
run         jupyter run: a script through the kernel
console     jupyter console: results, a question, an interrupt
server      jupyter-server: REST and WebSocket only, as a gateway for remote front ends
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import nbformat
import pexpect
import tornado.gen
import tornado.ioloop
import tornado.websocket
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError

KERNEL = "gopherlens"


def code(source, *tags):
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def jupyter(*args, **kw):
    return subprocess.run(["/usr/bin/python3", "/usr/bin/jupyter", *args], stdin=kw.pop("stdin", subprocess.DEVNULL), capture_output=True, text=True, timeout=120, **kw)


def check(ok, what):
    if not ok:
        raise SystemExit(f"FAILED: {what}")


def nbclient(folder):
    def notebook(*cells):
        nb = nbformat.v4.new_notebook(cells=list(cells))
        nb.metadata["kernelspec"] = {"name": KERNEL, "display_name": "Go", "language": "go"}
        return nb

    nb = notebook(code('panic("on purpose")', "raises-exception"), code('panic("never")', "skip-execution"), code("6 * 7"))
    cells = NotebookClient(nb, timeout=60).execute().cells
    check(cells[0].outputs[0].output_type == "error" and not cells[1].outputs and cells[2].outputs[0].data["text/plain"] == "42", cells)
    try:
        NotebookClient(notebook(code("for {}")), timeout=2).execute()
        check(False, "no time-out")
    except CellTimeoutError:
        pass
    path = folder / "nb.ipynb"
    nbformat.write(notebook(code("x := 1\nx / (x - 1)")), path)
    done = jupyter("execute", str(path))
    check(done.returncode != 0 and "divide by zero" in done.stderr, done.stderr)


def run(folder):
    script = folder / "script.go"
    script.write_text('import "fmt"\nfmt.Println("from a script", 6*7)\n')
    done = jupyter("run", f"--kernel={KERNEL}", str(script))
    check(done.returncode == 0 and "from a script 42" in done.stdout, done.stdout + done.stderr)


def console(_):
    tty = pexpect.spawn("/usr/bin/python3", ["/usr/bin/jupyter", "console", f"--kernel={KERNEL}", "--ZMQTerminalInteractiveShell.simple_prompt=True",
                                             "--no-confirm-exit"], encoding="utf-8", timeout=60, env=dict(os.environ, TERM="dumb"))
    try:
        tty.expect(r"In \[1\]")
        tty.sendline("6 * 7")
        tty.expect(r"Out\[1\]: 42")
        tty.sendline("func twice(n int) int { return 2 * n }")
        tty.expect(r"In \[3\]")
        tty.sendline("twice(50)")
        tty.expect("100")
        tty.sendline('Must(Input("who are you? "))')
        tty.expect("who are you?")
        tty.sendline("Gopher")
        tty.expect("Gopher")
        tty.expect(r"In \[5\]")
        tty.sendline("for {}")
        time.sleep(2)
        tty.sendintr()
        tty.expect("interrupted")
        tty.sendline("twice(4)")
        tty.expect("8")
    finally:
        tty.close(force=True)


def server(folder):
    from http.client import RemoteDisconnected

    url = "http://127.0.0.1:8977"
    process = subprocess.Popen(["/usr/bin/python3", "-m", "jupyter_server", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=8977", "--port-retries=0",
                                "--ServerApp.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"],
                               cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def rest(path, method="GET", body=None):
        request = urllib.request.Request(url + path, method=method, data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            data = answer.read()
        return json.loads(data) if data else None

    try:
        for _ in range(300):
            try:
                rest("/api")
                break
            except (OSError, RemoteDisconnected):
                time.sleep(0.2)
        spec = rest("/api/kernelspecs")["kernelspecs"][KERNEL]
        check(spec["spec"]["interrupt_mode"] == "message" and "logo-64x64" in spec["resources"], spec)
        kernel = rest("/api/kernels", "POST", {"name": KERNEL})["id"]
        tornado.ioloop.IOLoop.current().run_sync(lambda: talk(url, kernel, rest), timeout=90)
        rest(f"/api/kernels/{kernel}", "DELETE")
        check(rest("/api/kernels") == [], "the kernel is still there")
    finally:
        process.terminate()
        process.wait(20)


async def talk(url, kernel, rest):
    loop = tornado.ioloop.IOLoop.current()
    ws = await tornado.websocket.websocket_connect(f"{url.replace('http', 'ws')}/api/kernels/{kernel}/channels?session_id=s", max_message_size=1 << 30)

    def send(kind, content, channel="shell", count=[0]):
        count[0] += 1
        header = {"msg_id": f"m{count[0]}", "msg_type": kind, "username": "u", "session": "s", "version": "5.3", "date": "2026-01-01T00:00:00Z"}
        ws.write_message(json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": channel}))
        return header["msg_id"]

    async def until(parent, kind):
        while True:
            raw = await ws.read_message()
            check(raw is not None, "the connection was closed")
            if isinstance(raw, bytes):
                continue
            msg = json.loads(raw)
            if msg["parent_header"].get("msg_id") == parent and msg["msg_type"] == kind:
                return msg["content"]

    def execute(source):
        return send("execute_request", {"code": source, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False, "stop_on_error": True})

    check((await until(execute("x := 6 * 7\nx"), "execute_result"))["data"]["text/plain"] == "42", "a result")
    loops = execute("for {}")
    await until(loops, "execute_input")
    await loop.run_in_executor(None, rest, f"/api/kernels/{kernel}/interrupt", "POST", {})
    check((await until(loops, "execute_reply"))["ename"] == "interrupted", "an interrupt over REST")
    check((await until(execute("x"), "execute_result"))["data"]["text/plain"] == "42", "the state after an interrupt")
    large = execute('import "strings"\nDisplay(strings.Repeat("x", 900_000))')
    check(len((await until(large, "display_data"))["data"]["text/plain"]) == 900_000, "a large display")
    await loop.run_in_executor(None, rest, f"/api/kernels/{kernel}/restart", "POST", {})
    ws.close()
    ws = await tornado.websocket.websocket_connect(f"{url.replace('http', 'ws')}/api/kernels/{kernel}/channels?session_id=s")
    check((await until(execute("x"), "execute_reply"))["status"] == "error", "a restart that keeps the state")


FRONT_ENDS = {f.__name__: f for f in (nbclient, run, console, server)}


def main():
    signal.alarm(600)
    for name in sys.argv[1:] or FRONT_ENDS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            FRONT_ENDS[name](pathlib.Path(folder))
        print(f"{name}: ok in {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
