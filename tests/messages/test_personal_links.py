"""The links of one recipient are read by the pages that they lead to, and each for its purpose only."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.messages.claimed import Claimed, load_claimed
from newsletter.messages.personal_links import PersonalLinks
from newsletter.models import Delivery
from newsletter.subscribers.choices.preferences import read_preferences
from newsletter.tokens import Purpose


@pytest.fixture
def links(house: House):
    return PersonalLinks(house.runtime.tokens, house.runtime.links)


@pytest.fixture
def claimed(house: House) -> Claimed:
    """A digest for ann@example.org."""
    house.add_subscriber(house.topic("energy"), name="ann")
    house.release("Energy in March")
    house.open()
    with house.runtime.reading() as session:
        return load_claimed(session, [house.all(Delivery)[0].id])[0]


def token_in(url: str) -> str:
    return url.rpartition("/")[2]


def test_the_link_to_the_preferences_opens_those_of_the_recipient(house: House, links, claimed):
    token = token_in(links.preferences(claimed, house.clock()))

    with house.runtime.session() as session:
        assert (
            read_preferences(session, house.runtime.tokens, token, house.clock()).email == "ann@example.org"
        )


def test_a_recipient_who_is_no_subscriber_can_only_ask_for_a_link(house: House, links, claimed):
    nobody = claimed._replace(subscriber_public_id=None, email_key=None)

    assert links.preferences(nobody, house.clock()) == house.runtime.links.send_link()


@pytest.mark.parametrize(
    ("right", "purpose"),
    [("export", Purpose.EXPORT), ("erase", Purpose.ERASE), ("address", Purpose.NEW_ADDRESS)],
)
def test_a_requested_link_is_valid_for_an_hour_and_for_nothing_else(
    house: House, links, claimed, right, purpose
):
    tokens, token = house.runtime.tokens, token_in(links.own_link(claimed, right, house.clock()))

    assert tokens.read(purpose, token, house.clock())[0] == claimed.subscriber_public_id
    with pytest.raises(TokenInvalid):
        tokens.read(Purpose.PREFERENCES, token, house.clock())
    with pytest.raises(TokenExpired):
        tokens.read(purpose, token, house.clock() + timedelta(hours=2))
