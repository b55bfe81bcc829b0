"""The language and time zone of the subscriber of a link."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import Subscriber
from newsletter.tokens import Purpose, Tokens

# Purposes whose tokens begin with a subscriber's public id. The others are for forms.
_PERSONAL = tuple(each for each in Purpose if each not in {Purpose.FORM, Purpose.CHALLENGE})


class SubscriberLocale(NamedTuple):
    """A subscriber's language tag and IANA time zone."""

    language: str
    time_zone: str


def read_locale(session: Session, tokens: Tokens, token: str, now: datetime) -> SubscriberLocale | None:
    """Return language and time zone of the subscriber for whom `token` was made, or None.

    An expired link still names the subscriber, so the page that says "expired" can be in their language.
    """
    subscriber_public_id = _subscriber_of(tokens, token, now)
    if subscriber_public_id is None:
        return None
    wanted = select(Subscriber.language, Subscriber.time_zone).where(
        Subscriber.public_id == subscriber_public_id
    )
    found = session.execute(wanted).first()
    return SubscriberLocale(found.language, found.time_zone) if found else None


def _subscriber_of(tokens: Tokens, token: str, now: datetime) -> str | None:
    for purpose in _PERSONAL:
        try:
            payload: object = tokens.read(purpose, token, now)
        except TokenExpired as fault:
            payload = fault.payload
        except TokenInvalid:
            continue
        match payload:
            case [str(subscriber_public_id), *_]:
                return subscriber_public_id
        return None
    return None
