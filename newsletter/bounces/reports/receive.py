"""Receive a report: find its delivery, decide what to do, record the report once, and do it.

All reports come through here, whatever way they arrive. The caller commits, and only then confirms that it
has the message.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter import audit, bounce_steps, suppression
from newsletter.bounce_steps import Step
from newsletter.bounces.read.parts import LARGEST_BYTES, cut
from newsletter.bounces.read.reader import read_report
from newsletter.bounces.read.report import Kind, Report
from newsletter.bounces.reports.mailed import Mailed, find_mailed
from newsletter.bounces.reports.match import SigningKeys, as_delivery, find_signed_id
from newsletter.bounces.reports.path_checks import note_return
from newsletter.bounces.rules.life import has_later, has_used
from newsletter.bounces.rules.policy import Decision, Facts, decide
from newsletter.errors import ReportsLimited
from newsletter.limits.spend import spend
from newsletter.mail.redact import without_addresses
from newsletter.models import (
    IDLE_OUTCOMES,
    Delivery,
    DeliveryState,
    ReportOutcome,
    ReturnedMail,
    StepKind,
    Subscriber,
    SuppressionReason,
    insert_new,
)
from newsletter.notices import NoticeKind, find_open, tell_owner
from newsletter.outbox.refused.reported import record_reported
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

ACTOR = "returned mail"
# This much of a message is kept, so that people can read it.
KEPT_BYTES = 64 * 1024
LONGEST_WORDS = 500

# Messages that are neither a report nor signed leave no row: anybody can send them, in any number.
_UNKEPT = (Kind.AUTOREPLY, Kind.OTHER)

# Anybody can send reports that change nothing. At most this many a day are kept with their message.
MOST_IDLE_A_DAY = 1_000
# After that, rows without the message are added, and then the sender must keep it and try again.
BARE_A_DAY = Limit(burst=20_000, period_seconds=86_400)
_BARE = "reports:bare"


class _Sent(NamedTuple):
    """The delivery that a report is about."""

    delivery_id: int
    subscriber_id: int | None
    state: DeliveryState
    settled_at: datetime | None


def receive(
    session: Session,
    tokens: Tokens,
    keys: SigningKeys,
    raw: bytes,
    recipients: Sequence[str],
    now: datetime,
    *,
    most_idle: int = MOST_IDLE_A_DAY,
    bare: Limit = BARE_A_DAY,
) -> ReportOutcome:
    """Act on a returned message; return the outcome. Commits nothing.

    The same bytes again, and a second report about the same failure, change nothing. Of the reports that
    change nothing, at most `most_idle` in 24 hours are kept with their message, and those within `bare` are
    recorded without it. Raises ReportsLimited for the others.
    """
    message = raw[:LARGEST_BYTES]
    signed_id = find_signed_id(cut(message), recipients, keys)
    row = _Row(session, message, now, most_idle, bare, is_signed=signed_id is not None)
    return _receive(session, tokens, row, read_report(message), signed_id, now)


def receive_report(
    session: Session,
    tokens: Tokens,
    report: Report,
    signed_id: str | None,
    message: bytes,
    now: datetime,
    *,
    most_idle: int = MOST_IDLE_A_DAY,
) -> ReportOutcome:
    """Act on a report; return the outcome. `signed_id` is verified, and None if the report has none.

    `message` has the bytes by which the report is recorded once. More than `most_idle` that change nothing in
    24 hours are recorded without it. Commits nothing.
    """
    row = _Row(session, message, now, most_idle, None, is_signed=signed_id is not None)
    return _receive(session, tokens, row, report, signed_id, now)


def _receive(
    session: Session, tokens: Tokens, row: _Row, report: Report, signed_id: str | None, now: datetime
) -> ReportOutcome:
    delivery_id = as_delivery(signed_id)
    if delivery_id is None:
        return _without_delivery(session, row, report, signed_id, now)
    if report.kind in _UNKEPT:
        return decide(report, Facts(frozenset(), None), now).outcome
    columns = (Delivery.id, Delivery.subscriber_id, Delivery.state, Delivery.settled_at)
    found = session.execute(select(*columns).where(Delivery.id == delivery_id)).one_or_none()
    if found is None:
        return row.add(Decision(ReportOutcome.GONE), delivery_id)
    delivery = _Sent(*found)
    mailed = find_mailed(session, delivery.subscriber_id, delivery.settled_at)
    decision = decide(report, _facts(session, delivery, mailed), now)
    recorded = row.add(decision, delivery_id, delivery.subscriber_id)
    if recorded is not decision.outcome:
        return recorded
    if decision.outcome is ReportOutcome.COMPLAINT:
        _complained(session, tokens, row, delivery, mailed.complaining(report.complaints), now)
        return decision.outcome
    return _follow(session, row, decision, delivery, now)


def _without_delivery(
    session: Session, row: _Row, report: Report, signed_id: str | None, now: datetime
) -> ReportOutcome:
    """Record a message that is about none of our deliveries: about a check, or not signed."""
    if signed_id is not None and note_return(session, signed_id, report.kind, now):
        row.add(Decision(ReportOutcome.CHECK))
        return ReportOutcome.CHECK
    if report.kind in _UNKEPT:
        return ReportOutcome.AUTOREPLY if report.kind is Kind.AUTOREPLY else ReportOutcome.NOTHING
    # Again the same answer for the same bytes: the report may be another sender's (service/mailboxes).
    row.add(Decision(ReportOutcome.UNSIGNED))
    return ReportOutcome.UNSIGNED


def _facts(session: Session, delivery: _Sent, mailed: Mailed) -> Facts:
    delivery_id, subscriber_id, state, settled_at = delivery
    earlier = select(ReturnedMail.outcome).where(ReturnedMail.delivery_id == delivery_id)
    said = frozenset(session.scalars(earlier.distinct()))
    # A delivery that bounced by a report before is "rejected" now, and was accepted then.
    sent = state is DeliveryState.ACCEPTED or ReportOutcome.HARD in said
    return Facts(
        mailed.known,
        settled_at if sent else None,
        to_present=mailed.to_present,
        later_accepted=has_later(session, delivery_id, subscriber_id),
        used_since=has_used(session, subscriber_id, settled_at),
        said=said,
    )


class _Row:
    """The row of one message. It is inserted first, so that two processes never follow one report twice."""

    def __init__(
        self,
        session: Session,
        message: bytes,
        now: datetime,
        most_idle: int,
        bare: Limit | None,
        *,
        is_signed: bool,
    ) -> None:
        self._session = session
        self._message = message
        self._now = now
        self._most_idle = most_idle
        self._bare = bare
        self._is_signed = is_signed
        self.id: int | None = None

    def add(
        self, decision: Decision, delivery_id: int | None = None, subscriber_id: int | None = None
    ) -> ReportOutcome:
        """Record the message with its outcome; return REPEATED if it was recorded before."""
        is_bare = decision.outcome in IDLE_OUTCOMES and self._count_idle() >= self._most_idle
        failure = decision.failure
        fresh = insert_new(self._session, ReturnedMail).values(
            digest=hashlib.sha256(self._message).hexdigest(),
            received_at=self._now,
            outcome=decision.outcome,
            delivery_id=delivery_id,
            subscriber_id=subscriber_id,
            reason=failure.reason.value if failure else "",
            status=failure.status if failure else "",
            words=_kept(failure.words) if failure and not is_bare else "",
            raw=None if is_bare else zlib.compress(self._message[:KEPT_BYTES]),
        )
        self.id = self._session.scalar(fresh.returning(ReturnedMail.id))
        if self.id is not None and is_bare and self._bare is not None:
            wait_seconds = spend(self._session, _BARE, self._bare, self._now)
            if wait_seconds:
                raise ReportsLimited(wait_seconds, is_signed=self._is_signed)
        return ReportOutcome.REPEATED if self.id is None else decision.outcome

    def _count_idle(self) -> int:
        recent = select(ReturnedMail.id).where(
            ReturnedMail.raw.is_not(None),
            ReturnedMail.received_at > self._now - timedelta(days=1),
            ReturnedMail.outcome.in_(IDLE_OUTCOMES),
        )
        return self._session.scalar(select(func.count()).select_from(recent.subquery())) or 0

    def change(self, outcome: ReportOutcome) -> ReportOutcome:
        """Record another outcome."""
        mine = update(ReturnedMail).where(ReturnedMail.id == self.id)
        self._session.execute(mine.values(outcome=outcome).execution_options(synchronize_session=False))
        return outcome


def _kept(words: str) -> str:
    """Return a server's words without addresses and without characters that control a terminal."""
    plain = "".join(each if each.isprintable() else " " for each in words[: 2 * LONGEST_WORDS])
    return " ".join(without_addresses(plain).split())[:LONGEST_WORDS]


_STEPS = {
    ReportOutcome.HARD: StepKind.HARD,
    ReportOutcome.SOFT: StepKind.SOFT,
    ReportOutcome.POLICY: StepKind.POLICY,
}


def _follow(session: Session, row: _Row, decision: Decision, delivery: _Sent, now: datetime) -> ReportOutcome:
    delivery_id, failure = delivery.delivery_id, decision.failure
    kind = _STEPS.get(decision.outcome)
    if kind is None or failure is None:
        return decision.outcome
    if kind is StepKind.HARD and not record_reported(
        session, delivery_id, failure.status, _kept(failure.words), now
    ):
        # Another process has recorded the same bounce meanwhile.
        return row.change(ReportOutcome.REPEATED)
    if delivery.subscriber_id is not None:
        step = Step(
            kind, delivery.subscriber_id, failure.reason.value, failure.status, delivery_id, row.id,
            delivery.settled_at, decision.asks_probe,
        )  # fmt: skip
        if bounce_steps.add(session, step, now) is None:
            # This email failed before.
            return row.change(ReportOutcome.REPEATED)
    if kind is StepKind.POLICY:
        _tell(session, _kept(failure.words), now)
    return decision.outcome


def _complained(
    session: Session, tokens: Tokens, row: _Row, delivery: _Sent, email_keys: set[str], now: datetime
) -> None:
    """Count a complaint, and stop all email to the addresses that it is about."""
    delivery_id, subscriber_id = delivery.delivery_id, delivery.subscriber_id
    first = update(Delivery).where(Delivery.id == delivery_id, Delivery.complained_at.is_(None))
    session.execute(first.values(complained_at=now).execution_options(synchronize_session=False))
    if subscriber_id is None:
        return
    step = Step(
        StepKind.COMPLAINT, subscriber_id, delivery_id=delivery_id, report_id=row.id,
        sent_at=delivery.settled_at,
    )  # fmt: skip
    bounce_steps.add(session, step, now)
    for key in sorted(email_keys):
        # A former address may be another subscriber's today.
        whose = session.scalar(select(Subscriber.id).where(Subscriber.email_key == key))
        mark = suppression.suppression_hash(tokens, key)
        reason = SuppressionReason.COMPLAINT
        if suppression.add(session, mark, reason, now, whose, delivery_id=delivery_id):
            # The start of the hash, as in entries of people's own decisions (suppression.py).
            audit.record(session, ACTOR, "address.suppress", mark[:16], now, reason="complaint")


def _tell(session: Session, words: str, now: datetime) -> None:
    known = find_open(session, NoticeKind.MAIL_RETURNED, "")
    count = 1 + (known.detail.get("returned", 0) if known else 0)
    tell_owner(session, NoticeKind.MAIL_RETURNED, "", now, returned=count, said=words[:200] or "-")
