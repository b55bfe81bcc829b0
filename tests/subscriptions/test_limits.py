"""How often a visitor, and a network, may send a form."""

from __future__ import annotations

import pytest

from newsletter.models import ThrottleBucket
from newsletter.subscriptions.limits import NETWORK, SITE, VISITOR, network_of, visitor_wait


def send(people, ip_address):
    with people.house.runtime.session() as session:
        waited = visitor_wait(session, people.house.runtime.tokens, ip_address, people.house.clock())
        (session.rollback if waited else session.commit)()
        return waited


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("192.0.2.7", ("192.0.2.7", "192.0.2.0/24")),
        ("::ffff:192.0.2.7", ("192.0.2.7", "192.0.2.0/24")),
        ("2001:db8:1:2:3::4", ("2001:db8:1:2:3::4", "2001:db8:1:2::/64")),
        ("fe80::1%eth0", ("fe80::1", "fe80::/64")),
        ("", None),
        ("unix:", None),
    ],
)
def test_an_address_belongs_to_a_network(given, known):
    assert network_of(given) == known


def test_a_visitor_who_sends_too_much_waits_and_others_do_not(everywhere):
    people = everywhere
    waits = [send(people, "192.0.2.7") for _ in range(int(VISITOR.burst) + 1)]

    assert waits[:-1] == [0.0] * int(VISITOR.burst)
    assert 0 < waits[-1] <= 60
    assert send(people, "198.51.100.7") == 0.0
    people.house.clock.pass_(seconds=waits[-1] + 1)
    assert send(people, "192.0.2.7") == 0.0


def test_a_network_of_many_addresses_waits_as_one(people):
    waits = [send(people, f"192.0.2.{number}") for number in range(int(NETWORK.burst) + 1)]

    assert not any(waits[:-1])
    assert waits[-1] > 0


def test_the_many_networks_of_one_ipv6_customer_wait_as_one(people):
    waits = [send(people, f"2001:db8:7:{number:x}::1") for number in range(int(SITE.burst) + 1)]

    assert not any(waits[:-1])
    assert waits[-1] > 0
    assert send(people, "2001:db8:8::1") == 0.0


def test_the_counters_hold_no_addresses(people):
    send(people, "192.0.2.7")

    assert not [bucket for bucket in people.house.all(ThrottleBucket) if "192" in bucket.key]


def test_a_visitor_without_an_address_is_let_through(people):
    assert send(people, "") == 0.0
