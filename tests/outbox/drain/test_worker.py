"""The outbox worker: each subscriber gets an issue once, also after failures, pauses and crashes."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from email import message_from_bytes, policy

from house import NOON, House, suppress_people
from memory_transport import MemoryTransport

from newsletter.address_rules.pattern import parse_pattern
from newsletter.address_rules.rules import add_rule, remove_rule
from newsletter.errors import TransportError
from newsletter.models import (
    Delivery,
    DeliveryState,
    EndedReason,
    Frequency,
    Issue,
    Lane,
    RuleKind,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from newsletter.outbox.control import cancel, find_issue, pause, resend_uncertain, resume
from newsletter.outbox.drain.held import LOOK_SECONDS
from newsletter.outbox.drain.worker import drain, journal_folder
from newsletter.outbox.enqueue import enqueue_single
from newsletter.outbox.journals.journal import Journal
from newsletter.outbox.lease import claim, issues_to_send, still_wanted
from newsletter.outbox.record import finish
from newsletter.outbox.recover import give_up_host, recover
from newsletter.outbox.reports.progress import overdue_leases
from newsletter.smtp.outcomes import Fate, Outcome, Result, Step
from newsletter.smtp.replies import Reply


def three_subscribers(house: House) -> int:
    """Arrange an issue for three subscribers; return its id."""
    energy = house.topic("energy")
    for name in ("ann", "ben", "cleo"):
        house.add_subscriber(energy, name=name)
    house.release("A new energy cable")
    return house.open()


def test_every_subscriber_gets_the_issue_once_and_then_it_is_finished(either_house: House):
    issue_id = three_subscribers(either_house)

    handled = either_house.drain()

    assert handled == 3
    assert either_house.recipients() == ["ann@example.org", "ben@example.org", "cleo@example.org"]
    assert either_house.states() == ["accepted"] * 3
    assert either_house.issue_state(issue_id) == "finished"
    assert either_house.drain() == 0
    assert len(either_house.transport.sent) == 3


def test_a_leased_delivery_is_claimed_by_nobody_else(either_house: House):
    issue_id = three_subscribers(either_house)
    runtime = either_house.runtime

    with runtime.session() as session:
        first = claim(session, Lane.BULK, issue_id, "worker-1", 2, NOON)
        session.commit()
    with runtime.session() as session:
        second = claim(session, Lane.BULK, issue_id, "worker-2", 10, NOON)
        session.commit()

    assert len(first) == 2
    assert len(second) == 1
    assert not set(first) & set(second)


def test_two_drains_at_once_send_each_message_once(either_house: House):
    energy = either_house.topic("energy")
    for _ in range(60):
        either_house.add_subscriber(energy)
    either_house.release("A new energy cable")
    either_house.open()
    transports = [MemoryTransport(), MemoryTransport()]
    threads = [
        threading.Thread(
            target=drain, args=(either_house.runtime, lambda _, each=each: each), kwargs={"lane": Lane.BULK}
        )
        for each in transports
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    recipients = [sent.envelope.recipient for each in transports for sent in each.sent]
    assert len(recipients) == 60
    assert len(set(recipients)) == 60


def test_a_refused_recipient_is_rejected_and_a_busy_relay_waits(house: House):
    issue_id = three_subscribers(house)
    house.transport.answer("ann@example.org", Reply(550, ("5.7.1 not here",)))
    house.transport.answer("ben@example.org", Reply(451, ("4.7.1 try later",)))

    house.drain()

    assert house.states() == ["rejected", "deferred", "accepted"]
    assert house.issue_state(issue_id) == "sending"
    house.clock.pass_(hours=5)
    house.drain()
    assert house.states() == ["rejected", "accepted", "accepted"]
    assert house.issue_state(issue_id) == "finished"


def test_recording_that_a_mailbox_does_not_exist_suppresses_nobody(house: House):
    three_subscribers(house)
    house.transport.answer("ann@example.org", Reply(550, ("5.1.1 no such user",)))

    house.drain()

    assert house.all(Suppression) == []
    (refused, *_) = house.all(Delivery)
    assert refused.bounced_at is not None
    house.release("More energy")
    house.send()
    assert house.recipients().count("ann@example.org") == 1


def test_somebody_who_unsubscribes_after_preparing_is_skipped(house: House):
    issue_id = three_subscribers(house)
    with house.runtime.session() as session:
        mine = session.query(Subscription).filter_by(subscriber_id=1).one()
        mine.state, mine.ended_reason = SubscriptionState.ENDED, EndedReason.UNSUBSCRIBED
        session.commit()

    house.drain()

    assert house.states() == ["skipped", "accepted", "accepted"]
    assert house.issue_state(issue_id) == "finished"


def test_without_an_answer_after_the_dot_a_digest_waits_for_a_person(house: House):
    issue_id = three_subscribers(house)
    house.transport.answer("ann@example.org", Outcome(Fate.UNCERTAIN, Step.CONTENT))

    house.drain()

    assert house.states()[0] == "uncertain"
    assert house.issue_state(issue_id) == "sending"
    with house.runtime.session() as session:
        issue = session.get_one(Issue, issue_id)
        assert resend_uncertain(session, find_issue(session, issue.public_id), "ed", NOON).queued == 1
        session.commit()
    house.drain()
    assert house.recipients().count("ann@example.org") == 1
    assert house.issue_state(issue_id) == "finished"


def test_an_uncertain_single_email_goes_again_with_the_same_message_id(house: House):
    subscriber = house.add_subscriber(house.topic("energy"))
    with house.runtime.session() as session:
        enqueue_single(
            session, subscriber_id=subscriber, template="link", context={}, purpose_key="link:1",
            language="en", now=NOON,
        )  # fmt: skip
        session.commit()
    ids = []

    class Forgetful(MemoryTransport):
        def _deliver(self, envelope, content):
            ids.append(message_from_bytes(content)["Message-ID"])
            return super()._deliver(envelope, content)

    house.transport = Forgetful()
    house.transport.answer("reader1@example.org", Outcome(Fate.UNCERTAIN, Step.CONTENT))
    house.drain("single")
    house.clock.pass_(minutes=10)
    house.drain("single")

    assert house.states() == ["accepted"]
    assert len(ids) == 2
    assert ids[0] == ids[1]


def test_a_relay_that_cannot_be_reached_loses_nobody(house: House):
    three_subscribers(house)

    class Unreachable(MemoryTransport):
        def send(self, messages, hooks=None):
            yield Result(next(messages).id, Outcome(Fate.UNSENT, reason="connection refused"))
            raise TransportError("connection refused")

    drain(house.runtime, lambda _: Unreachable(), lane=Lane.BULK)

    assert house.states() == ["queued"] * 3
    assert house.drain() == 0
    house.clock.pass_(minutes=5)
    house.drain()
    assert house.states() == ["accepted"] * 3


def test_the_last_look_lets_through_what_is_still_wanted(either_house: House):
    house = either_house
    issue_id = three_subscribers(house)
    with house.runtime.session() as session:
        ids = claim(session, Lane.BULK, issue_id, "worker", 10, NOON)
        gone = session.query(Subscription).filter_by(subscriber_id=2).one()
        gone.state = SubscriptionState.ENDED
        session.flush()

        assert still_wanted(session, ids, [], "worker") == {ids[0], ids[2]}
        assert still_wanted(session, ids, [], "another") == set()
        public_id = session.get_one(Issue, issue_id).public_id
        pause(session, find_issue(session, public_id), "ed", NOON)
        session.flush()
        assert still_wanted(session, ids, [], "worker") == set()


def test_a_paused_issue_stands_still_and_goes_on(house: House):
    issue_id = three_subscribers(house)
    with house.runtime.session() as session:
        public_id = session.get_one(Issue, issue_id).public_id
        pause(session, find_issue(session, public_id), "ed", NOON)
        session.commit()

    assert house.drain() == 0

    with house.runtime.session() as session:
        resume(session, find_issue(session, public_id), "ed", NOON)
        session.commit()
    assert house.drain() == 3


def test_what_is_cancelled_comes_with_the_next_issue(either_house: House):
    house = either_house
    issue_id = three_subscribers(house)
    with house.runtime.session() as session:
        public_id = session.get_one(Issue, issue_id).public_id
        assert cancel(session, find_issue(session, public_id), "ed", NOON) == 3
        session.commit()
    assert house.drain() == 0

    second = house.send()

    assert house.states(second) == ["accepted"] * 3
    assert house.issue_state(issue_id) == "cancelled"


def test_what_comes_back_of_a_cancelled_issue_is_cancelled_too(house: House):
    issue_id = three_subscribers(house)
    with house.runtime.session() as session:
        claim(session, Lane.BULK, issue_id, "worker", 1, NOON)
        public_id = session.get_one(Issue, issue_id).public_id
        cancel(session, find_issue(session, public_id), "ed", NOON)
        session.query(Delivery).filter_by(leased_by="worker").update(
            {"state": DeliveryState.QUEUED, "leased_by": None}
        )
        session.commit()

    with house.runtime.session() as session:
        finish(session, NOON)
        session.commit()

    assert house.states() == ["cancelled"] * 3


def die_after_claiming(house: House, issue_id: int) -> tuple[Journal, list[int]]:
    """Claim all as a worker that will be killed does; return its journal and the claimed ids."""
    journal = Journal(journal_folder(house.runtime.settings))
    with house.runtime.session() as session:
        ids = claim(session, Lane.BULK, issue_id, journal.name, 10, NOON)
        session.commit()
    return journal, ids


def test_a_dead_worker_leaves_each_delivery_in_the_state_its_journal_proves(either_house: House):
    house = either_house
    issue_id = three_subscribers(house)
    journal, (heard, unheard, untouched) = die_after_claiming(house, issue_id)
    journal.start(heard)
    journal.reply(heard, Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 ok",))))
    journal.start(unheard)
    journal.abandon()

    with house.runtime.session() as session:
        decided = recover(session, house.runtime.messages, journal_folder(house.runtime.settings), NOON)

    assert decided == 3
    assert house.states() == ["accepted", "uncertain", "queued"]
    assert not list(journal_folder(house.runtime.settings).iterdir())
    house.drain()
    assert len(house.transport.sent) == 1
    assert house.all(Delivery)[untouched - 1].state is DeliveryState.ACCEPTED


def test_a_living_workers_leases_are_left_alone(house: House):
    issue_id = three_subscribers(house)
    journal, _ = die_after_claiming(house, issue_id)

    with house.runtime.session() as session:
        decided = recover(session, house.runtime.messages, journal_folder(house.runtime.settings), NOON)

    assert decided == 0
    assert house.states() == ["leased"] * 3
    journal.close()


def test_after_a_power_loss_what_has_no_line_may_have_been_sent(house: House):
    issue_id = three_subscribers(house)
    journal, _ = die_after_claiming(house, issue_id)
    journal.abandon()
    journal.path.write_text("boot another-boot-of-this-machine\n")

    with house.runtime.session() as session:
        recover(session, house.runtime.messages, journal_folder(house.runtime.settings), NOON)

    assert house.states() == ["uncertain"] * 3


def test_single_emails_overtake_an_issue_that_is_being_sent(house: House):
    subscriber = house.add_subscriber(house.topic("energy"), name="first")
    house.release("A new energy cable")
    house.open()
    with house.runtime.session() as session:
        enqueue_single(
            session, subscriber_id=subscriber, template="link", context={}, purpose_key="link:1",
            language="en", now=NOON,
        )  # fmt: skip
        session.commit()

    house.drain()

    subjects = [
        message_from_bytes(each.content, policy=policy.default)["Subject"] for each in house.transport.sent
    ]
    assert [each.startswith("Your link") for each in subjects] == [True, False]


def test_an_issue_as_it_happens_overtakes_an_older_one(either_house: House):
    energy = either_house.topic("energy")
    for frequency in (Frequency.WEEKLY, Frequency.IMMEDIATE):
        either_house.add_subscriber(energy, frequency=frequency)
    either_house.release("A new energy cable")
    weekly = either_house.open(Frequency.WEEKLY)
    as_it_happens = either_house.open(Frequency.IMMEDIATE)

    with either_house.runtime.session() as session:
        order = [each.id for each in issues_to_send(session, either_house.clock())]

    assert order == [as_it_happens, weekly]


def test_the_same_purpose_is_emailed_once(either_house: House):
    subscriber = either_house.add_subscriber(either_house.topic("energy"))
    with either_house.runtime.session() as session:
        first, second = (
            enqueue_single(
                session, subscriber_id=subscriber, template="link", context={}, purpose_key="link:1",
                language="en", now=NOON,
            )
            for _ in range(2)
        )  # fmt: skip
        session.commit()

    assert (first, second) == (True, False)
    assert either_house.drain("single") == 1


def test_days_of_waiting_for_ones_turn_are_no_refusals(house: House):
    three_subscribers(house)
    house.transport.answer("ann@example.org", Reply(451, ("4.7.1 later",)))
    house.clock.pass_(days=9)

    house.drain()

    assert house.states() == ["deferred", "accepted", "accepted"]


def test_a_single_email_of_unknown_fate_is_not_sent_again_for_ever(house: House):
    subscriber = house.add_subscriber(house.topic("energy"), name="ann")
    with house.runtime.session() as session:
        enqueue_single(
            session, subscriber_id=subscriber, template="link", context={}, purpose_key="link:1",
            language="en", now=house.clock(),
        )  # fmt: skip
        session.commit()
    house.transport.answer("ann@example.org", *[Outcome(Fate.UNCERTAIN, Step.CONTENT)] * 100)

    for _ in range(60):
        house.drain("single")
        house.clock.pass_(hours=5)

    assert house.states() == ["uncertain"]


def test_a_digest_to_a_domain_that_is_never_emailed_is_skipped_and_its_releases_come_later(house: House):
    topic = house.topic("energy")
    house.add_subscriber(topic, name="ann")
    house.add_subscriber(topic, name="bob")
    house.release("Energy")
    issue = house.open()
    with house.runtime.session() as session:
        pattern = parse_pattern("ann*@example.org")
        add_rule(session, pattern, RuleKind.NEVER_MAILED, "", "owner", house.clock())
        session.commit()

    house.drain()

    assert house.recipients() == ["bob@example.org"]
    assert sorted(house.states(issue)) == ["accepted", "skipped"]
    with house.runtime.session() as session:
        remove_rule(session, pattern, "owner", house.clock())
        session.commit()
    house.send()
    assert sorted(house.recipients()) == ["ann@example.org", "bob@example.org"]


def test_who_is_suppressed_after_the_claim_is_not_written_to(house: House):
    """For example, a complaint arrives while a batch is being sent."""
    three_subscribers(house)

    class Suppressing(MemoryTransport):
        def send(self, messages, hooks=None):
            taken = list(messages)
            with house.runtime.session() as session:
                suppress_people(
                    session, house.runtime.tokens, [2], SuppressionReason.COMPLAINT, house.clock()
                )
                session.commit()
            time.sleep(LOOK_SECONDS + 0.1)
            yield from super().send(taken, hooks)

    transport = Suppressing()
    drain(house.runtime, lambda _: transport, lane=Lane.BULK)

    assert [each.envelope.recipient for each in transport.sent] == ["ann@example.org", "cleo@example.org"]


def test_what_a_lost_host_held_is_uncertain_and_its_single_emails_go_again(either_house: House):
    house = either_house
    issue_id = three_subscribers(house)
    with house.runtime.session() as session:
        claim(session, Lane.BULK, issue_id, "mars-12-abcdef01", 2, NOON)
        claim(session, Lane.BULK, issue_id, "mars-two-7-abcdef02", 1, NOON)
        enqueue_single(
            session,
            subscriber_id=1,
            template="link",
            context={},
            purpose_key="link:1",
            language="en",
            now=NOON,
        )
        claim(session, Lane.SINGLE, None, "mars-12-abcdef01", 5, NOON)
        session.commit()
    with house.runtime.reading() as session:
        assert overdue_leases(session, NOON) == {}
        assert overdue_leases(session, NOON + timedelta(hours=1)) == {"mars": 3, "mars-two": 1}

    with house.runtime.session() as session:
        folder = journal_folder(house.runtime.settings)
        assert give_up_host(session, house.runtime.messages, folder, "mars", house.clock()).decided == 3
        session.commit()

    assert house.states() == ["uncertain", "uncertain", "leased", "deferred"]
