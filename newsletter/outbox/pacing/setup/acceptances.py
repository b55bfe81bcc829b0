"""Find out whether the relay has accepted an email lately, although it refused one for our settings."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.messages.sender import Sender, Senders
from newsletter.models import Delivery, DeliveryState, Issue, is_single, of_newsletters
from newsletter.outbox.refused.outcome_keys import microseconds, relay_number
from newsletter.smtp.refusals import SetupFault

# Longer than a refused delivery is deferred, so that an acceptance between two attempts is found.
LATELY = timedelta(minutes=30)


def is_contradicted(
    session: Session, senders: Senders, sender: Sender, fault: SetupFault, delivery_id: int, now: datetime
) -> bool:
    """Return whether the relay refused a delivery before, and accepted others lately.

    Then the refusal is about its recipient. For a first refusal this is False, because the relay may have
    just begun to refuse everybody.
    """
    refused = exists().where(Delivery.id == delivery_id, Delivery.reply_code >= 500)
    if not session.scalar(select(refused)):
        return False
    return accepted_since(session, senders, sender, fault, now - LATELY)


def accepted_since(
    session: Session, senders: Senders, sender: Sender, fault: SetupFault, since: datetime
) -> bool:
    """Return whether the relay has accepted an email since then that this fault concerns too."""
    accepted = Delivery.state == DeliveryState.ACCEPTED
    digest = [
        Delivery.relay_key == relay_number(sender.relay.key),
        Delivery.answered_microseconds >= microseconds(since),
        accepted,
    ]
    # `due_at` is in the index. An email that was due after `since` was also accepted after it.
    single = [is_single(), accepted, Delivery.due_at >= since]
    theirs = _concerned(session, senders, sender, fault)
    if theirs is not None:
        digest.append(Delivery.issue_id.in_(select(Issue.id).where(Issue.newsletter_id.in_(theirs))))
        single.append(of_newsletters(theirs))
    return any(session.scalar(select(exists().where(*each))) for each in (single, digest))


def _concerned(
    session: Session, senders: Senders, sender: Sender, fault: SetupFault
) -> Collection[int] | None:
    """Return the newsletters that a fault concerns; None if it is all of them."""
    every = senders.every(session)
    if fault is SetupFault.SENDER:
        theirs = {each.newsletter_id for each in every if each.newsletter_id == sender.newsletter_id}
    else:
        theirs = {each.newsletter_id for each in senders.at_relay(session, sender.relay)}
    return None if len(theirs) == len(every) else sorted(theirs)
