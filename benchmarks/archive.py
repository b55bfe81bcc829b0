"""Measure the public archive and the search with 100,000 releases, on both databases."""

from __future__ import annotations

import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.corpus import WORDS
from benchmarks.installations import environ
from benchmarks.measure import BenchmarkFailed, say
from benchmarks.versions import CACHE
from newsletter.app import create_app
from newsletter.models import Release, ReleaseTopic, open_engine
from newsletter.releases.search.index import index_missing
from newsletter.releases.topics import add_topic
from newsletter.service.database import upgrade
from newsletter.service.first_newsletter import fill_first_newsletter
from newsletter.settings import Settings, load_settings

RELEASES, TOPICS, BODY_WORDS, DAYS = 100_000, 10, 120, 3_650
REQUESTS, AT_ONCE = 30, 5_000
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
# A word of every release.
FREQUENT = "ministry"
PAGES = {
    "archive page": "/releases",
    "topic page": "/topics/topic-3",
    "month page": "/releases/2021/7",
    "search": f"/releases?q={FREQUENT}",
    "search by relevance": f"/releases?q={FREQUENT}&order=relevance",
}


@dataclass(frozen=True)
class Filled:
    """An installation with many releases: its settings, and a client of its application."""

    settings: Settings
    client: FlaskClient

    def milliseconds(self, path: str) -> dict[str, Any]:
        """Return the median of 30 requests of a page that no cache has."""
        taken: list[float] = []
        for number in range(REQUESTS + 1):
            began = time.perf_counter()
            # No cache has the page, because no two addresses are the same.
            answer = self.client.get(f"{path}{'&' if '?' in path else '?'}anew={number}")
            taken.append((time.perf_counter() - began) * 1000)
            if answer.status_code != 200 or "<h3" not in answer.text:
                raise BenchmarkFailed(f"{path} answered {answer.status_code}")
        # The first request compiles the template.
        found = {"value": round(statistics.median(taken[1:]), 2), "worst_ms": round(max(taken[1:]), 2)}
        say(f"{path}: {found}")
        return found


@contextmanager
def filled(database_url: str = "", releases: int = RELEASES) -> Iterator[Filled]:
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
                add_topic(session, slug=f"topic-{number}", name=f"Topic {number}", now=NOW).id
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
        yield Filled(settings, create_app(settings, now=lambda: NOW).test_client())


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
