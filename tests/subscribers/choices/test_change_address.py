"""Changing the address to a free or a subscribed one, and undoing it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from house import meanwhile
from sqlalchemy import func, select, update

from newsletter.address_rules.pattern import parse_pattern
from newsletter.address_rules.rules import add_rule
from newsletter.digest.archive import read_issue
from newsletter.digest.issues import Preparer, open_issue
from newsletter.mail.addresses import address_hash, parse_address
from newsletter.models import (
    AddressChange,
    ConsentEntry,
    Delivery,
    DeliveryState,
    EndedReason,
    Frequency,
    Issue,
    Lane,
    RuleKind,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from newsletter.outbox import control
from newsletter.outbox.record import finish
from newsletter.subscribers.choices import pauses
from newsletter.subscribers.choices.change_address import (
    Asked,
    Moved,
    empty_old_address_changes,
    move,
    read_move,
    request_address_change,
)
from newsletter.subscribers.choices.preferences import read_preferences
from newsletter.subscribers.leaving.unsubscribe import read_unsubscription, unsubscribe
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.privacy.emailed_links import Right
from newsletter.subscribers.privacy.erase import erase
from newsletter.tokens import Purpose

ANN = "ann@example.org"
NEW = "ann@elsewhere.example.org"
BEN = "ben@example.org"
CAT = "cat@example.org"
DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY


def asks(people, to, email=ANN):
    token = people.right_token(Right.ADDRESS, email)
    with people.house.runtime.session() as session:
        done = request_address_change(
            session, people.house.runtime.tokens, token, parse_address(to), people.house.clock()
        )
        session.commit()
        return done


def notices(people, template):
    """Return the emails to the new and the old addresses, oldest first."""
    return [each for each in people.house.all(Delivery) if each.template == template]


def link(people, mail):
    """Return the token in one of these emails."""
    tokens = people.house.runtime.tokens
    payload = [mail.context["reader"], mail.context["change"], tokens.fingerprint(mail.recipient)]
    return tokens.make(Purpose.CHANGE_ADDRESS, payload, people.house.clock())


def presses(people, token, catch_up=None):
    with people.house.runtime.session() as session:
        done = move(session, people.house.runtime.tokens, token, people.house.clock(), catch_up=catch_up)
        session.commit()
        return done


def moves(people, to=NEW, email=ANN, catch_up=None):
    """Request and confirm a change, one hour after the last action."""
    people.house.clock.pass_(hours=1)
    asks(people, to, email)
    return presses(people, link(people, notices(people, "change_address")[-1]), catch_up)


def looks(people, token):
    with people.house.runtime.session() as session:
        return read_preferences(session, people.house.runtime.tokens, token, people.house.clock())


def suppress(people, email):
    with people.house.runtime.session() as session:
        mark = address_hash(email, people.house.runtime.tokens.derived_key("suppression"))
        session.add(
            Suppression(address_hash=mark, reason=SuppressionReason.COMPLAINT, since=people.house.clock())
        )
        session.commit()


def test_a_request_changes_nothing_and_emails_only_the_new_address(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    assert asks(people, NEW) == Asked()

    (mail,) = notices(people, "change_address")
    assert (mail.recipient, mail.subscriber_id, mail.lane) == (NEW, None, Lane.SINGLE)
    assert ANN not in str(mail.context)
    assert people.person(ANN).email == ANN


def test_the_email_has_a_link_and_nothing_about_the_subscriber(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)

    people.house.drain("single")

    message = next(each for each in people.house.transport.sent if each.envelope.recipient == NEW)
    assert b"https://news.example.org/move/" in message.content
    assert b"/preferences/" not in message.content
    assert ANN.encode() not in message.content


def test_the_button_changes_the_address_ends_old_links_and_tells_the_old_one(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    before = people.preferences_token(ANN)
    public_id = people.person(ANN).public_id

    done = moves(people)

    assert done == Moved(public_id, NEW, joined=False, changed=True)
    assert (people.person(NEW).public_id, people.person(NEW).email) == (public_id, NEW)
    assert looks(people, before) is LinkFault.OUTDATED
    assert [mail.recipient for mail in notices(people, "address_changed")] == [ANN]
    assert (people.ledger(NEW)[-1].act, people.ledger(NEW)[-1].detail) == ("moved", {"joined": False})


def test_using_the_link_twice_changes_the_address_once(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)
    token = link(people, notices(people, "change_address")[-1])
    presses(people, token)

    again = presses(people, token)

    assert (again.changed, people.acts(NEW).count("moved")) == (False, 1)
    assert len(notices(people, "address_changed")) == 1


def test_waiting_emails_go_to_the_new_address(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.house.release("Energy")
    people.house.clock.pass_(seconds=1)
    people.house.open(WEEKLY)

    moves(people)
    people.house.drain()

    bulk = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    assert len(bulk) == 1
    assert NEW in people.house.recipients()


def test_an_unsubscribe_link_of_an_old_email_still_works_but_shows_no_other_page(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.house.release("Energy")
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)
    person, tokens = people.person(ANN), people.house.runtime.tokens
    (delivery,) = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    old = tokens.make(Purpose.UNSUBSCRIBE, [person.public_id, delivery.id], people.house.clock())
    with people.house.runtime.session() as session:
        at_first = read_unsubscription(session, tokens, old, people.house.clock())
    moves(people)

    # A link made today for an old email. The web page of an old email has such links.
    people.house.clock.pass_(hours=1)
    remade = tokens.make(Purpose.UNSUBSCRIBE, [person.public_id, delivery.id], people.house.clock())
    with people.house.runtime.session() as session:
        now = [
            read_unsubscription(session, tokens, each, people.house.clock()).trusted for each in (old, remade)
        ]
        gone = unsubscribe(session, tokens, person.public_id, delivery.id, people.house.clock(), "one-click")

    assert (at_first.trusted, now, gone.ended) == (True, [False, False], 1)


def test_an_email_to_the_new_address_links_to_the_preferences_again(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    moves(people)
    people.house.clock.pass_(hours=1)
    people.house.release("Energy")
    people.house.send(WEEKLY)
    tokens = people.house.runtime.tokens
    delivery = people.house.all(Delivery)[-1]
    token = tokens.make(
        Purpose.UNSUBSCRIBE, [people.person(NEW).public_id, delivery.id], people.house.clock()
    )

    with people.house.runtime.session() as session:
        assert read_unsubscription(session, tokens, token, people.house.clock()).trusted


def test_the_web_page_of_an_old_email_does_not_open_the_preferences(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.house.release("Energy")
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)
    (delivery,) = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    public_id = people.person(ANN).public_id

    def page():
        with people.house.runtime.session() as session:
            return read_issue(
                session, people.house.runtime.messages, public_id, delivery.id, people.house.clock()
            )

    before = page()
    moves(people)

    assert "/preferences/" in before
    assert "/preferences/" not in page()


def test_the_old_address_can_undo_a_change_and_needs_no_confirmation(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    moves(people, "thief@example.org")
    moves(people, "thief@other.example.org", email="thief@example.org")
    people.house.clock.pass_(days=2)
    undo = link(people, notices(people, "address_changed")[0])

    with people.house.runtime.session() as session:
        shown = read_move(session, people.house.runtime.tokens, undo, people.house.clock())
    done = presses(people, undo)

    assert shown.is_undo
    assert (done.changed, people.person(ANN).email) == (True, ANN)
    # The links that were sent to the other addresses cannot undo this undo.
    assert notices(people, "address_changed")[-1].context["change"] is None
    between = link(people, notices(people, "address_changed")[1])
    assert presses(people, between) is LinkFault.REPLACED
    assert all(each.email is None for each in people.house.all(AddressChange))


def test_undoing_works_until_the_link_expires(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    moves(people)
    undo = link(people, notices(people, "address_changed")[0])
    people.house.clock.pass_(days=8)

    assert presses(people, undo) is LinkFault.EXPIRED


def test_a_later_request_replaces_an_earlier_one(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, "one@example.org")
    asks(people, "two@example.org")
    one, two = (link(people, mail) for mail in notices(people, "change_address"))

    assert presses(people, one) is LinkFault.REPLACED
    assert isinstance(presses(people, two), Moved)


def test_a_suppressed_address_gets_no_email_and_the_answer_is_the_same(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    suppress(people, NEW)

    assert asks(people, NEW) == Asked()
    assert notices(people, "change_address") == []


def test_nobody_can_change_to_an_address_that_a_rule_refuses_but_an_undo_still_works(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)
    moving = link(people, notices(people, "change_address")[0])

    def rule(kind, pattern):
        with people.house.runtime.session() as session:
            add_rule(session, parse_pattern(pattern), kind, "", "owner", people.house.clock())
            session.commit()

    assert isinstance(presses(people, moving), Moved)
    rule(RuleKind.NEVER_ACCEPTED, f"{ANN.partition('@')[0]}*@{ANN.partition('@')[2]}")
    assert isinstance(presses(people, link(people, notices(people, "address_changed")[0])), Moved)
    assert people.person(ANN).email == ANN

    people.house.clock.pass_(days=2)
    rule(RuleKind.NEVER_ACCEPTED, f"{NEW.partition('@')[0]}*@{NEW.partition('@')[2]}")
    sent = len(notices(people, "change_address"))
    assert asks(people, NEW) == Asked()
    assert len(notices(people, "change_address")) == sent


def test_an_address_that_was_suppressed_meanwhile_is_not_taken(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)
    suppress(people, NEW)

    assert presses(people, link(people, notices(people, "change_address")[0])) is LinkFault.OUTDATED
    assert people.person(ANN).email == ANN


def test_a_subscriber_can_request_three_changes_a_day_and_each_sends_an_email(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    answers = [asks(people, NEW) for _ in range(5)]

    assert [answer.wait_seconds > 0 for answer in answers] == [False] * 3 + [True] * 2
    assert len(notices(people, "change_address")) == 3


def test_an_address_gets_three_of_these_emails_a_day_whoever_asks_and_the_others_are_told(people):
    people.house.topic("energy")
    for each in ("a@example.org", "b@example.org"):
        people.join(each, {"energy": WEEKLY})

    answers = [asks(people, NEW, each) for each in ("a@example.org", "b@example.org") for _ in range(2)]

    assert [answer.wait_seconds > 0 for answer in answers] == [False] * 3 + [True]
    assert len(notices(people, "change_address")) == 3


def test_an_email_that_a_form_just_caused_does_not_withhold_the_link_of_a_subscriber(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.sign_up(NEW, {"energy": WEEKLY})

    assert asks(people, NEW) == Asked()
    assert len(notices(people, "change_address")) == 1


def test_requesting_the_present_address_is_no_change(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    assert asks(people, ANN) == Asked(same=True)


def test_an_unconfirmed_request_is_emptied_after_its_link_expired(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)
    people.house.clock.pass_(days=9)

    with people.house.runtime.session() as session:
        assert empty_old_address_changes(session, people.house.clock(), 7) == 1
        session.commit()
    (change,) = people.house.all(AddressChange)
    assert (change.email, change.email_key) == (None, None)


def marks_by_topic(people, email):
    """Return both marks of a person's subscriptions, by topic."""
    return {
        row.topic_id: (row.started_sequence, row.covered_to)
        for row in people.subscriptions(email, SubscriptionState.ACTIVE)
    }


def undoes(people):
    """Use the undo link that the old address was sent, some hours later."""
    people.house.clock.pass_(hours=2)
    return presses(people, link(people, notices(people, "address_changed")[-1]))


@pytest.fixture
def two(everywhere):
    """Ann gets energy and night, Ben energy and sea. Each was sent an issue."""
    people = everywhere
    for slug in ("energy", "sea", "night"):
        people.house.topic(slug)
    people.join(ANN, {"energy": MONTHLY, "night": WEEKLY})
    people.house.release("Energy first")
    people.join(BEN, {"energy": WEEKLY, "sea": WEEKLY})
    people.house.release("Night first")
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)
    return people


def test_a_move_to_a_subscribed_address_merges_no_rows(two):
    ann, ben = two.person(ANN), two.person(BEN)
    old, own = marks_by_topic(two, ANN), marks_by_topic(two, BEN)
    night = next(topic for topic in old if topic not in own)

    done = moves(two, BEN)

    assert done == Moved(ben.public_id, BEN, joined=True, changed=True)
    assert (two.person(ANN).id, two.person(BEN).id) == (ann.id, ben.id)
    assert [each.moved_to for each in two.house.all(Subscriber)] == [None, None]
    assert two.reads(ANN) == {}
    assert two.endings(ANN) == [EndedReason.MOVED, EndedReason.MOVED]
    assert marks_by_topic(two, BEN) == own | {night: old[night]}
    assert two.reads(BEN)[night] == WEEKLY


def test_the_links_of_the_subscribed_address_still_work(two):
    ben = two.person(BEN)
    own = two.preferences_token(BEN)

    moves(two, BEN)

    assert looks(two, own).public_id == ben.public_id
    assert looks(two, two.preferences_token(ANN)).public_id == two.person(ANN).public_id
    with two.house.runtime.session() as session:
        done = unsubscribe(
            session, two.house.runtime.tokens, ben.public_id, None, two.house.clock(), "one-click"
        )
    assert done.ended == 3


def test_confirming_at_an_address_of_somebody_else_gives_the_old_one_no_access(two):
    before = marks_by_topic(two, BEN)
    moves(two, BEN)

    done = undoes(two)

    assert (done.public_id, done.email_key) == (two.person(ANN).public_id, ANN)
    assert marks_by_topic(two, BEN) == before
    assert two.person(BEN).email == BEN
    assert sorted(two.reads(ANN).values()) == [MONTHLY, WEEKLY]


def test_undoing_restores_the_old_rows_with_their_marks(two):
    old = marks_by_topic(two, ANN)
    moves(two, BEN)
    second = two.house.release("Night second")
    two.house.clock.pass_(hours=1)
    two.house.send(WEEKLY)

    undoes(two)
    restored = marks_by_topic(two, ANN)
    two.house.clock.pass_(hours=1)
    two.house.send(WEEKLY)

    assert restored == old
    assert two.house.releases_sent(two.person(ANN).id)[-1] == second
    assert two.house.releases_sent(two.person(BEN).id).count(second) == 1


def test_undoing_twice_changes_nothing_more(two):
    moves(two, BEN)
    undoes(two)
    before = (marks_by_topic(two, ANN), marks_by_topic(two, BEN), len(two.house.all(ConsentEntry)))

    again = presses(two, link(two, notices(two, "address_changed")[0]))

    assert again.changed is False
    assert (marks_by_topic(two, ANN), marks_by_topic(two, BEN), len(two.house.all(ConsentEntry))) == before


def test_an_unsubscription_at_the_new_address_stays_when_the_change_is_undone(two):
    moves(two, BEN)
    two.house.clock.pass_(hours=1)
    two.leave(BEN)

    undoes(two)

    assert two.reads(BEN) == {}
    # Ben had energy before. Night came from Ann, and Ben unsubscribed from it.
    assert list(two.reads(ANN).values()) == [MONTHLY]


def test_an_erasure_at_the_new_address_stays_when_the_change_is_undone(two):
    moves(two, BEN)
    parts, ben = two.house.runtime, two.person(BEN)
    with parts.session() as session:
        erase(session, parts.tokens, ben.public_id, "page", two.house.clock())
        session.commit()

    undoes(two)

    (erased,) = (each for each in two.house.all(Subscriber) if each.id == ben.id)
    assert erased.email is None
    assert [
        row for row in two.house.all(Subscription) if row.subscriber_id == ben.id and row.ended_at is None
    ] == []
    assert list(two.reads(ANN).values()) == [MONTHLY]


def test_a_suppression_of_the_old_address_stays_too(two):
    moves(two, BEN)
    suppress(two, ANN)

    assert undoes(two) is LinkFault.OUTDATED
    assert two.reads(ANN) == {}


def test_topics_chosen_again_at_the_old_address_stay_as_they_are(two):
    moves(two, BEN)
    two.house.clock.pass_(hours=1)
    two.join(ANN, {"night": DAILY})

    undoes(two)

    assert sorted(two.reads(ANN).values()) == [DAILY, MONTHLY]


def test_unsent_digests_of_the_old_row_are_skipped_and_their_releases_come_at_the_new_one(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"sea": DAILY})
    people.join(BEN, {"energy": WEEKLY})
    sea = people.house.release("Sea first")
    people.house.clock.pass_(seconds=1)
    people.house.open(DAILY)

    moves(people, BEN)
    people.house.drain()
    people.house.clock.pass_(hours=1)
    people.house.send(DAILY)

    bulk = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    assert [each.state for each in bulk] == ["skipped", "accepted"]
    assert people.house.releases_sent(people.person(BEN).id) == [sea]


def set_digest(people, state):
    """Set the state of the last digest, as a worker would."""
    with people.house.runtime.session() as session:
        last = select(func.max(Delivery.id)).where(Delivery.lane == Lane.BULK).scalar_subquery()
        session.execute(update(Delivery).where(Delivery.id == last).values(state=state))
        session.commit()


def cancels(people):
    with people.house.runtime.session() as session:
        newest = select(Issue).order_by(Issue.id.desc()).limit(1)
        control.cancel(session, session.scalars(newest).one(), "test", people.house.clock())
        session.commit()
    return BEN


def moves_on(people):
    assert moves(people, CAT, BEN).joined
    return CAT


@pytest.mark.parametrize("meanwhile_at", [moves_on, cancels, lambda _people: BEN])
def test_the_releases_of_a_leased_digest_that_was_not_sent_come_at_the_new_row(everywhere, meanwhile_at):
    people = everywhere
    for slug in ("energy", "sea", "wind"):
        people.house.topic(slug)
    people.join(ANN, {"sea": DAILY, "wind": DAILY})
    people.join(BEN, {"energy": WEEKLY})
    people.join(CAT, {"energy": WEEKLY})
    people.house.release("Wind that came before")
    people.house.send(DAILY)
    sea = people.house.release("Sea first")
    people.house.open(DAILY)
    set_digest(people, DeliveryState.LEASED)
    moves(people, BEN)

    reached = meanwhile_at(people)
    set_digest(people, DeliveryState.DEFERRED)
    people.house.drain()
    with people.house.runtime.session() as session:
        finish(session, people.house.clock())
        session.commit()
    people.house.clock.pass_(hours=1)
    people.house.send(DAILY)

    assert people.house.releases_sent(people.person(reached).id) == [sea]


def test_a_paused_subscriber_who_moves_to_an_address_without_a_pause_gets_the_newest_releases_only(
    everywhere,
):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"sea": DAILY})
    people.join(BEN, {"energy": WEEKLY})
    pause_person(people, ANN)
    people.house.release("Sea older")
    newest = people.house.release("Sea newest")

    moves(people, BEN, catch_up=1)
    people.house.send(DAILY)

    assert people.house.releases_sent(people.person(BEN).id) == [newest]


def test_a_pause_that_a_move_replaces_leaves_no_backlog_for_the_topics_that_come_back(everywhere):
    people = everywhere
    energy, sea = people.house.topic("energy"), people.house.topic("sea")
    people.join(ANN, {"sea": DAILY})
    people.join(BEN, {"energy": DAILY})
    pause_person(people, BEN)
    people.house.release("Energy older")
    newest = people.house.release("Energy newest")
    people.leave(BEN)

    moves(people, BEN, catch_up=1)
    people.join(BEN, {"energy": DAILY})
    people.house.send(DAILY)

    assert people.reads(BEN) == {energy: DAILY, sea: DAILY}
    assert people.house.releases_sent(people.person(BEN).id) == [newest]


def pause_person(people, email):
    with people.house.runtime.session() as session:
        person = session.get_one(Subscriber, people.person(email).id)
        assert pauses.pause(session, person, 4, people.house.clock(), "test")
        session.commit()


def test_an_unconfirmed_address_is_confirmed_by_the_change_and_keeps_its_pending_rows(everywhere):
    people = everywhere
    energy, sea = people.house.topic("energy"), people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.sign_up(BEN, {"sea": DAILY})
    waiting = people.confirmation(BEN)

    moves(people, BEN)

    assert people.reads(BEN) == {energy: WEEKLY}
    assert people.person(BEN).confirmed_at is not None
    people.confirm(waiting)
    assert people.reads(BEN) == {energy: WEEKLY, sea: DAILY}


def test_both_ledgers_say_what_moved(two):
    moves(two, BEN)

    ann, ben = two.ledger(ANN)[-1], two.ledger(BEN)[-1]
    assert (ann.act, ann.how, ann.detail["to"]) == ("moved", "link", two.person(BEN).public_id)
    assert (ben.act, ben.how, ben.detail) == (
        "confirmed",
        "move",
        {"newsletter": "news", "topics": {"night": "weekly"}},
    )


def test_a_link_that_moved_topics_says_that_it_was_used(two):
    two.house.clock.pass_(hours=1)
    asks(two, BEN)
    token = link(two, notices(two, "change_address")[-1])
    presses(two, token)

    assert presses(two, token) is LinkFault.USED


def test_topics_that_were_moved_several_times_come_back(two):
    third = "cid@example.org"
    two.join(third, {"sea": WEEKLY})
    moves(two, BEN)
    moves(two, third, email=BEN)
    two.house.clock.pass_(hours=1)

    presses(two, link(two, notices(two, "address_changed")[0]))

    assert sorted(two.reads(ANN).values()) == [MONTHLY, WEEKLY]
    assert (len(two.reads(BEN)), len(two.reads(third))) == (0, 2)  # Ben's own energy stays moved.


def test_undoing_to_an_address_that_signed_up_again_uses_its_new_row(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    moves(people)
    people.join(ANN, {"sea": DAILY})
    again = people.person(ANN).id

    undoes(people)

    assert people.person(ANN).id == again
    assert sorted(people.reads(ANN).values()) == [DAILY, WEEKLY]
    assert people.reads(NEW) == {}


def test_two_people_who_swap_addresses_at_once_cause_no_deadlock(at_scale):
    people = at_scale
    energy, sea = people.house.topic("energy"), people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"sea": WEEKLY})
    people.house.clock.pass_(hours=1)
    asks(people, BEN, ANN)
    asks(people, ANN, BEN)
    tokens = [link(people, mail) for mail in notices(people, "change_address")]
    gate = threading.Barrier(2)

    def press(token):
        gate.wait(30)
        return presses(people, token)

    with ThreadPoolExecutor(2) as both:
        done = list(both.map(press, tokens))

    assert all(isinstance(each, Moved) and each.changed for each in done)
    got = [people.reads(ANN), people.reads(BEN)]
    assert sorted(got, key=len) == [{}, {energy: WEEKLY, sea: WEEKLY}]


def test_a_change_that_waits_for_an_issue_being_prepared_loses_nothing(at_scale):
    people = at_scale
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(BEN, {"energy": WEEKLY})
    people.join(ANN, {"sea": DAILY})
    sea = people.house.release("Sea first")
    people.house.clock.pass_(seconds=1)
    with people.house.runtime.session() as session:
        issue_id = open_issue(session, [DAILY], actor="test", now=people.house.clock()).id
        session.commit()
    people.house.clock.pass_(hours=1)
    asks(people, BEN)
    token = link(people, notices(people, "change_address")[-1])

    with people.house.runtime.session() as session:
        assert Preparer(people.house.runtime.renderer, issue_id).step(session, people.house.clock())
        with meanwhile(people.house, lambda: presses(people, token)):
            session.commit()
    people.house.prepare(issue_id)
    people.house.drain()
    people.house.clock.pass_(hours=1)
    people.house.send(DAILY)

    bulk = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    assert people.house.releases_sent(people.person(BEN).id) == [sea]
    assert [each.state for each in bulk] == ["skipped", "accepted"]
