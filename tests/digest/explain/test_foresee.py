"""What is foreseen is what the program then prepares, for 1,000 random subscribers."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from house import House
from scheduled import Scheduled, at
from sqlalchemy import select

from newsletter import suppression
from newsletter.calendar.rules import Rules
from newsletter.digest.explain.facts import read_facts, read_schedule
from newsletter.digest.explain.foresee import Foreseen, choose_target, foresee
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import (
    FIRST_NEWSLETTER,
    Delivery,
    DeliveryState,
    Frequency,
    HoldReason,
    Issue,
    IssueState,
    ReleaseState,
    Rendition,
    Subscriber,
    SubscriptionState,
    current_sequence,
)
from newsletter.models.rendition_key import write_key
from newsletter.outbox.control import cancel
from newsletter.releases.editing.edit import ReleaseAction, change_release, find_release
from newsletter.releases.editing.embargo import set_embargo
from newsletter.releases.holds import hold
from newsletter.releases.store import add_release
from newsletter.service.sending.prepare_issues import end_all_holds, end_all_pauses, prepare_issues

SEED = 14
HOUR = timedelta(hours=1)
# Few pairs, so that a day has few waves.
HOURS = (("UTC", 20), ("Europe/Vilnius", 0), ("Asia/Tokyo", 7), ("America/Los_Angeles", 23))
# A monthly date on Saturday the 14th, and a weekly one on Monday the 16th.
RULES = Rules(daily=frozenset(range(5)), weekly=frozenset({0}), monthly_day=14)
STARTS, EXPLAINED, ENDS = at("2026-03-12 10:00"), at("2026-03-13 12:00"), at("2026-03-17 08:00")
SETTLED = (
    DeliveryState.ACCEPTED, DeliveryState.ACCEPTED, DeliveryState.DEFERRED, DeliveryState.UNCERTAIN,
    DeliveryState.REJECTED,
)  # fmt: skip


@dataclass
class Town:
    """A random installation: its releases and subscribers, and what happens to them."""

    schedule: Scheduled
    chance: random.Random = field(default_factory=lambda: random.Random(SEED))
    topics: list[int] = field(default_factory=list)
    slugs: list[str] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)

    @property
    def house(self) -> House:
        return self.schedule.house

    def build(self, size: int) -> None:
        self.slugs = ["energy", "ports", "roads", "water", "parks", "sport"]
        self.topics = [self.house.topic(each) for each in self.slugs]
        self.schedule.start(f"{STARTS:%Y-%m-%d %H:%M}", RULES, gather_minutes=60)
        self.publish(12)
        self.subscribe(size // 2)
        self.publish(12)
        self.subscribe(size // 2)
        self.pass_until(at("2026-03-13 10:00"))

    def publish(self, count: int) -> None:
        for _ in range(count):
            number = len(self.releases)
            language = self.chance.choice(["en", "de", "pt-BR", "und"])
            title = f"Bulletin {number}"
            body = f"Bulletin {number} of the town opens on Monday."
            press = PressRelease(title, "Port", self.house.clock().date(), language, (body,))
            topics = self.chance.sample(self.slugs, self.chance.choice([0, 1, 1, 2, 3]))
            with self.house.runtime.session() as session:
                made, _ = add_release(
                    session, press, now=self.house.clock(), topics=topics, state=ReleaseState.READY
                )
                self.releases.append(made.public_id)
                session.commit()

    def subscribe(self, count: int) -> None:
        """Add confirmed subscribers. Some also get a few older releases, as after a welcome."""
        with self.house.runtime.session() as session:
            today = current_sequence(session)
            for _ in range(count):
                person = self.house.subscriber()
                person.release_languages = self.chance.choice([None, None, "de", "en,pt"])
                if self.chance.random() < 0.4:
                    person.time_zone, person.preferred_hour = self.chance.choice(HOURS)
                session.add(person)
                session.flush()
                self.people.append(person.id)
                for topic in self.chance.sample(self.topics, self.chance.randint(1, 3)):
                    frequency = self.chance.choice(list(Frequency))
                    row = self.house.subscription(person.id, topic, frequency)
                    row.started_sequence = row.covered_to = max(0, today - self.chance.choice([0, 0, 3, 9]))
                    if self.chance.random() < 0.05:
                        row.state = SubscriptionState.PENDING
                    session.add(row)
            session.commit()

    def pass_until(self, moment: datetime) -> None:
        """Let the clock run in steps of an hour, as the tasks do. Nothing is sent."""
        while self.house.clock() < moment:
            self.house.clock.moment += HOUR
            end_all_pauses(self.house.runtime)
            end_all_holds(self.house.runtime)
            prepare_issues(self.house.runtime, lambda: False)

    def disturb(self) -> None:
        """Hold, exclude and embargo releases, and pause and suppress people.

        Pauses end when holds end. Otherwise another person's pause could open an issue "as it happens" just
        when a scheduled one is due. That is not foreseen.
        """
        now = self.house.clock()
        moments = [now + HOUR * self.chance.randint(1, 70) for _ in range(12)]
        for number, public_id in enumerate(self.chance.sample(self.releases, 18)):
            with self.house.runtime.session() as session:
                if number < 6:
                    set_embargo(session, public_id, moments[number], "test", now)
                elif number < 12:
                    held = find_release(session, public_id)
                    hold(held, HoldReason.DATE, "test", now, until=moments[number])
                else:
                    action = ReleaseAction.HOLD if number % 2 else ReleaseAction.EXCLUDE
                    change_release(session, public_id, action, "test", now)
                session.commit()
        with self.house.runtime.session() as session:
            for subscriber in self.chance.sample(self.people, len(self.people) // 6):
                person = session.get_one(Subscriber, subscriber)
                if self.chance.random() < 0.7:
                    person.snoozed_until = self.chance.choice([*moments, now + HOUR * 200])
                else:
                    key = person.email_key or ""
                    suppression.add_by_hand(session, self.house.runtime.tokens, key, "test", now)
            session.commit()

    def settle(self) -> None:
        """Give each delivery a state that sending could have given it, and cancel two issues."""
        with self.house.runtime.session() as session:
            for delivery in session.scalars(select(Delivery).order_by(Delivery.id)):
                if self.chance.random() < 0.8:
                    delivery.state = self.chance.choice(SETTLED)
                    delivery.settled_at = self.house.clock()
            newest = select(Issue).where(Issue.state == IssueState.SENDING).order_by(Issue.id.desc())
            for issue, drop in zip(session.scalars(newest.limit(2)).all(), (False, True), strict=True):
                cancel(session, issue, "test", self.house.clock(), drop=drop)
            session.commit()

    def prepared(self, since: int) -> dict[int, list[tuple[datetime, str, str]]]:
        """Return for each subscriber the opening, the slot and the key of each later delivery, in order."""
        rows = (
            select(Delivery.subscriber_id, Delivery.created_at, Issue.slot, Rendition.key)
            .join(Issue, Issue.id == Delivery.issue_id)
            .join(Rendition, Rendition.id == Delivery.rendition_id)
            .where(Delivery.id > since)
            .order_by(Delivery.id)
        )
        found: dict[int, list[tuple[datetime, str, str]]] = defaultdict(list)
        with self.house.runtime.reading() as session:
            for person, made_at, slot, key in session.execute(rows):
                found[person].append((made_at, str(slot or "as it happens"), key))
        return found


def disturbed_town(schedule: Scheduled, size: int) -> Town:
    """Return a town in which issues were sent, and something of every kind has happened since."""
    town = Town(schedule)
    town.build(size)
    town.settle()
    town.publish(15)
    town.disturb()
    town.pass_until(EXPLAINED)
    return town


def foresee_all(town: Town) -> dict[int, Foreseen]:
    parts = town.house.runtime
    identity = parts.identities.recent(parts.reading, FIRST_NEWSLETTER)
    found = {}
    with parts.reading() as session:
        schedule = read_schedule(session, identity, town.house.clock())
        for person in session.scalars(select(Subscriber)):
            facts = read_facts(session, parts.tokens, person, schedule, parts.settings.snooze_catch_up)
            found[person.id] = foresee(facts, choose_target(facts, None))
    return found


def differs(foreseen: Foreseen, prepared: list[tuple[datetime, str, str]]) -> bool:
    """Return whether the foreseen emails are not those that were prepared.

    Other people's pauses can open an issue "as it happens" earlier. So its time is not compared.
    """
    expected = [
        (str(each.occasion.slot or "as it happens"), write_key(each.selection))
        for each in (*foreseen.before, foreseen.email)
        if each.selection
    ]
    end = foreseen.email.occasion.at
    if foreseen.email.occasion.slot is None:
        end -= timedelta(seconds=1)
        expected = expected[: len(foreseen.before)]
    return expected != [(slot, key) for made_at, slot, key in prepared if made_at <= end]


def test_what_is_foreseen_is_what_is_prepared(one: Scheduled):
    check(one, 400)


def test_the_same_on_postgresql(big_house: House):
    check(Scheduled(big_house), 100)


def check(schedule: Scheduled, size: int) -> None:
    town = disturbed_town(schedule, size)
    before = newest_delivery(town.house)

    found = foresee_all(town)
    town.pass_until(ENDS)

    prepared = town.prepared(before)
    assert [each for each, foreseen in found.items() if differs(foreseen, prepared[each])] == []
    assert sum(bool(each.email.selection) for each in found.values()) > size / 3
    assert sum(bool(each.before) for each in found.values()) > size / 20
    assert sum(each.is_paused for each in found.values()) > size / 50


def newest_delivery(house: House) -> int:
    with house.runtime.reading() as session:
        return session.scalars(select(Delivery.id).order_by(Delivery.id.desc())).first() or 0
