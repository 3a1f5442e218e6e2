"""Compares our kernel with ipykernel, one after the other in each round: kernelbench.py [ROUNDS]

Prints medians and their ratio. Both run what their users would write: a cell that starts, an empty round trip, 10,000 printed lines, 50 MB of HTML,
and an interrupt of an endless loop. "Answer" is from the start of the process to its first reply; "ready" is what jupyter_client adds to that, which
waits 0.2 s for more output whatever the kernel.
"""
import os
import statistics
import sys
import time

from jupyter_client.manager import KernelManager

CELLS = {
    "gopherlens": {
        "prepare": """import ("fmt"; "strings")
type big struct{}
func (big) MIMEBundle() map[string]any { return map[string]any{"text/plain": "big", "text/html": strings.Repeat("x", 50<<20)} }""",
        "lines": 'for i := range 10_000 { fmt.Println("line", i) }',
        "display": "Display(big{})",
        "loop": "for {}",
    },
    "python3": {
        "prepare": "from IPython.display import HTML, display",
        "lines": "for i in range(10_000): print('line', i)",
        "display": "display({'text/plain': 'big', 'text/html': 'x' * (50 << 20)}, raw=True)",
        "loop": "while True: pass",
    },
}


def run(client, code, interrupt=None):
    """Returns the seconds until reply and idle, and how many stream messages came."""
    start = time.perf_counter()
    msg_id = client.execute(code)
    streams, idle, asked = 0, False, None
    while not idle:
        msg = client.get_iopub_msg(timeout=60)
        if msg["parent_header"].get("msg_id") != msg_id:
            continue
        streams += msg["msg_type"] == "stream"
        idle = msg["msg_type"] == "status" and msg["content"]["execution_state"] == "idle"
        if interrupt and msg["msg_type"] == "execute_input":
            time.sleep(0.2)
            asked = time.perf_counter()
            interrupt()
    client.get_shell_msg(timeout=60)
    return time.perf_counter() - (asked or start), streams


def status(manager, what):
    with open(f"/proc/{manager.provisioner.process.pid}/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(what)) / 1024


def idle(manager):
    """The milliseconds of CPU that two seconds without a request cost."""
    def used():
        with open(f"/proc/{manager.provisioner.process.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    before = used()
    time.sleep(2)
    return used() - before


def measure(name):
    cells, got = CELLS[name], {}
    start = time.perf_counter()
    manager = KernelManager(kernel_name=name)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.kernel_info()
    client.get_shell_msg(timeout=60)
    got["start to answer"] = time.perf_counter() - start
    client.wait_for_ready(timeout=60)
    got["start to ready"] = time.perf_counter() - start
    try:
        got["idle MiB"] = status(manager, "VmRSS")
        got["idle CPU ms in 2 s"] = idle(manager)
        run(client, cells["prepare"])
        for _ in range(20):
            run(client, "")
        got["round trip"] = statistics.median(run(client, "")[0] for _ in range(50))
        got["10,000 lines"], got["messages for them"] = run(client, cells["lines"])
        got["50 MB"] = run(client, cells["display"])[0]
        got["interrupt"] = run(client, cells["loop"], manager.interrupt_kernel)[0]
        got["peak MiB"] = status(manager, "VmHWM")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    return got


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    results = {name: [] for name in CELLS}
    for _ in range(rounds):
        for name in CELLS:
            results[name].append(measure(name))
    print(f"{'':20}{'gopherlens':>12}{'ipykernel':>12}{'ratio':>8}")
    for what in results["python3"][0]:
        ours, theirs = (statistics.median(r[what] for r in results[name]) for name in CELLS)
        print(f"{what:20}{ours:12.4g}{theirs:12.4g}" + (f"{ours / theirs:8.2f}" if theirs else ""))


if __name__ == "__main__":
    main()
