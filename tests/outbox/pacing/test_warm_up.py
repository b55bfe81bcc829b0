"""How many digests a new domain may send, how they are counted, and what people read about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from house import House, make_house, make_settings, make_upgraded, unsubscribe_from_topic
from sqlalchemy import func, select

from newsletter.errors import SettingsError
from newsletter.messages.sender import Sender
from newsletter.models import Delivery, DeliveryState, Pace
from newsletter.outbox.enqueue import enqueue_single
from newsletter.outbox.pacing.pace import Standing
from newsletter.outbox.pacing.warm_up import read_stages, room_of, stage_of

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PLAN = "example.org=2026-03-10:4*1.5:14"


def sender(folder: Path, warm_up: str = PLAN) -> Sender:
    return Sender.of_settings(make_settings(folder, warm_up=warm_up))


@pytest.mark.parametrize(
    ("days", "limit"), [(-1, None), (0, 4), (1, 6), (2, 9), (13, int(4 * 1.5**13)), (14, None)]
)
def test_the_limit_grows_each_day_and_ends_after_the_last(tmp_path: Path, days: int, limit: int | None):
    who = sender(tmp_path)

    stage = stage_of(who.settings, who.identity, NOON + timedelta(days=days))

    assert (stage.limit if stage else None) == limit
    assert stage is None or (stage.day, stage.days) == (days + 1, 14)


def test_the_day_begins_in_the_time_zone_of_the_newsletter(tmp_path: Path):
    who = sender(tmp_path)
    identity = replace(who.identity, time_zone="Pacific/Auckland")  # 13 hours ahead
    late = datetime(2026, 3, 9, 12, tzinfo=UTC)

    assert stage_of(who.settings, who.identity, late) is None
    assert stage_of(who.settings, identity, late).day == 1


def test_other_domains_are_not_limited(tmp_path: Path):
    who = sender(tmp_path, "other.example=2026-03-10:4*1.5:14")

    assert stage_of(who.settings, who.identity, NOON) is None


@pytest.mark.parametrize(
    "plan",
    ["example.org=200", "example.org=2026-02-30:4*1.5:14", "example.org=2026-03-10:0*1.5:14",
     "example.org=2026-03-10:4*0.5:14", "example.org=2026-03-10:4*1.5:0", "example.org=2026-03-10:4*1.5:999"],
)  # fmt: skip
def test_a_plan_that_cannot_be_meant_is_refused(tmp_path: Path, plan: str):
    with pytest.raises(SettingsError):
        make_settings(tmp_path, warm_up=plan)


def test_an_unused_warm_up_has_room_for_its_limit(tmp_path: Path):
    who = sender(tmp_path)
    stage = stage_of(who.settings, who.identity, NOON)

    assert room_of(Standing(NOON), stage, NOON) == 4


@pytest.fixture
def warming(tmp_path: Path) -> Iterator[House]:
    settings = make_settings(tmp_path, warm_up=PLAN)
    make_upgraded(settings.database)
    house = make_house(settings)
    yield house
    house.runtime.engine.dispose()


def sent(house: House) -> int:
    return len(house.transport.sent)


def issue_for(house: House, people: int) -> int:
    topic = house.topic("energy")
    for _ in range(people):
        house.add_subscriber(topic)
    house.release("A new energy cable")
    return house.open()


def test_an_issue_stops_at_the_limit_and_continues_on_the_next_days(warming: House):
    issue = issue_for(warming, 12)

    counts = []
    for _ in range(3):
        warming.drain()
        counts.append(sent(warming))
        warming.clock.pass_(hours=24, minutes=30)

    assert counts == [4, 10, 12]
    assert warming.issue_state(issue) == "finished"


def test_single_emails_are_neither_delayed_nor_counted(warming: House):
    issue_for(warming, 6)
    warming.drain()
    assert sent(warming) == 4
    with warming.runtime.session() as session:
        person = session.scalars(select(Delivery.subscriber_id)).first()
        for number in range(3):
            enqueue_single(
                session, subscriber_id=person, template="link", context={}, purpose_key=f"link:{number}",
                language="en", now=warming.clock(),
            )  # fmt: skip
        session.commit()

    warming.drain("single")

    assert sent(warming) == 7
    with warming.runtime.reading() as session:
        said = read_stages(session, warming.runtime.senders(), warming.clock())
    assert said == ["Warm-up of example.org: day 1 of 14. In the last 24 hours, 4 of 4 emails were sent."]


def test_what_was_claimed_and_not_offered_is_given_back(warming: House):
    """Two of the first four people unsubscribed after the issue was prepared, so two others get theirs."""
    issue_for(warming, 8)
    with warming.runtime.session() as session:
        first = session.scalars(select(Delivery.subscriber_id).order_by(Delivery.id).limit(2)).all()
    for person in first:
        unsubscribe_from_topic(warming, person, 1)

    warming.drain()
    warming.drain()

    assert sent(warming) == 4


def test_the_limit_counts_for_all_processes(warming: House):
    """The counter is in the database, so another process begins where this one ended."""
    issue_for(warming, 8)
    warming.drain()

    other = make_house(warming.runtime.settings)
    other.drain()

    assert sent(warming) + sent(other) == 4
    with other.runtime.reading() as session:
        keys = session.scalars(select(Pace.key).where(Pace.key.startswith("warm-up:"))).all()
        waiting = session.scalar(
            select(func.count()).select_from(Delivery).where(Delivery.state == DeliveryState.QUEUED)
        )
    assert (keys, waiting) == (["warm-up:example.org"], 4)
    other.runtime.engine.dispose()
