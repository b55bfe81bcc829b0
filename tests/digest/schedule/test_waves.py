"""The parts of a wave are stored, and say who is in it."""

from __future__ import annotations

from house import House
from scheduled import Scheduled, at
from sqlalchemy import select, text

from newsletter.calendar.plan import Part
from newsletter.digest.schedule.waves import audience_of, write_parts
from newsletter.models import FIRST_NEWSLETTER, Frequency, PersonalInstant, Subscription, Wave

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY
EIGHT = at("2026-03-10 08:00")


def who(house: House, *parts: Part) -> set[int]:
    wave = Wave(
        newsletter_id=FIRST_NEWSLETTER,
        slot=EIGHT.date(),
        instant=EIGHT,
        parts=write_parts(parts),
        last_at=EIGHT,
    )
    with house.runtime.session() as session:
        chosen = select(Subscription.subscriber_id).where(audience_of(wave).condition())
        return set(session.scalars(chosen))


def test_a_part_has_its_frequencies_and_hours(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    ann, ben, eve, kim = (house.add_subscriber(energy, frequency=DAILY) for _ in range(4))
    weekly = house.add_subscriber(energy, frequency=WEEKLY)
    either.start("2026-03-09 12:00")
    either.choose_hour(ben, "UTC", 8)
    either.choose_hour(eve, "Asia/Tokyo", 17)
    either.choose_hour(kim, "Asia/Tokyo", 8)
    berlin = ("Asia/Tokyo", 17)

    assert who(house, Part(frozenset({DAILY}), frozenset({None}))) == {ann}
    assert who(house, Part(frozenset({DAILY}), frozenset({("UTC", 8), berlin}))) == {ben, eve}
    assert who(house, Part(frozenset({WEEKLY}), frozenset({None, berlin}))) == {weekly}
    assert who(house) == set()


def test_a_personal_instant_counts_in_place_of_the_hour(either: Scheduled):
    house, energy = either.house, either.house.topic("energy")
    ann, ben = (house.add_subscriber(energy, frequency=DAILY) for _ in range(2))
    either.start("2026-03-09 12:00")
    with house.runtime.session() as session:
        for person, instant in ((ann, at("2026-03-10 09:00")), (ben, EIGHT)):
            session.add(
                PersonalInstant(
                    subscriber_id=person, newsletter_id=FIRST_NEWSLETTER, slot=EIGHT.date(),
                    frequency=DAILY, instant=instant,
                )
            )  # fmt: skip
        session.commit()

    assert who(house, Part(frozenset({DAILY}), frozenset({None}))) == {ben}
    assert who(house, Part(frozenset({DAILY}), frozenset())) == {ben}


def test_a_wave_of_own_hours_looks_up_its_subscribers(house: House):
    """A wave for a thousand of a million subscribers must not read the subscriptions of all."""
    parts = write_parts([Part(frozenset({DAILY}), frozenset({("Asia/Tokyo", 17)}))])
    wave = Wave(
        newsletter_id=FIRST_NEWSLETTER, slot=EIGHT.date(), instant=EIGHT, parts=parts, last_at=EIGHT
    )  # fmt: skip
    chosen = select(Subscription.subscriber_id).where(audience_of(wave).condition())
    with house.runtime.session() as session:
        statement = chosen.compile(session.connection(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]

    (found,) = [step for step in plan if step.startswith("SEARCH subscription ")]
    assert "subscriber_id=?" in found
