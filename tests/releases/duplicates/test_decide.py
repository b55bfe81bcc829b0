"""Tests of the decision about two releases, on 204 pairs of our own making."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from releases.duplicates.pairs import DAY, judge, make_pairs

from newsletter.models import HoldReason
from newsletter.releases.duplicates.compare import Likeness
from newsletter.releases.duplicates.decide import Side, Verdict, decide

COPY = Likeness(shared=1, covered=1, words=100)
PLAIN = Side(DAY)


@pytest.fixture(scope="module")
def judged():
    return [(pair, judge(pair)) for pair in make_pairs()]


def test_no_other_release_is_merged(judged):
    others = [(pair, verdict) for pair, verdict in judged if not pair.is_copy]

    assert len(others) >= 100
    assert [pair for pair, verdict in others if verdict is Verdict.MERGE] == []


def test_at_least_sixty_pairs_are_notices_that_differ_in_a_few_words(judged):
    notices = [pair for pair, _ in judged if " and " in pair.kind]

    assert len(notices) >= 60


def test_at_most_one_copy_in_twenty_is_missed_and_those_are_suggested(judged):
    copies = [(pair, verdict) for pair, verdict in judged if pair.is_copy]
    missed = [(pair.name, pair.kind, verdict) for pair, verdict in copies if verdict is not Verdict.MERGE]

    assert len(judged) >= 200
    assert len(missed) <= len(copies) * 0.05, missed
    assert {verdict for *_, verdict in missed} <= {Verdict.SUGGEST}


def test_dates_more_than_three_days_apart_are_two_releases():
    for days, verdict in ((3, Verdict.MERGE), (-3, Verdict.MERGE), (4, Verdict.NONE), (-4, Verdict.NONE)):
        other = Side(DAY + timedelta(days=days))

        assert decide(COPY, PLAIN, other, same_source=False) is verdict


@pytest.mark.parametrize("reason", [HoldReason.EMBARGO, HoldReason.EDITOR])
def test_what_a_person_held_back_is_never_merged_and_the_editor_is_asked(reason):
    held = Side(DAY, frozenset({reason}))

    assert decide(COPY, held, PLAIN, same_source=False) is Verdict.ASK
    assert decide(COPY, PLAIN, held, same_source=False) is Verdict.ASK
    assert decide(COPY, Side(DAY, is_out=True), PLAIN, same_source=False) is Verdict.ASK


def test_a_release_that_waits_for_approval_is_suggested_and_one_that_settles_is_judged_later():
    waits, settles = (Side(DAY, frozenset({each})) for each in (HoldReason.APPROVAL, HoldReason.SETTLING))

    assert decide(COPY, waits, PLAIN, same_source=False) is Verdict.SUGGEST
    assert decide(COPY, settles, PLAIN, same_source=False) is Verdict.NONE
    assert decide(COPY, PLAIN, settles, same_source=False) is Verdict.MERGE


def test_one_source_tells_its_own_items_apart():
    assert decide(COPY, PLAIN, PLAIN, same_source=True) is Verdict.SUGGEST
    assert decide(replace(COPY, is_equal=True), PLAIN, PLAIN, same_source=True) is Verdict.NONE
    assert decide(replace(COPY, differs=("figures",)), PLAIN, PLAIN, same_source=True) is Verdict.NONE


@pytest.mark.parametrize(
    "changed", [{"words": 24}, {"shared": 0.84}, {"covered": 0.69}, {"differs": ("title",)}]
)
def test_a_short_text_or_one_that_differs_is_not_merged(changed):
    assert decide(replace(COPY, **changed), PLAIN, PLAIN, same_source=False) is not Verdict.MERGE
