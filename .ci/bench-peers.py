#!/usr/bin/env python3
"""Alternates gopherlens with its peers on GPT-2's small shape and prints ratios, ours to theirs: below 1 ours is faster.

usage: bench-peers.py GOPHERLENS TOOLS [--starts 3] [--rounds 5] [--peer DIR] [--only f32:f32,f16:f16,f16:q8_0,int8:q8_0,torch]

TOOLS is the folder of torch_gpt2_lens.py and llamacpp-peer. llama.cpp is real and prebuilt: npm installs it to a copy of llamacpp-peer, DIR if given.
PyTorch is Debian's python3-torch with libopenblas0, without which it multiplies with a reference BLAS; it runs with its default and with each of the settings that are known to help. A peer that is not there is left out, which is said.
Everything is started afresh several times; within a start the programs take turns, one works at a time, each on all processors but for PyTorch's setting
of one thread. A decoded token of ours and of llama.cpp ends with its logits, PyTorch's ends before them.
"""
import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ap = argparse.ArgumentParser()
ap.add_argument("gopherlens")
ap.add_argument("tools")
ap.add_argument("--starts", type=int, default=3)
ap.add_argument("--rounds", type=int, default=5)
ap.add_argument("--peer", default="")
ap.add_argument("--only", default="f32:f32,f16:f16,f16:q8_0,int8:q8_0,torch", help="ours:llama.cpp's type of the weights, or torch")
o = ap.parse_args()
only = o.only.split(",")
cores = str(os.cpu_count())


def with_module(name):
    """The first Python that has a module: this one, or Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import " + name], capture_output=True).returncode == 0:
            return python


def show(title, pairs):
    """pairs: name -> list of (ours, theirs)"""
    print("\n%s, ours / theirs over %d starts" % (title, o.starts))
    for name, p in pairs.items():
        r = [a / b for a, b in p]
        print("  %-42s ratio min %.2f median %.2f mean %.2f   ours %.2f ms, theirs %.2f ms (medians)" % (
            name, min(r), statistics.median(r), statistics.mean(r), statistics.median(a for a, _ in p), statistics.median(b for _, b in p)), flush=True)


class Served:
    """A program that answers each line with one round's milliseconds."""

    def __init__(self, cmd, **kw):
        self.p = subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **kw)
        if not self.p.stdout.readline():
            raise RuntimeError("%s did not start" % cmd[0])

    def round(self):
        time.sleep(0.5)  # the threads of the other program may still look for work: llama.cpp's do for some 100 ms
        self.p.stdin.write("go\n")
        self.p.stdin.flush()
        answer = self.p.stdout.readline()
        if not answer:
            raise RuntimeError("%s ended in the middle" % self.p.args[0])
        return json.loads(answer)

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def llama_cpp(compared):
    source = os.path.join(o.tools, "llamacpp-peer")
    python = with_module("numpy")
    if not os.path.isdir(source) or not shutil.which("npm") or not python:
        print("llama.cpp left out: it needs npm, python3-numpy and %s" % source)
        return
    folder = o.peer or tempfile.mkdtemp()
    if not os.path.isdir(os.path.join(folder, "node_modules")):
        shutil.copytree(source, folder, dirs_exist_ok=True)
        subprocess.run(["npm", "install", "--ignore-scripts"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    env = dict(os.environ, GLIBC_TUNABLES="glibc.malloc.hugetlb=1")  # its best setting: huge pages, and so no mmap
    for ours, theirs in compared:
        gguf = os.path.join(folder, "m-%s.gguf" % theirs)
        if not os.path.exists(gguf):
            subprocess.run([python, "write_gguf.py", gguf, "--type", theirs], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        pairs = {}
        for _ in range(o.starts):
            a = Served([o.gopherlens, "bench", "--shape", "gpt2-small", "--weights", ours, "--serve"])
            b = Served([sys.executable, "llamacpp_ctypes.py", gguf, "--serve", "--mmap", "off", "--threads", cores], cwd=folder, env=env)
            for _ in range(o.rounds):
                x, y = a.round(), b.round()
                pairs.setdefault("prefill 100", []).append((x["prefill_ms"], y["prefill_ms"]))
                pairs.setdefault("decode at 100, mean", []).append((x["decode_mean_ms"], y["decode_mean_ms"]))
                pairs.setdefault("decode at 100, best of 50", []).append((x["decode_best_ms"], y["decode_best_ms"]))
                pairs.setdefault("decode + full lens : their decode, mean", []).append((x["decode_lens_mean_ms"], y["decode_mean_ms"]))
            a.close()
            b.close()
        show("our %s : llama.cpp %s" % (ours, theirs), pairs)
    if not o.peer:
        shutil.rmtree(folder)


def torch():
    script = os.path.join(o.tools, "torch_gpt2_lens.py")
    python = with_module("torch")
    if not os.path.exists(script) or not python:
        print("PyTorch left out: it needs Debian's python3-torch and %s" % script)
        return
    settings = {"default": ({}, cores), "OMP_WAIT_POLICY=passive": ({"OMP_WAIT_POLICY": "passive"}, cores), "1 thread": ({"OMP_NUM_THREADS": "1"}, "1")}
    names = {  # ours: theirs, of which the faster counts
        "prefill-100": ["prefill 100"], "decode-100": ["decode 1 at 100"], "lens-token": ["lens 12 rows (softmax)", "lens 12 rows (logsumexp)"],
        "lens-12x100": ["lens 12x100 top10 per layer, softmax", "lens 12x100 top10 per layer, logsumexp"]}
    pairs = {}
    for _ in range(o.starts):
        ours = json.loads(subprocess.run([o.gopherlens, "bench", "--json"], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout)
        ours = {r["name"]: r["seconds_median"] * 1e3 for r in ours["rows"]}
        best = {}
        for setting, (env, threads) in settings.items():
            out = subprocess.run([python, script, "--threads", threads], check=True, stdout=subprocess.PIPE, text=True, env=dict(os.environ, **env)).stdout
            theirs = {m[1]: float(m[2]) for m in re.finditer(r"^(.*): best \S+ median (\S+) ms wall", out, re.M)}
            for name, theirs_names in names.items():
                t = min(theirs[n] for n in theirs_names)
                best[name] = min(best.get(name, t), t)
                if setting == "default":
                    pairs.setdefault(name + " : its default", []).append((ours[name], t))
        for name in names:
            pairs.setdefault(name + " : its best setting", []).append((ours[name], best[name]))
    show("f32 : PyTorch f32 (settings tried: %s)" % "; ".join(settings), pairs)


pairs = [tuple(c.split(":")) for c in only if c != "torch"]
if pairs:
    llama_cpp(pairs)
if "torch" in only:
    torch()
