"""Send probe emails to addresses whose emails keep coming back, and act on the results.

docs/decisions/0020-a-probe-decides.md has the reasons. The sweep calls both functions; the caller commits.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, literal_column, or_, select, update
from sqlalchemy.orm import Session

from newsletter import audit, bounce_steps, suppression
from newsletter.bounce_steps import Step
from newsletter.bounces.rules.life import came_back, has_used, last_used
from newsletter.bounces.rules.soft import (
    ARRIVED_AFTER,
    ProbeFacts,
    Sent,
    SoftRule,
    judge_probe,
    wants_probe,
)
from newsletter.models import (
    FAILURES,
    FIRST_NEWSLETTER,
    UNSETTLED,
    BounceStep,
    Delivery,
    DeliveryState,
    Issue,
    Probe,
    ProbeResult,
    StepKind,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
    insert_new,
    is_one_of,
)
from newsletter.notices import NoticeKind, settle_quiet, tell_owner
from newsletter.outbox.enqueue import enqueue_single
from newsletter.tokens import Tokens

ACTOR = "returned mail"
TEMPLATE = "probe"
# One person gets no second probe within this time.
NOT_AGAIN = timedelta(days=30)
# If more probes to one domain fail in a day, its server is probably at fault. The others end without result.
MOST_FAILED_A_DAY = 20
A_DAY = timedelta(days=1)
QUIET = timedelta(days=7)
# How many soft failures, or how many probes, one call looks at.
AT_ONCE = 500


def weigh_soft(session: Session, tokens: Tokens, rule: SoftRule, now: datetime) -> int:
    """Weigh up to `AT_ONCE` new soft failures, and send the probes that they ask for. Commits nothing.

    Returns how many it weighed. If these are `AT_ONCE`, call it again after a commit.
    """
    fresh = (
        select(BounceStep.id, BounceStep.subscriber_id)
        # Literals, so that the partial index is used.
        .where(BounceStep.weighed_at.is_(None), BounceStep.kind == literal_column("'soft'"))
        .order_by(BounceStep.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(fresh).all()
    for subscriber_id in dict.fromkeys(subscriber_id for _, subscriber_id in rows):
        person = session.get_one(Subscriber, subscriber_id, populate_existing=True)
        newsletter_id = _newsletter_of(session, person)
        if newsletter_id is None or not _may_probe(session, tokens, person, now):
            continue
        if wants_probe(_sent(session, subscriber_id, now), rule, now):
            _begin(session, person, newsletter_id, now)
    weighed = update(BounceStep).where(is_one_of(session, BounceStep.id, [each for each, _ in rows]))
    session.execute(weighed.values(weighed_at=now).execution_options(synchronize_session=False))
    return len(rows)


def settle_probes(session: Session, tokens: Tokens, wait: timedelta, now: datetime) -> int:
    """Act on the probes that have a result; return how many. Commits nothing."""
    maybe = (
        select(Probe, Delivery.state, Delivery.settled_at)
        .outerjoin(Delivery, Delivery.id == Probe.delivery_id)
        .where(
            Probe.ended_at.is_(None),
            or_(
                Delivery.state.not_in((*UNSETTLED, DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN)),
                Delivery.settled_at <= now - wait,
                came_back(Probe.delivery_id),
            ),
        )
        .order_by(Probe.id)
        .limit(AT_ONCE)
        .with_for_update(of=Probe, skip_locked=True)
    )
    settle_quiet(session, NoticeKind.PROBES_FAIL, now - QUIET, now)
    ended = 0
    for probe, state, settled_at in session.execute(maybe).all():
        person = session.get_one(Subscriber, probe.subscriber_id, populate_existing=True)
        facts = ProbeFacts(
            state,
            settled_at,
            failure=_failure_of(session, probe.delivery_id),
            used=has_used(session, person.id, probe.begun_at),
            wanted=_is_wanted(session, tokens, person, probe),
        )
        result = judge_probe(facts, wait, now)
        if result is ProbeResult.FAILED and _is_domain_at_fault(session, person, now):
            result = ProbeResult.ENDED
        if result is not None:
            end_probe(session, tokens, probe, result, now)
            ended += 1
    return ended


def _is_domain_at_fault(session: Session, person: Subscriber, now: datetime) -> bool:
    """Return whether so many probes to this person's domain failed that its server is to blame; then tell."""
    domain = (person.email_key or "").rpartition("@")[2]
    failed = select(func.count()).where(
        BounceStep.at > now - A_DAY,
        BounceStep.kind == StepKind.PROBE_FAILED,
        BounceStep.domain == domain,
        BounceStep.undone_at.is_(None),
    )
    count = session.scalar(failed) or 0
    if count < MOST_FAILED_A_DAY:
        return False
    tell_owner(session, NoticeKind.PROBES_FAIL, domain, now, failed=count, since=str((now - A_DAY).date()))
    return True


def end_probe(session: Session, tokens: Tokens, probe: Probe, result: ProbeResult, now: datetime) -> None:
    """Record the result of an open probe, and suppress the address if it failed. Commits nothing."""
    probe.ended_at, probe.result = now, result
    session.flush()
    kind = {
        ProbeResult.PASSED: StepKind.PROBE_PASSED,
        ProbeResult.FAILED: StepKind.PROBE_FAILED,
        ProbeResult.ENDED: StepKind.PROBE_ENDED,
    }[result]
    person, delivery_id = probe.subscriber_id, probe.delivery_id
    bounce_steps.add(session, Step(kind, person, delivery_id=delivery_id), now)
    if result is ProbeResult.PASSED:
        bounce_steps.add(session, Step(StepKind.RESET, person, "probe", delivery_id=delivery_id), now)
    elif result is ProbeResult.FAILED:
        _suppress(session, tokens, probe, now)


def _suppress(session: Session, tokens: Tokens, probe: Probe, now: datetime) -> None:
    key = session.scalar(select(Subscriber.email_key).where(Subscriber.id == probe.subscriber_id))
    if key is None:
        return
    mark = suppression.suppression_hash(tokens, key)
    reason = SuppressionReason.SOFT_BOUNCE
    if suppression.add(session, mark, reason, now, probe.subscriber_id, delivery_id=probe.delivery_id):
        audit.record(session, ACTOR, "address.suppress", mark[:16], now, reason=reason.value)


def _begin(session: Session, person: Subscriber, newsletter_id: int, now: datetime) -> None:
    """Enqueue a probe email, unless another process has done so meanwhile."""
    fresh = insert_new(session, Probe).values(subscriber_id=person.id, begun_at=now)
    probe_id = session.scalar(fresh.returning(Probe.id))
    if probe_id is None:
        return
    purpose_key = f"probe:{probe_id}"
    enqueue_single(
        session,
        subscriber_id=person.id,
        template=TEMPLATE,
        context={"probe": probe_id},
        purpose_key=purpose_key,
        language=person.language,
        now=now,
        newsletter_id=newsletter_id,
    )
    mine = (Delivery.subscriber_id == person.id, Delivery.purpose_key == purpose_key)
    delivery_id = session.scalar(select(Delivery.id).where(*mine))
    session.execute(update(Probe).where(Probe.id == probe_id).values(delivery_id=delivery_id))
    bounce_steps.add(session, Step(StepKind.PROBED, person.id, delivery_id=delivery_id), now)


def _may_probe(session: Session, tokens: Tokens, person: Subscriber, now: datetime) -> bool:
    if person.email_key is None or person.snoozed_until is not None:
        return False
    if suppression.is_suppressed(session, tokens, person.email_key):
        return False
    last = session.scalar(select(func.max(Probe.begun_at)).where(Probe.subscriber_id == person.id))
    return last is None or now - last >= NOT_AGAIN


def _newsletter_of(session: Session, person: Subscriber) -> int | None:
    """Return the newsletter that sends the probe: that of the last failure if it is still subscribed."""
    active = session.scalars(
        select(Subscription.newsletter_id)
        .where(
            Subscription.subscriber_id == person.id,
            Subscription.state == literal_column(f"'{SubscriptionState.ACTIVE.value}'"),
        )
        .distinct()
    ).all()
    if len(active) < 2:
        return min(active, default=None)
    last = session.scalar(
        select(func.coalesce(Issue.newsletter_id, Delivery.newsletter_id, FIRST_NEWSLETTER))
        .select_from(BounceStep)
        .join(Delivery, Delivery.id == BounceStep.delivery_id)
        .outerjoin(Issue, Issue.id == Delivery.issue_id)
        .where(BounceStep.subscriber_id == person.id, BounceStep.kind == StepKind.SOFT)
        # By the index of a person's steps. By id alone, SQLite reads everybody's.
        .order_by(BounceStep.at.desc(), BounceStep.id.desc())
        .limit(1)
    )
    return last if last in active else min(active, default=None)


def _sent(session: Session, subscriber_id: int, now: datetime) -> Sequence[Sent]:
    """Return the emails to a person that count: those that failed, and those that arrived meanwhile."""
    since = _counts_since(session, subscriber_id)
    failures = [
        Sent(sent_at or at, failed=True, asks_probe=asks_probe)
        for at, sent_at, asks_probe in session.execute(
            select(BounceStep.at, BounceStep.sent_at, BounceStep.asks_probe).where(
                BounceStep.subscriber_id == subscriber_id,
                BounceStep.kind == StepKind.SOFT,
                BounceStep.undone_at.is_(None),
                # Without a domain, it is about a former address.
                BounceStep.domain != "",
            )
        )
        if since is None or (sent_at or at) > since
    ]
    if not failures:
        return []
    arrived = session.scalars(
        select(Delivery.settled_at).where(
            Delivery.subscriber_id == subscriber_id,
            Delivery.state == DeliveryState.ACCEPTED,
            Delivery.settled_at > min(each.at for each in failures),
            Delivery.settled_at <= now - ARRIVED_AFTER,
            ~came_back(Delivery.id),
        )
    )
    return sorted([*failures, *(Sent(at, failed=False) for at in arrived if at is not None)])


def _counts_since(session: Session, subscriber_id: int) -> datetime | None:
    """Return from when failures count: the last reset, lifting or used link."""
    reset = session.scalar(
        select(func.max(BounceStep.at)).where(
            BounceStep.subscriber_id == subscriber_id,
            BounceStep.kind.in_((StepKind.RESET, StepKind.LIFTED)),
            BounceStep.undone_at.is_(None),
        )
    )
    moments = (reset, last_used(session, subscriber_id))
    return max((each for each in moments if each is not None), default=None)


def _failure_of(session: Session, delivery_id: int | None) -> StepKind | None:
    failed = select(BounceStep.kind).where(
        BounceStep.delivery_id == delivery_id,
        BounceStep.kind.in_(FAILURES),
        BounceStep.undone_at.is_(None),
    )
    return session.scalar(failed)


def _is_wanted(session: Session, tokens: Tokens, person: Subscriber, probe: Probe) -> bool:
    """Return whether the person still gets email at the address that the probe was sent to."""
    if person.email_key is None or suppression.is_suppressed(session, tokens, person.email_key):
        return False
    domain = session.scalar(
        select(BounceStep.domain).where(
            BounceStep.subscriber_id == person.id,
            BounceStep.delivery_id == probe.delivery_id,
            BounceStep.kind == StepKind.PROBED,
        )
    )
    return bool(domain) and _newsletter_of(session, person) is not None
