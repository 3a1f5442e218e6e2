"""Runs a notebook in the classic Jupyter Notebook as a person would, in headless Chromium: browser.py NOTEBOOK SCREENSHOT.png [SECONDS] [nbclassic]

With nbclassic it is the classic page on jupyter-server.

It works on a copy. It fails unless every code cell has run, no output is an error and at least one image is shown (and has loaded).
"""
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run --disable-background-networking
    --disable-component-update --disable-sync --window-size=1280,1600""".split()

RAN = """return !Jupyter.notebook.kernel_busy && Jupyter.notebook.get_cells().every(c =>
    c.cell_type != 'code' || c.get_text().trim() == '' || (c.input_prompt_number != '*' && c.input_prompt_number != null))"""

STATE = """const all = q => [...document.querySelectorAll(q)];
    return {cells: Jupyter.notebook.get_cells().filter(c => c.cell_type == 'code').length,
            images: all('.output img').filter(i => i.complete && i.naturalWidth > 1).length + all('.output svg').length,
            errors: all('.output_error').map(e => e.innerText)}"""


def until(what, seconds, ready):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if ready():
                return
        except Exception as e:  # a page or a server that is not up yet
            last = e
        else:
            last = None
        time.sleep(0.2)
    raise SystemExit(f"{what}: not within {seconds} s ({last})")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def chromium(profile):
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in FLAGS + [f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


def main():
    notebook, screenshot = pathlib.Path(sys.argv[1]), sys.argv[2]
    limit = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    page, app = ("nbclassic", "ServerApp") if sys.argv[4:] == ["nbclassic"] else ("notebook", "NotebookApp")
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(notebook, folder)
        url = f"http://127.0.0.1:{free_port()}"
        server = subprocess.Popen(
            ["/usr/bin/python3", f"/usr/bin/jupyter-{page}", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=" + url.rsplit(":", 1)[1],
             "--port-retries=0", f"--{app}.token=", f"--{app}.password="],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(os.path.join(folder, "server.log"), "w"))
        browser = None
        try:
            until("the notebook server", 60, lambda: urllib.request.urlopen(url + "/api", timeout=2))
            browser = chromium(os.path.join(folder, "profile"))
            browser.get(f"{url}/notebooks/{notebook.name}")
            until("the kernel", 60, lambda: browser.execute_script("return Jupyter.notebook.kernel.is_connected()"))
            start = time.monotonic()
            browser.execute_script("Jupyter.notebook.clear_all_output(); Jupyter.notebook.execute_all_cells()")
            until("all cells", limit, lambda: browser.execute_script(RAN))
            seconds = time.monotonic() - start
            time.sleep(1)  # pictures are decoded after the cell is done
            state = browser.execute_script(STATE)
            # The classic page scrolls inside itself: it must be let out to be on the picture as a whole.
            browser.execute_script("document.querySelector('#site').style.height = 'auto'; document.body.style.overflow = 'visible'")
            height = browser.execute_script("return document.querySelector('#notebook').scrollHeight")
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": 1280, "height": min(height + 160, 12000), "deviceScaleFactor": 1, "mobile": False})
            time.sleep(1)
            browser.save_screenshot(screenshot)
            print(f"{state['cells']} code cells in {seconds:.1f} s, {state['images']} images, {len(state['errors'])} errors: {screenshot}")
            for e in state["errors"]:
                print(e)
            if state["errors"] or not state["images"] or not state["cells"]:
                sys.exit("the notebook must run without errors and show at least one image")
        finally:
            if browser:
                browser.quit()
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


if __name__ == "__main__":
    main()
