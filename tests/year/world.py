"""Weeks of a scheduled newsletter on the real code, with random events and an oracle.

The oracle does its own calendar arithmetic. It reads the log of events and what the transport received, and
no table. Each matching release must come exactly once, in time, and at the hour that the subscriber chose.
"""

from __future__ import annotations

import itertools
import random
import re
from calendar import monthrange
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes, policy
from functools import cache
from typing import NoReturn
from zoneinfo import ZoneInfo

from babel.dates import format_date
from house import House, correct_release, edit_release

from newsletter.calendar.changes import change_calendar
from newsletter.calendar.plan import Late, LateRule
from newsletter.calendar.rules import Rules
from newsletter.calendar.store import find_calendar, set_rules, start, usual_calendar, write_late
from newsletter.digest.schedule.approval import approve, open_approvals
from newsletter.digest.schedule.clock import due_calendars, open_waves
from newsletter.digest.schedule.prepare import WavePreparer, waves_to_prepare
from newsletter.models import FIRST_NEWSLETTER, Frequency, ReleaseState, Subscriber, current_sequence
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.service.sending.prepare_issues import prepare_issues, schedules_due
from newsletter.service.sending.send_round import digests_wait, judge_and_finish
from newsletter.subscribers.choices import pauses
from newsletter.subscribers.choices.preferences import (
    PersonalSettings,
    Saved,
    make_preferences_token,
    save_preferences,
)

ZONES = (
    "Europe/Berlin", "Pacific/Auckland", "Pacific/Honolulu", "Pacific/Kiritimati", "America/New_York",
    "Asia/Kathmandu", "Australia/Lord_Howe", "UTC",
)  # fmt: skip
# Hours that come twice on one night of the year. On another night, two of them are left out.
REPEATED = (("Europe/Berlin", 2), ("America/New_York", 1), ("Pacific/Auckland", 2))
TICK = timedelta(minutes=30)
DAY = timedelta(days=1)
GATHER_MINUTES = 60
# The languages of subscribers, and what their emails call the frequency "as it happens".
LANGUAGES = {"en": "as it happens", "de": "sofort", "ja": "その都度"}
TOPICS = ("energy", "ports", "rail")
# Days around which clocks change somewhere, and a year's end.
BEGINNINGS = (date(2026, 3, 22), date(2026, 10, 18), date(2026, 3, 3), date(2026, 12, 24), date(2026, 9, 20))
# When the issues of a date need an approval, it is asked for this long before.
APPROVAL_HOURS = 10
DATED = (Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY)


@cache
def oracle_instant(day: date, hour: int, zone_name: str) -> datetime:
    """Return when an hour comes on a date, by looking at each quarter of an hour of it."""
    zone = ZoneInfo(zone_name)
    moment = datetime.combine(day, time(0), UTC) - timedelta(hours=16)
    wanted = datetime.combine(day, time(hour))
    while moment.astimezone(zone).replace(tzinfo=None) < wanted:
        moment += timedelta(minutes=15)
    return moment


@cache
def _in_words(day: date, language: str) -> str:
    """Return a date as an email shows it."""
    return format_date(day, "full", locale=language)


@dataclass
class Rule:
    """The oracle's own idea of the calendar."""

    zone: str
    hour: int
    daily: set[int]
    weekly: set[int]
    monthly: int
    # After how many hours a date of a frequency is late, and whether it is skipped then.
    late: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def due(self, frequency: str, day: date) -> bool:
        if frequency == "daily":
            return day.weekday() in self.daily
        if frequency == "weekly":
            return day.weekday() in self.weekly
        return day.day == min(self.monthly, monthrange(day.year, day.month)[1])


@dataclass
class Item:
    """What the log says about one release."""

    id: int
    names: list[str]
    title: str
    # When it became ready; None while it is held.
    ready_at: datetime | None


@dataclass
class Promise:
    """A release that a subscriber must get: the latest moment, and the date it was promised for."""

    until: datetime
    day: date | None
    # Frequencies that are due again on a date, which is no date of their rule.
    again: dict[str, date] = field(default_factory=dict)


@dataclass
class Person:
    """What the log says about one subscriber."""

    id: int
    address: str
    language: str
    zone: str = "UTC"
    hour: int | None = None
    topics: dict[str, str] = field(default_factory=dict)
    paused: bool = False
    promises: dict[int, Promise] = field(default_factory=dict)
    got: dict[int, list[datetime]] = field(default_factory=dict)
    dates: list[tuple[date, datetime, list[int]]] = field(default_factory=list)
    # Every zone and hour they had, their own or the newsletter's, and since when.
    hours: list[tuple[datetime, tuple[str, int]]] = field(default_factory=list)
    # Emails as they happen must not count as scheduled ones.
    frequencies: set[str] = field(default_factory=set)
    # The language of an email that was prepared just before they chose another one.
    language_before: str | None = None

    def dated(self, item: Item) -> set[str]:
        """Return the frequencies, but as it happens, at which this person gets a release."""
        return {self.topics[each] for each in item.names if each in self.topics} - {"immediate"}

    def hours_after(self, moment: datetime) -> set[tuple[str, int]]:
        """Return the zones and hours that this person had at a moment or later."""
        before = [hour for since, hour in self.hours if since <= moment][-1:]
        return {*before, *(hour for since, hour in self.hours if since > moment)}

    def waiting(self) -> list[tuple[int, Promise]]:
        """Return the releases that were promised and have not come."""
        return [(release, each) for release, each in self.promises.items() if release not in self.got]


class Broken(AssertionError):
    """The emails are not what the log of events promises."""


class World:
    """One newsletter, its subscribers, and the events of some weeks."""

    def __init__(self, house: House, seed: int, subscribers: int = 5) -> None:
        self.house, self.chance, self.seed = house, random.Random(seed), seed
        # Half of the simulations have only outages, a quarter only approvals, and a quarter both.
        outages, approvals = seed % 4 != 2, seed % 2 == 0
        beginning = self.chance.choice(BEGINNINGS)
        house.clock.moment = datetime.combine(beginning, time(self.chance.randrange(24)), UTC)
        self.outages, self.down_until = outages, house.clock()
        # When the clock stopped, if it is stopped now, and when it ran again each time.
        self.down_since: datetime | None = None
        self.back: list[datetime] = []
        self.seen, self.items, self.log = 0, {}, []
        # Who got the email of which date since the last events.
        self.just_got: list[tuple[Person, date]] = []
        self.tally = Counter()
        # The dates that were approved, and when. Those that were not, and the date that closed each.
        self.approvals, self.approved, self.closed = approvals, {}, {}
        chance = self.chance
        self.weekly_approval_chance = chance.choice([0.005, 0.02])
        self.rule = Rule(
            chance.choice(ZONES), chance.randrange(24), set(chance.sample(range(7), chance.randint(1, 7))),
            set(chance.sample(range(7), chance.randint(2, 3))), chance.choice([1, 15, 25, 31]),
        )  # fmt: skip
        if approvals:
            # The date that closes an unapproved weekly one is often no weekly date itself.
            self.rule.daily |= {(day + 1) % 7 for day in self.rule.weekly}
        self.topics = {name: house.topic(name) for name in TOPICS}
        self._start_schedule()
        self.people = [self._join() for _ in range(subscribers)]

    def run(self, days: int) -> None:
        for _ in range(days * 48):
            self._events()
            self._work()
            self.house.clock.pass_(minutes=30)
        if self.down_since is not None:
            self.down_until = self.house.clock()
            self._work()
        self._check_the_end()

    # What happens.

    def _start_schedule(self) -> None:
        rule, now = self.rule, self.house.clock()
        with self.house.runtime.session() as session:
            row = usual_calendar(FIRST_NEWSLETTER, rule.zone)
            row.hour, row.gather_minutes = rule.hour, GATHER_MINUTES
            set_rules(row, Rules(frozenset(rule.daily), frozenset(rule.weekly), monthly_day=rule.monthly))
            for each, usual in (("daily", 6), ("weekly", 24), ("monthly", 48)):
                rule.late[each] = self.chance.choice([3, usual]), self.chance.random() < 0.7
            row.late = write_late(
                {
                    Frequency(each): LateRule(hours, Late.SKIP if skips else Late.SEND)
                    for each, (hours, skips) in rule.late.items()
                }
            )
            row.approval_hours = APPROVAL_HOURS if self.approvals else None
            session.add(row)
            start(session, row, now)
            session.commit()

    def _join(self) -> Person:
        chance = self.chance
        id_ = self.house.add_subscriber()
        with self.house.runtime.session() as session:
            subscriber = session.get_one(Subscriber, id_)
            address, subscriber.language = subscriber.email or "", chance.choice(["en", *LANGUAGES])
            person = Person(id_, address, subscriber.language)
            if chance.random() < 0.5:
                person.zone, person.hour = self._own_hour()
                subscriber.time_zone, subscriber.preferred_hour = person.zone, person.hour
            session.commit()
        chosen = chance.sample(TOPICS, chance.randint(1, len(TOPICS)))
        person.topics = {each: self._frequency() for each in chosen}
        with self.house.runtime.session() as session:
            for name, frequency in person.topics.items():
                row = self.house.subscription(
                    id_, self.topics[name], Frequency(frequency), current_sequence(session)
                )
                session.add(row)
            session.commit()
        self._note(person)
        return person

    def _frequency(self) -> str:
        return self.chance.choice(["immediate", "daily", "daily", "weekly", "weekly", "monthly"])

    def _hour(self) -> int:
        """Return an hour of the day, often one at which clocks change."""
        return self.chance.choice([self.chance.randrange(24), self.chance.randrange(1, 4)])

    def _own_hour(self) -> tuple[str, int]:
        """Return a zone and an hour of it, often one that comes twice when clocks are put back."""
        return self.chance.choice([(self.chance.choice(ZONES), self._hour()), self.chance.choice(REPEATED)])

    def _note(self, person: Person) -> None:
        own = None if person.hour is None else (person.zone, person.hour)
        person.hours.append((self.house.clock(), own or (self.rule.zone, self.rule.hour)))
        person.frequencies |= set(person.topics.values())

    def _events(self) -> None:
        chance = self.chance
        for person, day in self.just_got:
            if chance.random() < 0.1:
                self._choose_later_hour(person, day)
        self.just_got.clear()
        if chance.random() < 0.04:
            self._publish()
        held = [each for each in self.items.values() if each.ready_at is None]
        if held and chance.random() < 0.05:
            self._make_ready(chance.choice(held))
        if self.items and chance.random() < 0.01:
            self._correct(chance.choice([*self.items.values()]))
        if chance.random() < 0.03:
            self._change_preferences(chance.choice(self.people))
        if chance.random() < 0.004:
            self._change_hour()
        if chance.random() < 0.008:
            self._pause_or_resume(chance.choice(self.people))
        if self.approvals:
            self._close_dates()
            self._approve()

    def _approve(self) -> None:
        """Approve dates at random times, often too late, and some never."""
        now = self.house.clock()
        with self.house.runtime.session() as session:
            for each in open_approvals(session, FIRST_NEWSLETTER):
                if each.slot in self.closed or self.chance.random() > self._approval_chance(each.slot):
                    continue
                seen = current_sequence(session)
                approve(session, FIRST_NEWSLETTER, each.slot, seen, now, actor="editor", now=now)
                self.approved[each.slot] = now
                self._note_event(f"approved {each.slot}")
            session.commit()

    def _approval_chance(self, day: date) -> float:
        """Return how likely a date is approved now. Weekly dates often close without approval."""
        return self.weekly_approval_chance if self.rule.due("weekly", day) else 0.04

    def _close_dates(self) -> None:
        """Promise the releases of a date that nobody approved for the next one, when that begins."""
        now = self.house.clock()
        hours = [(each.zone, each.hour) for each in self.people if each.hour is not None]
        hours.append((self.rule.zone, self.rule.hour))
        frequencies = ("daily", "weekly", "monthly")
        days = [now.date() + DAY * step for step in range(-10, 3)]
        dates = [each for each in days if any(self.rule.due(frequency, each) for frequency in frequencies)]
        for day, later in itertools.pairwise(dates):
            if day in self.approved or day in self.closed:
                continue
            if min(oracle_instant(later, hour, zone) for zone, hour in hours) > now:
                continue
            self.closed[day] = later
            self._note_event(f"closed {day}")
            for person in self.people:
                for release, promise in person.waiting():
                    if promise.day == day:
                        # A weekly or monthly issue is due again on the date that closes this one.
                        again = {
                            each: later
                            for each in person.dated(self.items[release]) - {"daily"}
                            if self.rule.due(each, day) or promise.again.get(each) == day
                        }
                        self._promise(person, release, again)

    def _publish(self, topics: Sequence[str] = TOPICS) -> None:
        """Add a release of some of these topics with a date of the last days, ready at once or held."""
        chance, now = self.chance, self.house.clock()
        most = min(len(topics), chance.choice([1, 1, 2]))
        names, number = chance.sample(topics, most), len(self.items) + 1
        title = f"Item {number} about {' and '.join(names)}"
        state = ReleaseState.HELD if chance.random() < 0.2 else ReleaseState.READY
        id_ = self.house.release(title, state=state, day=now.date() - DAY * chance.choice([0, 0, 1, 9]))
        self.items[number] = Item(id_, names, title, None)
        self._note_event(f"release {number} {names} {state}")
        if state is ReleaseState.READY:
            self._promise_to_all(number)

    def _make_ready(self, item: Item) -> None:
        edit_release(self.house, item.id, ReleaseAction.READY)
        self._note_event(f"ready: {item.title}")
        self._promise_to_all(next(number for number, each in self.items.items() if each is item))

    def _correct(self, item: Item) -> None:
        """Change the title of a release. What is sent from now on must have the new one."""
        item.title = f"{item.title.partition(',')[0]}, corrected {len(self.log)}"
        correct_release(self.house, item.id, item.title)
        self._note_event(f"corrected: {item.title}")

    def _promise_to_all(self, release: int) -> None:
        now = self.house.clock()
        item = self.items[release]
        item.ready_at = now
        for person in self.people:
            if set(item.names) & set(person.topics):
                person.promises[release] = Promise(now, None)
                self._promise(person, release)

    def _promise(self, person: Person, release: int, again: dict[str, date] | None = None) -> None:
        """Promise a release for the first due moment from now on, or a date on which it is due again."""
        promise, now = person.promises[release], self.house.clock()
        promise.again = again or {}
        if person.paused:
            promise.until, promise.day = now + DAY * 400, None
            return
        dated = person.dated(self.items[release])
        if not dated:
            promise.until, promise.day = now + timedelta(minutes=GATHER_MINUTES) + TICK * 2, None
            return
        promise.again = {each: day for each, day in promise.again.items() if self._can_bring(day, release)}
        moments = [
            (self._instant(person, promise.again[each]), promise.again[each])
            if each in promise.again
            else self._next_date(person, each, release)
            for each in dated
        ]
        moment, promise.day = min(moments)
        promise.until = max(promise.until, moment)

    def _can_bring(self, day: date, release: int) -> bool:
        """Return whether a date is open, and was not approved before a release became ready."""
        ready_at, now = self.items[release].ready_at, self.house.clock()
        return day not in self.closed and ready_at <= self.approved.get(day, now)

    def _next_date(self, person: Person, frequency: str, release: int) -> tuple[datetime, date]:
        """Return the next date of a frequency that can bring a release, and its instant."""
        now, taken = self.house.clock(), {each for each, _, _ in person.dates}
        return next(
            (each, day)
            for step in range(-3, 80)
            if self.rule.due(frequency, day := now.date() + DAY * step)
            and (each := self._instant(person, day)) >= now and day not in taken
            and self._can_bring(day, release)
        )  # fmt: skip

    def _instant(self, person: Person, day: date) -> datetime:
        if person.hour is None:
            return oracle_instant(day, self.rule.hour, self.rule.zone)
        return oracle_instant(day, person.hour, person.zone)

    def _change_preferences(self, person: Person) -> None:
        chance = self.chance
        changes_topics = chance.random() < 0.3
        if changes_topics:
            person.topics = {each: self._frequency() for each in person.topics}
        else:
            zone, hour = self._own_hour()
            person.zone, person.hour = zone, chance.choice([None, hour])
            person.language = chance.choice(["en", *LANGUAGES])
        self._save_preferences(person, changes_topics=changes_topics)

    def _choose_later_hour(self, person: Person, day: date) -> None:
        """Choose a later hour for a person who has the email of this date, and add a release for them."""
        local = self.house.clock().astimezone(ZoneInfo(person.zone))
        if person.paused or local.date() != day or local.hour == 23:
            return
        person.hour = self.chance.randrange(local.hour + 1, 24)
        self._save_preferences(person, changes_topics=False)
        self._publish([*person.topics])

    def _save_preferences(self, person: Person, *, changes_topics: bool) -> None:
        chance, now = self.chance, self.house.clock()
        runtime = self.house.runtime
        with runtime.session() as session:
            public_id = session.get_one(Subscriber, person.id).public_id
            token = make_preferences_token(runtime.tokens, public_id, person.address, now)
            saved = save_preferences(
                session, runtime.tokens, token, {k: Frequency(v) for k, v in person.topics.items()}, now,
                personal_settings=PersonalSettings(person.language, person.zone, person.hour),
            )  # fmt: skip
            if chance.random() < 0.1:
                session.rollback()  # the process died before its commit, and the person tries again
                saved = save_preferences(
                    session, runtime.tokens, token, {k: Frequency(v) for k, v in person.topics.items()}, now,
                    personal_settings=PersonalSettings(person.language, person.zone, person.hour),
                )  # fmt: skip
            assert saved is Saved.KEPT
            session.commit()
        self._note_event(
            f"preferences {person.address} {person.language} {person.hour} {person.zone} {person.topics}"
        )
        self._note(person)
        self._put_off([person], new_frequency=changes_topics)

    def _change_hour(self) -> None:
        now = self.house.clock()
        self.rule = replace(self.rule, hour=self._hour(), zone=self.chance.choice(ZONES))
        with self.house.runtime.session() as session:
            row = find_calendar(session, FIRST_NEWSLETTER, lock=True)

            def change(row):
                row.hour, row.time_zone = self.rule.hour, self.rule.zone

            change_calendar(session, row, change, now)
            session.commit()
        self._note_event(f"newsletter {self.rule.hour} {self.rule.zone}")
        for person in self.people:
            self._note(person)
        self._put_off(self.people)

    def _put_off(self, people: list[Person], *, new_frequency: bool = False) -> None:
        """Let a change move a date's email, but never put it off to the next date of the frequency."""
        for person in people:
            for release, promise in person.waiting():
                if new_frequency or promise.day is None:
                    self._promise(person, release)
                else:
                    promise.until = max(promise.until, self._instant(person, promise.day))

    def _pause_or_resume(self, person: Person) -> None:
        now = self.house.clock()
        with self.house.runtime.session() as session:
            subscriber = session.get_one(Subscriber, person.id, with_for_update=True)
            if person.paused:
                pauses.resume(session, subscriber, 10_000, now, "test")
            else:
                pauses.pause(session, subscriber, 12, now, "test")
            session.commit()
        person.paused = not person.paused
        self._note_event(f"{'paused' if person.paused else 'resumed'} {person.address}")
        for release, promise in person.waiting():
            promise.until = now
            self._promise(person, release)

    # What the program does.

    def _work(self) -> None:
        now = self.house.clock()
        if now < self.down_until:
            return
        if self.down_since is not None:
            self._come_back(self.down_since)
        elif self.outages and self.chance.random() < self._outage_chance():
            self.down_since, self.down_until = now, now + timedelta(hours=self.chance.randint(1, 60))
            self._note_event(f"down until {self.down_until}")
            return
        if self.chance.random() < 0.1:
            self._work_and_die()
        with self.house.runtime.reading() as session:
            # This is what the clock asks. Its answer must not miss anything.
            due = schedules_due(session, now) or digests_wait(session, now)
        if due:
            prepare_issues(self.house.runtime, lambda: False)
            with self.house.runtime.reading() as session:
                due = digests_wait(session, now)
        if due:
            self.house.drain()
            self._read_emails()
        if self.chance.random() < 0.1:
            judge_and_finish(self.house.runtime)

    def _outage_chance(self) -> float:
        """Return how likely the clock stops now. It is more likely on weekly dates, because they are rare."""
        return 0.03 if self.rule.due("weekly", self.house.clock().date()) else 0.004

    def _come_back(self, since: datetime) -> None:
        """Promise what was due while the clock was stopped by the rule for late issues."""
        now = self.house.clock()
        self.down_since = None
        self.back.append(now)
        for person in self.people:
            for release, promise in person.waiting():
                if person.paused:
                    continue
                dated = person.dated(self.items[release])
                if promise.day is None or not dated:
                    self._promise(person, release)
                    continue
                late = {each: self._late(person, each, promise.again.get(each), since) for each in dated}
                promise.again = {
                    each: day
                    for each, (_, day) in late.items()
                    if each != "daily" and not self.rule.due(each, day)
                }
                moment, promise.day = min(late.values())
                promise.until = max(promise.until, moment)

    def _late(
        self, person: Person, frequency: str, again: date | None, since: datetime
    ) -> tuple[datetime, date]:
        """Return when a frequency comes after the clock was stopped, by any hour that the person had.

        If a date is skipped, a weekly or monthly one is due again the next day. `again` is such a date of an
        earlier time.
        """
        taken = {each for each, _, _ in person.dates}
        hours = person.hours_after(since - DAY)
        return max(self._late_at(each, frequency, again, since, taken) for each in hours)

    def _late_at(
        self, at: tuple[str, int], frequency: str, again: date | None, since: datetime, taken: set[date]
    ) -> tuple[datetime, date]:
        now, missed, skipped = self.house.clock(), None, False
        hours, skips = self.rule.late[frequency]
        for step in range(-3, 80):
            day = since.date() + DAY * step
            moment = oracle_instant(day, at[1], at[0])
            is_again = frequency != "daily" and (day == again or skipped)
            if moment < since or day in taken or not (self.rule.due(frequency, day) or is_again):
                continue
            if moment > now:
                return (now, missed) if missed and not skipped else (moment, day)
            missed, skipped = day, skips and now - moment > timedelta(hours=hours)
        raise AssertionError("no date")

    def _work_and_die(self) -> None:
        """Do some steps, and lose the last one, as a process does that is killed."""
        runtime, now = self.house.runtime, self.house.clock()
        with runtime.session() as session:
            for newsletter in due_calendars(session, now):
                open_waves(session, newsletter, now)
            if self.chance.random() < 0.5:
                session.rollback()
            else:
                session.commit()
        with runtime.session() as session:
            for wave in waves_to_prepare(session):
                steps = WavePreparer(runtime.renderer, wave, chunk=1)
                for _ in range(self.chance.randrange(4)):
                    steps.step(session, now)
                    session.commit()
                steps.step(session, now)
                session.rollback()
        if self.chance.random() < 0.3:
            # A person changes their hour or language in the middle of a wave.
            person = self.chance.choice(self.people)
            person.language_before = person.language
            self._change_preferences(person)

    # What arrived.

    def _read_emails(self) -> None:
        people = {each.address: each for each in self.people}
        for sent in self.house.transport.sent[self.seen :]:
            person = people[sent.envelope.recipient]
            message = message_from_bytes(sent.content, policy=policy.default)
            text = message.get_body(("plain",)).get_content().replace("\r\n", "\n")
            lines = [each.strip() for each in text.split("\n")]
            day, language = self._date_shown(person, lines)
            reasons = {each.partition(", ")[2] for each in lines if each.startswith("- ")}
            is_dated = reasons != {LANGUAGES[language]}
            titles = {
                int(number): title
                for title, number in re.findall(r"^(Item (\d+) about [a-z0-9, ]+)$", text, re.MULTILINE)
            }
            self._check_email(person, day, titles, is_dated=is_dated)
        self.seen = len(self.house.transport.sent)
        for person in self.people:
            person.language_before = None

    def _date_shown(self, person: Person, lines: list[str]) -> tuple[date, str]:
        """Return the date of an email and its language, which must be the one that the person chose."""
        today = self.house.clock().date()
        days = [today + DAY * step for step in range(3, -60, -1)]
        languages = [person.language] + ([person.language_before] if person.language_before else [])
        pairs = itertools.product(days, languages)
        shown = next((pair for pair in pairs if _in_words(*pair) in lines), None)
        if shown is None:
            self._fail(f"{person.address} got an email without a date in “{person.language}”: {lines[:6]}")
        return shown

    def _check_email(self, person: Person, day: date, titles: dict[int, str], *, is_dated: bool) -> None:
        now = self.house.clock()
        if self.approvals and is_dated and day not in self.approved:
            self._fail(f"{person.address} got the email of {day}, which nobody approved")
        if not titles:
            self._fail(f"{person.address} got an empty email")
        for release, title in titles.items():
            times = person.got.setdefault(release, [])
            times.append(now)
            promise = person.promises.get(release)
            if promise is None:
                self._fail(f"{person.address} got {release}, which is not ready or not theirs")
            if title != self.items[release].title:
                self._fail(f"{person.address} got “{title}”, which was corrected")
            if len(times) > 1:
                self._fail(f"{person.address} got {release} at {times}")
            if self._is_too_late(person, promise):
                self._fail(f"{person.address} got {release} at {now}, promised until {promise.until}")
            if self.approvals and is_dated and self.items[release].ready_at > self.approved[day]:
                self._fail(f"{person.address} got {release} on {day}, which the approver did not see")
        if not is_dated:
            return
        if day in {each for each, _, _ in person.dates}:
            self._fail(f"{person.address} got two emails of {day}")
        person.dates.append((day, now, [*titles]))
        self.just_got.append((person, day))
        instants = {oracle_instant(day, hour, zone) for _, (zone, hour) in person.hours}
        if day in self.approved:
            instants = {max(each, self.approved[day]) for each in instants}
        # Late ones come when the clock runs again.
        instants |= {*self.back}
        if not any(each <= now < each + TICK for each in instants):
            self._fail(
                f"{person.address} got the email of {day} at {now}, their instants: {sorted(instants)}"
            )
        # A date that closes another one brings its weekly and monthly issues too, and so does the next date
        # after one that was skipped.
        is_due = any(self.rule.due(each, day) for each in person.frequencies) or day in self.closed.values()
        skipped = any(DAY * -3 < day - each.date() < DAY * 3 for each in self.back)
        if not skipped and not is_due:
            self._fail(f"{person.address} got an email of {day}, which is no date of theirs")

    def _check_the_end(self) -> None:
        for person in self.people:
            for release, promise in person.waiting():
                if self._is_too_late(person, promise):
                    self._fail(f"{person.address} never got {release}, promised until {promise.until}")

    def _is_too_late(self, person: Person, promise: Promise) -> bool:
        """Return whether the time of a promise has passed. Its date may wait for an approval."""
        until = promise.until
        if self.approvals and promise.day is not None:
            if promise.day not in self.approved:
                return False
            until = max(until, self.approved[promise.day])
        return self.house.clock() > until + self._patience(person)

    def _patience(self, person: Person) -> timedelta:
        """Return how late a release may come."""
        if self.approvals and self.back:
            # Which date closes another one depends on when the clock runs again.
            return DAY * (40 if person.frequencies & {"daily", "immediate"} else 5)
        return TICK

    def _note_event(self, words: str) -> None:
        self.log.append(f"{self.house.clock()} {words}")
        self.tally[words.partition(" ")[0].rstrip(":")] += 1

    def _fail(self, words: str) -> NoReturn:
        raise Broken("\n".join([f"seed {self.seed}: {words}", str(self.rule), *self.log[-60:]]))
