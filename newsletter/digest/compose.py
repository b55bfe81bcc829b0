"""Compose one subscriber's digest: each release once, under the first of their topics that has it. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from newsletter.models import Frequency
from newsletter.models.release_languages import wants
from newsletter.models.rendition_key import FIRST_REVISION, Section, Selection, name_of


@dataclass(frozen=True, slots=True)
class Offer:
    """A ready release under a topic. `sequence` is its number, `first_sequence` the number it had first.

    They differ if the release was held in between: it then got a new number.
    """

    sequence: int
    first_sequence: int
    release_id: int
    pinned: bool
    published_at: datetime
    revision: int = FIRST_REVISION
    language: str = "und"


@dataclass(frozen=True, slots=True)
class Interest:
    """One subscription, served up to `covered_to`, which is never below `started_sequence` here.

    `started_sequence` is the floor for releases that became ready again. select.py may have rounded it.
    """

    topic_id: int
    frequency: Frequency
    covered_to: int
    started_sequence: int = 0


class Catalogue:
    """The offers of an issue for each topic, in the order that topics are shown."""

    def __init__(self, topic_order: Sequence[int], offers: Mapping[int, Iterable[Offer]]) -> None:
        self._order = {topic_id: at for at, topic_id in enumerate(topic_order)}
        self._offers = {
            topic_id: sorted(each, key=lambda offer: offer.sequence) for topic_id, each in offers.items()
        }
        # For each choice of languages, the releases that are in none of them.
        self._unwanted: dict[frozenset[str], Set[int]] = {}
        self._sequences = {
            topic_id: [offer.sequence for offer in each] for topic_id, each in self._offers.items()
        }

    def release_ids(self) -> set[int]:
        """Return the ids of all releases in the catalogue."""
        return {offer.release_id for each in self._offers.values() for offer in each}

    def names(self) -> set[str]:
        """Return the names of all releases in the catalogue (`rendition_key.name_of`)."""
        return {name_of(offer.release_id, offer.revision) for each in self._offers.values() for offer in each}

    def _not_in(self, languages: frozenset[str]) -> Set[int]:
        """Return the ids of the releases that a subscriber who chose these languages does not want."""
        if languages not in self._unwanted:
            self._unwanted[languages] = {
                offer.release_id
                for each in self._offers.values()
                for offer in each
                if not wants(languages, offer.language)
            }
        return self._unwanted[languages]

    def waiting(self, interest: Interest) -> list[Offer]:
        """Return the offers that wait for one subscription (newsletter/coverage.py defines this)."""
        start = bisect_right(self._sequences.get(interest.topic_id, ()), interest.covered_to)
        return [
            offer
            for offer in self._offers.get(interest.topic_id, [])[start:]
            # `started_sequence` is never above `covered_to`. So only offers that became ready again need this
            # check: their first sequence may be lower than that.
            if offer.first_sequence == offer.sequence or offer.first_sequence > interest.started_sequence
        ]

    def renewed(self) -> list[int]:
        """Return the first sequences of the offers that became ready again, in order."""
        return sorted(
            offer.first_sequence
            for each in self._offers.values()
            for offer in each
            if offer.first_sequence != offer.sequence
        )

    def compose(
        self,
        interests: Iterable[Interest],
        sent: Set[int] = frozenset(),
        languages: frozenset[str] = frozenset(),
    ) -> Selection:
        """Return the selection for one subscriber; empty when nothing waits for them.

        `sent` has the releases that another delivery brought, or is bringing, to the same subscriber.
        `languages` has those that the subscriber chose for releases; none for all of them. Pinned releases
        come first under their topic, then the newest.
        """
        taken = set(sent)
        if languages:
            taken |= self._not_in(languages)
        sections = []
        for interest in sorted(interests, key=lambda each: self._order.get(each.topic_id, len(self._order))):
            fresh = [offer for offer in self.waiting(interest) if offer.release_id not in taken]
            if not fresh:
                continue
            fresh.sort(key=lambda offer: (offer.pinned, offer.published_at, offer.release_id), reverse=True)
            ids = tuple(offer.release_id for offer in fresh)
            taken.update(ids)
            revisions = tuple(
                (offer.release_id, offer.revision) for offer in fresh if offer.revision != FIRST_REVISION
            )
            sections.append(Section(interest.topic_id, interest.frequency, ids, revisions))
        return tuple(sections)
