"""When soft failures ask for a probe, and what a probe's outcome means: every rule, and random lives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.bounces.rules.soft import ProbeFacts, Sent, SoftRule, judge_probe, wants_probe
from newsletter.models import DeliveryState, ProbeResult, StepKind

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
RULE = SoftRule(emails=4, days=21, half_life_days=45)
WEEK = timedelta(days=7)
DAY = timedelta(days=1)


def sent(pattern: str, every: timedelta = WEEK) -> list[Sent]:
    """Return emails at equal distances: x failed, a dot arrived."""
    return [Sent(START + at * every, mark == "x") for at, mark in enumerate(pattern)]


def asked(pattern: str, every: timedelta = WEEK, later: timedelta = timedelta()) -> bool:
    emails = sent(pattern, every)
    return wants_probe(emails, RULE, emails[-1].at + later)


@pytest.mark.parametrize(
    ("pattern", "every", "asks"),
    [
        ("xxx", WEEK, False),  # too few emails
        ("xxxx", WEEK, True),
        ("x" * 21, DAY, False),  # over 20 days only
        ("x" * 22, DAY, True),
        ("x.xxx", WEEK, False),  # one arrived in between, and takes the failure away
        ("xx.xx", WEEK, True),
        ("xxx.xxx", WEEK, True),
        ("x.x.x.x.x.x.x.x.x", WEEK, False),
        ("xxxx", timedelta(days=30), True),
        ("xxxxxxxx", timedelta(days=120), False),  # old ones count little
    ],
)
def test_failures_ask_for_a_probe_if_they_are_many_and_over_many_days(
    pattern: str, every: timedelta, asks: bool
):
    assert asked(pattern, every) is asks


def test_failures_lose_their_weight_with_time():
    assert asked("xxxx", WEEK)
    assert not asked("xxxx", WEEK, later=timedelta(days=60))


def test_a_failure_that_a_sign_of_life_contradicts_asks_at_once():
    assert wants_probe([Sent(START, failed=True, asks_probe=True)], RULE, START)


@given(
    st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=60),
    st.integers(2, 10),
    st.integers(1, 60),
    st.integers(1, 100),
)
def test_fewer_failures_than_the_setting_or_in_fewer_days_never_ask(
    emails: list[tuple[int, bool]], number: int, days: int, half_life: int
):
    rule = SoftRule(number, days, half_life)
    life = sorted(Sent(START + timedelta(days=day), failed) for day, failed in emails)
    failed = [each.at for each in life if each.failed]

    if wants_probe(life, rule, START + timedelta(days=400)):
        assert len(failed) >= number
        assert failed[-1] - failed[0] >= timedelta(days=days)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 39))
def test_an_email_that_arrived_never_makes_a_probe_more_likely(marks: list[bool], at: int):
    life = [Sent(START + number * DAY, failed) for number, failed in enumerate(marks)]
    now = life[-1].at
    arrived = Sent(START + min(at, len(marks) - 1) * DAY + DAY / 2, failed=False)
    rule = SoftRule(emails=3, days=2, half_life_days=10)

    if not wants_probe(life, rule, now):
        assert not wants_probe(sorted([*life, arrived]), rule, now)


NOW = START + timedelta(days=10)
WAIT = timedelta(days=7)
ACCEPTED = ProbeFacts(DeliveryState.ACCEPTED, NOW - WAIT)


@pytest.mark.parametrize(
    ("facts", "result"),
    [
        (ACCEPTED, ProbeResult.PASSED),
        (ProbeFacts(DeliveryState.ACCEPTED, NOW - WAIT + DAY), None),
        (ProbeFacts(DeliveryState.ACCEPTED, NOW, StepKind.SOFT), ProbeResult.FAILED),
        (ProbeFacts(DeliveryState.REJECTED, NOW, StepKind.HARD), ProbeResult.FAILED),
        (ProbeFacts(DeliveryState.REJECTED, NOW, StepKind.SOFT), ProbeResult.FAILED),
        (ProbeFacts(DeliveryState.ACCEPTED, NOW, StepKind.POLICY), ProbeResult.ENDED),
        (ProbeFacts(DeliveryState.REJECTED, NOW), ProbeResult.ENDED),  # the relay refused us, not the mailbox
        (ProbeFacts(DeliveryState.SKIPPED, NOW), ProbeResult.ENDED),
        (ProbeFacts(DeliveryState.DEFERRED, None), None),
        (ProbeFacts(DeliveryState.QUEUED, None), None),
        (ProbeFacts(DeliveryState.ACCEPTED, NOW, StepKind.HARD, used=True), ProbeResult.PASSED),
        (ProbeFacts(DeliveryState.ACCEPTED, NOW, StepKind.HARD, wanted=False), ProbeResult.ENDED),
    ],
)
def test_what_a_probe_says(facts: ProbeFacts, result: ProbeResult | None):
    assert judge_probe(facts, WAIT, NOW) is result
