"""Run many random lives (`make lives`), or check that they find known faults (`make lives-faults`).

    python -m lives.run [--sqlite N] [--postgresql N] [--processes N] [--steps N] [--seed N]
    python -m lives.run --faults [FAULT ...]

The lives are split among processes, each with its own seeds. The last line has the figures. The exit status
is 1 if a rule was broken, or if a fault that was put back was not found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from faults import find_faults

ROOT = Path(__file__).resolve().parents[2]
FAULTS = Path(__file__).parent / "faults"
# How many lives one run of hypothesis has. It keeps each of them in memory.
AT_ONCE = 250
# A fault must be found within this many lives.
ENOUGH = 5_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sqlite", type=int, default=20_000)
    parser.add_argument("--postgresql", type=int, default=5_000)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", nargs="*", metavar="FAULT")
    parser.add_argument("--part", nargs=3, metavar=("KIND", "LIVES", "URL"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        kind, lives, url = given.part
        return live(kind, int(lives), given.seed, given.steps, url)
    if given.faults is not None:

        def find(fault: str, tree: Path) -> bool:
            kind = "postgresql" if "postgresql" in fault else "sqlite"
            return run(kind, ENOUGH, given, tree, quiet=True) != 0

        return find_faults(FAULTS, given.faults, find)
    whole = [run("sqlite", given.sqlite, given, ROOT), run("postgresql", given.postgresql, given, ROOT)]
    return max(whole)


def run(kind: str, lives: int, given: argparse.Namespace, root: Path, *, quiet: bool = False) -> int:
    """Run `lives` lives on one kind of database in several processes; print a line of figures."""
    if not lives:
        return 0
    began = time.monotonic()
    with _servers(kind, given.processes) as urls:
        parts = [
            subprocess.Popen(
                [
                    sys.executable, "-m", "lives.run", "--seed", str(given.seed + 1_000 * at),
                    "--steps", str(given.steps), "--part", kind, str(-(-lives // given.processes)), url,
                ],
                env={**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"},
                cwd=root,
                stdout=subprocess.PIPE,
                text=True,
            )
            for at, url in enumerate(urls)
        ]  # fmt: skip
        said = [part.communicate()[0].splitlines() for part in parts]
    tallies = [json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {} for lines in said]
    status = max(abs(part.returncode) for part in parts)
    for lines in said if status and not quiet else ():
        print("\n".join(lines[:-1]))
    total = {key: sum(each.get(key, 0) for each in tallies) for key in tallies[0]}
    minutes = (time.monotonic() - began) / 60
    result = "held" if not status else "BROKEN"
    figures = ", ".join(f"{count:,} {name}" for name, count in total.items())
    print(f"{kind}: {result}: {figures}; {minutes:.1f} minutes, {given.processes} processes", flush=True)
    return min(status, 1)


@contextlib.contextmanager
def _servers(kind: str, processes: int) -> Iterator[Sequence[str]]:
    if kind == "sqlite":
        yield ["-"] * processes
        return
    from servers.postgresql import run_postgresql

    with run_postgresql() as server:
        yield [server.url(server.create_database()) for _ in range(processes)]


def live(kind: str, lives: int, seed: int, steps: int, url: str) -> int:
    """Run some lives in this process; print what broke, and the figures as one line of JSON."""
    from hypothesis import HealthCheck, Phase, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test

    from lives.beginnings import emptied, sqlite_database
    from lives.machine import Lives, LivesAtOnce

    logging.disable(logging.CRITICAL)
    machine = Lives if kind == "sqlite" else LivesAtOnce
    chosen = settings(
        max_examples=AT_ONCE,
        stateful_step_count=steps,
        database=None,
        deadline=None,
        # Else hypothesis looks for other faults, in as many lives again.
        report_multiple_bugs=False,
        # A life that broke a rule is printed unchanged, because making it shorter can take an hour.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    status = 0
    with sqlite_database() if kind == "sqlite" else emptied(url) as machine.database:
        for at in range(-(-lives // AT_ONCE)):
            size = min(AT_ONCE, lives - at * AT_ONCE)
            try:
                run_state_machine_as_test(
                    seeded(seed + at)(machine), settings=settings(chosen, max_examples=size)
                )
            except AssertionError as broken:
                print(broken)
                status = 1
                break
    print(json.dumps(machine.tally))
    return status


if __name__ == "__main__":
    sys.exit(main())
