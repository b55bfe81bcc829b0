"""Decide why a release is in a subscriber's email or not, and say it in a sentence. Pure."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter import coverage
from newsletter.digest.compose import Interest
from newsletter.digest.explain.facts import Facts
from newsletter.digest.explain.foresee import Email, Foreseen, next_date
from newsletter.languages import language_name
from newsletter.models import DeliveryState, Frequency, HoldReason, Release, ReleaseState, ReleaseTopic
from newsletter.models.hand_order import HandOrder
from newsletter.models.release_languages import wants
from newsletter.models.rendition_key import release_ids


class Why(enum.StrEnum):
    """Why a release is in an email (IN), or not."""

    IN = "in"
    BEFORE = "comes_before"
    DELETED = "deleted"
    EXCLUDED = "excluded"
    HELD = "held"
    NO_TOPIC = "no_topic"
    KEPT_BACK = "kept_back"
    TOPIC_ADDED_LATER = "topic_added_later"
    URGENT = "urgent"
    IN_OTHER_EMAIL = "in_other_email"
    NOT_CONFIRMED = "not_confirmed"
    NOT_SUBSCRIBED = "not_subscribed"
    SUPPRESSED = "suppressed"
    PAUSED = "paused"
    LANGUAGE = "language"
    AFTER_APPROVAL = "after_approval"
    NOT_DUE = "not_due"
    SAME_DATE = "same_date"
    OLDER = "older"
    REFUSED = "refused"
    SERVED = "served"


_HOLDS: Mapping[HoldReason, str] = {
    HoldReason.DOUBT: "a person has to check it",
    HoldReason.DATE: "its date is in the future",
    HoldReason.EDITOR: "an editor holds it",
    HoldReason.EMBARGO: "it is under embargo",
    HoldReason.APPROVAL: "it waits for approval",
    HoldReason.SETTLING: "its page may still change",
    HoldReason.GONE: "its source removed it",
}


@dataclass(frozen=True)
class Sent:
    """A delivery of the newsletter to the subscriber, and the releases that it holds."""

    title: str
    state: DeliveryState
    at: datetime
    release_ids: frozenset[int]


@dataclass(frozen=True)
class Verdict:
    """Why one release is in the email or not."""

    release: Release
    why: Why
    sentence: str

    @property
    def is_in(self) -> bool:
        """Whether the email has it."""
        return self.why is Why.IN


@dataclass(frozen=True)
class Reasoner:
    """Finds the reason for each release. `pending` are the topics that the subscriber has not confirmed."""

    facts: Facts
    foreseen: Foreseen
    sent: Sequence[Sent]
    pending: frozenset[int]
    say_time: Callable[[datetime], str]
    order: HandOrder = ()

    def judge(self, release: Release) -> Verdict:
        """Return the verdict on a release, whose holds and topics are loaded."""
        why, sentence = next(each for each in self._reasons(release) if each is not None)
        return Verdict(release, why, sentence)

    def _reasons(self, release: Release) -> Iterable[tuple[Why, str] | None]:
        """Yield the reasons that could apply, in the order in which they are checked, or None."""
        links = [link for link in release.topic_links if link.topic_id in self.facts.schedule.topics]
        yield self._is_in(release)
        yield self._comes_before(release)
        yield self._is_not_ready(release)
        yield self._has_no_sequence(release, links)
        yield self._is_urgent(release)
        yield self._is_in_other_email(release)
        yield self._is_not_subscribed(links)
        yield self._gets_nothing()
        yield self._is_not_wanted(release)
        yield self._is_too_late(release, links)
        yield self._waits(release, links)
        yield self._was_served(release, links)

    def _is_in(self, release: Release) -> tuple[Why, str] | None:
        found = self._under(self.foreseen.email, release)
        if not found:
            return None
        titles = [each.title for each in self.order if release.id in each.release_ids]
        place = f", and stands in the section “{titles[0]}”" if titles else ""
        return Why.IN, f"It is new under {found}{place}."

    def _comes_before(self, release: Release) -> tuple[Why, str] | None:
        for email in self.foreseen.before:
            found = self._under(email, release)
            if found:
                return Why.BEFORE, f"It comes earlier, at {self.say_time(email.occasion.at)}, under {found}."
        return None

    def _under(self, email: Email, release: Release) -> str:
        """Return the topic and frequency under which an email has a release, or ""."""
        for section in email.selection:
            if release.id in section.release_ids:
                return f"{self.facts.schedule.topics[section.topic_id]} ({section.frequency.words})"
        return ""

    def _is_not_ready(self, release: Release) -> tuple[Why, str] | None:
        if release.deleted_at is not None:
            return Why.DELETED, "It was deleted."
        if release.state is ReleaseState.EXCLUDED:
            return Why.EXCLUDED, "An editor or a rule excluded it."
        if release.state is ReleaseState.HELD and not self._becomes_ready(release):
            said = [
                _HOLDS[each.reason] + (f" until {self.say_time(each.until)}" if each.until else "")
                for each in release.holds
            ]
            mark = " It is marked urgent, so it is sent alone as soon as it is ready."
            is_marked = release.id in self.facts.schedule.urgent
            held = f"It is held: {', and '.join(said) or 'an editor holds it'}."
            return Why.HELD, held + (mark if is_marked else "")
        return None

    def _becomes_ready(self, release: Release) -> bool:
        """Return whether it becomes ready before the email is prepared. Then its topics decide."""
        at = self.foreseen.email.occasion.at
        ready = (each for each in self.facts.schedule.ready_later if each.at <= at)
        return any(offer.release_id == release.id for each in ready for offer in each.offers.values())

    def _has_no_sequence(self, release: Release, links: Sequence[ReleaseTopic]) -> tuple[Why, str] | None:
        if not links:
            return Why.NO_TOPIC, "It has no topic of this newsletter."
        if any(link.sequence is not None for link in links) or self._becomes_ready(release):
            return None
        if release.is_kept_back:
            return Why.KEPT_BACK, "It was old when its source was added, so it is in the archive only."
        return Why.TOPIC_ADDED_LATER, "A rule added its topic later, so no email brings it."

    def _is_urgent(self, release: Release) -> tuple[Why, str] | None:
        at = self.foreseen.urgent.get(release.id)
        if at is None:
            return None
        when = "now" if at <= self.facts.schedule.now else f"at {self.say_time(at)}"
        return Why.URGENT, f"It is marked urgent, so it is sent {when} in an email of its own."

    def _is_too_late(self, release: Release, links: Sequence[ReleaseTopic]) -> tuple[Why, str] | None:
        occasion = self.foreseen.email.occasion
        if occasion.slot not in self.facts.schedule.approved or occasion.to_sequence is None:
            return None
        topics = {each.topic_id for each in self._theirs(links)}
        sequences = [link.sequence for link in links if link.topic_id in topics]
        newest = max((each for each in sequences if each is not None), default=None)
        if self._becomes_ready(release) or (newest is not None and newest > occasion.to_sequence):
            return Why.AFTER_APPROVAL, (
                "It became ready after the issue of this date was approved. It comes with the next one."
            )
        return None

    def _is_in_other_email(self, release: Release) -> tuple[Why, str] | None:
        if release.id not in self.foreseen.held:
            return None
        for each in self.sent:
            if release.id in each.release_ids and each.state in coverage.HOLDING:
                return Why.IN_OTHER_EMAIL, f"It is in {self._named(each)}."
        return Why.IN_OTHER_EMAIL, "It is in an earlier email."

    def _named(self, each: Sent) -> str:
        return f"“{each.title}” ({each.state.words}, {self.say_time(each.at)})"

    def _is_not_subscribed(self, links: Sequence[ReleaseTopic]) -> tuple[Why, str] | None:
        if self._theirs(links):
            return None
        if any(link.topic_id in self.pending for link in links):
            return Why.NOT_CONFIRMED, "The subscriber has not confirmed the subscription to its topic."
        named = " or ".join(self.facts.schedule.topics[link.topic_id] for link in links)
        return Why.NOT_SUBSCRIBED, f"The subscriber does not get {named}."

    def _theirs(self, links: Sequence[ReleaseTopic]) -> list[Interest]:
        topics = {link.topic_id for link in links}
        return [each for each in self.foreseen.interests if each.topic_id in topics]

    def _gets_nothing(self) -> tuple[Why, str] | None:
        if self.facts.is_suppressed:
            return Why.SUPPRESSED, "The address is suppressed or a rule stops it, so no email is sent to it."
        until = self.facts.snoozed_until
        if self.foreseen.is_paused and until is not None:
            return Why.PAUSED, f"The subscriber pauses until {self.say_time(until)}."
        return None

    def _is_not_wanted(self, release: Release) -> tuple[Why, str] | None:
        if wants(self.facts.languages, release.language):
            return None
        name = language_name(release.language)
        return Why.LANGUAGE, f"It is in {name}, which the subscriber did not choose for releases."

    def _waits(self, release: Release, links: Sequence[ReleaseTopic]) -> tuple[Why, str] | None:
        waiting = [
            each
            for each in self._theirs(links)
            if any(offer.release_id == release.id for offer in self.foreseen.catalogue.waiting(each))
        ]
        if not waiting:
            return None
        if self.foreseen.has_date:
            return Why.SAME_DATE, "The subscriber already has an email of this date. It comes with the next."
        said = {each.frequency: self._next(each.frequency) for each in waiting}
        return Why.NOT_DUE, " ".join(said.values())

    def _next(self, frequency: Frequency) -> str:
        if frequency is Frequency.IMMEDIATE:
            return "It comes with the next issue as it happens."
        moment = next_date(self.facts, frequency, self.foreseen.email.occasion.at)
        if moment is None:
            return f"It comes with the next {frequency.words} issue."
        return f"It comes with the {frequency.words} issue at {self.say_time(moment)}."

    def _was_served(self, release: Release, links: Sequence[ReleaseTopic]) -> tuple[Why, str]:
        for each in self.sent:
            if release.id in each.release_ids and each.state is DeliveryState.REJECTED:
                return Why.REFUSED, f"It was in {self._named(each)}."
        floors = {each.topic_id: each.started_sequence for each in self._theirs(links)}
        theirs = [link for link in links if link.topic_id in floors]
        if all((link.first_sequence or 0) <= floors[link.topic_id] for link in theirs):
            return Why.OLDER, (
                "It is older than the subscription, or was left out when a pause or a suppression ended."
            )
        return Why.SERVED, (
            "An issue after it has served this subscription. Its language was not chosen then, or the "
            "subscriber got it at an earlier address."
        )


def releases_of(foreseen: Foreseen) -> set[int]:
    """Return the ids of the releases in the email, and in those before it."""
    return {each for email in (foreseen.email, *foreseen.before) for each in release_ids(email.selection)}
