"""Checks notebooks against Jupyter's own library: nbcheck.py [--executed] [--images N] FILE...

Every file must be valid and be written as nbformat would write it. --executed: every code cell that is not empty has run and none ended with an
error, but those tagged raises-exception. --images N: at least N image outputs in each file.
"""
import argparse
import sys

import nbformat

parser = argparse.ArgumentParser()
parser.add_argument("--executed", action="store_true")
parser.add_argument("--images", type=int, default=0)
parser.add_argument("--foreign", action="store_true", help="the file was not written by us: do not compare bytes")
parser.add_argument("files", nargs="+")
args = parser.parse_args()


def problems(path):
    with open(path, encoding="utf-8", newline="") as f:
        text = f.read()
    nb = nbformat.reads(text, as_version=4)
    try:
        nbformat.validate(nb)
    except nbformat.ValidationError as e:
        yield f"invalid: {e}"
    if not args.foreign and nbformat.writes(nb, version=nbformat.NO_CONVERT) + "\n" != text:
        yield "nbformat would write other bytes"
    images = 0
    for i, cell in enumerate(nb.cells):
        if cell.cell_type != "code":
            continue
        if args.executed and cell.source.strip() and cell.execution_count is None:
            yield f"cells[{i}] has not run"
        for out in cell.outputs:
            if out.output_type == "error" and args.executed and "raises-exception" not in cell.metadata.get("tags", []):
                yield f"cells[{i}] ended with {out.ename}: {out.evalue}"
            images += any(mime.startswith("image/") for mime in out.get("data", {}))
    if images < args.images:
        yield f"{images} images, want {args.images}"
    print(f"{path}: {len(nb.cells)} cells, {images} images")


failed = False
for path in args.files:
    for p in problems(path):
        print(f"{path}: {p}", file=sys.stderr)
        failed = True
sys.exit(failed)
