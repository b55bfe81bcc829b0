"""Run many simulated weeks of a schedule, or check that they find known faults.

`make year` and `make year-faults` call this:

    python -m year.run [--runs N] [--days N] [--seed N] [--postgresql]
    python -m year.run --faults

The exit status is 1 if a run broke a promise, or if a fault was not found.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from faults import find_faults

FAULTS = Path(__file__).parent / "faults"
# A fault must be found within this many runs.
ENOUGH = 40


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=int, default=26)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--faults", nargs="*", metavar="FAULT")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if given.faults is not None:
        return find_faults(FAULTS, given.faults, find_fault)
    return simulate(given.runs, given.days, given.seed, postgresql=given.postgresql)


def simulate(runs: int, days: int, first: int, *, postgresql: bool) -> int:
    """Run the simulations one after another; stop at the first that breaks a promise."""
    from newsletter.models import Issue, Wave
    from year.world import Broken, World

    tally: Counter[str] = Counter()
    with _houses(postgresql=postgresql) as make:
        for seed in range(first, first + runs):
            with make() as house:
                world = World(house, seed)
                try:
                    world.run(days)
                except Broken as broken:
                    print(f"{broken}\n{seed - first + 1} parts, {time.process_time():.0f} CPU seconds")
                    return 1
                tally += world.tally
                tally["email"] += len(house.transport.sent)
                tally["issue"] += len(house.all(Issue))
                tally["wave"] += len(house.all(Wave))
    kind = "postgresql" if postgresql else "sqlite"
    figures = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.items()))
    print(f"{kind}: held: {runs} times {days} days, seeds from {first}: {figures}")
    print(f"{time.process_time():.0f} CPU seconds")
    return 0


@contextlib.contextmanager
def _houses(*, postgresql: bool) -> Iterator:
    from house import make_house, make_settings
    from lives.machine import shared_memory
    from servers.postgresql import run_postgresql

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(run_postgresql()) if postgresql else None

        @contextlib.contextmanager
        def make() -> Iterator:
            with tempfile.TemporaryDirectory(prefix="year-", dir=shared_memory()) as folder:
                settings = make_settings(Path(folder))
                if server is not None:
                    settings = replace(settings, database_url=server.url(server.create_database()))
                house = make_house(settings)
                yield house
                house.runtime.engine.dispose()

        yield make


def find_fault(_name: str, tree: Path) -> bool:
    """Simulate with the code of a work tree; return whether a run broke a promise."""
    found = subprocess.run(
        [sys.executable, "-m", "year.run", "--runs", str(ENOUGH)],
        env={**os.environ, "PYTHONPATH": f"{tree}:{tree / 'tests'}"},
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    # If the code with the fault does not run at all, the last line says why.
    said = found.stdout.splitlines() or found.stderr.splitlines()[-1:]
    print(f"{said[0]} ({said[-1]})", flush=True)
    return found.returncode == 1 and said[0].startswith("seed ")


if __name__ == "__main__":
    sys.exit(main())
