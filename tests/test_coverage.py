"""Tests of coverage.py: each test is a case in which a release could get lost or come twice."""

from __future__ import annotations

import pytest
from house import House, edit_release, meanwhile, unsubscribe_from_topic
from memory_transport import MemoryTransport
from sqlalchemy import select, update

from newsletter import coverage, suppression
from newsletter.digest.issues import Preparer
from newsletter.errors import StateConflict
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import (
    Delivery,
    EndedReason,
    Fragment,
    Frequency,
    Issue,
    Lane,
    Release,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    current_sequence,
)
from newsletter.outbox import control
from newsletter.outbox.lease import claim, give_back
from newsletter.outbox.record import finish
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.store import add_release
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.choices import pauses

REFUSED = Reply(554, ("5.7.1 not today",))
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


class CancelsFirst(MemoryTransport):
    """A relay that refuses every email, each time right after the owner has cancelled the issue."""

    def __init__(self, house: House, issue_id: int) -> None:
        super().__init__()
        self._house, self._issue_id = house, issue_id

    def _refusal(self, envelope):
        if self._issue_id:
            act(self._house, control.cancel, self._issue_id)
            self._issue_id = 0
        return Outcome(Fate.REPLIED, Step.RCPT, REFUSED)


def act(house: House, do, issue_id: int):
    """Call an owner's action on an issue and commit; return the result."""
    with house.runtime.session() as session:
        public_id = session.get_one(Issue, issue_id).public_id
        done = do(session, control.find_issue(session, public_id), "test", house.clock())
        session.commit()
        return done


def sent_to(house: House, subscriber: int) -> list[int]:
    """Return the releases in the emails that the relay accepted for a person, in order."""
    from newsletter.models import Rendition
    from newsletter.models.rendition_key import read_key, release_ids

    with house.runtime.session() as session:
        keys = session.scalars(
            select(Rendition.key)
            .join(Delivery, Delivery.rendition_id == Rendition.id)
            .where(Delivery.subscriber_id == subscriber, Delivery.state == "accepted")
            .order_by(Delivery.settled_at, Delivery.id)
        )
        return [each for key in keys for each in release_ids(read_key(key))]


def choose(house: House, subscriber: int, topic: int, frequency: Frequency) -> None:
    """Add a topic to a person's subscriptions, or change its frequency."""
    with house.runtime.session() as session:
        active = subscription_rows.of_subscriber(session, subscriber, SubscriptionState.ACTIVE, lock=True)
        same = [row for row in active if row.topic_id == topic]
        subscription_rows.end(session, same, EndedReason.CHANGED, house.clock())
        if same:
            subscription_rows.follow(session, same[0], frequency, house.clock())
        else:
            subscription_rows.take_up(session, subscriber, topic, frequency, house.clock())
        session.commit()


def name_topic(house: House, release: int, slug: str) -> None:
    """Add a topic to a stored release."""
    with house.runtime.session() as session:
        there = session.get_one(Release, release)
        text = PressRelease(
            there.title,
            there.publisher,
            there.published_at.date(),
            "en",
            (f"{there.title}. It opens on Monday.",),
        )
        same, new = add_release(session, text, now=house.clock(), topics=[slug])
        assert (same.id, new) == (release, False)
        session.commit()


def pause_person(house: House, subscriber: int) -> None:
    with house.runtime.session() as session:
        person = session.get_one(Subscriber, subscriber)
        assert pauses.pause(session, person, 1, house.clock(), "test")
        session.commit()


def end_pause(house: House, subscriber: int, newest: int = 100) -> None:
    with house.runtime.session() as session:
        pauses.resume(session, session.get_one(Subscriber, subscriber), newest, house.clock(), "test")
        session.commit()


def test_releases_of_a_rejected_delivery_in_a_cancelled_issue_come_with_the_next(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    house.transport.answer("ann@example.org", REFUSED)
    refused = house.send()
    reopen(house, refused)
    act(house, control.cancel, refused)
    house.transport = MemoryTransport()

    house.send()

    assert sent_to(house, ann) == [cable]


def reopen(house: House, issue_id: int) -> None:
    """Set an issue back to the state before it was marked as finished."""
    from newsletter.models import IssueState

    with house.runtime.session() as session:
        session.get_one(Issue, issue_id).state = IssueState.SENDING
        session.commit()


def test_a_rejection_that_comes_after_the_cancel_is_put_back_too(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    house.transport.answer("ann@example.org", REFUSED)
    issue_id = house.open()
    house.transport = CancelsFirst(house, issue_id)

    house.drain()

    house.transport = MemoryTransport()
    assert house.states(issue_id) == ["rejected"]
    house.transport = MemoryTransport()
    house.send()
    assert sent_to(house, ann) == [cable]


def test_a_retry_does_not_send_what_another_issue_brought(either_house: House):
    house = either_house
    energy, sea = house.topic("energy"), house.topic("sea")
    ann = house.add_subscriber(energy, frequency=DAILY, name="ann")
    choose(house, ann, sea, WEEKLY)
    cable = house.release("An energy cable under the sea")
    house.transport.answer("ann@example.org", REFUSED)
    daily = house.send(DAILY)
    house.transport = MemoryTransport()
    house.send(WEEKLY)

    done = act(house, control.retry_rejected, daily)
    house.drain()

    assert (done.queued, done.served) == (0, 1)
    assert house.states(daily) == ["skipped"]
    assert sent_to(house, ann) == [cable]


def test_a_retry_sends_only_the_rest_and_stores_that_as_sent(either_house: House):
    house = either_house
    energy, sea = house.topic("energy"), house.topic("sea")
    ann = house.add_subscriber(energy, frequency=DAILY, name="ann")
    choose(house, ann, sea, WEEKLY)
    both = house.release("An energy cable under the sea")
    plant = house.release("An energy plant")
    house.transport.answer("ann@example.org", REFUSED)
    daily = house.send(DAILY)
    house.transport = MemoryTransport()
    house.send(WEEKLY)

    act(house, control.resume, daily)
    act(house, control.retry_rejected, daily)
    house.drain()

    assert sorted(sent_to(house, ann)) == [both, plant]


def test_the_mark_falls_below_every_release_of_a_cancelled_delivery(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, frequency=DAILY, name="ann")
    cable = house.release("A new energy cable")
    first = house.open_unprepared(DAILY)
    house.prepare(first)
    plant = house.release("An energy plant")
    second = house.open_unprepared(DAILY)
    act(house, control.cancel, first)
    house.prepare(second)
    act(house, control.cancel, second)

    house.send(DAILY)

    assert sorted(sent_to(house, ann)) == [cable, plant]


def test_a_cancelled_release_waits_again_under_every_topic(either_house: House):
    house = either_house
    weekly, daily = house.topic("energy"), house.topic("sea")
    ann = house.add_subscriber(weekly, frequency=WEEKLY, name="ann")
    choose(house, ann, daily, DAILY)
    cable = house.release("A new energy cable")
    plant = house.release("An energy plant")
    name_topic(house, cable, "sea")
    issue_id = house.open(DAILY)
    house.open(WEEKLY)  # leaves the cable to the daily one, and moves the weekly mark beyond it
    unsubscribe_from_topic(house, ann, daily)
    act(house, control.cancel, issue_id)

    house.drain()
    house.send(WEEKLY)

    assert sorted(sent_to(house, ann)) == [cable, plant]


def test_an_issue_renders_releases_that_were_put_back_while_it_was_being_prepared(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann, ben = (house.add_subscriber(energy, name=name) for name in ("ann", "ben"))
    cable = house.release("A new energy cable")
    older = house.open()
    plant = house.release("An energy plant")
    issue_id = house.open_unprepared(WEEKLY)
    preparer = Preparer(house.runtime.renderer, issue_id, chunk=1)
    step(house, preparer)
    act(house, control.cancel, older)
    while step(house, preparer):
        pass
    house.drain()
    house.send()

    assert sorted(sent_to(house, ann)) == sorted(sent_to(house, ben)) == [cable, plant]
    assert "rejected" not in house.states()


def step(house: House, preparer: Preparer) -> bool:
    with house.runtime.session() as session:
        more = preparer.step(session, house.clock())
        session.commit()
        return more


def test_a_paused_subscriber_is_sent_no_retry_and_the_release_waits(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    house.transport.answer("ann@example.org", REFUSED)
    issue_id = house.send()
    house.transport = MemoryTransport()
    pause_person(house, ann)

    done = act(house, control.retry_rejected, issue_id)
    house.drain()

    assert (done.queued, done.pausing) == (0, 1)
    assert house.states(issue_id) == ["skipped"]
    end_pause(house, ann)
    house.send()
    assert sent_to(house, ann) == [cable]


def test_a_topic_that_is_unsubscribed_and_chosen_again_keeps_its_marks(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, house.topic("sea"), name="ann")
    cable = house.release("A new energy cable")

    unsubscribe_from_topic(house, ann, energy)
    house.clock.pass_(days=6)
    choose(house, ann, energy, DAILY)
    house.send(DAILY)

    assert sent_to(house, ann) == [cable]


def test_a_topic_that_was_unsubscribed_long_ago_begins_with_new_marks(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, house.topic("sea"), name="ann")
    house.release("A new energy cable")

    unsubscribe_from_topic(house, ann, energy)
    house.clock.pass_(days=8)
    choose(house, ann, energy, DAILY)

    with house.runtime.session() as session:
        row = subscription_rows.of_subscriber(session, ann, SubscriptionState.ACTIVE)[0]
        assert row.covered_to == current_sequence(session)


def test_releases_cancelled_after_an_unsubscription_come_when_the_person_returns(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    cable = house.release("A new energy cable")
    issue_id = house.open()
    unsubscribe_from_topic(house, ann, energy)
    act(house, control.cancel, issue_id)

    choose(house, ann, energy, WEEKLY)
    house.send()

    assert sent_to(house, ann) == [cable]


def test_after_a_pause_the_newest_releases_come_ordered_by_first_sequence(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    old, middle, new = (house.release(f"Energy cable {name}") for name in ("one", "two", "three"))
    pause_person(house, ann)
    edit_release(house, old, ReleaseAction.HOLD)
    edit_release(house, old, ReleaseAction.READY)

    end_pause(house, ann, newest=2)
    house.send()

    assert sorted(sent_to(house, ann)) == [middle, new]


def test_a_release_that_was_held_and_made_ready_hides_no_older_one(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    cable = house.release("A new energy cable")
    plant = house.release("An energy plant")
    edit_release(house, plant, ReleaseAction.HOLD)
    edit_release(house, plant, ReleaseAction.READY)

    house.send()

    assert sorted(sent_to(house, ann)) == [cable, plant]


def test_a_release_held_and_made_ready_is_not_new_for_a_later_subscriber(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    plant = house.release("An energy plant")
    ben = house.add_subscriber(energy, name="ben")
    edit_release(house, plant, ReleaseAction.HOLD)
    edit_release(house, plant, ReleaseAction.READY)
    cable = house.release("A new energy cable")

    house.send()

    assert sorted(sent_to(house, ann)) == [plant, cable]
    assert sent_to(house, ben) == [cable]


def suppress(house: House, email: str) -> None:
    with house.runtime.session() as session:
        assert suppression.add_by_hand(session, house.runtime.tokens, email, "test", house.clock())
        session.commit()


def lift(house: House, email: str, newest: int) -> None:
    with house.runtime.session() as session:
        assert suppression.lift(session, house.runtime.tokens, email, "test", house.clock(), newest)
        session.commit()


def fragments_of(house: House, issue_id: int) -> list[str]:
    """Return the releases that an issue has rendered."""
    parts = [each.part for each in house.all(Fragment) if each.issue_id == issue_id]
    return [part for part in parts if part.startswith("release:")]


def test_a_suppressed_subscriber_is_left_out_and_their_mark_stays(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    ben = house.add_subscriber(energy, name="ben")
    suppress(house, "ann@example.org")
    old = [house.release(f"Energy cable {number}") for number in range(4)]
    house.send()
    new = house.release("The newest energy cable")
    issue_id = house.send()

    assert house.states(issue_id) == ["accepted"]
    assert fragments_of(house, issue_id) == [f"release:{new}"]
    lift(house, "ann@example.org", newest=2)
    house.send()
    assert sorted(sent_to(house, ann)) == [old[-1], new]
    assert len(sent_to(house, ben)) == 5


def test_a_suppression_without_a_subscriber_is_found_at_the_claim_and_gets_one(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    house.add_subscriber(energy, name="ben")
    suppress(house, "ann@example.org")
    with house.runtime.session() as session:
        session.execute(update(Suppression).values(subscriber_id=None))
        session.commit()
    cable = house.release("A new energy cable")
    first = house.send()
    house.release("The newest energy cable")
    second = house.send()

    assert house.states(first) == ["skipped", "accepted"]
    assert house.states(second) == ["accepted"]
    lift(house, "ann@example.org", newest=10)
    house.send()
    assert cable in sent_to(house, ann)


def test_a_retry_leaves_the_suppressed_out(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    house.transport.answer("ann@example.org", REFUSED)
    issue_id = house.send()
    suppress(house, "ann@example.org")

    done = act(house, control.retry_rejected, issue_id)

    assert (done.queued, done.pausing) == (0, 1)
    lift(house, "ann@example.org", newest=10)
    house.send()
    assert sent_to(house, ann) == [cable]


def test_a_pause_does_not_lower_what_others_issues_render(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    ben = house.add_subscriber(energy, name="ben")
    for number in range(5):
        house.release(f"Energy cable {number}")
    pause_person(house, ann)
    house.send()
    house.release("The newest energy cable")

    issue_id = house.open()

    assert len(fragments_of(house, issue_id)) == 1
    house.drain()
    assert len(sent_to(house, ben)) == 6


def test_a_change_of_frequency_during_preparation_loses_no_release(big_house: House):
    """A person changes from weekly to daily while the weekly issue is being prepared for them."""
    house = big_house
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, frequency=WEEKLY, name="ann")
    cable = house.release("A new energy cable")
    issue_id = house.open_unprepared(WEEKLY)
    preparer = Preparer(house.runtime.renderer, issue_id)

    with house.runtime.session() as session:
        preparer.step(session, house.clock())
        with meanwhile(house, lambda: choose(house, ann, energy, DAILY)):
            session.commit()
    house.prepare(issue_id)
    house.drain()
    if not sent_to(house, ann):
        house.send(DAILY)

    assert sent_to(house, ann) == [cable]


def test_a_retry_waits_for_an_issue_that_is_being_prepared(big_house: House):
    house = big_house
    energy, sea = house.topic("energy"), house.topic("sea")
    ann = house.add_subscriber(energy, frequency=DAILY, name="ann")
    choose(house, ann, sea, WEEKLY)
    cable = house.release("An energy cable under the sea")
    house.transport.answer("ann@example.org", REFUSED)
    daily = house.send(DAILY)
    house.transport = MemoryTransport()
    weekly = house.open_unprepared(WEEKLY)
    preparer = Preparer(house.runtime.renderer, weekly)

    with house.runtime.session() as session:
        preparer.step(session, house.clock())
        with meanwhile(house, lambda: act(house, control.retry_rejected, daily)):
            session.commit()
    house.prepare(weekly)
    house.drain()

    assert sent_to(house, ann) == [cable]


def test_a_host_whose_clock_is_ahead_leaves_nobody_out_of_an_issue(house: House):
    energy = house.topic("energy")
    house.clock.pass_(seconds=30)
    ann = house.add_subscriber(energy, name="ann")
    house.clock.pass_(seconds=-30)
    cable = house.release("A new energy cable")

    house.send()

    assert sent_to(house, ann) == [cable]


def test_resending_the_uncertain_of_a_cancelled_issue_gives_their_releases_to_the_next(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    issue_id = house.open()
    make_uncertain(house, issue_id)
    act(house, control.cancel, issue_id)
    house.release("An energy plant")
    house.send()
    assert cable not in sent_to(house, ann)

    done = act(house, control.resend_uncertain, issue_id)
    house.send()

    assert done.given_back == 1
    assert house.states(issue_id) == ["cancelled"]
    assert cable in sent_to(house, ann)


def make_uncertain(house: House, issue_id: int) -> None:
    from newsletter.models import DeliveryState

    with house.runtime.session() as session:
        for each in session.scalars(select(Delivery).where(Delivery.issue_id == issue_id)):
            each.state = DeliveryState.UNCERTAIN
        session.commit()


def test_put_back_reaches_no_row_that_was_replaced(house: House):
    energy = house.topic("energy")
    ann = house.add_subscriber(energy, name="ann")
    cable = house.release("A new energy cable")
    house.send()
    choose(house, ann, energy, DAILY)

    with house.runtime.session() as session:
        coverage.put_back(session, [(ann, f"{energy}w:{cable}")])
        session.commit()
        marks = {
            row.ended_reason: row.covered_to
            for row in session.scalars(select(Subscription).where(Subscription.subscriber_id == ann))
        }

    assert marks[None] == 0
    assert marks[EndedReason.CHANGED] == 1


def drop(session, issue, actor, now):
    """Cancel an issue and drop its releases."""
    return control.cancel(session, issue, actor, now, session.commit, drop=True)


def test_dropped_releases_never_come_again_under_any_topic(either_house: House):
    house = either_house
    weekly, daily = house.topic("energy"), house.topic("sea")
    ann = house.add_subscriber(weekly, frequency=WEEKLY, name="ann")
    choose(house, ann, daily, DAILY)
    cable = house.release("A new energy cable")
    name_topic(house, cable, "sea")
    issue_id = house.open(DAILY)
    assert act(house, drop, issue_id) == 1
    plant = house.release("An energy plant")

    house.send(WEEKLY)

    assert sent_to(house, ann) == [plant]
    assert house.states(issue_id) == ["cancelled"]
    with pytest.raises(StateConflict, match="No release waits"):
        house.send(DAILY)


def test_a_delivery_that_a_worker_gives_back_after_the_drop_is_dropped_too(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    house.release("A new energy cable")
    issue_id = house.open()
    with house.runtime.session() as session:
        taken = claim(session, Lane.BULK, issue_id, "worker", 1, house.clock())
        session.commit()
    assert act(house, drop, issue_id) == 0
    with house.runtime.session() as session:
        give_back(session, taken, "worker", house.clock())
        finish(session, house.clock())
        session.commit()
    plant = house.release("An energy plant")

    house.send()

    assert house.states(issue_id) == ["cancelled"]
    assert sent_to(house, ann) == [plant]


def test_a_refused_email_of_a_dropped_issue_is_not_dropped(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann, ben = (house.add_subscriber(energy, name=name) for name in ("ann", "ben"))
    cable = house.release("A new energy cable")
    house.transport.answer("ann@example.org", REFUSED)
    issue_id = house.send()
    reopen(house, issue_id)
    act(house, drop, issue_id)
    house.transport = MemoryTransport()

    house.send()

    assert sent_to(house, ann) == sent_to(house, ben) == [cable]


def test_resending_the_uncertain_of_a_dropped_issue_gives_their_releases_to_the_next(either_house: House):
    house = either_house
    ann = house.add_subscriber(house.topic("energy"), name="ann")
    cable = house.release("A new energy cable")
    issue_id = house.open()
    make_uncertain(house, issue_id)
    act(house, drop, issue_id)

    done = act(house, control.resend_uncertain, issue_id)
    house.send()

    assert (done.given_back, house.states(issue_id)) == (1, ["skipped"])
    assert sent_to(house, ann) == [cable]


def test_who_was_not_prepared_when_an_issue_was_dropped_gets_its_releases(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann, ben = (house.add_subscriber(energy, name=name) for name in ("ann", "ben"))
    cable = house.release("A new energy cable")
    issue_id = house.open_unprepared(WEEKLY)
    step(house, Preparer(house.runtime.renderer, issue_id, chunk=1))
    act(house, drop, issue_id)

    house.send()

    assert (sent_to(house, ann), sent_to(house, ben)) == ([], [cable])
