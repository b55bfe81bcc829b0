"""Two newsletters have the same release: each sends it once, whatever the other one has sent."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from house import House, edit_release, unsubscribe_from_topic
from memory_transport import MemoryTransport
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from newsletter import coverage, suppression
from newsletter.digest.issues import Preparer
from newsletter.digest.preview import preview
from newsletter.digest.reach import count_reach
from newsletter.digest.select import Audience
from newsletter.errors import NotFound, StateConflict
from newsletter.models import (
    FIRST_NEWSLETTER,
    Delivery,
    DeliveryState,
    Fragment,
    Frequency,
    Issue,
    Rendition,
    Subscriber,
    Subscription,
    SubscriptionState,
    current_sequence,
)
from newsletter.models.rendition_key import read_key, release_ids
from newsletter.outbox import control
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.smtp.replies import Reply
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.choices import merge, pauses

REFUSED = Reply(554, ("5.7.1 not today",))
DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY


class Two:
    """An installation with two newsletters, and a person who subscribed to a topic of each.

    A release about energy at sea is in both newsletters. `first` and `second` are their ids.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.first, self.second = FIRST_NEWSLETTER, house.newsletter("harbour")
        self.energy = house.topic("energy")
        self.sea = house.topic("sea", newsletter=self.second)
        self.ann = house.add_subscriber(self.energy, self.sea, name="ann")

    def held_by(self, issue_id: int, *states: DeliveryState) -> list[int]:
        """Return the releases in the deliveries of an issue that are in one of these states (all if none)."""
        with self.house.runtime.session() as session:
            keys = session.scalars(
                select(Rendition.key)
                .join(Delivery, Delivery.rendition_id == Rendition.id)
                .where(Delivery.issue_id == issue_id, Delivery.state.in_(states or DeliveryState))
            )
            return sorted(each for key in keys for each in release_ids(read_key(key)))

    def next_of(self, newsletter: int) -> list[int]:
        """Send the next issue of a newsletter; return the releases that were accepted, [] if none waits."""
        try:
            issue_id = self.house.send(newsletter=newsletter)
        except StateConflict:
            return []
        return self.held_by(issue_id, DeliveryState.ACCEPTED)

    def act(self, do, issue_id: int):
        with self.house.runtime.session() as session:
            public_id = session.get_one(Issue, issue_id).public_id
            done = do(session, control.find_issue(session, public_id), "test", self.house.clock())
            session.commit()
            return done

    def covered_to(self) -> dict[int, int]:
        """Return `covered_to` of the person's active subscriptions, by topic."""
        with self.house.runtime.session() as session:
            rows = subscription_rows.of_subscriber(session, self.ann, SubscriptionState.ACTIVE)
            return {row.topic_id: row.covered_to for row in rows}


@pytest.fixture
def two(either_house: House) -> Two:
    return Two(either_house)


def test_a_release_of_two_newsletters_comes_in_both(two: Two):
    both = two.house.release("Energy from the sea")
    plant = two.house.release("An energy plant")

    assert two.next_of(two.first) == [both, plant]
    assert two.next_of(two.second) == [both]
    assert two.next_of(two.first) == two.next_of(two.second) == []


def test_an_issue_moves_only_the_marks_of_its_newsletter(two: Two):
    before = two.covered_to()
    two.house.release("Energy from the sea")

    two.house.open(newsletter=two.second)

    after = two.covered_to()
    assert after[two.energy] == before[two.energy]
    assert after[two.sea] > before[two.sea]


def test_an_issue_shows_only_topics_and_releases_of_its_newsletter(two: Two):
    two.house.release("An energy plant")
    whale = two.house.release("A whale in the sea")

    issue_id = two.house.open(newsletter=two.second)

    parts = [each.part for each in two.house.all(Fragment) if each.issue_id == issue_id]
    assert [part for part in parts if part.startswith(("topic:", "release:"))] == [
        f"release:{whale}",
        f"topic:{two.sea}",
    ]


def test_an_issue_waits_for_an_older_one_of_the_same_newsletter_only(two: Two):
    two.house.release("Energy from the sea")
    older = two.house.open_unprepared(newsletter=two.first)
    newer = two.house.open_unprepared(newsletter=two.first)
    other = two.house.open_unprepared(newsletter=two.second)

    two.house.prepare(newer)
    two.house.prepare(other)

    assert two.held_by(newer) == []
    assert len(two.held_by(other)) == 1
    two.house.prepare(older)
    assert len(two.held_by(older)) == 1


def test_a_retry_leaves_out_what_the_same_newsletter_brought_and_nothing_else(two: Two):
    both = two.house.release("Energy from the sea")
    two.house.transport.answer("ann@example.org", REFUSED)
    refused = two.house.send(newsletter=two.first)
    two.house.transport = MemoryTransport()
    assert two.next_of(two.second) == [both]

    two.act(control.resume, refused)  # the owner is asked about an issue that reached nobody
    done = two.act(control.retry_rejected, refused)
    two.house.drain()

    assert (done.queued, done.served) == (1, 0)
    assert two.held_by(refused, DeliveryState.ACCEPTED) == [both]


def test_resending_what_is_uncertain_leaves_out_what_the_same_newsletter_brought(two: Two):
    both = two.house.release("Energy from the sea")
    issue_id = two.house.open(newsletter=two.second)
    with two.house.runtime.session() as session:
        session.execute(update(Delivery).values(state=DeliveryState.UNCERTAIN))
        session.commit()
    assert two.next_of(two.first) == [both]

    done = two.act(control.resend_uncertain, issue_id)
    two.house.drain()

    assert (done.queued, done.served) == (1, 0)
    assert two.held_by(issue_id, DeliveryState.ACCEPTED) == [both]


def test_cancelling_puts_back_to_its_newsletter_only(two: Two):
    both = two.house.release("Energy from the sea")
    assert two.next_of(two.first) == [both]
    cancelled = two.house.open(newsletter=two.second)

    two.act(control.cancel, cancelled)

    assert two.next_of(two.first) == []
    assert two.next_of(two.second) == [both]


def test_a_rejected_delivery_of_a_cancelled_issue_is_put_back_to_its_newsletter_only(two: Two):
    both = two.house.release("Energy from the sea")
    assert two.next_of(two.second) == [both]
    two.house.transport.answer("ann@example.org", REFUSED)
    refused = two.house.open(newsletter=two.first)
    two.house.drain()
    with two.house.runtime.session() as session:
        session.execute(update(Issue).where(Issue.id == refused).values(state="sending"))
        session.commit()
    marks = two.covered_to()
    two.act(control.cancel, refused)
    two.house.transport = MemoryTransport()

    assert two.covered_to()[two.sea] == marks[two.sea]
    assert two.next_of(two.first) == [both]


def test_a_claim_leaves_out_the_topics_that_were_left_and_puts_them_back_to_their_newsletter(two: Two):
    both = two.house.release("Energy from the sea")
    sent = two.house.send(newsletter=two.first)
    open_issue = two.house.open(newsletter=two.second)
    unsubscribe_from_topic(two.house, two.ann, two.sea)
    marks = two.covered_to()

    two.house.drain()

    # The topic of the other newsletter also has this release, but no heading in this issue.
    assert two.house.states(open_issue) == ["skipped"]
    assert two.covered_to() == marks
    assert two.held_by(sent, DeliveryState.ACCEPTED) == [both]
    with two.house.runtime.session() as session:
        row = session.scalars(select(Subscription).where(Subscription.topic_id == two.sea)).one()
        assert row.covered_to < current_sequence(session)


def test_a_release_held_before_the_claim_waits_in_each_newsletter(two: Two):
    both = two.house.release("Energy from the sea")
    two.house.open(newsletter=two.first)
    edit_release(two.house, both, ReleaseAction.HOLD)
    two.house.drain()
    edit_release(two.house, both, ReleaseAction.READY)

    assert two.next_of(two.second) == [both]
    assert two.next_of(two.first) == [both]


def test_a_preview_for_a_person_shows_what_the_newsletter_has_not_brought_yet(two: Two):
    both = two.house.release("Energy from the sea")
    two.house.send(newsletter=two.first)

    assert shown(two, two.second, email_key="ann@example.org") == ([both], False)
    assert shown(two, two.first, email_key="ann@example.org") == ([both], True)


def test_a_preview_for_topics_knows_only_those_of_the_newsletter(two: Two):
    two.house.release("An energy plant")
    whale = two.house.release("A whale in the sea")
    two.house.send(newsletter=two.first)

    assert shown(two, two.second) == ([whale], False)
    assert shown(two, two.second, topics=["sea"]) == ([whale], False)
    with pytest.raises(NotFound, match="no topic energy"):
        shown(two, two.second, topics=["energy"])


def shown(two: Two, newsletter: int, **whose: str | Collection[str]) -> tuple[list[int], bool]:
    """Return the releases of a preview, and whether it is a sample of older ones."""
    with two.house.runtime.session() as session:
        found = preview(
            session,
            two.house.runtime.renderer,
            frequencies=[WEEKLY],
            now=two.house.clock(),
            newsletter_id=newsletter,
            **whose,
        )
        assert found is not None
        return release_ids(found.selection), found.is_sample


def test_the_subscribers_of_a_newsletter_are_counted(two: Two):
    two.house.add_subscriber(two.energy)
    two.house.release("Energy from the sea")

    with two.house.runtime.session() as session:
        today = current_sequence(session)
        assert count_reach(session, [WEEKLY], today, two.first).would_reach_now == 2
        assert count_reach(session, [WEEKLY], today, two.second).would_reach_now == 1
        assert count_reach(session, [DAILY], today, two.second).would_reach_now == 0


def test_after_a_pause_each_newsletter_brings_its_newest_releases(two: Two):
    with two.house.runtime.session() as session:
        person = session.get_one(Subscriber, two.ann)
        assert pauses.pause(session, person, 1, two.house.clock(), "test")
        session.commit()
    found = [two.house.release(f"Energy from the sea {number}") for number in range(4)]
    two.house.add_subscriber(two.sea)  # so that an issue of the second newsletter can be opened
    two.house.clock.pass_(days=8)
    with two.house.runtime.session() as session:
        pauses.resume(session, session.get_one(Subscriber, two.ann), 2, two.house.clock(), "test")
        session.commit()

    assert two.next_of(two.first) == found[2:]
    assert two.next_of(two.second) == found[2:]


def test_a_pause_skips_releases_that_only_the_other_newsletter_brought(two: Two):
    """What a newsletter holds does not count among the newest that the other one still brings."""
    found = [two.house.release(f"Energy from the sea {number}") for number in range(3)]
    assert two.next_of(two.first) == found
    with two.house.runtime.session() as session:
        coverage.skip_ahead(session, two.ann, 2)
        session.commit()

    assert two.next_of(two.second) == found[1:]
    assert two.next_of(two.first) == []


def test_a_lifted_suppression_lets_both_newsletters_go_on(two: Two):
    tokens, now = two.house.runtime.tokens, two.house.clock()
    with two.house.runtime.session() as session:
        assert suppression.add_by_hand(session, tokens, "ann@example.org", "test", now)
        session.commit()
    both = two.house.release("Energy from the sea")
    assert two.next_of(two.first) == two.next_of(two.second) == []
    with two.house.runtime.session() as session:
        assert suppression.lift(session, tokens, "ann@example.org", "test", now, 10)
        session.commit()

    assert two.next_of(two.first) == two.next_of(two.second) == [both]


def test_after_a_move_only_rows_of_the_newsletter_whose_digest_failed_get_it_again(two: Two):
    both = two.house.release("Energy from the sea")
    assert two.next_of(two.first) == [both]
    failed = two.house.open(newsletter=two.second)
    with two.house.runtime.session() as session:
        session.execute(
            update(Delivery).where(Delivery.issue_id == failed).values(state=DeliveryState.REJECTED)
        )
        session.commit()
    ben = two.house.add_subscriber(name="ben")
    with two.house.runtime.session() as session:
        merge.lock_people(session, [two.ann, ben])
        mover, there = session.get_one(Subscriber, two.ann), session.get_one(Subscriber, ben)
        merge.move_subscriptions(session, mover, there, "test", two.house.clock())
        session.commit()

    two.act(control.cancel, failed)

    assert two.next_of(two.first) == []
    assert two.next_of(two.second) == [both]


def test_two_newsletters_can_have_an_issue_for_the_same_slot_and_one_cannot_have_two(two: Two):
    two.house.release("Energy from the sea")
    issues = [two.house.open_unprepared(newsletter=each) for each in (two.first, two.second, two.second)]

    with two.house.runtime.session() as session:
        for issue_id in issues[:2]:
            session.get_one(Issue, issue_id).slot = two.house.clock().date()
        session.commit()
        session.get_one(Issue, issues[2]).slot = two.house.clock().date()
        with pytest.raises(IntegrityError):
            session.flush()


def test_a_subscription_cannot_have_another_newsletter_than_its_topic(two: Two):
    values = {
        "subscriber_id": two.ann, "frequency": WEEKLY, "state": SubscriptionState.PENDING,
        "created_at": two.house.clock(), "topic_id": two.sea, "newsletter_id": two.first,
    }  # fmt: skip

    with two.house.runtime.session() as session, pytest.raises(IntegrityError):
        session.execute(insert(Subscription).values(values))


def test_a_new_subscription_belongs_to_the_newsletter_of_its_topic(two: Two):
    ben = two.house.add_subscriber(name="ben")
    with two.house.runtime.session() as session:
        for topic in (two.energy, two.sea):
            subscription_rows.take_up(session, ben, topic, DAILY, two.house.clock())
        session.commit()
        rows = subscription_rows.of_subscriber(session, ben, SubscriptionState.ACTIVE)
        assert {row.topic_id: row.newsletter_id for row in rows} == {
            two.energy: two.first,
            two.sea: two.second,
        }


def test_few_subscribers_among_many_get_their_language_and_hour(two: Two):
    """The ids of a chunk are then listed, because a range would be mostly people of other newsletters."""
    others = [two.house.add_subscriber(two.energy) for _ in range(8)]
    last = two.house.add_subscriber(two.sea, name="last")
    with two.house.runtime.session() as session:
        session.execute(
            update(Subscriber).where(Subscriber.id.in_([last, *others])).values(preferred_hour=18)
        )
        session.commit()
    two.house.release("A whale in the sea")

    issue_id = two.house.open_unprepared(newsletter=two.second)
    with two.house.runtime.session() as session:
        session.get_one(Issue, issue_id).own_hour = True
        session.commit()
    preparer, more = Preparer(two.house.runtime.renderer, issue_id), True
    while more:
        with two.house.runtime.session() as session:
            more = preparer.step(session, two.house.clock())
            session.commit()

    with two.house.runtime.session() as session:
        rows = session.execute(select(Delivery.subscriber_id, Delivery.due_at))
        assert {whom: due.hour for whom, due in rows} == {two.ann: 12, last: 18}


def test_an_index_finds_the_subscribers_of_a_newsletter_in_order(house: House):
    """An issue of one of fifty newsletters must not read the subscriptions of all."""
    chosen = select(Subscription.subscriber_id).where(Audience(2, (WEEKLY,)).condition())
    ordered = chosen.distinct().order_by(Subscription.subscriber_id)
    with house.runtime.session() as session:
        statement = ordered.compile(session.connection(), compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]

    found = "USING COVERING INDEX ix_subscription_state_newsletter_id_frequency_subscriber_id "
    assert f"SEARCH subscription {found}(state=? AND newsletter_id=? AND frequency=?)" in plan
    assert not any("TEMP B-TREE" in step for step in plan)
