"""Pause issues whose refusals may be the relay's fault, and ask the owner what the refusals mean.

Every function here, and every answer (outbox/refused/owner_decisions.py), locks issues first, then
deliveries, then the notice. So an answer and a new question cannot deadlock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, Select, select, update
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.mail.redact import without_addresses
from newsletter.messages.build import MessageMaker
from newsletter.models import BounceVerdict, Delivery, DeliveryState, Issue, IssueState, Subscriber
from newsletter.outbox.refused.notices import tell_about_domain, tell_about_issue, tell_about_relay
from newsletter.outbox.refused.outcome_keys import domain_number, relay_number
from newsletter.outbox.refused.outcome_rows import has_unsettled, is_unjudged, reached_nobody

ACTOR = "outbox"

# If an issue has fewer refusals than this, they say little about its relay.
FEWEST_REFUSALS = 5
# How many deliveries are read to find the name of a domain.
NAMED_BY = 100
LONGEST_QUOTE = 300

log = logging.getLogger(__name__)


def ask_about_relay(session: Session, maker: MessageMaker, relay: int, now: datetime) -> int:
    """Pause the issues of a relay and ask about its unjudged refusals; return the number of refusals."""
    mine = (is_unjudged(), Delivery.relay_key == relay)
    theirs = select(Delivery.issue_id).where(*mine, Delivery.issue_id.is_not(None))
    concerned: ColumnElement[bool] = Issue.id.in_(theirs)
    senders = maker.senders.with_backups(session)
    here = [each.newsletter_id for each in senders if relay_number(each.relay.key) == relay]
    if here:
        concerned |= (Issue.state == IssueState.SENDING) & Issue.newsletter_id.in_(here)
    issues = lock_issues(session, concerned)
    held = _hold(session, mine, BounceVerdict.RELAY)
    if not held:
        return 0
    name = _relay_name(maker, relay)
    note = (
        f"Paused by itself: the relay {name} says of too many addresses that they do not exist. "
        "Nobody was taken off the list. The overview says what to do."
    )
    paused = [each.public_id for each in issues if _pause(session, each, note, now, relay=name)]
    tell_about_relay(session, name, relay, paused, now)
    log.error("event=relay_refuses_everybody relay=%s refused=%d", name, held)
    return held


def ask_about_domain(session: Session, maker: MessageMaker, relay: int, domain: int, now: datetime) -> int:
    """Hold the emails to a domain and ask about its unjudged refusals; return the number of refusals.

    Returns 0 if no subscriber is left whose address has this domain, because then its name is unknown.
    """
    name = _domain_name(session, maker, domain)
    if not name:
        return 0
    mine = (is_unjudged(), Delivery.relay_key == relay, Delivery.domain_key == domain)
    held = _hold(session, mine, BounceVerdict.DOMAIN)
    tell_about_domain(session, name, domain, now)
    log.error("event=domain_refuses_everybody refused=%d", held)
    return held


def ask_about_unreached(session: Session, maker: MessageMaker, now: datetime) -> int:
    """Pause the first issue that was sent and reached nobody, and ask; return the number of refusals.

    If the relay replied "no such mailbox" for several addresses of this issue, the question is about the
    relay, and its other issues pause too. Otherwise the question is about this issue alone.
    """
    issue_id = session.scalar(_reached_nobody())
    if issue_id is None:
        return 0
    unjudged = select(Delivery.relay_key).where(Delivery.issue_id == issue_id, is_unjudged())
    relays = [each for each in session.scalars(unjudged.limit(FEWEST_REFUSALS)) if each is not None]
    if len(relays) == FEWEST_REFUSALS:
        return ask_about_relay(session, maker, relays[0], now)
    locked = lock_issues(session, Issue.id == issue_id)
    # Check again: somebody may have queued its emails again before it was locked.
    still_so = session.scalar(_reached_nobody().where(Issue.id == issue_id))
    return _ask_about_issue(session, locked[0], now) if still_so else 0


@cache
def _reached_nobody() -> Select[int]:
    """Return the query for the first issue that was sent and reached nobody. To make it takes long."""
    ended = (Issue.state == IssueState.SENDING, ~has_unsettled(Issue.id), reached_nobody(Issue.id))
    return select(Issue.id).where(*ended).order_by(Issue.id).limit(1)


def lock_issues(session: Session, *which: ColumnElement[bool]) -> list[Issue]:
    """Lock these issues, in the order of their ids, and return them."""
    query = select(Issue).where(*which).order_by(Issue.id).with_for_update(key_share=True)
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _ask_about_issue(session: Session, issue: Issue, now: datetime) -> int:
    refused = (Delivery.issue_id == issue.id, Delivery.state == DeliveryState.REJECTED)
    by_judge = (BounceVerdict.UNJUDGED, BounceVerdict.WAIT)
    undecided = Delivery.verdict.is_(None) | Delivery.verdict.in_(by_judge)
    held = _hold(session, (*refused, undecided), BounceVerdict.ISSUE)
    last = session.execute(
        select(Delivery.reply_code, Delivery.reply_text)
        .where(*refused)
        .order_by(Delivery.settled_at.desc(), Delivery.id.desc())
        .limit(1)
    ).one()
    said = without_addresses(f"{last[0] or ''} {last[1] or ''}").strip().rstrip(".")[:LONGEST_QUOTE]
    note = (
        f"Paused by itself: every email that the relay decided on was refused. It last said: {said}. "
        "The overview says what to do."
    )
    _pause(session, issue, note, now, refused=held)
    tell_about_issue(session, issue, said, now)
    log.error("event=issue_reached_nobody issue=%d refused=%d", issue.id, held)
    return held


def _hold(session: Session, which: Iterable[ColumnElement[bool]], verdict: BounceVerdict) -> int:
    """Give refusals a verdict that waits for the owner's answer; return how many."""
    held = update(Delivery).where(*which).values(verdict=verdict)
    return session.connection().execute(held).rowcount


def _pause(session: Session, issue: Issue, note: str, now: datetime, **detail: int | str) -> bool:
    if issue.state is not IssueState.SENDING:
        return False
    issue.state = IssueState.PAUSED
    issue.note = note
    session.flush()
    audit.record(session, ACTOR, "issue.pause", issue.public_id, now, **detail)
    return True


def _relay_name(maker: MessageMaker, relay: int) -> str:
    settings = maker.settings
    known = [settings.relay, *(each for _, each in (*settings.relays, *settings.backup_relays))]
    names = {relay_number(each.key): each.key for each in known}
    return names.get(relay, f"number {relay}")


def _domain_name(session: Session, maker: MessageMaker, domain: int) -> str:
    """Return the name of a domain that deliveries store as a hash.

    It is found in the subscribers' addresses. People change their address, so an address counts only if its
    domain has that hash.
    """
    addresses = (
        select(Subscriber.email_key)
        .join(Delivery, Delivery.subscriber_id == Subscriber.id)
        .where(Delivery.domain_key == domain, Subscriber.email_key.is_not(None))
        .order_by(Delivery.answered_microseconds.desc())
        .limit(NAMED_BY)
    )
    for email_key in session.scalars(addresses):
        if domain_number(maker.tokens, email_key) == domain:
            return str(email_key).rpartition("@")[2]
    return ""
