"""The button of a probe email: the person says that our emails reach them.

A probe email is sent when emails keep coming back (bounces/rules/probes.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter import bounce_steps, suppression
from newsletter.bounce_steps import STAYED, Step
from newsletter.models import (
    BounceStep,
    Probe,
    ProbeResult,
    StepKind,
    Subscriber,
    SubscriptionState,
    SuppressionReason,
)
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.link import LinkFault, find_link_subscriber, read_payload
from newsletter.tokens import Purpose, Tokens

ACTOR = "subscriber"


@dataclass(frozen=True)
class Staying:
    """Whose probe it is, and what the page says.

    `done`: the button was pressed. `blocked`: the address gets no email for another reason, which only the
    owner can lift. `left`: the person has no subscription.
    """

    public_id: str
    email_key: str
    done: bool
    blocked: bool
    left: bool


def read_stay(session: Session, tokens: Tokens, token: str, now: datetime) -> Staying | LinkFault:
    """Return what the page of a probe shows. Changes nothing."""
    found = _find(session, tokens, token, now)
    return found if isinstance(found, LinkFault) else _shown(session, tokens, *found)


def stay(session: Session, tokens: Tokens, token: str, now: datetime, newest: int) -> Staying | LinkFault:
    """Record that the emails arrive: earlier failures count no more. Commits nothing.

    If the address was suppressed because the probe seemed to come back, that is lifted, with the `newest`
    releases of each topic. The email has arrived, so the report was wrong. No other suppression is lifted.
    """
    found = _find(session, tokens, token, now, lock=True)
    if isinstance(found, LinkFault):
        return found
    person, probe = found
    if not _shown(session, tokens, person, probe).done:
        _pass(session, tokens, person, probe, now, newest)
    return _shown(session, tokens, person, probe)


def _pass(
    session: Session, tokens: Tokens, person: Subscriber, probe: Probe, now: datetime, newest: int
) -> None:
    delivery_id = probe.delivery_id
    if probe.ended_at is None:
        probe.ended_at, probe.result = now, ProbeResult.PASSED
        bounce_steps.add(session, Step(StepKind.PROBE_PASSED, person.id, delivery_id=delivery_id), now)
    key = person.email_key or ""
    blocked = suppression.find(session, tokens, key)
    if blocked is not None and blocked.reason is SuppressionReason.SOFT_BOUNCE:
        suppression.lift(session, tokens, key, ACTOR, now, newest)
    step = Step(StepKind.RESET, person.id, STAYED, delivery_id=delivery_id, actor=ACTOR)
    bounce_steps.add(session, step, now)
    session.flush()


def _find(
    session: Session, tokens: Tokens, token: str, now: datetime, *, lock: bool = False
) -> tuple[Subscriber, Probe] | LinkFault:
    match read_payload(tokens, Purpose.STAY, token, now):
        case [str(public_id), str(fingerprint), int(probe_id)]:
            person = find_link_subscriber(session, tokens, public_id, fingerprint, lock=lock)
            if isinstance(person, LinkFault):
                return person
            mine = select(Probe).where(Probe.id == probe_id, Probe.subscriber_id == person.id)
            probe = session.scalar(mine.with_for_update() if lock else mine)
            return LinkFault.DAMAGED if probe is None else (person, probe)
        case LinkFault() as fault:
            return fault
        case _:
            return LinkFault.DAMAGED


def _shown(session: Session, tokens: Tokens, person: Subscriber, probe: Probe) -> Staying:
    key = person.email_key or ""
    pressed = exists().where(
        BounceStep.subscriber_id == person.id,
        BounceStep.delivery_id == probe.delivery_id,
        BounceStep.kind == StepKind.RESET,
        BounceStep.reason == STAYED,
    )
    blocked = suppression.find(session, tokens, key)
    active = subscription_rows.of_subscriber(session, person.id, SubscriptionState.ACTIVE)
    return Staying(
        person.public_id,
        key,
        done=bool(session.scalar(select(pressed))),
        blocked=blocked is not None and blocked.reason is not SuppressionReason.SOFT_BOUNCE,
        left=not active,
    )
