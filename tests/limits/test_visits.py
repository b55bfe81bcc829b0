"""Rate limits of visitors and networks, and the keys under which they are counted."""

from __future__ import annotations

import re

import pytest
from house import House
from hypothesis import given
from hypothesis import strategies as st

from newsletter.limits.keys import limit_key, mailbox_of, network_of
from newsletter.limits.visits import NETWORK, VISITOR, count_visits, visitor_wait
from newsletter.models import ThrottleBucket


def send(house: House, ip_address: str) -> float:
    with house.runtime.session() as session:
        waited = visitor_wait(session, house.runtime.tokens, ip_address, house.clock())
        session.commit()
        return waited


@pytest.mark.parametrize(
    ("given", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("", None),
        ("unix:", None),
    ],
)
def test_an_address_belongs_to_a_network(given, network):
    assert network_of(given) == network


def test_a_visitor_who_sends_too_much_waits_and_others_do_not(either_house):
    house = either_house
    waits = [send(house, "192.0.2.7") for _ in range(int(VISITOR.burst) + 1)]

    assert waits[:-1] == [0.0] * int(VISITOR.burst)
    assert 0 < waits[-1] <= 60
    assert send(house, "198.51.100.7") == 0.0
    house.clock.pass_(seconds=waits[-1] + 1)
    assert send(house, "192.0.2.7") == 0.0


@pytest.mark.parametrize("address", ["192.0.2.{}", "2001:db8:7:{}::1"])
def test_all_addresses_of_one_network_share_a_limit(house, address):
    waits = [send(house, address.format(number)) for number in range(int(NETWORK.burst) + 1)]

    assert not any(waits[:-1])
    assert waits[-1] > 0
    assert send(house, "2001:db8:8::1") == 0.0


def test_a_form_that_one_limit_refuses_is_counted_by_no_other(house):
    for _ in range(int(VISITOR.burst)):
        send(house, "192.0.2.7")
    before = {bucket.key: bucket.level for bucket in house.all(ThrottleBucket)}

    assert send(house, "192.0.2.7") > 0

    assert {bucket.key: bucket.level for bucket in house.all(ThrottleBucket)} == before


def test_forms_counted_together_are_counted_one_after_the_other(either_house):
    house = either_house
    burst = int(VISITOR.burst)
    together = ["192.0.2.7"] * (burst - 1) + ["", "192.0.2.8"] + ["192.0.2.7"] * 2

    with house.runtime.session() as session:
        found = count_visits(session, house.runtime.tokens, together, house.clock())
        session.commit()

    *taken, refused = found
    assert [each.wait_seconds for each in taken] == [0.0] * (burst + 2)
    assert [each.nth for each in taken] == [*range(burst - 1), 0, burst - 1, burst]
    assert 0 < refused.wait_seconds <= 60
    # What they took is stored: the next form of this visitor waits as well, and another one's is the twelfth.
    assert send(house, "192.0.2.7") > 0
    with house.runtime.session() as session:
        (after,) = count_visits(session, house.runtime.tokens, ["192.0.2.9"], house.clock())
    assert after.nth == burst + 1


def test_a_visitor_without_an_address_is_let_through(house):
    assert send(house, "") == 0.0


@pytest.mark.parametrize(
    ("written", "mailbox"),
    [
        ("name+1@example.org", "name@example.org"),
        ("name+1+2@example.org", "name@example.org"),
        ("+1@example.org", "+1@example.org"),
        ("n.a.m.e@example.org", "n.a.m.e@example.org"),
        ("n.a.m.e+1@gmail.com", "name@gmail.com"),
        ("name@googlemail.com", "name@gmail.com"),
        ('"a@b"@example.org', '"a@b"@example.org'),
        ("...@gmail.com", "...@gmail.com"),
    ],
)
def test_addresses_of_one_mailbox_share_their_limits(written, mailbox):
    assert mailbox_of(written) == mailbox


@given(st.emails())
def test_the_mailbox_of_a_mailbox_is_itself(address):
    assert mailbox_of(mailbox_of(address)) == mailbox_of(address)


def test_a_key_cannot_be_matched_without_the_secret_key(house):
    key = limit_key(house.runtime.tokens, "again", "ada@example.org")

    assert re.fullmatch("again:[0-9a-f]{32}", key)
    assert key != limit_key(house.runtime.tokens, "again", "bob@example.org")
