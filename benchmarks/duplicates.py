"""Measure how long it takes to find the duplicates of one new release among 100,000, on both databases.

`PYTHONPATH=tests python -m benchmarks.duplicates [RELEASES]` prints one JSON line for each database. The
limit is 50 ms. A third of the releases are notices that recur, in nearly the same words. All have a date
within 100 days, so thousands are near enough in time to be compared. Half of the new ones are copies.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, insert, select
from sqlalchemy.orm import Session

from benchmarks.archive import NOW, RELEASES
from benchmarks.corpus import WORDS
from benchmarks.installations import environ
from benchmarks.measure import BenchmarkFailed, say
from benchmarks.postgresql import Server
from benchmarks.versions import CACHE
from newsletter.models import Release, ReleaseBand, open_engine
from newsletter.releases.duplicates.decide import Verdict
from newsletter.releases.duplicates.find import index_missing_bands
from newsletter.releases.duplicates.fingerprint import fingerprint
from newsletter.releases.duplicates.judge import find_duplicates
from newsletter.service.database.schema import upgrade
from newsletter.settings import load_settings

DAYS, BODY_WORDS, AT_ONCE, COPIES = 100, 250, 2_000, 30
LIMIT_MS = 50
TITLE = "Depth of the fairway"
NOTICE = (
    "The port authority reports the depth of the fairway as it was measured this morning. Ships with a "
    "draught of more than {} centimetres wait for the tide. The gauge at the lock shows {} centimetres, and "
    "at the mole it shows {}. The values have not been checked yet, and the next ones follow tomorrow."
)


def measure(engine: Engine, releases: int) -> dict[str, Any]:
    """Return the milliseconds that it takes to find the duplicates of a new release: median and worst."""
    _fill(engine, releases)
    chosen = random.Random(2)  # noqa: S311 (test data, the same each time)
    taken, busy, found = [], [], 0
    with Session(engine) as session:
        for number in range(COPIES + 1):
            known = session.get_one(Release, chosen.randrange(releases // 3) * 3 + 1 + number % 2 * 2)
            is_copy = known.title != TITLE
            body = f"HALMSTRAND – {known.body_text}" if is_copy else _notice(chosen)
            new = Release(**_row(0, known.title, body, known.created_at))
            new.id, new.public_id, new.content_hash = releases + 1 + number, f"new{number}", f"new{number}"
            session.add(new)
            session.flush()
            began, cpu_began = time.perf_counter(), time.process_time()
            fingerprint(new.title, new.body_text)
            duplicates = find_duplicates(session, new, ())
            taken.append((time.perf_counter() - began) * 1000)
            busy.append((time.process_time() - cpu_began) * 1000)
            found += any(each.verdict is Verdict.MERGE for each in duplicates) is is_copy
        bands = session.scalar(select(func.count()).select_from(ReleaseBand))
    if found <= COPIES:
        raise BenchmarkFailed(f"{COPIES + 1 - found} of {COPIES + 1} were judged wrongly")
    # The first one compiles the statements.
    value = {
        "median_ms": round(statistics.median(taken[1:]), 1),
        "worst_ms": round(max(taken[1:]), 1),
        "cpu_ms": round(statistics.median(busy[1:]), 1),
    }
    return {"database": engine.dialect.name, "releases": releases, **value, "bands": bands}


def _fill(engine: Engine, count: int) -> None:
    chosen = random.Random(1)  # noqa: S311 (test data, the same each time)
    vocabulary = [f"{word}{end}" for word in WORDS for end in ("", "s", "ing", "ed")]
    for start in range(1, count + 1, AT_ONCE):
        rows = []
        for number in range(start, min(start + AT_ONCE, count + 1)):
            at = NOW - timedelta(days=number % DAYS)
            body, title = _notice(chosen), TITLE
            if number % 3:
                body = " ".join(chosen.choices(vocabulary, k=BODY_WORDS))
                title = f"{' '.join(body.split()[:6]).capitalize()} {number}"
            rows.append(_row(number, title, body, at))
        with engine.begin() as connection:
            connection.execute(insert(Release), rows)
    began, last = time.perf_counter(), 0
    while True:
        with engine.begin() as connection:
            ids = index_missing_bands(connection, last, AT_ONCE)
        if not ids:
            break
        last = ids[-1]
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    say(f"stored the fingerprints of {count} releases in {time.perf_counter() - began:.1f} s")


def _notice(chosen: random.Random) -> str:
    return NOTICE.format(*(chosen.randrange(100, 900) for _ in range(3)))


def _row(number: int, title: str, body: str, at: Any) -> dict[str, Any]:
    return {
        "id": number, "public_id": f"release{number:05}", "title": title, "publisher": f"Port {number % 40}",
        "published_at": at, "published_on": at.date(), "language": "en", "body_html": f"<p>{body}</p>",
        "body_text": body, "summary": body[:200], "content_hash": f"{number:064}", "created_at": at,
        "made_public_at": at,
    }  # fmt: skip


def main(releases: int) -> int:
    """Measure both databases; return 1 if one is above the limit."""
    results = []
    CACHE.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE) as folder,
        Server.start() as server,
    ):
        for url in ("", server.server.url(server.server.create_database())):
            given = environ(Path(folder), database_url=url)
            settings = load_settings(
                {key: value for key, value in given.items() if key.startswith("NEWSLETTER_")}
            )
            upgrade(settings.database)
            engine = open_engine(settings.database)
            results.append(measure(engine, releases))
            engine.dispose()
            sys.stdout.write(json.dumps(results[-1]) + "\n")
            sys.stdout.flush()
    return int(any(each["median_ms"] > LIMIT_MS for each in results))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else RELEASES))
