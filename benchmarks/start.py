"""Measure what the whole service costs at its start: `PYTHONPATH=tests python -m benchmarks.start`.

Starts the demo in a new folder. Prints the seconds until its first page, and the CPU seconds and memory of
all its processes. Memory that several share counts once (Linux's proportional set size).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from newsletter.demo.run import free_port

# The workers and the web processes have loaded everything after this.
SETTLE_SECONDS = 15.0


def main() -> int:
    """Print one line of figures."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        command = [sys.executable, "-m", "newsletter", "demo", "--data", folder, "--port", str(port)]
        demo = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603 (our program)
        try:
            _await_page(f"http://127.0.0.1:{port}/")
            seconds = time.monotonic() - began
            time.sleep(SETTLE_SECONDS)
            processes = _family(demo.pid)
            cpu = sum(_cpu_seconds(each) for each in processes)
            mib = sum(_shared_memory(each) for each in processes)
        finally:
            demo.terminate()
            demo.wait()
    sys.stdout.write(
        f"first page {seconds:.1f} s, {cpu:.1f} CPU seconds, {len(processes)} processes, {mib:.0f} MiB\n"
    )
    return 0


def _await_page(url: str) -> None:
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310 (our program)
        except OSError:
            time.sleep(0.05)
        else:
            return


def _family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu_seconds(pid: int) -> float:
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")


def _shared_memory(pid: int) -> float:
    """Return a process's share of memory in MiB."""
    found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


if __name__ == "__main__":
    sys.exit(main())
