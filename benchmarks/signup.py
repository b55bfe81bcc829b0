"""Measure the rate of sign-ups, compared with a minimal application, and check that none is lost."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from itertools import chain, islice
from typing import Any

from benchmarks.installations import environ
from benchmarks.load import Load, drive
from benchmarks.measure import BenchmarkFailed, run
from benchmarks.web import serve_bare, serve_ours

CONNECTIONS = 64
SECONDS = 4.0
WARM_UP_SECONDS = 1.0
OUR_FIELDS = {"topics": "energy", "frequency": "weekly", "website": ""}
BARE_FIELDS = {"name": "Reader"}

Run = dict[str, Any]


def measure(rounds: int, seconds: float = SECONDS) -> list[Run]:
    """Send sign-up forms to the bare application and to ours, in turn; return one run for each round."""
    with serve_bare() as bare, serve_ours() as ours:
        sources = {bare: bare.forms(BARE_FIELDS, "bare"), ours: ours.forms(OUR_FIELDS, "ours")}
        tables = {bare: "person", ours: "signup_request"}
        next(sources[ours])  # opens the page: a form sent within a second after that is rejected
        time.sleep(1.5)
        for server, source in sources.items():
            drive(server.port, source, connections=CONNECTIONS, seconds=WARM_UP_SECONDS)
        runs = []
        for _ in range(rounds):
            found = {}
            for server, source in sources.items():
                before = server.count(tables[server])
                load = drive(server.port, source, connections=CONNECTIONS, seconds=seconds)
                insist(load, server.count(tables[server]) - before)
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


def at_once(people: int) -> list[Run]:
    """Let `people` people sign up over 64 connections, resolve their forms, and count the confirmations.

    Raises BenchmarkFailed unless each has exactly one confirmation in the outbox.
    """
    limits = {"brake_burst": "1000000", "brake_domain_per_hour": "1000000"}
    with serve_ours(**limits) as server:
        forms = server.forms(OUR_FIELDS, "person")
        first = next(forms)  # opens the page: a form sent within a second after that is rejected
        time.sleep(1.5)
        load = drive(server.port, chain([first], islice(forms, people - 1)), connections=CONNECTIONS)
        insist(load, server.count("signup_request"))
        used = run(
            [sys.executable, "-c", _RESOLVE],
            environ(server.database.parent)
            | {f"NEWSLETTER_{name.upper()}": each for name, each in limits.items()},
            server.database.parent,
        )
        with closing(sqlite3.connect(server.database)) as connection:
            found = connection.execute(_MAILS).fetchall()
    if found != [(1, people)]:
        raise BenchmarkFailed(f"confirmations by address, and how many addresses: {found}")
    figures = {**_figures(load), "resolved_a_second": round(people / used.seconds, 1)}
    sys.stderr.write(f"  {figures}\n")
    return [{"value": people, **figures}]


# What the engine does with waiting forms, and nothing else of it.
_RESOLVE = """
import os
from newsletter.runtime import Runtime
from newsletter.settings import load_settings
word = "brake"
try:
    from newsletter.subscribers.signup.resolve import resolve_signups
    from newsletter.subscribers.signup import confirmation_limits
    if hasattr(confirmation_limits, "Brake"):  # a version from before it was renamed
        Limits = confirmation_limits.Brake
    else:
        Limits, word = confirmation_limits.ConfirmationLimits, "limits"
except ModuleNotFoundError:  # a version from before the moves
    from newsletter.subscriptions.defences import Brake as Limits
    from newsletter.subscriptions.signup import resolve_signups
parts, more = Runtime(load_settings(os.environ)), 1
while more:
    with parts.session() as session:
        more = resolve_signups(session, parts.tokens, parts.now(), **{word: Limits.of(parts.settings)})
        session.commit()
"""
_MAILS = """
SELECT mails, count(*) FROM (
  SELECT count(delivery.id) AS mails FROM subscriber LEFT JOIN delivery
  ON delivery.subscriber_id = subscriber.id AND delivery.template = 'confirm' GROUP BY subscriber.id
) GROUP BY mails
"""


def insist(load: Load, rows: int) -> None:
    """Raise BenchmarkFailed unless every form was accepted and has its row."""
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
