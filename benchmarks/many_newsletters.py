"""Measure the preferences page and the admin overview with many newsletters, topics and subscribers."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import insert
from sqlalchemy.orm import Session

from benchmarks.installations import environ
from benchmarks.measure import BenchmarkFailed, say
from benchmarks.versions import CACHE
from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.app import create_app
from newsletter.models import Subscriber, Subscription, SubscriptionState, Topic, open_engine
from newsletter.newsletters.add import add_newsletter
from newsletter.releases.topics.manage import add_topic
from newsletter.service.database.first_newsletter import fill_first_newsletter
from newsletter.service.database.schema import upgrade
from newsletter.settings import load_settings
from newsletter.tokens import Purpose, Tokens

NEWSLETTERS, TOPICS, EACH = 50, 20, 3
REQUESTS = 50
ACCOUNT, PASSWORD = "editor@example.org", "a password only for measuring"
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """An installation with many newsletters: its application, its tokens, and how many subscribers it has."""

    client: FlaskClient
    tokens: Tokens
    subscribers: int

    def preferences(self, number: int) -> str:
        """Return the path of the preferences page of one subscriber."""
        whom = 1 + number * 7919 % self.subscribers
        parts = [_public_id(whom), self.tokens.fingerprint(_address(whom))]
        return f"/preferences/{self.tokens.make(Purpose.PREFERENCES, parts, NOW)}"


def preferences_page(subscribers: int) -> dict[str, Any]:
    """Return the milliseconds of 50 requests of the preferences page, each of another subscriber."""
    with _filled(subscribers) as place:
        return _measure(place, place.preferences, 'name="topic-')


def overview_page(subscribers: int) -> dict[str, Any]:
    """Return the milliseconds of 50 requests of the admin overview."""
    with _filled(subscribers) as place:
        page = place.client.get("/admin/sign-in").text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]*)"', page)
        given = {"csrf_token": found[1] if found else "", "email": ACCOUNT, "password": PASSWORD}
        place.client.post("/admin/sign-in", data=given)
        return _measure(place, lambda _: "/admin/", "Oldest single email")


def _measure(place: Place, path: Callable[[int], str], sign: str) -> dict[str, Any]:
    """Request pages; the value is the median. `sign` is a text that each page must have."""
    taken: list[float] = []
    busy: list[float] = []
    for number in range(REQUESTS + 1):
        where = path(number)
        began, cpu_began = time.perf_counter(), time.process_time()
        answer = place.client.get(where)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        if answer.status_code != 200 or sign not in answer.text:
            raise BenchmarkFailed(f"{where.split('/')[1]} answered {answer.status_code}")
        if number:  # the first request compiles the template
            taken.append(seconds * 1000)
            busy.append(cpu_seconds * 1000)
    found = {
        "value": round(statistics.median(taken), 2),
        "worst_ms": round(max(taken), 2),
        "cpu_ms": round(statistics.median(busy), 2),
    }
    say(f"{place.subscribers} subscribers: {found}")
    return found


@contextmanager
def _filled(subscribers: int) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE) as name:
        # Over http, so that the test client sends the session's cookie.
        given = {**environ(Path(name)), "NEWSLETTER_PUBLIC_URL": "http://localhost"}
        settings = load_settings(
            {key: value for key, value in given.items() if key.startswith("NEWSLETTER_")}
        )
        upgrade(settings.database)
        fill_first_newsletter(settings, NOW)
        engine = open_engine(settings.database)
        stored = hash_password(PASSWORD)
        with Session(engine) as session:
            create_account(session, ACCOUNT, stored, "benchmark", NOW).must_change = False
            topics = [_add_topics(session, settings, number) for number in range(NEWSLETTERS)]
            _add_subscribers(session, subscribers, topics)
            session.commit()
        engine.dispose()
        app = create_app(settings, now=lambda: NOW)
        yield Place(app.test_client(), Tokens(settings.secret_keys, settings.confirm_days), subscribers)


def _add_topics(session: Session, settings: Any, number: int) -> tuple[int, list[int]]:
    """Add a newsletter (the first exists) and its topics; return their ids."""
    newsletter = 1
    if number:
        fields = {"name": f"Newsletter {number}", "from_address": f"letter@example{number}.org"}
        slug = f"n{number}"
        newsletter = add_newsletter(
            session, settings, slug=slug, fields=fields, actor="benchmark", now=NOW
        ).id
    made: list[Topic] = [
        add_topic(
            session,
            slug=f"t{number}-{each}",
            name=f"Topic {each}",
            actor="bench",
            now=NOW,
            newsletter_id=newsletter,
        )
        for each in range(TOPICS)
    ]
    return newsletter, [topic.id for topic in made]


def _add_subscribers(session: Session, count: int, topics: list[tuple[int, list[int]]]) -> None:
    """Add confirmed subscribers, each with three topics of different newsletters."""
    for start in range(1, count + 1, 10_000):
        numbers = range(start, min(start + 10_000, count + 1))
        people = [
            {
                "id": number, "public_id": _public_id(number), "email": _address(number),
                "email_key": _address(number), "created_at": NOW, "confirmed_at": NOW,
            }
            for number in numbers
        ]  # fmt: skip
        rows = []
        for number in numbers:
            for each in range(EACH):
                newsletter, theirs = topics[(number + each * 17) % NEWSLETTERS]
                # One in a hundred has subscribed within the last week.
                confirmed = NOW - timedelta(days=number * 7 % 700)
                rows.append({
                    "subscriber_id": number, "topic_id": theirs[number % TOPICS],
                    "newsletter_id": newsletter, "frequency": "weekly",
                    "state": SubscriptionState.ACTIVE, "created_at": confirmed, "confirmed_at": confirmed,
                })  # fmt: skip
        session.execute(insert(Subscriber), people)
        session.execute(insert(Subscription), rows)


def _address(number: int) -> str:
    return f"reader{number}@example.net"


def _public_id(number: int) -> str:
    return f"r{number:011}"
