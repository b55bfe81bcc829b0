"""The manual order: a selection in sections, and the rest by topic."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from newsletter.models import Frequency
from newsletter.models.hand_order import (
    Block,
    HandSection,
    arrange,
    read_order,
    read_places,
    write_order,
    write_places,
)
from newsletter.models.rendition_key import Section

RELEASES = range(1, 13)


def test_a_section_has_its_releases_and_the_topics_have_the_others():
    selection = (
        Section(3, Frequency.WEEKLY, (5, 4, 9), ((4, 2),)),
        Section(1, Frequency.DAILY, (7, 8)),
    )

    blocks = arrange(selection, [(8, 4), (99,), (7,)])

    assert blocks == [
        Block("section:0", ("8", "4.2")),
        Block("section:2", ("7",)),
        Block("topic:3", ("5", "9")),
    ]
    assert [each.is_by_hand for each in blocks] == [True, True, False]


@given(
    topics=st.lists(st.integers(1, 4), min_size=12, max_size=12),
    selected=st.sets(st.sampled_from(RELEASES)),
    order=st.permutations(RELEASES),
    cuts=st.lists(st.integers(0, 12), min_size=2, max_size=2).map(sorted),
)
def test_each_release_of_a_selection_comes_once_and_where_it_should(
    topics: list[int], selected: set[int], order: list[int], cuts: list[int]
):
    of_topic = dict(zip(RELEASES, topics, strict=True))
    # Two sections have releases, which may be in no selection. After the last cut, the order is automatic.
    places = [order[: cuts[0]], order[cuts[0] : cuts[1]]]
    placed = order[: cuts[1]]
    selection = tuple(
        Section(topic, Frequency.DAILY, tuple(each for each in sorted(selected) if of_topic[each] == topic))
        for topic in sorted({of_topic[each] for each in selected})
    )

    blocks = arrange(selection, places)

    shown = [int(name) for block in blocks for name in block.names]
    by_hand = [each for each in placed if each in selected]
    by_topic = sorted(selected - set(placed), key=lambda each: (of_topic[each], each))
    assert shown == [*by_hand, *by_topic]
    assert all(block.names for block in blocks)


def test_an_order_is_read_as_it_was_written():
    order = (
        HandSection("Top stories", (3, 1), {"de": "Das Wichtigste"}),
        HandSection("<b>Jobs</b>", ()),
    )

    assert read_order(write_order(order)) == order
    assert read_places(write_places(order)) == [(3, 1), ()]


def test_a_title_serves_each_language_without_one_of_its_own():
    section = HandSection("Top stories", (), {"de": "Das Wichtigste"})

    assert [section.name_in(each) for each in ("de", "de-AT", "fr", "")] == [
        "Das Wichtigste",
        "Das Wichtigste",
        "Top stories",
        "Top stories",
    ]
