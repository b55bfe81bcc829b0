"""A link tells the language and the time zone of the subscriber for whom it was made."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House

from newsletter.subscribers.choices.locale import SubscriberLocale, read_locale
from newsletter.tokens import Purpose


@pytest.fixture
def ann(house: House) -> str:
    """The public id of a subscriber who reads Lithuanian."""
    with house.runtime.session() as session:
        person = house.subscriber("ann")
        person.language, person.time_zone = "lt", "Europe/Vilnius"
        session.add(person)
        session.commit()
        return person.public_id


def locale(house: House, token: str, **later: float):
    with house.runtime.reading() as session:
        now = house.clock() + timedelta(**later)
        return read_locale(session, house.runtime.tokens, token, now)


@pytest.mark.parametrize(
    "purpose", [Purpose.PREFERENCES, Purpose.UNSUBSCRIBE, Purpose.CONFIRM, Purpose.ERASE]
)
def test_every_personal_link_tells_it_even_when_it_has_expired(house: House, ann, purpose):
    token = house.runtime.tokens.make(purpose, [ann, "x"], house.clock())

    assert locale(house, token) == SubscriberLocale("lt", "Europe/Vilnius", None)
    assert locale(house, token, days=400) == SubscriberLocale("lt", "Europe/Vilnius", None)


def test_another_token_tells_nothing(house: House, ann):
    tokens, now = house.runtime.tokens, house.clock()

    assert locale(house, "damaged.token") is None
    assert locale(house, tokens.make(Purpose.FORM, [ann], now)) is None
    assert locale(house, tokens.make(Purpose.PREFERENCES, ["unknown"], now)) is None
    assert locale(house, tokens.make(Purpose.PREFERENCES, [7], now)) is None
