"""Queries about subscribers for the admin pages: list, search, counts and one subscriber."""

from __future__ import annotations

import pytest

from newsletter.errors import NotFound
from newsletter.mail.addresses import address_hash
from newsletter.models import Frequency, Suppression, SuppressionReason
from newsletter.subscribers import queries
from newsletter.subscribers.offered_topics import offered_topics
from newsletter.subscribers.privacy.empty_address import forget_address
from newsletter.subscribers.privacy.erase import erase
from newsletter.subscribers.queries import SubscriberState

DAILY = Frequency.DAILY


@pytest.fixture
def crowd(people):
    """Ann is active, Bob pending, Carl unsubscribed, Dora erased, and Emil's address is emptied."""
    people.house.topic("energy")
    people.join("ann@example.org", {"energy": DAILY})
    people.sign_up("bob@example.org", {"energy": DAILY})
    people.join("carl_50%@example.org", {"energy": DAILY})
    people.leave("carl_50%@example.org")
    people.join("dora@example.org", {"energy": DAILY})
    people.leave("dora@example.org")
    people.join("emil@example.org", {"energy": DAILY})
    people.leave("emil@example.org")
    runtime, now = people.house.runtime, people.house.clock()
    dora, emil = people.person("dora@example.org"), people.person("emil@example.org")
    with runtime.session() as session:
        erase(session, runtime.tokens, dora.public_id, "page", now)
        forget_address(session, runtime.tokens, session.merge(emil), now)
        session.commit()
    return people


def listed(people, **filters):
    with people.house.runtime.session() as session:
        return queries.list_subscribers(session, **filters)


def test_subscribers_are_listed_newest_first_with_their_states_and_topics(crowd):
    page = listed(crowd)

    assert [(row.email, row.state) for row in page.items] == [
        (None, SubscriberState.ENDED),
        (None, SubscriberState.ERASED),
        ("carl_50%@example.org", SubscriberState.ENDED),
        ("bob@example.org", SubscriberState.PENDING),
        ("ann@example.org", SubscriberState.ACTIVE),
    ]
    assert [topic.name for topic in page.items[-1].topics] == ["Energy"]


def test_a_person_whose_address_was_emptied_is_not_shown_as_erased(crowd):
    emil, dora = listed(crowd).items[:2]

    assert (emil.label, emil.emptied_at, emil.erased_at) == ("address deleted", crowd.house.clock(), None)
    assert (dora.label, dora.emptied_at, dora.erased_at) == ("erased", None, crowd.house.clock())


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("ANN@", ["ann@example.org"]),
        ("0%@", ["carl_50%@example.org"]),
        ("_", ["carl_50%@example.org"]),
        ("nobody", []),
        ("b\0ob", ["bob@example.org"]),
    ],
)
def test_a_search_finds_parts_of_addresses_literally(crowd, search, found):
    assert [row.email for row in listed(crowd, search=search).items] == found


def test_a_state_filters_the_list_and_an_unknown_one_does_not(crowd):
    assert [row.email for row in listed(crowd, state="pending").items] == ["bob@example.org"]
    assert listed(crowd, state="nonsense").total == 5


def test_every_subscriber_is_on_exactly_one_page(crowd):
    pages = [listed(crowd, page=number, per_page=3) for number in (1, 2)]

    assert [len(page.items) for page in pages] == [3, 2]
    assert len({row.public_id for page in pages for row in page.items}) == 5
    assert (pages[0].has_next, pages[1].has_next, pages[1].has_prev) == (True, False, True)


def test_subscribers_are_counted_by_state(crowd):
    with crowd.house.runtime.session() as session:
        counted = queries.count_subscribers(session)

    assert counted == dict.fromkeys(SubscriberState, 1) | {SubscriberState.ENDED: 2}


def test_one_subscriber_is_shown_with_everything(crowd):
    tokens = crowd.house.runtime.tokens
    carl = crowd.person("carl_50%@example.org")
    with crowd.house.runtime.session() as session:
        mark = address_hash(carl.email_key, tokens.derived_key("suppression"))
        now = crowd.house.clock()
        session.add(Suppression(address_hash=mark, reason=SuppressionReason.COMPLAINT, since=now))
        session.commit()
        found = queries.subscriber_detail(session, carl.public_id, tokens)

    assert found.subscriber.state is SubscriberState.ENDED
    assert found.suppressed is not None
    assert found.suppressed.reason is SuppressionReason.COMPLAINT
    assert [line.act for line in found.ledger] == ["left", "confirmed", "asked"]
    assert [row.ended_reason for row in found.subscriptions] == ["unsubscribed"]
    assert [mail.template for mail in found.deliveries] == ["confirm"]


@pytest.mark.parametrize("public_id", ["nobody", "", "a\0b"])
def test_an_unknown_subscriber_is_not_found(crowd, public_id):
    with crowd.house.runtime.session() as session, pytest.raises(NotFound):
        queries.subscriber_detail(session, public_id)


def test_the_sign_up_page_offers_the_topics_in_their_order(people):
    people.house.topic("sea")
    people.house.topic("energy")

    with people.house.runtime.session() as session:
        offered = offered_topics(session)

    assert [topic.slug for topic in offered] == ["sea", "energy"]
