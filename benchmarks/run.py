"""Measure the rows of docs/performance.md: `make bench`, `make bench ROW=signed`.

Prints one JSON object a line: row, value, least, aim, better and the single runs. Progress goes to standard
error. The exit status is 1 if a run does not count, or if a value misses its least.

When two senders are compared, they take turns, and the ratio is taken within a round: other load on the
machine then slows both. The value is the median of the rounds. A rate is the number of messages divided by
the seconds of the whole process, from start to end.

`make bench AGAINST=<commit>` compares two versions of this repository instead: see against.py.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks import against, as_it_happens, installations, many_newsletters, peers, signup, timing, wave
from benchmarks.installations import LARGEST, SMALLEST, copy, drain, prepared, sample
from benchmarks.limit import Limit, limit_of
from benchmarks.measure import BenchmarkFailed, Sink, Usage, cpu_seconds, fast_sink, run, say, smtp_sink, tool
from benchmarks.versions import CACHE

ROUNDS, ROUNDS_AGAINST = 3, 9
LATE_MS = 20
LATENCY_SECONDS = 30
PEER_MESSAGES = 3_000
# The share of the machine's limit that a sender reaches (limit.py). It is printed and decides no exit status.
SHARE_LEAST, SHARE_AIM = 0.65, 0.80
# The sizes in the table of docs/performance.md. `--share` makes all of them smaller, to try a benchmark.
SUBSCRIBERS = 50_000
GROWN, SMALL, MILLION = 100_000, 10_000, 1_000_000
# How many people sign up at once.
PEOPLE = 10_000

Run = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One line of the table: the least value, the aim, and how it is measured."""

    least: float
    aim: float
    better: str
    measure: Callable[[Options], list[Run]]
    # The key of a run whose figure is the row's value.
    value: str = "ratio"

    def good(self, value: float) -> bool:
        """Return whether `value` is at least as good as the least."""
        return value >= self.least if self.better == "higher" else value <= self.least


@dataclass(frozen=True)
class Options:
    """How much to measure: rounds, and the share of the subscribers of each row."""

    rounds: int = ROUNDS
    share: float = 1.0

    def subscribers(self, count: int) -> int:
        """Return how many subscribers to use instead of `count`."""
        return max(200, round(count * self.share))


@contextlib.contextmanager
def _place(installation: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE) as folder:
        yield copy(installation, Path(folder))


def _figures(messages: int, used: Usage, sink: Sink) -> Run:
    return {
        "messages": messages,
        "seconds": round(used.seconds, 3),
        "rate": round(messages / used.seconds, 1),
        "cpu_seconds_per_1000": round(used.cpu_seconds / messages * 1000, 4),
        "peak_mib": round(used.peak_mib, 1),
        "sink_cpu_seconds_per_1000": round(cpu_seconds(sink.pid) / messages * 1000, 4),
    }


def _ours(kind: str, subscribers: int, *, signed: bool = True, delay_ms: float | None = None) -> Run:
    """Send the issue of a copy of an installation. If `delay_ms` is given, send into the fast sink."""
    source = prepared(kind, subscribers)
    with _place(source) as data_dir, smtp_sink() if delay_ms is None else fast_sink(delay_ms) as sink:
        used = drain(data_dir, port=sink.port, signed=signed)
        sink.expect(subscribers)
        found = _figures(subscribers, used, sink)
        size = sink.counters()[1] / subscribers
    if delay_ms is not None and not SMALLEST <= size <= LARGEST:
        raise BenchmarkFailed(f"a message has {size:.0f} bytes on the average")
    say(f"ours {kind} {subscribers} signed={signed} delay={delay_ms}: {found}")
    return found


def _smtp_source(kind: str, messages: int, *, signed: bool = True) -> Run:
    """Send one of our messages as often, with Postfix's own generator. The run has the limit for `signed`."""
    example = sample(kind)
    with tempfile.TemporaryDirectory() as folder, smtp_sink() as sink:
        # It expects lines that end with LF, and makes each a CRLF.
        file = Path(folder) / "message"
        file.write_bytes(example.file.read_bytes().replace(b"\r\n", b"\n"))
        size = len(file.read_bytes()) + file.read_bytes().count(b"\n")
        if not SMALLEST <= size <= LARGEST:
            raise BenchmarkFailed(f"smtp-source would send {size} bytes")
        words = ["-s", "4", "-d", "-m", str(messages), "-F", str(file)]
        addresses = ["-f", "b-1@example.org", "-t", "reader@example.com"]
        used = run(
            [tool("smtp-source"), *words, *addresses, f"127.0.0.1:{sink.port}"], os.environ, Path(folder)
        )
        sink.expect(messages)
        found = _figures(messages, used, sink)
        limit = limit_of(used.cpu_seconds / messages, sink, messages, signed=signed)
    say(f"smtp-source {messages}: {found}")
    return {**found, "limit": limit}


def _against_source(kind: str, *, signed: bool) -> Callable[[Options], list[Run]]:
    def measure(options: Options) -> list[Run]:
        subscribers = options.subscribers(SUBSCRIBERS)
        return [
            _beside_limit(
                _ours(kind, subscribers, signed=signed), _smtp_source(kind, subscribers, signed=signed)
            )
            for _ in _turns(options)
        ]

    # The rows `signed`, `cpu` and `memory` use the same runs.
    return lru_cache(measure)


def _beside_limit(ours: Run, reference: Run) -> Run:
    """Return the runs of a round with smtp-source, and the share of the machine's limit that ours reaches."""
    limit: Limit = reference.pop("limit")
    return _round(ours, reference, **limit.figures(ours["rate"]))


def _round(ours: Run, reference: Run, **more: object) -> Run:
    return {"ratio": round(ours["rate"] / reference["rate"], 4), "ours": ours, "reference": reference, **more}


signed_runs = _against_source("fifty", signed=True)


def _postgresql(options: Options) -> list[Run]:
    from benchmarks.postgresql import Server  # noqa: PLC0415 (the only row that needs psycopg)

    subscribers = options.subscribers(SUBSCRIBERS)
    runs = []
    with Server.start() as server:
        template = server.installation("fifty", subscribers)
        for _ in _turns(options):
            with (
                server.copy(template) as url,
                tempfile.TemporaryDirectory(dir=CACHE) as folder,
                smtp_sink() as sink,
            ):
                before = server.cpu_seconds()
                used = drain(Path(folder), port=sink.port, database_url=url)
                sink.expect(subscribers)
                ours = _figures(subscribers, used, sink)
                server_cpu = (server.cpu_seconds() - before) / subscribers * 1000
            ours["postgresql_cpu_seconds_per_1000"] = round(server_cpu, 4)
            say(f"ours on PostgreSQL {subscribers}: {ours}")
            runs.append(_beside_limit(ours, _smtp_source("fifty", subscribers)))
    return runs


def _against_peer(peer: peers.Peer) -> Callable[[Options], list[Run]]:
    def measure(options: Options) -> list[Run]:
        subscribers = options.subscribers(SUBSCRIBERS)
        message = sample("fifty")
        runs = []
        for _ in _turns(options):
            ours = _ours("fifty", subscribers)
            theirs = peers.measure(peer, PEER_MESSAGES, message)
            say(f"{peer.name}: {theirs}")
            runs.append(_round(ours, theirs))
        return runs

    return measure


def _cpu(options: Options) -> list[Run]:
    return [{**each["ours"], "value": each["ours"]["cpu_seconds_per_1000"]} for each in signed_runs(options)]


def _memory(options: Options) -> list[Run]:
    return [{**each["ours"], "value": each["ours"]["peak_mib"]} for each in signed_runs(options)]


def _memory_growth(options: Options) -> list[Run]:
    """Send to a million and to ten thousand. Only once: it takes ten minutes and hardly varies."""
    large, small = (_ours("thousand", options.subscribers(count)) for count in (MILLION, SMALL))
    return [{"value": round(large["peak_mib"] / small["peak_mib"], 4), "large": large, "small": small}]


def _latency(options: Options) -> list[Run]:
    subscribers = options.subscribers(GROWN)
    runs = []
    for _ in _turns(options):
        prompt, late = (_ours("fifty", subscribers, delay_ms=delay) for delay in (0, LATE_MS))
        long_enough = min(prompt["seconds"], late["seconds"]) >= LATENCY_SECONDS
        if options.share == 1 and not long_enough:
            raise BenchmarkFailed(f"took less than {LATENCY_SECONDS} s: more subscribers are needed")
        runs.append(_round(late, prompt))
    return runs


def _prepare(options: Options) -> list[Run]:
    source = installations.filled("thousand", options.subscribers(MILLION))
    runs = []
    for _ in _turns(options):
        with _place(source) as data_dir:
            used = installations.step("prepare", data_dir=data_dir)
        found = {
            "value": round(used.seconds, 2),
            "cpu_seconds": round(used.cpu_seconds, 2),
            "peak_mib": round(used.peak_mib, 1),
        }
        say(f"prepare: {found}")
        runs.append(found)
    return runs


def _growth(options: Options) -> list[Run]:
    runs = []
    for _ in _turns(options):
        large, small = (_ours("fifty", options.subscribers(count)) for count in (GROWN, SMALL))
        ratio = large["cpu_seconds_per_1000"] / small["cpu_seconds_per_1000"]
        runs.append({"value": round(ratio, 4), "large": large, "small": small})
    return runs


def _page(measure: Callable[[int], Run]) -> Callable[[Options], list[Run]]:
    """Measure a page of an installation with 50 newsletters, in milliseconds."""
    return lambda options: [measure(options.subscribers(GROWN))]


def _archive(row: str) -> Callable[[Options], list[Run]]:
    """Measure the archive with 100,000 releases. All its rows use the same installations."""

    def measure(options: Options) -> list[Run]:
        from benchmarks import archive  # noqa: PLC0415 (only these rows need psycopg)

        return archive.measure(row, options.subscribers(archive.RELEASES))

    return measure


def _returned_mail(options: Options) -> list[Run]:
    from benchmarks import returned_mail  # noqa: PLC0415 (other rows start programs with little memory)

    return returned_mail.measure(options.subscribers(GROWN))


ROWS = {
    "signed": Row(0.50, 0.65, "higher", signed_runs),
    "own-selection": Row(0.45, 0.60, "higher", _against_source("own", signed=True)),
    "unsigned": Row(0.80, 1.20, "higher", _against_source("fifty", signed=False)),
    "postgresql": Row(0.35, 0.55, "higher", _postgresql),
    "django-newsletter": Row(15, 25, "higher", _against_peer(peers.DJANGO_NEWSLETTER)),
    "mailman": Row(25, 40, "higher", _against_peer(peers.MAILMAN)),
    "cpu": Row(0.75, 0.50, "lower", _cpu, "value"),
    "memory": Row(130, 90, "lower", _memory, "value"),
    "memory-growth": Row(1.1, 1.0, "lower", _memory_growth, "value"),
    "latency": Row(0.50, 0.80, "higher", _latency),
    "prepare": Row(60, 20, "lower", _prepare, "value"),
    "wave": Row(1, 0.5, "lower", lambda options: wave.prepare_wave(options.subscribers(MILLION)), "seconds"),
    "selections": Row(
        10, 5, "lower", lambda options: wave.select_all(options.subscribers(MILLION)), "seconds"
    ),
    "as-it-happens": Row(
        5, 3, "lower", lambda options: as_it_happens.measure(options.subscribers(MILLION), SMALL), "seconds"
    ),
    "signup": Row(0.70, 0.90, "higher", lambda options: signup.measure(options.rounds)),
    "signups-at-once": Row(
        PEOPLE, PEOPLE, "higher", lambda options: signup.at_once(options.subscribers(PEOPLE)), "value"
    ),
    "preferences-page": Row(50, 25, "lower", _page(many_newsletters.preferences_page), "value"),
    "overview-page": Row(200, 100, "lower", _page(many_newsletters.overview_page), "value"),
    "archive-page": Row(30, 15, "lower", _archive("archive-page"), "value"),
    "topic-page": Row(30, 15, "lower", _archive("topic-page"), "value"),
    "search-page": Row(150, 50, "lower", _archive("search-page"), "value"),
    "archive-anew": Row(60, 120, "higher", _archive("archive-anew"), "value"),
    "archive-cached": Row(300, 600, "higher", _archive("archive-cached"), "value"),
    "timing": Row(0.05, 0.5, "higher", lambda _options: timing.measure(), "value"),
    "returned-mail": Row(50, 300, "higher", _returned_mail, "value"),
    "growth": Row(1.1, 1.0, "lower", _growth, "value"),
}
# docs/performance.md has these two rows in one line of its table.
TOGETHER = {"memory": ("memory", "memory-growth")}


def _turns(options: Options) -> Iterator[int]:
    for turn in range(options.rounds):
        say(f"round {turn + 1} of {options.rounds}")
        yield turn


def main() -> int:
    """Measure the given rows, or all if none is given; return the exit status."""
    words = _read_words()
    CACHE.mkdir(exist_ok=True)
    if words.against:
        rounds = words.rounds or ROUNDS_AGAINST
        return 0 if against.compare(words.against, words.rows, rounds, words.size) else 1
    names = [each for name in words.rows or ROWS for each in TOGETHER.get(name, (name,))]
    options = Options(words.rounds or ROUNDS, words.share)
    good = True
    for name in dict.fromkeys(names):
        row = ROWS[name]
        say(name)
        try:
            runs = row.measure(options)
        except BenchmarkFailed as fault:
            say(f"{name}: {fault}")
            good = False
            continue
        value = round(statistics.median(each[row.value] for each in runs), 4)
        line = {"row": name, "value": value, "least": row.least, "aim": row.aim, "better": row.better}
        if all("share" in each for each in runs):
            line["share"] = round(statistics.median(each["share"] for each in runs), 4)
            line |= {"share_least": SHARE_LEAST, "share_aim": SHARE_AIM}
        sys.stdout.write(json.dumps({**line, "runs": runs}) + "\n")
        sys.stdout.flush()
        good = good and row.good(value)
    return 0 if good else 1


def _read_words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--rounds", type=int, help=f"{ROUNDS}, or {ROUNDS_AGAINST} with --against")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of the subscribers, to try the benchmark itself"
    )
    parser.add_argument("--against", metavar="COMMIT", help="compare with this commit, in turn")
    parser.add_argument("--size", type=int, help="with --against: messages, subscribers or sign-ups of a run")
    words = parser.parse_args()
    there: Collection[str] = against.ROWS if words.against else ROWS
    unknown = [name for name in words.rows if name not in there]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(there)}")
    if words.size is not None and not words.against:
        parser.error("--size is for --against; there is --share")
    if min(words.rounds or 1, words.size or 1) < 1:
        parser.error("--rounds and --size are 1 or more")
    return words


if __name__ == "__main__":
    sys.exit(main())
