"""Decide whether a sign-up is stored: rate limits, hidden field and proof of work."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.limits.visits import Visit, count_visits
from newsletter.subscribers.signup.confirmation_limits import Trust
from newsletter.subscribers.signup.proof_of_work import check_proof
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.tokens import Tokens

# A form on another site does not show how long it was open. It is taken until the visitor's network has sent
# this many. After that, the button has to be pressed on a page of ours.
UNTIMED = 5


class Outcome(enum.StrEnum):
    """How a sign-up was answered.

    ASKED: the same answer for every address. FAULTY: something in it is wrong. WAIT: too many came.
    PRESS: the button has to be pressed once more, on a page of ours.
    """

    ASKED = "asked"
    FAULTY = "faulty"
    WAIT = "wait"
    PRESS = "press"


@dataclass(frozen=True)
class Taken:
    """The answer to a sign-up. `wait_seconds` is for WAIT."""

    outcome: Outcome
    wait_seconds: float = 0.0


@dataclass(frozen=True)
class Arrival:
    """A sign-up without faults, and how it came.

    `timed`: we know when its form was opened. `trapped`: a field that people do not see was filled in.
    `pressed`: the answer to an earlier form asked this visitor to press once more. It is only read if
    `trapped`. `altcha` is the proof of work, "" if it lacks, None if none is wanted.
    """

    ip_address: str
    timed: bool
    trapped: bool
    pressed: bool
    altcha: str | None
    signup: Signup


def store_signups(
    session: Session, tokens: Tokens, arrivals: Sequence[Arrival], now: datetime
) -> list[Taken]:
    """Count each sign-up, store those that are admitted, and return each answer. Commits nothing."""
    taken, signups = [], []
    visits = count_visits(session, tokens, [each.ip_address for each in arrivals], now)
    for arrival, visit in zip(arrivals, visits, strict=True):
        outcome, signup = _admit(session, tokens, arrival, visit, now)
        taken.append(outcome)
        signups += [signup] if signup is not None else []
    request_signups(session, signups, now)
    return taken


def _admit(
    session: Session, tokens: Tokens, arrival: Arrival, visit: Visit, now: datetime
) -> tuple[Taken, Signup | None]:
    if visit.wait_seconds:
        return Taken(Outcome.WAIT, visit.wait_seconds), None
    if visit.nth > UNTIMED and not arrival.timed:
        return Taken(Outcome.PRESS), None
    proven = arrival.altcha is not None and check_proof(session, tokens, arrival.altcha, now)
    if arrival.trapped:
        # A bot or a password manager filled in the hidden field. A person presses once more, or their browser
        # has done a proof of work. In a burst, this sign-up waits like one from a crowd.
        if not (arrival.pressed or proven):
            return Taken(Outcome.PRESS), None
        return Taken(Outcome.ASKED), replace(arrival.signup, trust=Trust.NONE, nth=max(1, visit.nth))
    trust = Trust.PROVEN if proven else arrival.signup.trust
    return Taken(Outcome.ASKED), replace(arrival.signup, trust=trust, nth=visit.nth)
