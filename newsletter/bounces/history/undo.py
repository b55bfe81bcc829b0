"""Let a person undo one step in the history of returned emails. The audit log has an entry."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from newsletter import audit, bounce_steps, suppression
from newsletter.bounce_steps import Step
from newsletter.bounces.reports.mailed import find_mailed
from newsletter.bounces.rules.probes import end_probe
from newsletter.errors import NotFound, StateConflict
from newsletter.models import (
    BounceStep,
    Delivery,
    DeliveryState,
    Probe,
    ProbeResult,
    StepKind,
    Subscriber,
    SuppressionReason,
)
from newsletter.outbox.unsent import WAITING
from newsletter.tokens import Tokens

# The other kinds are results that nothing depends on, or were done by a person.
CAN_UNDO = frozenset(
    {
        StepKind.HARD,
        StepKind.SOFT,
        StepKind.POLICY,
        StepKind.COMPLAINT,
        StepKind.PROBED,
        StepKind.PROBE_FAILED,
        StepKind.RESET,
        StepKind.SUPPRESSED,
    }
)
_QUIETLY = {"synchronize_session": False}


def undo(session: Session, tokens: Tokens, step_id: int, actor: str, now: datetime, newest: int) -> StepKind:
    """Undo a step; return its kind. Commits nothing.

    A failure then counts no more. A complaint, a failed probe and a suppression are lifted, with the `newest`
    releases of each topic. A probe that was sent ends. After a reset, earlier failures count again.
    Raises NotFound, and StateConflict if the step was undone before or cannot be undone.
    """
    chosen = select(BounceStep).where(BounceStep.id == step_id)
    step = session.scalar(chosen.with_for_update().execution_options(populate_existing=True))
    if step is None:
        raise NotFound(f"there is no step {step_id}")
    if step.undone_at is not None:
        raise StateConflict(f"step {step_id} was undone before")
    if step.kind not in CAN_UNDO:
        raise StateConflict(f"step {step_id} cannot be undone: it is only a note ({step.kind.value})")
    _take_back(session, tokens, step, actor, now, newest)
    step.undone_at = now
    undone = Step(
        StepKind.UNDONE, step.subscriber_id, step.kind.value, delivery_id=step.delivery_id, actor=actor
    )
    bounce_steps.add(session, undone, now)
    audit.record(session, actor, "bounce.undo", str(step_id), now, kind=step.kind.value)
    session.flush()
    return step.kind


def _take_back(
    session: Session, tokens: Tokens, step: BounceStep, actor: str, now: datetime, newest: int
) -> None:
    mine = update(Delivery).where(Delivery.id == step.delivery_id).execution_options(**_QUIETLY)
    match step.kind:
        case StepKind.HARD:
            # The delivery stays rejected, because its releases may have come with another one since.
            session.execute(mine.values(bounced_at=None, verdict=None))
        case StepKind.COMPLAINT:
            session.execute(mine.values(complained_at=None))
            for each in find_mailed(session, step.subscriber_id, step.sent_at).maybe:
                _lift_key(session, tokens, each.canonical, SuppressionReason.COMPLAINT, actor, now, newest)
        case StepKind.PROBE_FAILED:
            _lift(session, tokens, step, SuppressionReason.SOFT_BOUNCE, actor, now, newest)
        case StepKind.SUPPRESSED:
            reason = SuppressionReason(step.reason)
            if not _lift(session, tokens, step, reason, actor, now, newest):
                raise StateConflict("This address is not suppressed any more, or for another reason.")
        case StepKind.PROBED:
            _end_probe(session, tokens, step, now)


def _lift(
    session: Session,
    tokens: Tokens,
    step: BounceStep,
    reason: SuppressionReason,
    actor: str,
    now: datetime,
    newest: int,
) -> bool:
    """Lift the suppression of the person's present address, if it is for this reason."""
    key = session.scalar(select(Subscriber.email_key).where(Subscriber.id == step.subscriber_id))
    # Without a domain, the step is about a former address.
    return bool(key and step.domain) and _lift_key(session, tokens, key or "", reason, actor, now, newest)


def _lift_key(
    session: Session,
    tokens: Tokens,
    email_key: str,
    reason: SuppressionReason,
    actor: str,
    now: datetime,
    newest: int,
) -> bool:
    found = suppression.find(session, tokens, email_key)
    if found is None or found.reason is not reason:
        return False
    return suppression.lift(
        session, tokens, email_key, actor, now, newest, "a step of the history was undone"
    )


def _end_probe(session: Session, tokens: Tokens, step: BounceStep, now: datetime) -> None:
    theirs = (Probe.delivery_id == step.delivery_id, Probe.subscriber_id == step.subscriber_id)
    probe = session.scalar(select(Probe).where(*theirs, Probe.ended_at.is_(None)).with_for_update())
    if probe is None:
        raise StateConflict("This probe has a result already.")
    end_probe(session, tokens, probe, ProbeResult.ENDED, now)
    unsent = update(Delivery).where(Delivery.id == step.delivery_id, Delivery.state.in_(WAITING))
    skipped = unsent.values(state=DeliveryState.SKIPPED, settled_at=now)
    session.execute(skipped.execution_options(**_QUIETLY))
