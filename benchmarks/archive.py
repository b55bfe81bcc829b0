"""Measure the public archive and the search with 100,000 releases, on both databases."""

from __future__ import annotations

import itertools
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from servers.processes import LOOPBACK, free_port
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.corpus import WORDS
from benchmarks.installations import environ
from benchmarks.measure import BenchmarkFailed, say
from benchmarks.postgresql import Server
from benchmarks.versions import CACHE
from benchmarks.web import WORKERS, run_server
from newsletter.app import create_app
from newsletter.models import Release, ReleaseTopic, open_engine
from newsletter.releases.search.index import index_missing
from newsletter.releases.topics.manage import add_topic
from newsletter.service.database.first_newsletter import fill_first_newsletter
from newsletter.service.database.schema import upgrade
from newsletter.settings import Settings, load_settings

RELEASES, TOPICS, BODY_WORDS, DAYS = 100_000, 10, 120, 3_650
REQUESTS, AT_ONCE = 30, 5_000
# How many connections ask for a page at the same time, and for how long.
CONNECTIONS, SECONDS = 8, 10
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
# A word of every release.
FREQUENT = "ministry"
PAGES = {
    "archive-page": "/releases",
    "topic-page": "/topics/topic-3",
    "search-page": f"/releases?q={FREQUENT}",
}


@dataclass(frozen=True)
class Filled:
    """An installation with many releases: its settings, its environment, and a client of its application."""

    settings: Settings
    env: Mapping[str, str]
    client: FlaskClient

    def milliseconds(self, path: str) -> dict[str, Any]:
        """Return the median of 30 requests of a page that no cache has."""
        taken: list[float] = []
        busy: list[float] = []
        for number in range(REQUESTS + 1):
            began, cpu_began = time.perf_counter(), time.process_time()
            answer = self.client.get(_uncached(path, number))
            taken.append((time.perf_counter() - began) * 1000)
            busy.append((time.process_time() - cpu_began) * 1000)
            if answer.status_code != 200 or "<h3" not in answer.text:
                raise BenchmarkFailed(f"{path} answered {answer.status_code}")
        # The first request compiles the template.
        return {
            "value": round(statistics.median(taken[1:]), 2),
            "worst_ms": round(max(taken[1:]), 2),
            "cpu_ms": round(statistics.median(busy[1:]), 2),
        }

    def rate(self, *, is_cached: bool) -> dict[str, Any]:
        """Return how many archive pages a second two web processes answer."""
        port = free_port()
        env = {
            **self.env,
            "NEWSLETTER_BIND": f"{LOOPBACK}:{port}",
            "NEWSLETTER_WEB_WORKERS": str(WORKERS),
            "NEWSLETTER_PUBLIC_URL": f"http://{LOOPBACK}:{port}",
        }
        command = [sys.executable, "-m", "newsletter", "--env-file", "", "web"]
        with run_server(port, command, env, self.settings.data_dir):
            answered, seconds = _ask(port, is_cached=is_cached)
        return {"value": round(answered / seconds, 1), "answers": answered}


def measure(row: str, releases: int) -> list[dict[str, Any]]:
    """Return the run of a row: the figures on SQLite and PostgreSQL; its value is the worse one."""
    found = _all_rows(releases)
    runs = {database: rows[row] for database, rows in found.items()}
    worse = min if row in {"archive-anew", "archive-cached"} else max
    return [{"value": worse(each["value"] for each in runs.values()), **runs}]


@lru_cache
def _all_rows(releases: int) -> dict[str, dict[str, dict[str, Any]]]:
    found = {}
    with filled(releases) as sqlite:
        found["sqlite"] = _rows(sqlite)
    with (
        Server.start() as server,
        filled(releases, server.server.url(server.server.create_database())) as there,
    ):
        found["postgresql"] = _rows(there)
    return found


def _rows(place: Filled) -> dict[str, dict[str, Any]]:
    rows = {name: place.milliseconds(path) for name, path in PAGES.items()}
    rows |= {"archive-anew": place.rate(is_cached=False), "archive-cached": place.rate(is_cached=True)}
    say(f"{place.settings.database.get_backend_name()}: {rows}")
    return rows


def _ask(port: int, *, is_cached: bool) -> tuple[int, float]:
    """Request the archive page over several connections; return how many answers came, and the seconds."""
    numbers = itertools.count(1)
    answers: list[int] = []
    until = time.perf_counter() + SECONDS

    def run() -> None:
        with closing(HTTPConnection(LOOPBACK, port, timeout=30)) as connection:
            while time.perf_counter() < until:
                connection.request("GET", "/releases" if is_cached else _uncached("/releases", next(numbers)))
                answer = connection.getresponse()
                answer.read()
                answers.append(answer.status)

    began = time.perf_counter()
    threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if set(answers) != {200}:
        raise BenchmarkFailed(f"the archive answered {set(answers)}")
    return len(answers), time.perf_counter() - began


def _uncached(path: str, number: int) -> str:
    """Return the address of the same page that nobody has requested before."""
    return f"{path}{'&' if '?' in path else '?'}number={number}"


@contextmanager
def filled(releases: int = RELEASES, database_url: str = "") -> Iterator[Filled]:
    """Make an installation with many releases, on SQLite or in the database at `database_url`."""
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE) as name:
        given = {
            **environ(Path(name), database_url=database_url),
            "NEWSLETTER_PUBLIC_URL": "http://localhost",
        }
        settings = load_settings(
            {key: value for key, value in given.items() if key.startswith("NEWSLETTER_")}
        )
        upgrade(settings.database)
        fill_first_newsletter(settings, NOW)
        engine = open_engine(settings.database)
        with Session(engine) as session:
            topics = [
                add_topic(session, slug=f"topic-{number}", name=f"Topic {number}", actor="bench", now=NOW).id
                for number in range(TOPICS)
            ]
            session.commit()
        _add_releases(engine, topics, releases)
        began = time.perf_counter()
        _index(engine)
        say(f"indexed {releases} releases in {time.perf_counter() - began:.1f} s")
        if database_url:
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
        engine.dispose()
        yield Filled(settings, given, create_app(settings, now=lambda: NOW).test_client())


def _add_releases(engine: Any, topics: list[int], count: int) -> None:
    chosen = random.Random(1)  # noqa: S311 (test data, the same each time)
    vocabulary = [f"{first}{second}" for first, second in itertools.product(WORDS, ("", "s", "ing", "ed"))]
    for start in range(1, count + 1, AT_ONCE):
        ids = range(start, min(start + AT_ONCE, count + 1))
        rows = [_release(chosen, vocabulary, number, count) for number in ids]
        links = [
            {"release_id": number, "topic_id": topic} for number in ids for topic in chosen.sample(topics, 2)
        ]
        with Session(engine) as session:
            session.connection().execute(insert(Release), rows)
            session.connection().execute(insert(ReleaseTopic), links)
            session.commit()


def _release(chosen: random.Random, vocabulary: list[str], number: int, count: int) -> dict[str, Any]:
    at = NOW - timedelta(days=DAYS * (count - number) / count)
    words = [FREQUENT, *chosen.choices(vocabulary, k=BODY_WORDS), f"word{number}"]
    body = " ".join(words)
    return {
        "id": number,
        "public_id": f"release{number:05}",
        "title": f"{' '.join(words[3:9]).capitalize()} {number}",
        "publisher": f"Ministry {number % 40}",
        "published_at": at,
        "published_on": at.date(),
        "language": "en",
        "body_html": f"<p>{body}</p>",
        "body_text": body,
        "summary": " ".join(words[:25]),
        "content_hash": f"{number:064}",
        "created_at": at,
        "made_public_at": at,
    }


def _index(engine: Any) -> None:
    more = 1
    while more:
        with engine.begin() as connection:
            more = index_missing(connection, 2_000)
