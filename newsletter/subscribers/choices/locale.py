"""Which language and time zone the subscriber behind a link has chosen."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import Subscriber
from newsletter.tokens import Purpose, Tokens

# The links that name a reader first; the other tokens belong to forms.
_PERSONAL = tuple(each for each in Purpose if each not in {Purpose.FORM, Purpose.CHALLENGE})


class SubscriberLocale(NamedTuple):
    """A reader's language tag and IANA time zone."""

    language: str
    time_zone: str


def read_locale(session: Session, tokens: Tokens, token: str, now: datetime) -> SubscriberLocale | None:
    """Return the choices of the reader whom `token` was made for, or None when it is nobody's.

    A link that has run out still tells whose it was: the page that says so can speak to them.
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
