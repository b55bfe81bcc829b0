"""Counted links: links of an issue that add one to a counter, for subscribers who agreed to that.

The fragments of an issue exist once without counted links and, if a subscriber agreed, once with them. The
second ones are stored under a language of their own, such as `de+c`, and the language of a delivery says
which it gets. So a message costs the same in both cases.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from newsletter.links import Links
from newsletter.models import Delivery, DeliveryState, Subscriber
from newsletter.tokens import Purpose, Tokens

_MARK = "+c"


class Place(enum.StrEnum):
    """Where in an issue a link to a release stands."""

    RELEASE = "release"
    CONTENTS = "contents"


@dataclass(frozen=True)
class CountedLinks:
    """Makes the counted links of one issue. They name the issue, the release and the place, never a person.

    All its subscribers have the same ones, because they carry the time at which the issue was made.
    """

    tokens: Tokens
    links: Links
    issue_public_id: str
    made_at: datetime

    def release(self, public_id: str, place: Place, language: str) -> str:
        """Return the link to a release. `language` is that of its page, "" if there is only one."""
        payload = [self.issue_public_id, public_id, place.value]
        return self.links.in_language(language).counted(
            self.tokens.make(Purpose.COUNTED, payload, self.made_at)
        )


def with_counted_links(language: str) -> str:
    """Return the language under which the fragments with counted links are stored."""
    return plain_language(language) + _MARK


def plain_language(language: str) -> str:
    """Return the language of fragments, with or without counted links, as a tag."""
    return language.removesuffix(_MARK)


def has_counted_links(language: str) -> bool:
    """Return whether the fragments that are stored under this language have counted links."""
    return language.endswith(_MARK)


def somebody_agreed(session: Session, covers: ColumnElement[bool]) -> bool:
    """Return whether a subscriber agreed to counted links; `covers` is a condition on their ids."""
    agreed = select(Subscriber.id).where(Subscriber.clicks_agreed_at.is_not(None), covers)
    return session.scalar(agreed.limit(1)) is not None


def use_counted_links(session: Session, issue_id: int, covers: ColumnElement[bool]) -> None:
    """Give the new deliveries of an issue counted links if their subscribers agreed. Commits nothing.

    `covers` is a condition on the ids of the subscribers.
    """
    agreed = select(Subscriber.id).where(Subscriber.clicks_agreed_at.is_not(None), covers)
    session.execute(
        update(Delivery)
        .where(
            Delivery.issue_id == issue_id,
            Delivery.subscriber_id.in_(agreed),
            Delivery.state == DeliveryState.QUEUED,
            ~Delivery.language.endswith(_MARK),
        )
        .values(language=Delivery.language + _MARK)
        .execution_options(synchronize_session=False)
    )


def use_plain_links(session: Session, subscriber_id: int) -> None:
    """Give the waiting emails of a subscriber links that are not counted. Commits nothing."""
    session.execute(
        update(Delivery)
        .where(
            Delivery.subscriber_id == subscriber_id,
            Delivery.state.in_((DeliveryState.QUEUED, DeliveryState.DEFERRED)),
            Delivery.language.endswith(_MARK),
        )
        .values(language=func.substr(Delivery.language, 1, func.length(Delivery.language) - len(_MARK)))
        .execution_options(synchronize_session=False)
    )
