"""Pages of a query, and the search for a part of a text."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from newsletter.models import Subscriber
from newsletter.models.paging import LAST_PAGE, Page, contains, paged

BY_ID = select(Subscriber).order_by(Subscriber.id)


def test_each_page_has_its_part_and_the_total(house):
    ids = [house.add_subscriber() for _ in range(5)]

    with house.runtime.session() as session:
        pages = [paged(session, BY_ID, number, 2) for number in (1, 2, 3, 4)]

    assert [[person.id for person in page.items] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
    assert {page.total for page in pages} == {5}
    assert {page.pages for page in pages} == {3}
    assert [(page.has_prev, page.has_next) for page in pages] == [
        (False, True), (True, True), (True, False), (True, False),
    ]  # fmt: skip


@pytest.mark.parametrize(("wanted", "shown"), [(-3, 1), (0, 1), (10**9, LAST_PAGE)])
def test_a_page_number_out_of_range_is_moved_into_it(house, wanted, shown):
    with house.runtime.session() as session:
        assert paged(session, BY_ID, wanted, 10).page == shown


def test_a_page_past_the_end_leads_back_to_the_last_page():
    assert Page([], page=9, per_page=10, total=25).prev_num == 3
    assert Page([], page=1, per_page=10, total=0).prev_num == 1
    assert Page([], page=2, per_page=10, total=25).next_num == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [("ANN", ["ann"]), ("nn_", []), ("%", []), ("@example", ["ann", "ölaf"]), ("ÖL", ["ölaf"]), ("xy", [])],
)
def test_a_search_ignores_case_and_knows_no_wildcards(either_house, text, found):
    either_house.add_subscriber(name="ann")
    either_house.add_subscriber(name="ölaf")

    with either_house.runtime.session() as session:
        names = session.scalars(BY_ID.where(contains(text, Subscriber.email))).all()

    assert [person.email.partition("@")[0] for person in names] == found
