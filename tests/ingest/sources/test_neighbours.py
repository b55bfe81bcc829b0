"""Tests of whether an item was removed, or only became too old for its list."""

from __future__ import annotations

from newsletter.ingest.sources.neighbours import is_missing


def test_an_item_between_others_that_stay_was_removed():
    assert is_missing(3, {1, 2, 3, 4}, {1, 2, 4})
    assert is_missing(4, {1, 2, 3, 4}, {1, 2, 3, 5})


def test_the_oldest_item_only_leaves_the_end_of_the_list():
    assert not is_missing(1, {1, 2, 3, 4}, {2, 3, 4, 5})


def test_a_list_that_changed_as_a_whole_shows_nothing():
    assert not is_missing(3, {1, 2, 3, 4}, {7, 8, 9})
    assert not is_missing(3, {1, 2, 3, 4}, {1})
    assert not is_missing(3, {1, 2, 3, 4}, set())
    assert not is_missing(3, {3}, {4})
