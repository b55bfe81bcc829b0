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


class ReaderLocale(NamedTuple):
    """A reader's language tag and IANA time zone."""

    language: str
    time_zone: str


def read_locale(session: Session, tokens: Tokens, token: str, now: datetime) -> ReaderLocale | None:
    """Return the choices of the reader whom `token` was made for, or None when it is nobody's.

    A link that has run out still tells whose it was: the page that says so can speak to them.
    """
    reader_id = _reader_of(tokens, token, now)
    if reader_id is None:
        return None
    wanted = select(Subscriber.language, Subscriber.time_zone).where(Subscriber.public_id == reader_id)
    found = session.execute(wanted).first()
    return ReaderLocale(found.language, found.time_zone) if found else None


def _reader_of(tokens: Tokens, token: str, now: datetime) -> str | None:
    for purpose in _PERSONAL:
        try:
            payload: object = tokens.read(purpose, token, now)
        except TokenExpired as fault:
            payload = fault.payload
        except TokenInvalid:
            continue
        match payload:
            case [str(reader_id), *_]:
                return reader_id
        return None
    return None
