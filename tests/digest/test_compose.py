"""One subscriber's digest: each release once, under their first topic that has it, the newest first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON

from newsletter.digest.compose import Catalogue, Interest, Offer
from newsletter.models import Frequency
from newsletter.models.rendition_key import Section

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY
ENERGY, SEA, PORT = 7, 3, 9


def offer(
    release: int, sequence: int, *, first: int | None = None, pinned: bool = False, day: int = 0
) -> Offer:
    return Offer(sequence, first or sequence, release, pinned, NOON + timedelta(days=day))


def releases(selection):
    return [(part.topic_id, part.release_ids) for part in selection]


def test_topics_come_in_the_order_of_the_catalogue_and_unknown_ones_at_the_end():
    catalogue = Catalogue([ENERGY, SEA], {ENERGY: [offer(1, 1)], SEA: [offer(2, 2)], PORT: [offer(3, 3)]})
    interests = [Interest(PORT, DAILY, 0), Interest(SEA, WEEKLY, 0), Interest(ENERGY, DAILY, 0)]

    assert catalogue.compose(interests) == (
        Section(ENERGY, DAILY, (1,)), Section(SEA, WEEKLY, (2,)), Section(PORT, DAILY, (3,)),
    )  # fmt: skip


def test_a_release_under_two_topics_comes_once_under_the_first():
    catalogue = Catalogue([ENERGY, SEA], {ENERGY: [offer(1, 1)], SEA: [offer(1, 1), offer(2, 2)]})

    both = catalogue.compose([Interest(SEA, DAILY, 0), Interest(ENERGY, DAILY, 0)])
    only_sea = catalogue.compose([Interest(SEA, DAILY, 0)])

    assert releases(both) == [(ENERGY, (1,)), (SEA, (2,))]
    assert releases(only_sea) == [(SEA, (2, 1))]


def test_a_topic_without_a_new_release_is_left_out_and_those_after_it_stay():
    order = [ENERGY, SEA, PORT]
    catalogue = Catalogue(order, {ENERGY: [offer(1, 1)], SEA: [offer(1, 1)], PORT: [offer(2, 2)]})
    interests = [Interest(topic, DAILY, 0) for topic in (*order, 99)]

    assert releases(catalogue.compose(interests)) == [(ENERGY, (1,)), (PORT, (2,))]
    assert catalogue.compose(interests, {1, 2}) == ()


def test_what_another_delivery_brought_is_left_out():
    catalogue = Catalogue([ENERGY], {ENERGY: [offer(1, 1), offer(2, 2)]})

    assert releases(catalogue.compose([Interest(ENERGY, DAILY, 0)], frozenset({2}))) == [(ENERGY, (1,))]


def test_pinned_releases_come_first_then_the_newest_then_the_last_added():
    offers = [
        offer(1, 1, day=1),
        offer(2, 2, day=3),
        offer(3, 3, day=3),
        offer(4, 4, pinned=True),
        offer(5, 5, day=2),
    ]

    (part,) = Catalogue([ENERGY], {ENERGY: offers}).compose([Interest(ENERGY, DAILY, 0)])

    assert part.release_ids == (4, 3, 2, 5, 1)


@pytest.mark.parametrize(
    ("covered_to", "waiting"), [(0, [1, 2, 3]), (4, [2, 3]), (5, [3]), (6, [3]), (9, [])]
)
def test_only_releases_above_the_covered_sequence_wait(covered_to, waiting):
    # They may be given in any order.
    catalogue = Catalogue([ENERGY], {ENERGY: [offer(3, 9), offer(1, 4), offer(2, 5)]})

    found = catalogue.waiting(Interest(ENERGY, DAILY, covered_to))

    assert [each.release_id for each in found] == waiting


@pytest.mark.parametrize(("started", "waiting"), [(2, [1, 2]), (3, [2]), (4, [2])])
def test_a_release_that_became_ready_again_waits_only_for_those_who_had_subscribed_at_first(started, waiting):
    catalogue = Catalogue([ENERGY], {ENERGY: [offer(1, 8, first=3), offer(2, 9)]})

    found = catalogue.waiting(Interest(ENERGY, DAILY, 5, started))

    assert [each.release_id for each in found] == waiting


def test_the_catalogue_knows_its_releases_and_which_became_ready_again():
    catalogue = Catalogue(
        [], {ENERGY: [offer(1, 8, first=3), offer(2, 9)], SEA: [offer(4, 7, first=1), offer(2, 9)]}
    )

    assert catalogue.release_ids() == {1, 2, 4}
    assert catalogue.renewed() == [1, 3]


def test_a_choice_of_languages_leaves_out_the_others_but_never_the_unknown():
    def at(release, sequence, language):
        return Offer(sequence, sequence, release, False, NOON, language=language)

    catalogue = Catalogue([SEA], {SEA: [at(1, 1, "de"), at(2, 2, "en"), at(3, 3, "und"), at(4, 4, "de-AT")]})
    interests = [Interest(SEA, DAILY, 0)]

    assert releases(catalogue.compose(interests, languages=frozenset({"de"}))) == [(SEA, (4, 3, 1))]
    assert releases(catalogue.compose(interests, {1}, frozenset({"de"}))) == [(SEA, (4, 3))]
    assert releases(catalogue.compose(interests, languages=frozenset({"fr"}))) == [(SEA, (3,))]
    assert releases(catalogue.compose(interests)) == [(SEA, (4, 3, 2, 1))]
