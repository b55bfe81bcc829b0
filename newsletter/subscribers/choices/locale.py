"""The language and time zone of the subscriber of a link."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import TokenExpired, TokenInvalid
from newsletter.models import FIRST_NEWSLETTER, Subscriber, Subscription, SubscriptionState
from newsletter.tokens import Purpose, Tokens

# Purposes whose tokens begin with a subscriber's public id. The others are for forms.
_OF_FORMS = {Purpose.FORM, Purpose.CHALLENGE, Purpose.SIGNUP}
_PERSONAL = tuple(each for each in Purpose if each not in _OF_FORMS)


class SubscriberLocale(NamedTuple):
    """A subscriber's language tag and IANA time zone, and the newsletter that a page of theirs is about.

    The newsletter is the link's. If the link names none, it is the only one that the subscriber has or has
    requested; None if they have several.
    """

    language: str
    time_zone: str
    newsletter_id: int | None


def read_locale(session: Session, tokens: Tokens, token: str, now: datetime) -> SubscriberLocale | None:
    """Return language and time zone of the subscriber for whom `token` was made, or None.

    An expired link still names the subscriber, so the page that says "expired" can be in their language.
    """
    opened = _open(tokens, token, now)
    match opened:
        case (purpose, [str(subscriber_public_id), *rest]):
            pass
        case _:
            return None
    wanted = select(Subscriber.id, Subscriber.language, Subscriber.time_zone).where(
        Subscriber.public_id == subscriber_public_id
    )
    found = session.execute(wanted).first()
    if found is None:
        return None
    newsletter_id = _newsletter_of(purpose, rest) or _only_newsletter(session, found.id)
    return SubscriberLocale(found.language, found.time_zone, newsletter_id)


def _newsletter_of(purpose: Purpose, rest: Sequence[object]) -> int | None:
    """Return the newsletter that a token names, after the subscriber's id."""
    match purpose, rest:
        case ((Purpose.CONFIRM | Purpose.DISOWN), [_, _]):
            return FIRST_NEWSLETTER
        case ((Purpose.CONFIRM | Purpose.DISOWN), [_, _, int(newsletter_id)]):
            return newsletter_id
        case Purpose.UNSUBSCRIBE, [_, int(newsletter_id)]:
            return newsletter_id
    return None


def _only_newsletter(session: Session, subscriber_id: int) -> int | None:
    live = (SubscriptionState.ACTIVE, SubscriptionState.PENDING)
    theirs = (
        select(Subscription.newsletter_id)
        .where(Subscription.subscriber_id == subscriber_id, Subscription.state.in_(live))
        .distinct()
        .limit(2)
    )
    found = session.scalars(theirs).all()
    return found[0] if len(found) == 1 else None


def _open(tokens: Tokens, token: str, now: datetime) -> tuple[Purpose, list[object]] | None:
    for purpose in _PERSONAL:
        try:
            return purpose, tokens.read(purpose, token, now)
        except TokenExpired as fault:
            payload = fault.payload
            return purpose, payload if isinstance(payload, list) else []
        except TokenInvalid:
            continue
    return None
