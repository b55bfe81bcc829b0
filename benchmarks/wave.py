"""Measure how a wave for few subscribers of many is prepared, and how selections are found and composed."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, func, insert, literal, select, text

from benchmarks.corpus import MOMENT, Kind, fill
from benchmarks.installations import environ
from benchmarks.measure import BenchmarkFailed, say
from benchmarks.versions import CACHE
from newsletter.digest.schedule.prepare import WavePreparer
from newsletter.digest.select import Audience, Selector
from newsletter.models import (
    FIRST_NEWSLETTER,
    Delivery,
    Frequency,
    Subscriber,
    Subscription,
    SubscriptionState,
    Wave,
    WaveState,
    current_sequence,
)
from newsletter.models.base import UTCDateTime
from newsletter.runtime import Runtime
from newsletter.service.database.schema import upgrade
from newsletter.settings import load_settings

# How many subscribers chose the hour of the wave.
IN_WAVE = 1_000
# Each subscriber has one of the first topics and one of the others: 1,000 different selections.
LEFT, RIGHT = 25, 40
ZONE, HOUR = "Asia/Tokyo", 7
KIND = Kind(LEFT + RIGHT, 1, 40, lambda: iter(()))
ADD_SUBSCRIBERS = text(
    "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count) "
    "INSERT INTO subscriber (id, public_id, email, email_key, language, time_zone, preferred_hour, "
    "created_at, confirmed_at) SELECT n, 'r' || n, 'reader' || n || '@example.com', "
    "'reader' || n || '@example.com', 'en', CASE WHEN n % :every = 0 THEN :zone ELSE 'UTC' END, "
    "CASE WHEN n % :every = 0 THEN CAST(:hour AS integer) END, :moment, :moment FROM numbers"
).bindparams(bindparam("moment", type_=UTCDateTime()))


def prepare_wave(subscribers: int) -> list[dict[str, Any]]:
    """Return the seconds in which a wave for 1,000 of these subscribers is prepared, on both databases."""
    return _slower(subscribers, _time_wave)


def select_all(subscribers: int) -> list[dict[str, Any]]:
    """Return the seconds in which all selections of an issue are found and composed, without any insert."""
    return _slower(subscribers, _time_selections)


def _slower(subscribers: int, measure: Callable[[Runtime], int]) -> list[dict[str, Any]]:
    """Measure on both databases; return one run, with the seconds of the slower one."""
    both = [_measured(runtime, name, measure) for name, runtime in _filled(subscribers)]
    return [{"seconds": max(each["seconds"] for each in both), "databases": both}]


def _measured(runtime: Runtime, name: str, measure: Callable[[Runtime], int]) -> dict[str, Any]:
    started, used = time.perf_counter(), time.process_time()
    count = measure(runtime)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    return {"database": name, "seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3), "count": count}


def _time_wave(runtime: Runtime) -> int:
    with runtime.session() as session:
        wave = Wave(
            newsletter_id=FIRST_NEWSLETTER, slot=MOMENT.date(), instant=MOMENT + timedelta(hours=1),
            last_at=MOMENT + timedelta(hours=1), state=WaveState.PREPARING,
            parts=[{"frequencies": [Frequency.WEEKLY.value], "own": False, "hours": [[ZONE, HOUR]]}],
        )  # fmt: skip
        session.add(wave)
        session.commit()
        preparer, more = WavePreparer(runtime.renderer, wave.id), True
        while more:
            more = preparer.step(session, runtime.now())
            session.commit()
        prepared = session.scalar(select(func.count()).select_from(Delivery))
    if prepared != IN_WAVE:
        raise BenchmarkFailed(f"the wave has {prepared} deliveries, not {IN_WAVE}")
    return prepared


def _time_selections(runtime: Runtime) -> int:
    with runtime.reading() as session:
        audience = Audience(FIRST_NEWSLETTER, (Frequency.WEEKLY,))
        selector = Selector(session, audience, current_sequence(session))
        return len({key for chunk in selector.chunks(session, 20_000) for _, key in chunk.selections})


def _filled(subscribers: int) -> Iterator[tuple[str, Runtime]]:
    from benchmarks.postgresql import Server  # noqa: PLC0415 (few rows need psycopg)

    CACHE.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE)))
        yield "sqlite", _runtime(folder, "", subscribers)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="newsletter-bench-", dir=CACHE)))
        server = stack.enter_context(Server.start())
        yield "postgresql", _runtime(folder, server.server.url(server.server.create_database()), subscribers)


def _runtime(folder: Path, url: str, subscribers: int) -> Runtime:
    say(f"filling a database with {subscribers:,} subscribers")
    runtime = Runtime(load_settings(environ(folder, database_url=url)))
    upgrade(runtime.settings.database)
    fill(runtime, KIND, 0)
    _add_subscribers(runtime, subscribers)
    return runtime


def _add_subscribers(runtime: Runtime, subscribers: int) -> None:
    """Insert subscribers with two topics each. The database makes the rows, because they are many."""
    number = Subscriber.id
    topics = (number % LEFT + 1, number // LEFT % RIGHT + LEFT + 1)
    with runtime.session() as session:
        given = {"count": subscribers, "every": subscribers // IN_WAVE, "zone": ZONE, "hour": HOUR}
        session.execute(ADD_SUBSCRIBERS, {**given, "moment": MOMENT})
        for topic in topics:
            columns = {
                "subscriber_id": number,
                "topic_id": topic,
                "newsletter_id": literal(FIRST_NEWSLETTER),
                "frequency": literal(Frequency.WEEKLY, Subscription.frequency.type),
                "state": literal(SubscriptionState.ACTIVE, Subscription.state.type),
                "started_sequence": literal(0),
                "covered_to": literal(0),
                "created_at": literal(MOMENT, UTCDateTime()),
                "confirmed_at": literal(MOMENT, UTCDateTime()),
            }
            query = select(*columns.values()).order_by(number)
            session.execute(insert(Subscription).from_select(list(columns), query))
        session.commit()
        if runtime.engine.dialect.name == "postgresql":
            session.execute(text("ANALYZE"))
            session.commit()
    # A connection that made a million rows reads them more slowly than another one.
    runtime.engine.dispose()
