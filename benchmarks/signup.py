"""How fast sign-ups are taken, beside an application that does the least; and whether any is lost."""

from __future__ import annotations

import sys
import time
from typing import Any

from benchmarks.load import Load, drive
from benchmarks.measure import BenchmarkFailed
from benchmarks.web import serve_bare, serve_ours

CONNECTIONS = 64
SECONDS = 4.0
WARM_UP_SECONDS = 1.0
OUR_FIELDS = {"topics": "energy", "frequency": "weekly", "website": ""}
BARE_FIELDS = {"name": "Reader"}

Run = dict[str, Any]


def measure(rounds: int, seconds: float = SECONDS) -> list[Run]:
    """Send sign-up forms to the bare application and to ours, in turn; return a run for each round."""
    with serve_bare() as bare, serve_ours() as ours:
        sources = {bare: bare.forms(BARE_FIELDS, "bare"), ours: ours.forms(OUR_FIELDS, "ours")}
        tables = {bare: "person", ours: "signup_request"}
        next(sources[ours])  # opens the page: a form sent within a second of that is refused
        time.sleep(1.5)
        for server, source in sources.items():
            drive(server.port, source, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        runs = []
        for _ in range(rounds):
            found = {}
            for server, source in sources.items():
                before = server.count(tables[server])
                load = drive(server.port, source, connections=CONNECTIONS, seconds=seconds)
                _insist(load, server.count(tables[server]) - before)
                found[server] = load
            runs.append(
                {
                    "ratio": round(found[ours].rate / found[bare].rate, 4),
                    "ours": _figures(found[ours]),
                    "bare": _figures(found[bare]),
                }
            )
            sys.stderr.write(f"  {runs[-1]}\n")
    return runs


def _insist(load: Load, rows: int) -> None:
    if set(load.statuses) != {303}:
        raise BenchmarkFailed(f"not every form was taken: {dict(load.statuses)}")
    if rows != load.count:
        raise BenchmarkFailed(f"{load.count} forms were taken, and {rows} rows written")


def _figures(load: Load) -> Run:
    return {
        "requests": load.count,
        "rate": round(load.rate, 1),
        "median_ms": round(load.percentile(0.5), 2),
        "p99_ms": round(load.percentile(0.99), 2),
    }


if __name__ == "__main__":
    measure(3)
