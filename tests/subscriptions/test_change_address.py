"""Moving to another address, and two rows of one person that become one."""

from __future__ import annotations

from house import meanwhile

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
    Lane,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
)
from newsletter.subscriptions.bearer import LinkFault
from newsletter.subscriptions.change_address import (
    Asked,
    Moved,
    ask_to_move,
    forget_old_wishes,
    move,
    read_move,
)
from newsletter.subscriptions.preferences import read_preferences
from newsletter.subscriptions.unsubscribe import read_unsubscription, unsubscribe
from newsletter.tokens import Purpose

ANN = "ann@example.org"
NEW = "ann@elsewhere.example.org"
BEN = "ben@example.org"
DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY


def asks(people, to, email=ANN):
    token = people.preferences_token(email)
    with people.house.runtime.session() as session:
        done = ask_to_move(
            session, people.house.runtime.tokens, token, parse_address(to), people.house.clock()
        )
        session.commit()
        return done


def notices(people, template):
    """The mails to addresses that are no reader's, oldest first."""
    return [each for each in people.house.all(Delivery) if each.template == template]


def link(people, mail):
    """Return the token in one of these mails."""
    tokens = people.house.runtime.tokens
    payload = [mail.context["reader"], mail.context["change"], tokens.fingerprint(mail.recipient)]
    return tokens.make(Purpose.CHANGE_ADDRESS, payload, people.house.clock())


def presses(people, token):
    with people.house.runtime.session() as session:
        done = move(session, people.house.runtime.tokens, token, people.house.clock())
        session.commit()
        return done


def moves(people, to=NEW, email=ANN):
    """Ask and confirm, an hour after whatever was before."""
    people.house.clock.pass_(hours=1)
    asks(people, to, email)
    return presses(people, link(people, notices(people, "change_address")[-1]))


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


def test_asking_changes_nothing_and_mails_the_new_address_only(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    assert asks(people, NEW) == Asked()

    (mail,) = notices(people, "change_address")
    assert (mail.recipient, mail.subscriber_id, mail.lane) == (NEW, None, Lane.SINGLE)
    assert ANN not in str(mail.context)
    assert people.person(ANN).email == ANN


def test_the_mail_holds_a_link_to_press_and_nothing_of_the_reader(people):
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


def test_pressing_twice_moves_once(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)
    token = link(people, notices(people, "change_address")[-1])
    presses(people, token)

    again = presses(people, token)

    assert (again.changed, people.acts(NEW).count("moved")) == (False, 1)
    assert len(notices(people, "address_changed")) == 1


def test_what_is_in_the_outbox_goes_to_the_new_address(people):
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


def test_an_unsubscribe_link_of_an_old_mail_still_lets_leave_but_leads_nowhere(people):
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

    # One made today, for a mail of then: what is seen of it in a browser makes such links.
    people.house.clock.pass_(hours=1)
    remade = tokens.make(Purpose.UNSUBSCRIBE, [person.public_id, delivery.id], people.house.clock())
    with people.house.runtime.session() as session:
        now = [
            read_unsubscription(session, tokens, each, people.house.clock()).trusted for each in (old, remade)
        ]
        gone = unsubscribe(session, tokens, person.public_id, delivery.id, people.house.clock(), "one-click")

    assert (at_first.trusted, now, gone.ended) == (True, [False, False], 1)


def test_a_mail_that_goes_to_the_new_address_leads_to_the_choices_again(people):
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


def test_an_old_mail_seen_in_the_browser_does_not_open_the_choices(people):
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


def test_the_old_address_can_take_it_back_and_is_asked_only_once(people):
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
    # Neither the addresses in between nor the last one have a way to take that back.
    assert notices(people, "address_changed")[-1].context["change"] is None
    between = link(people, notices(people, "address_changed")[1])
    assert presses(people, between) is LinkFault.REPLACED
    assert all(each.email is None for each in people.house.all(AddressChange))


def test_taking_back_works_for_the_days_of_a_link(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    moves(people)
    undo = link(people, notices(people, "address_changed")[0])
    people.house.clock.pass_(days=8)

    assert presses(people, undo) is LinkFault.EXPIRED


def test_a_later_wish_takes_the_place_of_an_earlier_one(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, "one@example.org")
    asks(people, "two@example.org")
    one, two = (link(people, mail) for mail in notices(people, "change_address"))

    assert presses(people, one) is LinkFault.REPLACED
    assert isinstance(presses(people, two), Moved)


def test_nobody_is_mailed_who_must_not_be_and_the_answer_is_the_same(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    suppress(people, NEW)

    assert asks(people, NEW) == Asked()
    assert notices(people, "change_address") == []


def test_an_address_that_was_suppressed_meanwhile_is_not_taken(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)
    suppress(people, NEW)

    assert presses(people, link(people, notices(people, "change_address")[0])) is LinkFault.OUTDATED
    assert people.person(ANN).email == ANN


def test_a_reader_may_ask_three_times_a_day_and_one_address_is_not_mailed_over_and_over(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    answers = [asks(people, NEW) for _ in range(5)]

    assert [answer.wait_seconds > 0 for answer in answers] == [False] * 3 + [True] * 2
    assert len(notices(people, "change_address")) == 1


def test_the_own_address_is_no_change(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})

    assert asks(people, ANN) == Asked(same=True)


def test_a_wish_that_nobody_confirmed_is_forgotten(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    asks(people, NEW)
    people.house.clock.pass_(days=9)

    with people.house.runtime.session() as session:
        assert forget_old_wishes(session, people.house.clock(), 7) == 1
        session.commit()
    (wish,) = people.house.all(AddressChange)
    assert (wish.email, wish.email_key) == (None, None)


def test_two_rows_of_one_person_become_one_and_nothing_is_lost_or_repeated(everywhere):
    people = everywhere
    for slug in ("energy", "sea", "night"):
        people.house.topic(slug)
    people.join(ANN, {"energy": MONTHLY, "night": MONTHLY})
    first = people.house.release("Energy first")
    people.join(BEN, {"energy": WEEKLY, "sea": WEEKLY})
    second, third = people.house.release("Energy second"), people.house.release("Sea first")
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY)

    done = moves(people, BEN)
    people.house.clock.pass_(hours=1)
    people.house.send(WEEKLY, MONTHLY)
    fourth = people.house.release("Energy fourth")
    people.house.clock.pass_(seconds=1)
    people.house.send(WEEKLY, MONTHLY)

    survivor = people.person(BEN)
    (ben,) = (each for each in people.house.all(Subscriber) if each.moved_to)
    assert (done.joined, done.public_id) == (True, survivor.public_id)
    assert (ben.email, ben.email_key, ben.moved_to) == (None, None, survivor.id)
    assert sorted(people.house.releases_sent(ben.id)) == sorted([second, third])
    assert people.house.releases_sent(survivor.id) == [first, fourth]
    assert sorted(frequency.value for frequency in people.reads(BEN).values()) == [
        "monthly",
        "monthly",
        "weekly",
    ]


def test_an_unsubscribe_link_of_the_other_row_ends_what_became_of_it(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": MONTHLY})
    people.join(BEN, {"energy": WEEKLY})
    ben = people.person(BEN)
    tokens = people.house.runtime.tokens
    bens = people.preferences_token(BEN)
    moves(people, BEN)

    opened = looks(people, bens)
    with people.house.runtime.session() as session:
        done = unsubscribe(session, tokens, ben.public_id, None, people.house.clock(), "one-click")
        session.commit()

    assert opened.public_id == people.person(BEN).public_id  # the same mailbox, so the same hands
    assert (done.ended, people.reads(BEN)) == (1, {})


def test_what_the_other_row_had_only_asked_for_is_not_started(people):
    energy = people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.sign_up(BEN, {"sea": DAILY})
    strangers = people.confirmation(BEN)

    done = moves(people, BEN)

    assert not done.joined
    assert people.reads(BEN) == {energy: WEEKLY}
    people.confirm(strangers)
    assert people.reads(BEN) == {energy: WEEKLY}


def test_mail_that_waited_for_the_other_row_is_owed_to_the_one_that_is_left(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"sea": DAILY})
    sea = people.house.release("Sea first")
    people.house.clock.pass_(seconds=1)
    people.house.open(DAILY)

    moves(people, BEN)
    people.house.drain()
    people.house.clock.pass_(hours=1)
    people.house.send(DAILY)

    assert people.house.releases_sent(people.person(BEN).id) == [sea]
    bulk = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    assert [each.state for each in bulk] == ["skipped", "accepted"]


def test_mail_that_a_worker_held_for_the_other_row_and_did_not_send_is_owed_too(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"sea": DAILY})
    sea = people.house.release("Sea first")
    people.house.clock.pass_(seconds=1)
    people.house.open(DAILY)
    becomes(people, DeliveryState.LEASED)

    moves(people, BEN)
    becomes(people, DeliveryState.DEFERRED)  # its worker looked once more before the envelope
    people.house.drain()
    people.house.clock.pass_(hours=1)
    people.house.send(DAILY)

    assert people.house.releases_sent(people.person(BEN).id) == [sea]
    bulk = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    assert [each.state for each in bulk] == ["skipped", "accepted"]


def test_mail_that_a_worker_held_for_the_other_row_and_sent_is_not_repeated(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"sea": DAILY})
    people.house.release("Sea first")
    people.house.clock.pass_(seconds=1)
    people.house.open(DAILY)
    becomes(people, DeliveryState.LEASED)

    moves(people, BEN)
    becomes(people, DeliveryState.ACCEPTED)
    second = people.house.release("Sea second")
    people.house.clock.pass_(hours=1)
    people.house.send(DAILY)

    assert people.house.releases_sent(people.person(BEN).id) == [second]


def becomes(people, state):
    with people.house.runtime.session() as session:
        session.query(Delivery).filter(Delivery.issue_id.is_not(None)).update({"state": state})
        session.commit()


def test_an_issue_that_is_being_prepared_for_the_other_row_is_waited_for_and_owed(at_scale):
    people = at_scale
    people.house.topic("energy")
    people.house.topic("sea")
    people.join(BEN, {"sea": DAILY})
    people.join(ANN, {"energy": DAILY})
    sea = people.house.release("Sea first")
    people.house.clock.pass_(seconds=1)
    with people.house.runtime.session() as session:
        issue_id = open_issue(session, [DAILY], actor="test", now=people.house.clock()).id
        session.commit()
    people.house.clock.pass_(hours=1)
    asks(people, BEN)
    token = link(people, notices(people, "change_address")[-1])

    with people.house.runtime.session() as session:
        assert Preparer(people.house.runtime.press, issue_id).step(session, people.house.clock())
        with meanwhile(people.house, lambda: presses(people, token)):
            session.commit()
    people.house.prepare(issue_id)
    people.house.drain()
    people.house.clock.pass_(hours=1)
    people.house.send(DAILY)

    assert people.house.releases_sent(people.person(BEN).id) == [sea]
    bulk = [each for each in people.house.all(Delivery) if each.lane is Lane.BULK]
    assert [each.state for each in bulk] == ["skipped", "accepted"]


def test_rows_that_were_joined_one_after_the_other_are_all_remembered(people):
    third = "cid@example.org"
    people.house.topic("energy")
    for email in (ANN, BEN, third):
        people.join(email, {"energy": WEEKLY})

    moves(people, BEN)
    people.house.clock.pass_(days=1)
    moves(people, email=third, to=BEN)

    survivor = people.person(BEN).id
    assert [each.moved_to for each in people.house.all(Subscriber)] == [survivor, survivor, None]


def test_rows_that_were_joined_say_so(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": WEEKLY})
    people.join(BEN, {"energy": WEEKLY})
    ben = people.person(BEN).id
    moves(people, BEN)

    reasons = {each.ended_reason for each in people.house.all(Subscription) if each.subscriber_id == ben}
    last = [each for each in people.house.all(ConsentEntry) if each.subscriber_id == ben][-1]

    assert reasons == {EndedReason.MOVED}
    assert (last.act, last.detail) == ("moved", {"to": people.person(BEN).public_id})
