"""Holding sign-ups in a burst: few emails are sent, people can still sign up, the owner gets one notice."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from newsletter.mail.addresses import parse_address
from newsletter.models import AuditEntry, Delivery, Frequency, SignupRequest
from newsletter.outbox.owner.email import email_notices
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.signup.confirmation_limits import ConfirmationLimits, Trust, limited_domain
from newsletter.subscribers.signup.hold import drop_held, held_signups, release_held
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.subscribers.signup.resolve import resolve_signups

ANN = "ann@example.org"
OWNER = "owner@example.com"
TIGHT = ConfirmationLimits(burst=10, per_hour=60)
DAILY = {"energy": Frequency.DAILY}


def ask(people, *emails, trust=Trust.NONE, nth=0):
    signups = [
        Signup(address=parse_address(each), choices=DAILY, wording=current_wording(), trust=trust, nth=nth)
        for each in emails
    ]
    with people.house.runtime.session() as session:
        request_signups(session, signups, people.house.clock())
        session.commit()


def flood(people, count, *, start=0, **how):
    victims = [f"victim{number}@example{number}.net" for number in range(start, start + count)]
    ask(people, *victims, **how)


def resolve(people, limits=TIGHT, limit=200):
    with people.house.runtime.session() as session:
        now = people.house.clock()
        done = resolve_signups(session, people.house.runtime.tokens, now, limit, limits=limits)
        email_notices(session, OWNER, now)
        session.commit()
        return done


def confirmations(people):
    with people.house.runtime.session() as session:
        mailed = select(Delivery).where(Delivery.template == "confirm").order_by(Delivery.id)
        return [delivery.subscriber_id for delivery in session.scalars(mailed)]


def notices(people):
    with people.house.runtime.session() as session:
        return list(session.scalars(select(Delivery).where(Delivery.template == "notice")))


def state(people, limits=TIGHT):
    with people.house.runtime.session() as session:
        return held_signups(session, limits, people.house.clock())


@pytest.fixture
def town(everywhere):
    """People of an installation with one topic, on SQLite and on PostgreSQL."""
    everywhere.house.topic("energy")
    return everywhere


def test_unconfirmed_addresses_get_no_more_emails_than_the_brake_allows(town):
    flood(town, 40)

    resolve(town)
    resolve(town)

    assert len(confirmations(town)) == 8  # Two of the ten are reserved for likely people.
    assert state(town).held == 32


def test_held_requests_are_resolved_as_the_brake_allows_oldest_first(town):
    flood(town, 20)
    resolve(town)

    town.house.clock.pass_(minutes=3)
    resolve(town)

    assert town.templates("victim8@example8.net") == ["confirm"]
    assert town.templates("victim10@example10.net") == ["confirm"]
    assert len(confirmations(town)) == 11


def test_every_held_request_gets_one_email_in_the_end(town):
    flood(town, 20)

    for _ in range(6):
        resolve(town)
        town.house.clock.pass_(minutes=5)

    assert len(confirmations(town)) == len(set(confirmations(town))) == 20
    assert state(town).held == 0


def test_a_visitor_with_a_seen_browser_can_sign_up_during_a_burst(town):
    flood(town, 40)
    resolve(town)

    ask(town, ANN, trust=Trust.SEEN, nth=3)
    resolve(town)

    assert town.templates(ANN) == ["confirm"]


def test_a_single_visitor_of_a_network_goes_before_a_crowd(town):
    flood(town, 40, nth=5)
    resolve(town)

    ask(town, ANN)
    resolve(town)

    assert town.templates(ANN) == ["confirm"]
    assert len(confirmations(town)) == 7  # Six of the crowd.


def test_with_proof_of_work_only_a_proof_gets_a_reserved_token(town):
    proof = ConfirmationLimits(burst=10, per_hour=60, proof=True)
    flood(town, 20, trust=Trust.SEEN)
    resolve(town, proof)
    before = len(confirmations(town))

    ask(town, ANN, trust=Trust.PROVEN)
    resolve(town, proof)

    assert before == 5
    assert town.templates(ANN) == ["confirm"]


def test_confirmed_subscribers_are_not_held(town):
    town.join(ANN, DAILY)
    town.house.clock.pass_(hours=1)
    flood(town, 40)
    resolve(town)

    town.ask_for_link(ANN)
    resolve(town)

    assert town.templates(ANN) == ["confirm", "link"]


def test_another_link_for_an_unconfirmed_person_counts_against_the_limit(town):
    ask(town, ANN)
    resolve(town)
    town.house.clock.pass_(hours=1)
    flood(town, 40)
    resolve(town)

    town.ask_for_link(ANN)
    resolve(town)

    assert town.templates(ANN) == ["confirm"]


def test_the_owner_gets_one_notice_for_each_burst(town):
    for hour in range(8):
        flood(town, 100, start=1000 * hour)
        resolve(town)
        resolve(town)
        town.house.clock.pass_(hours=1)
    first = notices(town)
    town.house.clock.pass_(hours=60)
    resolve(town)
    flood(town, 40, start=90000)
    resolve(town)

    assert [(each.recipient, each.subscriber_id) for each in first] == [(OWNER, None)]
    assert len(notices(town)) == 2
    assert [entry.action for entry in town.house.all(AuditEntry)][1:] == ["signup.held"] * 2


def test_the_notice_can_be_emailed_and_names_nobody(town):
    flood(town, 40)
    resolve(town)

    town.house.drain("single")

    (mail,) = [each for each in town.house.transport.sent if each.envelope.recipient == OWNER]
    assert b"Many sign-ups at once" in mail.content
    assert b"Sign-ups that wait: 32." in mail.content.replace(b"=\r\n", b"").replace(b"\r\n", b" ")
    assert b"victim" not in mail.content


def test_a_quiet_day_opens_no_notice(town):
    flood(town, 5)

    resolve(town)

    assert notices(town) == []
    assert state(town) == state(town).__class__(0, None, 5)


def test_a_request_that_waited_too_long_is_dropped_with_its_address(town):
    flood(town, 400)
    resolve(town, limit=1000)

    town.house.clock.pass_(hours=25)
    resolve(town, limit=1000)

    assert len(confirmations(town)) == 8
    with town.house.runtime.session() as session:
        held = select(SignupRequest.email).where(SignupRequest.email.is_not(None))
        assert session.scalars(held).all() == []


def test_a_small_domain_has_its_own_limit_and_others_do_not_wait_for_it(town):
    limits = ConfirmationLimits(burst=1000, per_hour=1000, domain_per_hour=5)
    for number in range(12):
        ask(town, f"clerk{number}@office.example.co.uk")
    for number in range(12):
        ask(town, f"person{number}@gmail.com")
    ask(town, ANN)

    resolve(town, limits)
    at_once = len(confirmations(town))
    for _ in range(12):
        town.house.clock.pass_(minutes=13)
        resolve(town, limits)

    assert at_once == 5 + 12 + 1
    assert len(confirmations(town)) == 25
    assert notices(town) == []


def test_the_owner_can_release_every_held_request(town):
    flood(town, 30)
    resolve(town)

    with town.house.runtime.session() as session:
        released = release_held(session, "owner", town.house.clock())
        session.commit()
    resolve(town)

    assert released == 22
    assert len(confirmations(town)) == 30


def test_the_owner_can_drop_every_held_request(town):
    flood(town, 30)
    resolve(town)

    with town.house.runtime.session() as session:
        dropped = drop_held(session, "owner", town.house.clock())
        session.commit()
    town.house.clock.pass_(hours=5)
    resolve(town)

    assert dropped == 22
    assert len(confirmations(town)) == 8
    assert [entry.detail.get("count") for entry in town.house.all(AuditEntry)][1:] == [None, 22]


def test_repeated_requests_for_one_address_do_not_use_up_the_limit(town):
    for _ in range(50):
        ask(town, ANN)

    resolve(town)

    assert confirmations(town) == [town.person(ANN).id]
    assert state(town).free == 9


def test_a_pass_over_a_burst_stops_at_its_limit(town):
    flood(town, 60)

    counts = [resolve(town, limit=25) for _ in range(4)]

    assert counts[:3] == [25, 25, 10]
    assert state(town).held == 52


@pytest.mark.parametrize(
    ("domain", "counted"),
    [
        ("example.org", "example.org"),
        ("mail.a1.example.org", "example.org"),
        ("office.example.co.uk", "example.co.uk"),
        ("example.co.jp", "example.co.jp"),
        ("vdu.lt", "vdu.lt"),
        ("mail.vdu.lt", "vdu.lt"),
        ("mail.example.me.uk", "example.me.uk"),
        ("mail.example.asn.au", "example.asn.au"),
        ("mail.city.kobe.jp", "city.kobe.jp"),
        ("mail.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("one.duckdns.org", "duckdns.org"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
    ],
)
def test_the_registered_domain_is_what_counts(domain, counted):
    assert limited_domain(domain) == counted


def test_a_day_allows_the_burst_and_the_hourly_emails(town):
    sent, spent = [], timedelta()
    for number in range(24):
        flood(town, 30, start=number * 100, nth=1)
        resolve(town, ConfirmationLimits(burst=10, per_hour=6))
        sent.append(len(confirmations(town)))
        town.house.clock.pass_(hours=1)
        spent += timedelta(hours=1)

    assert sent[-1] <= 10 + 6 * 23
