"""Measure whether response times reveal if an address is known, unknown, pending or suppressed.

Forms of the four kinds are sent one after another to the web server, in a random order in each round. For
each pair of kinds, two tests ask whether both samples come from one distribution. Mann-Whitney's U, corrected
for ties, detects a shift. Kolmogorov-Smirnov detects any difference. Both are two-sided and use their
asymptotic distributions, which are good for fifty values or more.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from benchmarks.installations import environ
from benchmarks.load import drive
from benchmarks.measure import ROOT, BenchmarkFailed
from benchmarks.signup import OUR_FIELDS
from benchmarks.web import Server, serve_ours

KINDS = ("known", "unknown", "pending", "suppressed")
REQUESTS = 400
# This many forms are sent before the measured ones, while connections are made and pages are loaded.
WARM_UP = 40

Run = dict[str, Any]


def measure(requests: int = REQUESTS) -> list[Run]:
    """Return one run: both p values of each pair of kinds, and the medians in milliseconds.

    Its value is the lowest p multiplied by the number of tests (Bonferroni), because one of twelve is small
    by chance.
    """
    with serve_ours() as server:
        _fill(server, requests + WARM_UP)
        milliseconds = _time(server, requests)
    medians = {kind: round(statistics.median(values), 3) for kind, values in milliseconds.items()}
    sys.stderr.write(f"  medians in ms: {medians}\n")
    pairs = []
    for one, other in itertools.combinations(KINDS, 2):
        first, second = milliseconds[one], milliseconds[other]
        run = {
            "pair": f"{one}/{other}",
            "mann_whitney_p": round(mann_whitney(first, second), 4),
            "kolmogorov_smirnov_p": round(kolmogorov_smirnov(first, second), 4),
        }
        sys.stderr.write(f"  {run}\n")
        pairs.append(run)
    least = min(run[test] for run in pairs for test in ("mann_whitney_p", "kolmogorov_smirnov_p"))
    value = min(1.0, round(least * 2 * len(pairs), 4))
    return [{"value": value, "requests_each": requests, "median_ms": medians, "pairs": pairs}]


def _fill(server: Server, count: int) -> None:
    """Add subscribers of each kind, with the rows that real subscribers have."""
    code = "import sys; from benchmarks.timing import fill; fill(int(sys.argv[1]))"
    env = environ(server.database.parent) | {"NEWSLETTER_PUBLIC_URL": f"http://127.0.0.1:{server.port}"}
    subprocess.run([sys.executable, "-c", code, str(count)], env=env, cwd=ROOT, check=True)  # noqa: S603


def fill(count: int) -> None:
    """Write the subscribers into the database that the environment's settings name."""
    from newsletter.mail.addresses import address_hash  # noqa: PLC0415 (the parent never loads the program)
    from newsletter.models import (  # noqa: PLC0415
        Frequency,
        Subscriber,
        Subscription,
        SubscriptionState,
        Suppression,
        SuppressionReason,
        Topic,
    )
    from newsletter.runtime import Runtime  # noqa: PLC0415
    from newsletter.settings import load_settings  # noqa: PLC0415

    runtime = Runtime(load_settings(os.environ))
    now = runtime.now()
    key = runtime.tokens.derived_key("suppression")
    with runtime.session() as session:
        topic_id = session.query(Topic.id).order_by(Topic.id).limit(1).scalar()
        for kind, state in (("known", SubscriptionState.ACTIVE), ("pending", SubscriptionState.PENDING)):
            confirmed_at = now if kind == "known" else None
            for number in range(count):
                email = address(kind, number)
                made = Subscriber(email=email, email_key=email, created_at=now, confirmed_at=confirmed_at)
                session.add(made)
                session.flush()
                session.add(
                    Subscription(
                        subscriber_id=made.id,
                        topic_id=topic_id,
                        frequency=Frequency.WEEKLY,
                        state=state,
                        created_at=now,
                        confirmed_at=confirmed_at,
                    )
                )
        for number in range(count):
            mark = address_hash(address("suppressed", number), key)
            session.add(Suppression(address_hash=mark, reason=SuppressionReason.HARD_BOUNCE, since=now))
        session.commit()


def address(kind: str, number: int) -> str:
    """Return an address of that kind. All have the same length, so that the length makes no difference."""
    return f"{kind[:5]}{number:06d}@example.net"


def _time(server: Server, requests: int) -> dict[str, list[float]]:
    hidden, cookie = server.page()
    time.sleep(1.5)  # a form sent within a second after its page is rejected
    fixed = urlencode({**hidden, **OUR_FIELDS})
    order, numbers = random.Random(4), itertools.count()  # noqa: S311 (nothing secret)
    milliseconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    statuses: Counter[int] = Counter()
    for number in range(requests + WARM_UP):
        for kind in order.sample(KINDS, len(KINDS)):
            form = server.form(fixed, cookie, address(kind, number), next(numbers))
            load = drive(server.port, iter([form]), connections=1)
            statuses += load.statuses
            if number >= WARM_UP:
                milliseconds[kind] += load.milliseconds
    if set(statuses) != {303}:
        raise BenchmarkFailed(f"not every form was taken: {dict(statuses)}")
    with contextlib.closing(sqlite3.connect(server.database)) as connection:
        (rows,) = connection.execute("SELECT count(*) FROM signup_request").fetchone()
    if rows != statuses[303]:
        raise BenchmarkFailed(f"{statuses[303]} forms were taken, and {rows} rows written")
    return milliseconds


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p value of Mann and Whitney's U test (normal, ties and continuity corrected)."""
    together = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    rank_sum, ties, at = 0.0, 0, 0
    while at < len(together):
        end = at
        while end < len(together) and together[end][0] == together[at][0]:
            end += 1
        rank = (at + 1 + end) / 2
        rank_sum += rank * sum(1 for value in together[at:end] if value[1] == 0)
        ties += (end - at) ** 3 - (end - at)
        at = end
    n, m = len(first), len(second)
    total = n + m
    u = rank_sum - n * (n + 1) / 2
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance == 0:
        return 1.0
    z = max(0.0, abs(u - n * m / 2) - 0.5) / math.sqrt(variance)
    return min(1.0, math.erfc(z / math.sqrt(2)))


def kolmogorov_smirnov(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the p value of the two-sample Kolmogorov-Smirnov test, by its asymptotic distribution."""
    one, other = sorted(first), sorted(second)
    i = j = 0
    distance = 0.0
    while i < len(one) and j < len(other):
        value = min(one[i], other[j])
        while i < len(one) and one[i] == value:
            i += 1
        while j < len(other) and other[j] == value:
            j += 1
        distance = max(distance, abs(i / len(one) - j / len(other)))
    root = math.sqrt(len(one) * len(other) / (len(one) + len(other)))
    scaled = (root + 0.12 + 0.11 / root) * distance
    if scaled < 0.2:
        return 1.0  # the series below does not converge here, and the samples hardly differ
    series = sum((-1) ** (term - 1) * math.exp(-2 * (term * scaled) ** 2) for term in range(1, 101))
    return min(1.0, max(0.0, 2 * series))


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS)
