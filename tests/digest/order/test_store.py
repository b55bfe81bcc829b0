"""A manual order goes with the issue that it was made for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from digest.order.ordering import headings_and_titles, last_mails, set_order, targets
from house import NOON, House, edit_release
from scheduled import Scheduled

from newsletter.calendar.store import usual_calendar
from newsletter.digest.by_hand import approve_held
from newsletter.digest.issues import open_issue, send_test
from newsletter.digest.preview import preview
from newsletter.errors import OrderChanged, StateConflict
from newsletter.models import FIRST_NEWSLETTER, Frequency, Issue
from newsletter.models.tables.issue_order import target_of
from newsletter.outbox import control
from newsletter.releases.editing.edit import ReleaseAction


def two_releases(house: House, frequency: Frequency = Frequency.WEEKLY) -> tuple[int, int]:
    house.add_subscriber(house.topic("energy"), frequency=frequency, name="ann")
    return house.release("An energy mast"), house.release("An energy cable")


def test_the_next_issue_by_hand_takes_the_order_and_the_one_after_has_none(house: House):
    mast, _ = two_releases(house)
    set_order(house, "by-hand", {"Top": [mast]})

    house.send()

    assert headings_and_titles(last_mails(house)["ann"]) == [
        "Top",
        "An energy mast",
        "Energy",
        "An energy cable",
    ]
    (issue,) = house.all(Issue)
    assert targets(house) == {target_of(issue): 1} == {issue.public_id: 1}
    with pytest.raises(OrderChanged, match="The issue of this order was opened meanwhile"):
        set_order(house, "by-hand", {"Top": [mast]}, 1)


def test_an_issue_that_a_person_sends_leaves_the_orders_of_others(one: Scheduled):
    one.start("2026-03-10 12:00")
    mast, _ = two_releases(one.house, Frequency.IMMEDIATE)
    one.work("2026-03-10 12:00")
    set_order(one.house, "as-it-happens", {"Top": [mast]})

    one.work("2026-03-10 12:31")

    assert headings_and_titles(last_mails(one.house)["ann"])[:2] == ["Top", "An energy mast"]
    (issue,) = one.house.all(Issue)
    assert targets(one.house) == {issue.public_id: 1}


def test_nothing_gathers_so_there_is_nothing_to_order(one: Scheduled):
    one.start("2026-03-10 12:00")

    with pytest.raises(StateConflict, match="No release waits for an issue as it happens"):
        set_order(one.house, "as-it-happens", {})


def test_the_order_of_an_issue_as_it_happens_that_nobody_would_get_is_forgotten(one: Scheduled):
    one.start("2026-03-10 12:00")
    mast, _ = two_releases(one.house, Frequency.IMMEDIATE)
    one.work("2026-03-10 12:00")
    set_order(one.house, "as-it-happens", {"Top": [mast]})
    for each in (mast, mast + 1):
        edit_release(one.house, each, ReleaseAction.EXCLUDE)

    assert one.work("2026-03-10 12:31") == []

    assert targets(one.house) == {}


def planned(house: House) -> str:
    with house.runtime.session() as session:
        issue = open_issue(
            session, [Frequency.WEEKLY], actor="ann", now=house.clock(), starts_at=NOON + timedelta(hours=5)
        )
        session.commit()
        return issue.public_id


def test_a_planned_issue_is_ordered_until_it_begins(one: Scheduled):
    mast, cable = two_releases(one.house)
    public_id = planned(one.house)
    set_order(one.house, public_id, {"Top": [cable, mast]})

    one.work("2026-03-10 17:00")

    assert headings_and_titles(last_mails(one.house)["ann"]) == ["Top", "An energy cable", "An energy mast"]
    with pytest.raises(StateConflict, match="so its order stays as it is"):
        set_order(one.house, public_id, {}, 1)


def test_a_second_person_approves_the_order_that_they_saw(house: House):
    mast, _ = two_releases(house)
    with house.runtime.session() as session:
        row = usual_calendar(FIRST_NEWSLETTER, "UTC")
        row.second_person = True
        session.add(row)
        session.commit()
    public_id = planned(house)
    set_order(house, public_id, {"Top": [mast]}, actor="ann")

    def approve(version: int | None) -> None:
        with house.runtime.session() as session:
            approve_held(session, control.find_issue(session, public_id), "bob", house.clock(), version)
            session.commit()

    with pytest.raises(StateConflict, match="only ann can change its order"):
        set_order(house, public_id, {}, 1, actor="bob")
    with pytest.raises(StateConflict, match="has changed since you saw it"):
        approve(0)
    approve(1)
    with pytest.raises(StateConflict, match="bob approved No"):
        set_order(house, public_id, {}, 1, actor="ann")


def test_a_test_has_the_order_of_its_preview(house: House):
    mast, _ = two_releases(house)
    set_order(house, "by-hand", {"Top": [mast]})
    with house.runtime.session() as session:
        shown = preview(session, house.runtime.renderer, frequencies=[Frequency.WEEKLY], now=house.clock())
        assert shown is not None
        send_test(
            session, house.runtime.renderer, shown.selection, recipient="me@example.org", actor="ann",
            now=house.clock(), order=shown.order,
        )  # fmt: skip
        titles = [each.title for each in shown.releases]
        session.commit()

    house.drain("single")

    assert titles == ["An energy mast", "An energy cable"]
    assert headings_and_titles(last_mails(house)["me"])[:2] == ["Top", "An energy mast"]
    # The order still waits for the issue itself.
    assert targets(house)["by-hand"] == 1
