"""Decide by which relay the emails of a newsletter go now: the usual one, or the backup while that is down.

A relay is down while connections to it fail: they are refused or time out, or the greeting is 421 or 554. It
is no longer down when it replies again. Rejected recipients and refused settings do not count. After
`backup_after_minutes` the backup takes over. Meanwhile the usual relay gets a connection each minute, but no
email. It gets the emails again as soon as it answers.

An email that the usual relay may have, because its reply never came, is not offered to the backup, and the
other way round (`Delivery.only_relay`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender
from newsletter.models import Delivery, Issue, IssueState, Lane, is_single
from newsletter.notices import NoticeKind, settle, tell_owner
from newsletter.outbox.lease import WAITING
from newsletter.outbox.pacing import standings
from newsletter.outbox.pacing.pace import Standing, catch_up
from newsletter.outbox.refused.outcome_keys import relay_number
from newsletter.settings import Relay

# How often a relay that is down is tried while its backup has taken over.
TRY_AGAIN = timedelta(minutes=1)


def is_replaced(standing: Standing, sender: Sender, clock: datetime) -> bool:
    """Return whether the backup has taken over from the usual relay of `sender`, whose standing this is."""
    if sender.backup is None or standing.down_since is None:
        return False
    _, now = catch_up(standing, clock)
    return now - standing.down_since >= timedelta(minutes=sender.settings.backup_after_minutes)


def in_use(session: Session, senders: Sequence[Sender], now: datetime) -> list[Sender]:
    """Return for each newsletter's usual sender the one that is in use now: itself, or its backup."""
    if all(each.backup is None for each in senders):
        return list(senders)
    found = zip(senders, standings.read_standings(session, senders, now), strict=True)
    return [
        sender.backup if sender.backup is not None and is_replaced(both.relay, sender, now) else sender
        for sender, both in found
    ]


def relays_to_try(session: Session, senders: Sequence[Sender], now: datetime) -> list[Relay]:
    """Return the usual relays that a backup has replaced, and that are to be tried again now."""
    pairs = [each for each in senders if each.backup is not None]
    found = zip(pairs, standings.read_standings(session, pairs, now), strict=True) if pairs else ()
    return [sender.relay for sender, both in found if is_to_be_tried(both.relay, sender, now)]


def is_to_be_tried(standing: Standing, sender: Sender, clock: datetime) -> bool:
    """Return whether a relay that a backup has replaced is to be tried again now."""
    if not is_replaced(standing, sender, clock):
        return False
    _, now = catch_up(standing, clock)
    return standing.down_at is None or now - standing.down_at >= TRY_AGAIN


def may_get(sender: Sender, usual: Sender) -> list[ColumnElement[bool]]:
    """Return the conditions on deliveries that the relay of `sender`, which is in use, may get.

    `usual` is the usual sender of the newsletter.
    """
    other = usual if sender.by_backup else usual.backup
    if other is None:
        return []
    return [or_(Delivery.only_relay.is_(None), Delivery.only_relay != relay_number(other.relay.key))]


def only_backup_may_get(
    session: Session, usual: Sender, lane: Lane, now: datetime
) -> tuple[list[int | None], list[ColumnElement[bool]]]:
    """Return the issues with due emails that only the backup may get, although the usual relay is in use.

    None stands for single emails. Also returns the conditions on these deliveries.
    """
    if usual.backup is None:
        return [], []
    tied = [Delivery.only_relay == relay_number(usual.backup.relay.key)]
    due = (*tied, Delivery.state.in_(WAITING), Delivery.due_at <= now)
    if lane is Lane.SINGLE:
        found = session.scalars(select(Delivery.id).where(*due, is_single()).limit(1)).all()
        return [None for _ in found], tied
    sending = select(Issue.id).where(
        Issue.state == IssueState.SENDING, Issue.newsletter_id == usual.newsletter_id
    )
    theirs = select(Delivery.issue_id).where(*due, Delivery.lane == Lane.BULK, Delivery.issue_id.in_(sending))
    return list(session.scalars(theirs.distinct())), tied


def tell_replaced(session: Session, sender: Sender, said: str, now: datetime) -> None:
    """Tell the owner that the backup has taken over. Commits nothing."""
    assert sender.backup is not None
    backup = sender.backup.relay
    tell_owner(session, NoticeKind.RELAY_REPLACED, _name(sender.relay), now, backup=_name(backup), said=said)


def settle_replaced(session: Session, relay: Relay, now: datetime) -> None:
    """Close the notice about a relay that answers again. Commits nothing."""
    settle(session, NoticeKind.RELAY_REPLACED, _name(relay), now)


def _name(relay: Relay) -> str:
    return f"{relay.host}:{relay.port}"
