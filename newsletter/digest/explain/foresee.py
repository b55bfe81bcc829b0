"""Foresee what a subscriber will get: go through the coming moments, and select at each. Pure.

At each moment, the same functions select as when the issue is prepared. Between them, pauses and holds end.
New releases, changes by the subscriber and failed deliveries are not foreseen.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count

from newsletter import coverage
from newsletter.calendar.plan import days_between
from newsletter.digest.compose import Catalogue, Interest, Offer
from newsletter.digest.explain.facts import Facts, Occasion, ReadyLater
from newsletter.models import Frequency
from newsletter.models.release_languages import wants
from newsletter.models.rendition_key import Selection, release_ids

# How far ahead a date is looked for. Each rule has a date within this time.
FURTHEST = timedelta(days=100)


@dataclass(frozen=True)
class Email:
    """An issue that the subscriber will get something from, or nothing if the selection is empty."""

    occasion: Occasion
    selection: Selection


@dataclass(frozen=True)
class Foreseen:
    """The email of the target, the emails before it, and the facts that decide its content.

    `interests`, `catalogue` and `held` are as they will be just before the target is prepared.
    `has_date`: by then, an earlier wave of the same date has sent the subscriber an email. `urgent` has the
    releases that are sent alone by then, and when.
    """

    email: Email
    before: tuple[Email, ...]
    interests: tuple[Interest, ...]
    catalogue: Catalogue
    held: frozenset[int]
    is_paused: bool
    has_date: bool
    urgent: Mapping[int, datetime]


def choose_target(facts: Facts, at: datetime | None) -> Occasion:
    """Return the first scheduled issue of the subscriber at `at` or later; without `at`, the next one.

    The schedule may be off, or have no dates for the subscriber. Then it is an issue of all their
    frequencies, prepared at `at`, or now.
    """
    theirs = frozenset(each.frequency for each in facts.interests)
    wanted = at or facts.schedule.now
    for each in _occasions(facts, wanted + FURTHEST):
        is_new = each.slot not in facts.served_dates
        if is_new and each.frequencies & theirs and (at is None or each.at >= at):
            return each
    if facts.schedule.is_on and at is None and facts.schedule.gathering_at is not None:
        wanted = max(wanted, facts.schedule.gathering_at)
    return Occasion(max(wanted, facts.schedule.now), theirs)


def next_date(facts: Facts, frequency: Frequency, after: datetime) -> datetime | None:
    """Return when a frequency is due next for the subscriber, or None if the schedule does not say."""
    coming = (each for each in _occasions(facts, after + FURTHEST) if each.at > after)
    return next((each.at for each in coming if frequency in each.frequencies), None)


def foresee(facts: Facts, target: Occasion) -> Foreseen:
    """Return the email that the subscriber gets at `target`, and the emails before it."""
    state = _State(facts)
    for each in _occasions(facts, target.at):
        if each == target:
            break
        state.push(each.at, _ISSUE, each)
    before = state.run(target)
    paused = state.snoozed_until is not None
    catalogue = state.catalogue(target)
    interests = tuple(state.interests)
    has_date = target.slot in state.served_dates
    selection = () if paused or facts.is_suppressed or has_date else state.compose(target)
    email, held = Email(target, selection), frozenset(state.held)
    return Foreseen(email, tuple(before), interests, catalogue, held, paused, has_date, state.urgent)


def _occasions(facts: Facts, until: datetime) -> Iterator[Occasion]:
    """Yield the scheduled issues for the subscriber up to `until`, in order.

    An approved date has what the approver saw.
    """
    approved = facts.schedule.approved
    for each in _scheduled(facts, until):
        end = approved.get(each.slot) if each.slot is not None else None
        yield each if end is None or each.to_sequence is not None else replace(each, to_sequence=end)


def _scheduled(facts: Facts, until: datetime) -> Iterator[Occasion]:
    closed = facts.schedule.closed_dates
    yield from (each for each in facts.to_prepare if each.slot not in closed)
    if not facts.schedule.is_on:
        return
    coming: list[Occasion] = []
    for day in days_between(facts.schedule.now, until):
        due = facts.personal.get(day)
        if due is None:
            due = {facts.calendar.instant(facts.hour, day): facts.calendar.due(facts.hour, day)}
        coming += [
            Occasion(moment, frequencies, day)
            for moment, frequencies in due.items()
            if frequencies and day not in closed and facts.schedule.now < moment <= until
        ]
    yield from sorted(coming, key=lambda each: (each.at, each.slot or date.min))


# The kinds of events. Those of the same moment happen in this order.
_PAUSE_ENDS, _READY, _GATHERED, _ISSUE = range(4)


class _State:
    """What the subscriber has been served, moment by moment."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._offers: dict[int, list[Offer]] = {topic: list(each) for topic, each in facts.offers.items()}
        self._sequence = facts.schedule.to_sequence
        self._order = count()
        self._events: list[tuple[datetime, int, int, Occasion | ReadyLater | None]] = []
        self._gathers = False
        self.interests = list(facts.interests)
        self.held = set(facts.held)
        self.served_dates = set(facts.served_dates)
        self.snoozed_until = facts.snoozed_until
        self.urgent: dict[int, datetime] = {}
        self._send_urgently(facts.schedule.now)
        if facts.snoozed_until is not None:
            self.push(facts.snoozed_until, _PAUSE_ENDS, None)
        for each in facts.schedule.ready_later:
            self.push(each.at, _READY, each)
        if facts.schedule.gathering_at is not None:
            self._gather_at(facts.schedule.gathering_at)
        elif self.compose(Occasion(facts.schedule.now, frozenset({Frequency.IMMEDIATE}))):
            self._gather(facts.schedule.now)

    def push(self, at: datetime, kind: int, what: Occasion | ReadyLater | None) -> None:
        """Add an event."""
        heapq.heappush(self._events, (at, kind, next(self._order), what))

    def run(self, target: Occasion) -> list[Email]:
        """Handle the events before `target`, in order; return the emails of that time."""
        emails: list[Email] = []
        while self._events and self._events[0][0] <= target.at:
            at, kind, _, what = heapq.heappop(self._events)
            if kind == _PAUSE_ENDS:
                self._end_pause()
                self._gather(at)
            elif isinstance(what, ReadyLater):
                self._make_ready(what)
                self._send_urgently(at)
                self._gather(at)
            elif isinstance(what, Occasion):
                self._gathers = self._gathers and kind != _GATHERED
                emails += self._send(what)
        return emails

    def catalogue(self, occasion: Occasion) -> Catalogue:
        """Return the releases that are ready at an occasion."""
        end = occasion.to_sequence
        ready = {
            topic: [each for each in offers if end is None or each.sequence <= end]
            for topic, offers in self._offers.items()
        }
        return Catalogue(list(self._facts.schedule.topics), ready)

    def compose(self, occasion: Occasion) -> Selection:
        """Return the releases that the subscriber would get at an occasion."""
        theirs = [each for each in self.interests if each.frequency in occasion.frequencies]
        return self.catalogue(occasion).compose(theirs, self.held, self._facts.languages)

    def _send(self, occasion: Occasion) -> list[Email]:
        is_out = self.snoozed_until is not None or self._facts.is_suppressed
        if is_out or occasion.slot in self.served_dates:
            return []
        selection = self.compose(occasion)
        end = self._sequence if occasion.to_sequence is None else occasion.to_sequence
        self.interests = [
            replace(each, covered_to=max(each.covered_to, end))
            if each.frequency in occasion.frequencies
            else each
            for each in self.interests
        ]
        if not selection:
            return []
        self.held |= set(release_ids(selection))
        if occasion.slot is not None:
            self.served_dates.add(occasion.slot)
        return [Email(occasion, selection)]

    def _end_pause(self) -> None:
        """Skip ahead, as coverage.py does at the end of a pause."""
        self.snoozed_until = None
        catalogue = Catalogue(list(self._facts.schedule.topics), self._offers)
        after = []
        for interest in self.interests:
            waiting = sorted(
                (
                    each.first_sequence
                    for each in catalogue.waiting(interest)
                    if each.release_id not in self.held and wants(self._facts.languages, each.language)
                ),
                reverse=True,
            )
            mark = coverage.first_left_out(waiting, self._facts.catch_up) or 0
            after.append(
                replace(
                    interest,
                    covered_to=max(interest.covered_to, mark),
                    started_sequence=max(interest.started_sequence, mark),
                )
            )
        self.interests = after

    def _make_ready(self, release: ReadyLater) -> None:
        for topic, offer in release.offers.items():
            self._sequence += 1
            first = offer.first_sequence or self._sequence
            ready = replace(offer, sequence=self._sequence, first_sequence=first)
            self._offers.setdefault(topic, []).append(ready)

    def _send_urgently(self, at: datetime) -> None:
        """Send the releases that are marked urgent and ready, each in an email of its own."""
        if self.snoozed_until is not None or self._facts.is_suppressed or not self._facts.schedule.urgent:
            return
        catalogue = Catalogue(list(self._facts.schedule.topics), self._offers)
        for interest in self.interests:
            for each in catalogue.waiting(interest):
                is_new = each.release_id in self._facts.schedule.urgent and each.release_id not in self.held
                if is_new and wants(self._facts.languages, each.language):
                    self.held.add(each.release_id)
                    self.urgent[each.release_id] = at

    def _gather(self, at: datetime) -> None:
        if not self._gathers:
            self._gather_at(at + timedelta(minutes=self._facts.schedule.gather_minutes))

    def _gather_at(self, at: datetime) -> None:
        if self._facts.schedule.is_on:
            self._gathers = True
            self.push(at, _GATHERED, Occasion(at, frozenset({Frequency.IMMEDIATE})))
