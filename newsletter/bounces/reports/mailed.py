"""Find out to which of a person's addresses an email went, which decides what a report about it stops.

A delivery does not store its address, and people change their addresses. Another person may own a former
address today. So a report about an email to a former address says nothing about the present one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.mail.addresses import Address
from newsletter.models import AddressChange, Subscriber
from newsletter.models.tables.subscriber import ON_ITS_WAY, went_to_present_address


class Mailed(NamedTuple):
    """A person's present address, and those to which one email may have gone: nearly always one.

    `maybe` is empty if the email went to a former address that is not known any more. `to_present`: it went
    to the present one without doubt.
    """

    present: Address | None
    maybe: Sequence[Address]
    to_present: bool

    @property
    def known(self) -> frozenset[str]:
        """The forms in which a report may name one of these addresses, in lower case."""
        return frozenset(form for each in self._all() for form in _forms(each))

    def complaining(self, named: Iterable[str]) -> set[str]:
        """Return the canonical addresses that a complaint stops.

        These are the named ones that we know. If the complaint names nobody, they are all to which the email
        may have gone.
        """
        wanted = {each.lower() for each in named}
        if not wanted:
            return {each.canonical for each in self.maybe}
        return {each.canonical for each in self._all() if wanted & set(_forms(each))}

    def _all(self) -> Sequence[Address]:
        return [*self.maybe, *([self.present] if self.present else [])]


def find_mailed(session: Session, subscriber_id: int | None, sent_at: datetime | None) -> Mailed:
    """Return the addresses to which an email of `sent_at` may have gone, by what is still known."""
    columns = (Subscriber.email, Subscriber.email_key, Subscriber.address_since)
    row = session.execute(select(*columns).where(Subscriber.id == subscriber_id)).one_or_none()
    if row is None or row.email is None or row.email_key is None:
        return Mailed(None, [], to_present=True)
    present, since = Address(row.email, row.email_key), row.address_since
    if since is None or sent_at is None or went_to_present_address(since, sent_at):
        return Mailed(present, [present], to_present=True)
    maybe = _former(session, subscriber_id, sent_at)
    # Within this time after the change, it may have gone to either.
    if sent_at >= since or _came_back_to_it(session, subscriber_id, sent_at, since):
        maybe.append(present)
    return Mailed(present, maybe, to_present=False)


def _former(session: Session, subscriber_id: int | None, sent_at: datetime) -> list[Address]:
    """Return the earlier addresses to which an email sent at `sent_at` may have gone.

    Those are the addresses that were changed shortly before, and the one of the next change. An address is
    known only while its change can be undone.
    """
    ended = session.execute(
        select(AddressChange.email, AddressChange.email_key, AddressChange.created_at)
        .where(
            AddressChange.subscriber_id == subscriber_id,
            AddressChange.is_undo.is_(True),
            AddressChange.email_key.is_not(None),
            AddressChange.created_at > sent_at - ON_ITS_WAY,
        )
        .order_by(AddressChange.created_at, AddressChange.id)
    ).all()
    lately = [each for each in ended if each.created_at <= sent_at]
    return [Address(email or "", key or "") for email, key, _ in ended[: len(lately) + 1]]


def _came_back_to_it(session: Session, subscriber_id: int | None, sent_at: datetime, since: datetime) -> bool:
    """Return whether the last change was undone, and the email was sent before both."""
    undone = exists().where(
        AddressChange.subscriber_id == subscriber_id,
        AddressChange.is_undo.is_(True),
        AddressChange.settled_at == since,
        AddressChange.created_at > sent_at,
    )
    return bool(session.scalar(select(undone)))


def _forms(address: Address) -> tuple[str, str]:
    return address.text.lower(), address.canonical.lower()
