"""What one reader gets: each release once, under the first of their topics that holds it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from newsletter.models import Frequency
from newsletter.models.rendition_key import Section, Selection


@dataclass(frozen=True, slots=True)
class Offer:
    """A release under a topic, mailable since `sequence`, and before that once since `first_sequence`."""

    sequence: int
    first_sequence: int
    release_id: int
    pinned: bool
    published_at: datetime


@dataclass(frozen=True, slots=True)
class Interest:
    """One subscription: it has been served up to `covered_to`, which is never below its floor here.

    `started_sequence` is the floor for what became mailable again; select.py may have rounded it.
    """

    topic_id: int
    frequency: Frequency
    covered_to: int
    started_sequence: int = 0


class Catalogue:
    """What an issue can hold: for each topic, in the order that topics are shown, its offers."""

    def __init__(self, topic_order: Sequence[int], offers: Mapping[int, Iterable[Offer]]) -> None:
        self._order = {topic_id: at for at, topic_id in enumerate(topic_order)}
        self._offers = {
            topic_id: sorted(each, key=lambda offer: offer.sequence) for topic_id, each in offers.items()
        }
        self._sequences = {
            topic_id: [offer.sequence for offer in each] for topic_id, each in self._offers.items()
        }

    def release_ids(self) -> set[int]:
        """Return every release that is offered."""
        return {offer.release_id for each in self._offers.values() for offer in each}

    def waiting(self, interest: Interest) -> list[Offer]:
        """Return the offers that wait for one subscription (newsletter/coverage.py says when one does)."""
        start = bisect_right(self._sequences.get(interest.topic_id, ()), interest.covered_to)
        return [
            offer
            for offer in self._offers.get(interest.topic_id, [])[start:]
            # The floor is exact for offers that became mailable again only; `covered_to` is above it.
            if offer.first_sequence == offer.sequence or offer.first_sequence > interest.started_sequence
        ]

    def renewed(self) -> list[int]:
        """Return the first sequences of the offers that became mailable again since, in order."""
        return sorted(
            offer.first_sequence
            for each in self._offers.values()
            for offer in each
            if offer.first_sequence != offer.sequence
        )

    def compose(self, interests: Iterable[Interest], sent: Set[int] = frozenset()) -> Selection:
        """Return the selection for one reader; empty when there is nothing for them.

        `sent` are releases that another delivery brought (or is bringing) to the same reader.
        Pinned releases come first under their topic, then the newest.
        """
        taken = set(sent)
        sections = []
        for interest in sorted(interests, key=lambda each: self._order.get(each.topic_id, len(self._order))):
            fresh = [offer for offer in self.waiting(interest) if offer.release_id not in taken]
            if not fresh:
                continue
            fresh.sort(key=lambda offer: (offer.pinned, offer.published_at, offer.release_id), reverse=True)
            ids = tuple(offer.release_id for offer in fresh)
            taken.update(ids)
            sections.append(Section(interest.topic_id, interest.frequency, ids))
        return tuple(sections)
