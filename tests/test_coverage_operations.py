"""Tests of the five operations of coverage.py, and of what deliveries hold, on rows written for the test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest
from house import House
from sqlalchemy import select

from newsletter import coverage
from newsletter.models import (
    Delivery,
    DeliveryState,
    EndedReason,
    Frequency,
    Issue,
    IssueRelease,
    IssueState,
    Lane,
    Release,
    ReleaseMerge,
    ReleaseState,
    ReleaseTopic,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
    WaitsAgain,
    current_sequence,
)

NUMBERS = count(1)


def marks_of(house: House, *subscribers: int) -> list[tuple[int, int]]:
    """Return `started_sequence` and `covered_to` of the subscriptions of these people, by id."""
    with house.runtime.reading() as session:
        chosen = select(Subscription).where(Subscription.subscriber_id.in_(subscribers))
        rows = session.scalars(chosen.order_by(Subscription.id)).all()
        return [(each.started_sequence, each.covered_to) for each in rows]


def told(house: House) -> list[int]:
    """Return the newsletters whose clocks were told that a release waits again."""
    with house.runtime.reading() as session:
        return sorted(session.scalars(select(WaitsAgain.newsletter_id)))


def set_row(house: House, subscriber: int, at: int = 0, **fields: object) -> int:
    """Change one of a person's subscriptions; return its id."""
    with house.runtime.session() as session:
        chosen = select(Subscription).where(Subscription.subscriber_id == subscriber)
        row = session.scalars(chosen.order_by(Subscription.id)).all()[at]
        for name, value in fields.items():
            setattr(row, name, value)
        session.commit()
        return row.id


def put_back(house: House, *held: tuple[int, str]) -> None:
    with house.runtime.session() as session:
        coverage.put_back(session, held)
        session.commit()


def skip_ahead(house: House, subscriber: int, newest: int) -> None:
    with house.runtime.session() as session:
        coverage.skip_ahead(session, subscriber, newest)
        session.commit()


def begin(house: House, topic: int, welcome: int, languages: str | None = None) -> tuple[int, int]:
    """Begin a subscription of a new person; return its marks."""
    with house.runtime.session() as session:
        person = house.subscriber()
        person.release_languages = languages
        session.add(person)
        session.flush()
        row = house.subscription(person.id, topic, floor=99)
        coverage.begin(session, row, welcome)
        session.add(row)
        session.commit()
        return row.started_sequence, row.covered_to


def deliver(
    house: House,
    subscriber: int,
    key: str,
    state: DeliveryState = DeliveryState.ACCEPTED,
    *,
    newsletter: int = 1,
    releases: Sequence[int] = (),
    **issue: object,
) -> int:
    """Add an issue with one delivery; return the id of the issue."""
    with house.runtime.session() as session:
        number = next(NUMBERS)
        fields = {"is_test": False, "drops_unsent": False, **issue}
        made = Issue(
            public_id=f"issue{number}",
            title=f"Issue {number}",
            number=number,
            newsletter_id=newsletter,
            frequencies=["weekly"],
            state=IssueState.SENDING,
            to_sequence=current_sequence(session),
            prepared_to=0,
            created_at=house.clock(),
            created_by="test",
            **fields,
        )
        session.add(made)
        session.flush()
        rendition = Rendition(issue_id=made.id, key_hash="of the key", key=key)
        session.add(rendition)
        session.add_all(IssueRelease(issue_id=made.id, release_id=each) for each in releases)
        session.flush()
        session.add(
            Delivery(
                lane=Lane.BULK,
                issue_id=made.id,
                subscriber_id=subscriber,
                rendition_id=rendition.id,
                state=state,
                due_at=house.clock(),
                created_at=house.clock(),
                language="en",
            )
        )
        session.commit()
        return made.id


def held(house: House, *subscribers: int, newsletter: int = 1, **more: object) -> dict[int, set[int]]:
    with house.runtime.reading() as session:
        found = coverage.held_releases(session, lambda of: of.in_(subscribers), newsletter, **more)
        return {each: set(found[each]) for each in sorted(found)}


def test_a_subscription_begins_after_every_release_so_far(house: House):
    energy = house.topic("energy")
    house.release("A new energy cable")
    house.release("An energy plant")

    assert begin(house, energy, 0) == (2, 2)
    assert told(house) == []


def test_a_welcome_has_the_newest_ready_releases_of_the_topic_that_the_subscriber_wants(house: House):
    energy, port = house.topic("energy"), house.topic("port")
    for title in ("Energy one", "Energy two", "Energy three", "Energy four", "A port crane"):
        house.release(title)
    with house.runtime.session() as session:
        session.get_one(Release, 2).state = ReleaseState.HELD
        session.get_one(Release, 3).language = "de"
        session.commit()

    assert begin(house, energy, 1) == (3, 3)
    assert begin(house, energy, 2) == (2, 2)
    assert begin(house, energy, 9) == (0, 0)
    assert begin(house, energy, 2, languages="en") == (0, 0)
    assert begin(house, port, 1) == (4, 4)
    assert told(house) == [1, 1, 1, 1, 1]


def test_a_welcome_to_a_topic_without_releases_begins_now(house: House):
    house.topic("energy")
    house.release("An energy cable")

    assert begin(house, house.topic("port"), 3) == (1, 1)


def test_a_row_that_carries_over_has_both_marks_of_the_earlier_one(house: House):
    energy = house.topic("energy")
    ann, ben = house.add_subscriber(energy), house.add_subscriber(energy)
    earlier = house.subscription(ann, energy, floor=3)
    earlier.covered_to = 7
    later = house.subscription(ben, energy, floor=1)

    coverage.carry_over(earlier, later)

    assert (later.started_sequence, later.covered_to) == (3, 7)


def test_serving_raises_the_marks_of_these_rows_only_and_lowers_none(house: House):
    energy = house.topic("energy")
    people = [house.add_subscriber(energy) for _ in range(3)]
    rows = [set_row(house, each, covered_to=covered) for each, covered in zip(people, (2, 9, 2), strict=True)]

    with house.runtime.session() as session:
        coverage.serve(session, rows[:2], 5)
        session.commit()

    assert [covered for _, covered in marks_of(house, *people)] == [5, 9, 2]


def test_put_back_lowers_to_below_the_lowest_release_in_the_newsletter_of_the_delivery(house: House):
    other = house.newsletter("other")
    energy, port, quay = house.topic("energy"), house.topic("port"), house.topic("quay", newsletter=other)
    ann, ben = house.add_subscriber(energy, port, quay), house.add_subscriber(energy)
    for title in ("Energy one", "Energy two", "Energy three", "Energy four"):
        house.release(title)
    for at in range(3):
        set_row(house, ann, at, covered_to=4)
    set_row(house, ben, covered_to=4)

    put_back(house, (ann, f"{energy}w:4"), (ann, f"{energy}w:3,2"), (ann, f"{energy}w:4"))

    assert [covered for _, covered in marks_of(house, ann)] == [1, 1, 4]
    assert [covered for _, covered in marks_of(house, ben)] == [4]
    assert told(house) == [1]


def test_put_back_raises_no_mark_and_reaches_rows_that_can_come_back(house: House):
    energy = house.topic("energy")
    people = [house.add_subscriber(energy) for _ in range(4)]
    house.release("An energy cable")
    house.release("An energy plant")
    ended = {"state": SubscriptionState.ENDED, "ended_at": house.clock(), "covered_to": 2}
    set_row(house, people[0], covered_to=0)
    set_row(house, people[1], **ended, ended_reason=EndedReason.UNSUBSCRIBED)
    set_row(house, people[2], **ended, ended_reason=EndedReason.MOVED)
    set_row(house, people[3], **ended, ended_reason=EndedReason.CHANGED)

    put_back(house, *((each, f"{energy}w:2") for each in people))

    assert [covered for _, covered in marks_of(house, *people)] == [0, 1, 1, 2]


def test_put_back_of_nothing_changes_nothing(house: House):
    ann = house.add_subscriber(house.topic("energy"))
    house.release("An energy cable")
    house.release("A crane")  # without a topic
    set_row(house, ann, covered_to=2)

    put_back(house)
    put_back(house, (ann, ""))
    put_back(house, (ann, "1w:2"))

    assert marks_of(house, ann) == [(0, 2)]
    assert told(house) == []


def test_put_back_shows_in_rows_that_are_loaded(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    house.release("An energy cable")
    id_ = set_row(house, ann, covered_to=1)

    with house.runtime.session() as session:
        row = session.get_one(Subscription, id_)
        coverage.put_back(session, [(ann, f"{energy}w:1")])

        assert row.covered_to == 0


def test_put_back_of_a_merged_release_brings_the_one_that_stays(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    for title in ("Energy one", "Energy two", "Energy three"):
        house.release(title)
    merge(house, 3, into=1)
    set_row(house, ann, covered_to=3)

    put_back(house, (ann, f"{energy}w:3"))

    assert [covered for _, covered in marks_of(house, ann)] == [0]


def merge(house: House, release: int, into: int) -> None:
    with house.runtime.session() as session:
        session.add(
            ReleaseMerge(
                release_id=release,
                into_id=into,
                stays_id=into,
                was=ReleaseState.READY,
                merged_at=house.clock(),
                merged_by="test",
            )
        )
        session.commit()


def test_put_back_follows_a_chain_of_moves_for_the_releases_of_each_topic(house: House):
    energy, port = house.topic("energy"), house.topic("port")
    for title in ("Energy one", "Port two", "Energy three", "Port four"):
        house.release(title)
    ann, ben, cem = (house.add_subscriber(energy, port) for _ in range(3))
    rows = {}
    for person in (ann, ben, cem):
        for at, topic in enumerate((energy, port)):
            rows[person, topic] = set_row(house, person, at, covered_to=4)
    for topic, at in ((energy, 0), (port, 1)):
        set_row(house, ben, at, moved_from_id=rows[ann, topic])
    set_row(house, cem, 1, moved_from_id=rows[ben, port])

    put_back(house, (ann, f"{energy}w:3"), (ann, f"{port}w:4,2"))

    assert [covered for _, covered in marks_of(house, ann)] == [1, 1]
    assert [covered for _, covered in marks_of(house, ben)] == [2, 1]
    assert [covered for _, covered in marks_of(house, cem)] == [4, 1]


def test_put_back_lowers_a_moved_row_only_for_what_its_own_earlier_row_held(house: House):
    other = house.newsletter("other")
    energy, quay = house.topic("energy"), house.topic("energy-2", "energy", newsletter=other)
    for title in ("Energy one", "Energy two", "Energy three"):
        house.release(title)
    ann, ben, cem = (house.add_subscriber(energy, quay) for _ in range(3))
    for person in (ann, ben, cem):
        for at in range(2):
            set_row(house, person, at, covered_to=6)
    set_row(house, ben, 0, moved_from_id=set_row(house, ann, 0))
    set_row(house, ben, 1, moved_from_id=set_row(house, ann, 1))

    put_back(house, (ann, f"{energy}w:3"), (cem, f"{energy}w:1"))

    # Each release has two sequences in turn, one of each topic.
    assert [covered for _, covered in marks_of(house, ben)] == [4, 6]
    assert [covered for _, covered in marks_of(house, cem)] == [0, 6]


def test_skip_ahead_keeps_the_newest_of_each_topic(house: House):
    energy, port = house.topic("energy"), house.topic("port")
    ann, ben = house.add_subscriber(energy, port), house.add_subscriber(energy)
    for title in ("Energy one", "Energy two", "Port three", "Energy four", "Port five"):
        house.release(title)

    skip_ahead(house, ann, 1)

    assert marks_of(house, ann) == [(2, 2), (3, 3)]
    assert marks_of(house, ben) == [(0, 0)]
    assert told(house) == [1]


def test_skip_ahead_leaves_out_no_release_if_few_wait(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    house.release("Energy one")
    house.release("Energy two")

    skip_ahead(house, ann, 2)

    assert marks_of(house, ann) == [(0, 0)]


def test_skip_ahead_lowers_no_mark(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    for title in ("Energy one", "Energy two", "Energy three"):
        house.release(title)
    with house.runtime.session() as session:
        # The first release was held and became ready again: it has a new sequence, and its first one.
        pair = session.scalars(select(ReleaseTopic).where(ReleaseTopic.release_id == 1)).one()
        pair.sequence = 9
        session.commit()
    set_row(house, ann, covered_to=3)

    skip_ahead(house, ann, 0)

    assert marks_of(house, ann) == [(1, 3)]


def test_skip_ahead_counts_what_waits_and_is_wanted(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    for number in range(1, 8):
        house.release(f"Energy {number}")
    with house.runtime.session() as session:
        session.get_one(Release, 3).state = ReleaseState.HELD
        session.get_one(Release, 4).language = "de"
        session.get_one(Subscriber, ann).release_languages = "en"
        session.commit()
    set_row(house, ann, started_sequence=1, covered_to=1)
    deliver(house, ann, f"{energy}w:6", DeliveryState.DEFERRED)
    deliver(house, ann, f"{energy}w:7", DeliveryState.REJECTED)

    skip_ahead(house, ann, 2)  # of 2, 5 and 7

    assert marks_of(house, ann) == [(2, 2)]


def test_skip_ahead_reaches_rows_that_can_come_back_and_no_others(house: House):
    energy, port, rail = house.topic("energy"), house.topic("port"), house.topic("rail")
    ann = house.add_subscriber(energy, port, rail)
    for title in ("Energy and port and rail one", "Energy and port and rail two"):
        house.release(title)
    ended = {"state": SubscriptionState.ENDED, "ended_at": house.clock()}
    set_row(house, ann, 1, **ended, ended_reason=EndedReason.UNSUBSCRIBED)
    set_row(house, ann, 2, **ended, ended_reason=EndedReason.CHANGED)

    skip_ahead(house, ann, 1)

    # Each release has three sequences in turn, one of each topic.
    assert marks_of(house, ann) == [(1, 1), (2, 2), (0, 0)]


def test_skip_ahead_asks_the_deliveries_of_each_newsletter(house: House):
    other = house.newsletter("other")
    energy, quay = house.topic("energy"), house.topic("energy-2", "energy", newsletter=other)
    ann = house.add_subscriber(energy, quay)
    for title in ("Energy one", "Energy two", "Energy three"):
        house.release(title)
    deliver(house, ann, f"{quay}w:3", newsletter=other)

    skip_ahead(house, ann, 1)

    assert marks_of(house, ann) == [(3, 3), (2, 2)]
    assert told(house) == [1, other]


@pytest.mark.parametrize(
    ("state", "is_held"),
    [(each, each in coverage.HOLDING) for each in DeliveryState],
    ids=[str(each) for each in DeliveryState],
)
def test_deliveries_hold_their_releases_in_five_states(house: House, state: DeliveryState, is_held: bool):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    house.release("Energy one")

    deliver(house, ann, f"{energy}w:1", state, releases=[1])

    assert held(house, ann) == held(house, ann, releases=[1]) == ({ann: {1}} if is_held else {})


def test_the_five_states_are_those_of_an_email_that_may_still_be_sent_or_may_have_arrived():
    assert [str(each) for each in coverage.HOLDING] == [
        "queued",
        "leased",
        "deferred",
        "accepted",
        "uncertain",
    ]


def test_only_cancelled_deliveries_of_an_issue_that_dropped_them_hold(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    for number in range(1, 4):
        house.release(f"Energy {number}")

    deliver(house, ann, f"{energy}w:1", DeliveryState.CANCELLED, drops_unsent=True)
    deliver(house, ann, f"{energy}w:2", DeliveryState.SKIPPED, drops_unsent=True)
    deliver(house, ann, f"{energy}w:3", DeliveryState.CANCELLED)

    assert held(house, ann) == {ann: {1}}


def test_what_is_held_is_asked_of_people_newsletters_and_issues(house: House):
    other = house.newsletter("other")
    energy, quay = house.topic("energy"), house.topic("energy-2", "energy", newsletter=other)
    ann, ben = house.add_subscriber(energy), house.add_subscriber(energy)
    for number in range(1, 6):
        house.release(f"Energy {number}")
    first = deliver(house, ann, f"{energy}w:1,2", releases=[1, 2])
    deliver(house, ben, f"{energy}w:3", releases=[3])
    deliver(house, ann, f"{quay}w:4", newsletter=other, releases=[4])
    deliver(house, ann, f"{energy}w:5", is_test=True, releases=[5])

    assert held(house, ann) == {ann: {1, 2}}
    assert held(house, ann, ben) == {ann: {1, 2}, ben: {3}}
    assert held(house, ann, newsletter=other) == {ann: {4}}
    assert held(house, ann, ben, but_issue=first) == {ben: {3}}
    assert held(house, ann, ben, but_issue=first, releases=[1, 3]) == {ben: {3}}
    assert held(house, ann, ben, releases=[2]) == {ann: {1, 2}}
    assert held(house, ann, ben, releases=[4, 5]) == {}
    assert held(house, ann, ben, releases=[]) == {}


def test_who_holds_a_merged_release_holds_the_one_that_stays(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy)
    for number in range(1, 5):
        house.release(f"Energy {number}")
    deliver(house, ann, f"{energy}w:3,2", releases=[3, 2])
    merge(house, 3, into=1)

    assert held(house, ann) == held(house, ann, releases=[1]) == {ann: {1, 2, 3}}
    assert held(house, ann, releases=[4]) == {}


def test_deliveries_of_a_row_that_an_earlier_version_merged_count_for_the_other(house: House):
    energy = house.topic("energy")
    ann, ben = house.add_subscriber(energy), house.add_subscriber(energy)
    house.release("Energy one")
    house.release("Energy two")
    deliver(house, ann, f"{energy}w:1")
    deliver(house, ben, f"{energy}w:2")
    with house.runtime.session() as session:
        session.get_one(Subscriber, ann).moved_to = ben
        session.commit()

    assert held(house, ben) == {ben: {1, 2}}


def test_an_unsubscription_can_be_undone_for_seven_days():
    assert coverage.UNDO_FOR.days == 7


def test_the_marks_of_all_frequencies_are_the_same(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, frequency=Frequency.DAILY)
    house.release("Energy one")
    set_row(house, ann, covered_to=1)

    put_back(house, (ann, f"{energy}d:1"))

    assert marks_of(house, ann) == [(0, 0)]
