"""Which waves are due, in which order, and what becomes of late ones."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.calendar.plan import (
    Calendar,
    Late,
    LateRule,
    Part,
    Personal,
    instants_of,
    make_plan,
    next_instant,
)
from newsletter.calendar.rules import Rules
from newsletter.models import Frequency

DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY
EVERY_DAY = Rules(daily=frozenset(range(7)))
TENTH = date(2026, 3, 10)  # a Tuesday


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def calendar(**more) -> Calendar:
    return Calendar(1, "UTC", 8, more.pop("rules", EVERY_DAY), **more)


def with_late(then: Late) -> dict[Frequency, LateRule]:
    return {DAILY: LateRule(6, then), WEEKLY: LateRule(24, then), MONTHLY: LateRule(48, then)}


def test_the_hours_of_one_instant_make_one_wave_of_each_date():
    hours = [None, ("UTC", 8), ("Asia/Tokyo", 17), ("Asia/Tokyo", 18)]

    plan = make_plan(calendar(), hours, [], at("2026-03-10 07:00"), at("2026-03-10 08:00"))

    (wave,) = plan.waves
    assert wave.send == (Part(frozenset({DAILY, WEEKLY}), frozenset(hours[:3])),)


def test_two_dates_can_have_one_instant_and_the_earlier_date_comes_first():
    hours = [("Pacific/Kiritimati", 8), ("Pacific/Honolulu", 8)]

    plan = make_plan(calendar(), hours, [], at("2026-03-10 17:00"), at("2026-03-10 18:00"))

    assert [(each.instant, each.slot.day) for each in plan.waves] == [
        (at("2026-03-10 18:00"), 10), (at("2026-03-10 18:00"), 11),
    ]  # fmt: skip


def test_only_the_last_missed_date_of_a_frequency_counts():
    plan = make_plan(
        calendar(late=with_late(Late.SEND)), [None], [], at("2026-03-09 12:00"), at("2026-03-13 12:00")
    )

    assert [(each.slot.day, {f for part in each.send for f in part.frequencies}) for each in plan.waves] == [
        (10, {WEEKLY}), (13, {DAILY}),
    ]  # fmt: skip


def test_what_is_skipped_is_due_again_the_next_day_until_it_is_in_time():
    late = with_late(Late.SKIP)

    soon = make_plan(calendar(late=late), [None], [], at("2026-03-09 12:00"), at("2026-03-11 09:00"))
    later = make_plan(calendar(late=late), [None], [], at("2026-03-09 12:00"), at("2026-03-11 07:00"), {})

    assert [(each.slot.day, each.send[0].frequencies) for each in soon.waves] == [(11, {DAILY, WEEKLY})]
    assert later.again == frozenset()
    assert later.skipped == {(TENTH, DAILY)}
    much = make_plan(
        calendar(late=late, rules=Rules(daily=frozenset({1}))),
        [None],
        [],
        at("2026-03-09 12:00"),
        at("2026-03-10 20:00"),
    )
    assert much.skipped == {(TENTH, DAILY)}


def test_a_skipped_date_that_is_due_again_in_the_future_is_stored():
    plan = make_plan(
        calendar(late=with_late(Late.SKIP) | {WEEKLY: LateRule(1, Late.SKIP)}),
        [None], [], at("2026-03-09 12:00"), at("2026-03-10 10:00"),
    )  # fmt: skip

    assert plan.again == {(date(2026, 3, 11), WEEKLY, None)}


def test_a_date_of_a_paused_issue_is_not_late():
    now = at("2026-03-10 23:00")

    plan = make_plan(calendar(), [None], [], at("2026-03-09 12:00"), now, {TENTH: now})

    assert [each.slot for each in plan.waves] == [TENTH]
    assert plan.skipped == frozenset()


def test_lateness_counts_from_the_approval():
    began, approved = at("2026-03-09 12:00"), {TENTH: at("2026-03-10 15:00")}

    in_time = make_plan(calendar(), [None], [], began, at("2026-03-10 20:59"), approved)
    late = make_plan(calendar(), [None], [], began, at("2026-03-10 21:01"), approved)

    assert in_time.skipped == frozenset()
    assert late.skipped == {(TENTH, DAILY)}


def test_a_late_date_can_wait_for_a_person():
    plan = make_plan(
        calendar(late=with_late(Late.ASK)), [None], [], at("2026-03-09 12:00"), at("2026-03-10 23:00")
    )

    (wave,) = plan.waves
    assert [each.frequencies for each in wave.ask] == [{DAILY}]
    assert [each.frequencies for each in wave.send] == [{WEEKLY}]


def test_a_personal_instant_makes_a_wave_and_can_be_late():
    row = Personal(7, TENTH, WEEKLY, at("2026-03-10 05:00"))

    plan = make_plan(calendar(), [], [row], at("2026-03-09 12:00"), at("2026-03-10 08:00"))
    late = make_plan(calendar(late=with_late(Late.SKIP)), [], [row], at("2026-03-09"), at("2026-03-11 08:00"))

    assert [(each.instant, each.send) for each in plan.waves] == [
        (row.instant, (Part(frozenset({WEEKLY}), frozenset()),))
    ]
    assert late.personal == (row,)


def test_a_kept_instant_replaces_the_newsletters_hour():
    kept = calendar(kept={TENTH: at("2026-03-10 20:00")})

    assert kept.instant(None, TENTH) == at("2026-03-10 20:00")
    assert kept.instant(("UTC", 9), TENTH) == at("2026-03-10 09:00")
    assert instants_of(kept, [None, ("UTC", 9)], TENTH) == [at("2026-03-10 09:00"), at("2026-03-10 20:00")]


def test_a_date_is_due_before_the_kept_instant_of_the_date_before_it():
    # The tenth keeps the instant of an earlier hour and zone, which is later than that of the eleventh.
    kept = Calendar(1, "UTC", 1, EVERY_DAY, kept={TENTH: at("2026-03-11 03:00")})

    plan = make_plan(kept, [None], [], at("2026-03-11 00:00"), at("2026-03-11 01:30"))

    assert [(each.slot.day, each.instant) for each in plan.waves] == [(11, at("2026-03-11 01:00"))]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["Europe/Berlin", "Pacific/Honolulu", "Pacific/Kiritimati"]), st.integers(0, 23)
        ),
        max_size=4,
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
)
def test_the_next_instant_is_the_first_moment_at_which_a_wave_is_due(hours: list, now: datetime):
    found = next_instant(calendar(), [None, *hours], [], now)

    before = make_plan(calendar(), [None, *hours], [], now, found - timedelta(seconds=1))
    then = make_plan(calendar(), [None, *hours], [], now, found)

    assert now < found <= now + timedelta(days=1)
    assert before.waves == ()
    assert then.waves
