"""Compare two versions of this repository: `make bench AGAINST=<commit>`.

In each round, this version is measured first and the other one second. Each runs on an installation that it
made with its own migrations. A ratio is this version's rate divided by the other's in the same round, because
other load on the machine then slows both. Both send into the same kind of sink (fast_sink.py), so Postfix's
tools are not needed.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import installations, signup
from benchmarks.limit import minimal_limit
from benchmarks.load import drive
from benchmarks.measure import BenchmarkFailed, cpu_seconds, fast_sink, say
from benchmarks.versions import CACHE, THIS, Version, other_version
from benchmarks.web import serve_ours

# Enough that starting the minimal sender does not count.
LIMIT_MESSAGES = 5_000
# Messages of two versions may differ by some lines, but not by more. The rates are of messages.
SIZES_WITHIN = 0.05


@dataclass(frozen=True)
class Run:
    """One run of one version: how many messages it handled, in how many seconds and CPU seconds."""

    messages: int
    seconds: float
    cpu_seconds: float
    message_bytes: float = 0.0

    @property
    def rate(self) -> float:
        """Return messages (or subscribers, or sign-ups) a second."""
        return self.messages / self.seconds

    @property
    def cpu_per_message(self) -> float:
        """Return CPU seconds a message."""
        return self.cpu_seconds / self.messages


Measure = Callable[[Version], Run]


@dataclass(frozen=True)
class Pair:
    """The runs of both versions in one round."""

    this: Run
    other: Run
    # The machine's limit for such messages in this round, in messages a second (limit.py). 0: not measured.
    limit_rate: float = 0.0

    @property
    def ratio(self) -> float:
        """Return this version's rate divided by the other's."""
        return self.this.rate / self.other.rate

    @property
    def share(self) -> float:
        """Return the share of the machine's limit that this version reaches."""
        return self.this.rate / self.limit_rate

    @property
    def cpu_ratio(self) -> float:
        """Return this version's CPU seconds a message divided by the other's."""
        return self.this.cpu_per_message / self.other.cpu_per_message


@dataclass(frozen=True)
class Row:
    """A row of the comparison: its default size, its lowest ratio, and how both versions are prepared.

    With the default size, nine rounds take four to six minutes on two cores.
    """

    size: int
    least: float
    ready: Callable[[Sequence[Version], int, ExitStack], Measure]
    # Whether a run sends messages, signed or unsigned, so that there is a limit to compare it with.
    signed: bool | None = None


def _drain_of(kind: str, *, signed: bool = True) -> Callable[[Sequence[Version], int, ExitStack], Measure]:
    def ready(versions: Sequence[Version], size: int, _stack: ExitStack) -> Measure:
        for version in versions:
            installations.prepared(kind, size, version)

        def measure(version: Version) -> Run:
            with _copy(installations.prepared(kind, size, version)) as folder:
                return _drained(version, folder, size, signed=signed)

        return measure

    return ready


def _drain_on_postgresql(versions: Sequence[Version], size: int, stack: ExitStack) -> Measure:
    from benchmarks.postgresql import Server  # noqa: PLC0415 (the only row that needs psycopg)

    server = stack.enter_context(Server.start())
    templates = {version.name: server.installation("fifty", size, version) for version in versions}

    def measure(version: Version) -> Run:
        with (
            server.copy(templates[version.name]) as url,
            tempfile.TemporaryDirectory(dir=CACHE) as folder,
        ):
            before = server.cpu_seconds()
            run = _drained(version, Path(folder), size, database_url=url)
            used = run.cpu_seconds + server.cpu_seconds() - before
            return Run(size, run.seconds, used, run.message_bytes)

    return measure


def _prepare(versions: Sequence[Version], size: int, _stack: ExitStack) -> Measure:
    for version in versions:
        installations.filled("thousand", size, version)

    def measure(version: Version) -> Run:
        with _copy(installations.filled("thousand", size, version)) as folder:
            used = installations.step("prepare", data_dir=folder, version=version)
        return Run(size, used.seconds, used.cpu_seconds)

    return measure


def _signup(versions: Sequence[Version], size: int, stack: ExitStack) -> Measure:
    servers = {version.name: stack.enter_context(serve_ours(version)) for version in versions}
    forms = {name: server.forms(signup.OUR_FIELDS, "reader") for name, server in servers.items()}
    for source in forms.values():
        next(source)  # opens the page: a form sent within a second after that is rejected
    time.sleep(1.5)
    for name, server in servers.items():
        drive(server.port, forms[name], connections=signup.CONNECTIONS, seconds=signup.WARM_UP_SECONDS)

    def measure(version: Version) -> Run:
        server, source = servers[version.name], forms[version.name]
        rows, used = server.count("signup_request"), cpu_seconds(server.pid)
        load = drive(server.port, islice(source, size), connections=signup.CONNECTIONS)
        used = cpu_seconds(server.pid) - used
        signup.insist(load, server.count("signup_request") - rows)
        return Run(size, load.seconds, used)

    return measure


ROWS = {
    "signed": Row(20_000, 0.95, _drain_of("fifty"), signed=True),
    "own-selection": Row(20_000, 0.95, _drain_of("own"), signed=True),
    "unsigned": Row(30_000, 0.95, _drain_of("fifty", signed=False), signed=False),
    "postgresql": Row(15_000, 0.95, _drain_on_postgresql, signed=True),
    "prepare": Row(300_000, 0.88, _prepare),
    "signup": Row(6_000, 0.95, _signup),
}


def compare(commit: str, names: Iterable[str], rounds: int, size: int | None) -> bool:
    """Measure the rows `names` (all if none) of this version and of `commit`; print one JSON line for each.

    Return whether every run is valid and no row falls below its lowest ratio.
    """
    try:
        versions = (THIS, other_version(commit))
    except BenchmarkFailed as fault:
        say(str(fault))
        return False
    good = True
    for name in list(dict.fromkeys(names)) or ROWS:
        row = ROWS[name]
        try:
            pairs = list(_rounds(name, row, versions, rounds, size or row.size))
        except BenchmarkFailed as fault:
            say(f"{name}: {fault}")
            good = False
            continue
        line = {"row": name, "against": versions[1].name, **figures(pairs), "least": row.least}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        good = good and line["ratio"]["median"] >= row.least
    return good


def _rounds(name: str, row: Row, versions: tuple[Version, Version], rounds: int, size: int) -> Iterator[Pair]:
    with ExitStack() as stack:
        measure = row.ready(versions, size, stack)
        for turn in range(1, rounds + 1):
            this, other = (measure(version) for version in versions)
            pair = Pair(this, other, _limit_rate(row, this))
            _insist_on_like_messages(pair)
            share = f", {pair.share:.3f} of the limit" if pair.limit_rate else ""
            say(
                f"{name} round {turn} of {rounds}: {pair.this.rate:.1f} and {pair.other.rate:.1f} a second, "
                f"ratio {pair.ratio:.3f}, CPU ratio {pair.cpu_ratio:.3f}{share}"
            )
            yield pair


def _limit_rate(row: Row, run: Run) -> float:
    if row.signed is None:
        return 0.0
    return minimal_limit(LIMIT_MESSAGES, round(run.message_bytes), signed=row.signed).rate


def figures(pairs: Sequence[Pair]) -> dict[str, Any]:
    """Return the figures of a JSON line: ratios with their spread, CPU seconds a message, every run."""
    return {
        "size": pairs[0].this.messages,
        "rounds": len(pairs),
        "ratio": spread([pair.ratio for pair in pairs]),
        "cpu_ratio": spread([pair.cpu_ratio for pair in pairs]),
        **({"share": spread([pair.share for pair in pairs])} if pairs[0].limit_rate else {}),
        "cpu_seconds_per_message": {
            "this": _median_cpu(pair.this for pair in pairs),
            "other": _median_cpu(pair.other for pair in pairs),
        },
        "runs": [
            {
                "this": {"rate": round(pair.this.rate, 1), "cpu_seconds": round(pair.this.cpu_seconds, 2)},
                "other": {"rate": round(pair.other.rate, 1), "cpu_seconds": round(pair.other.cpu_seconds, 2)},
                "ratio": round(pair.ratio, 4),
            }
            for pair in pairs
        ],
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median of `values` with minimum, quartiles and maximum."""
    # quantiles() needs two values, so a single value is doubled.
    several = values if len(values) > 1 else [*values, *values]
    quartiles = statistics.quantiles(several, n=4, method="inclusive")
    named = zip(("lower_quartile", "median", "upper_quartile"), quartiles, strict=True)
    found = {"min": min(values), **dict(named), "max": max(values)}
    return {name: round(value, 4) for name, value in found.items()}


def _median_cpu(runs: Iterable[Run]) -> float:
    return round(statistics.median(run.cpu_per_message for run in runs), 7)


def _insist_on_like_messages(pair: Pair) -> None:
    one, other = pair.this.message_bytes, pair.other.message_bytes
    if abs(one - other) > SIZES_WITHIN * max(one, other):
        raise BenchmarkFailed(f"the versions send messages of {one:.0f} and {other:.0f} bytes")


def _drained(version: Version, folder: Path, size: int, **settings: object) -> Run:
    with fast_sink() as sink:
        used = installations.drain(folder, version=version, port=sink.port, **settings)
        sink.expect(size)
        return Run(size, used.seconds, used.cpu_seconds, sink.counters()[1] / size)


@contextmanager
def _copy(installation: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE) as folder:
        yield installations.copy(installation, Path(folder))
