"""Decide from a person's emails whether a probe must tell if the address still receives email. Pure.

One soft failure says little: a mailbox is full for a weekend, a server is down for a night. So failures count
over several emails and days, old ones count less, and an email that arrived in between takes one away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from newsletter.models import DeliveryState, ProbeResult, StepKind

# An accepted email that has not come back after this time has arrived. Servers give up after four to five
# days (RFC 5321, section 4.5.4.1).
ARRIVED_AFTER = timedelta(days=5)


@dataclass(frozen=True)
class SoftRule:
    """When soft failures ask for a probe (docs/returned-mail.md).

    At least `emails` emails have failed, over at least `days` days, and their weights still add up to half of
    `emails`. The weight of a failure is 1, and halves every `half_life_days`.
    """

    emails: int = 4
    days: int = 21
    half_life_days: int = 45


class Sent(NamedTuple):
    """One email that was sent to a person at `at`: it failed, or it arrived.

    `asks_probe`: it failed for good, and a sign of life contradicts that.
    """

    at: datetime
    failed: bool
    asks_probe: bool = False


def wants_probe(sent: Sequence[Sent], rule: SoftRule, now: datetime) -> bool:
    """Return whether these emails to one person, in their order, ask for a probe."""
    if any(each.asks_probe for each in sent):
        return True
    weight, failed, last = 0.0, list[datetime](), None
    for each in sent:
        weight *= _decay(last, each.at, rule)
        last = each.at
        if each.failed:
            weight += 1
            failed.append(each.at)
        elif weight <= 1:
            weight, failed = 0.0, []
        else:
            weight -= 1
    if len(failed) < rule.emails or failed[-1] - failed[0] < timedelta(days=rule.days):
        return False
    return weight * _decay(last, now, rule) >= rule.emails / 2


def _decay(since: datetime | None, until: datetime, rule: SoftRule) -> float:
    if since is None or until <= since:
        return 1.0
    return float(0.5 ** ((until - since) / timedelta(days=rule.half_life_days)))


@dataclass(frozen=True)
class ProbeFacts:
    """What we know about a probe email.

    `failure` is the step of its failure, if it has one. `used`: the person used a link since it was sent.
    `wanted`: the person still gets the newsletter at the same address.
    """

    state: DeliveryState
    settled_at: datetime | None
    failure: StepKind | None = None
    used: bool = False
    wanted: bool = True


def judge_probe(facts: ProbeFacts, wait: timedelta, now: datetime) -> ProbeResult | None:
    """Return the result of a probe, or None as long as it has none.

    The relay accepts nearly everything, so an accepted probe has arrived only after `wait` without a report.
    A probe that still waits here has no result: a relay that is down says nothing about the address. When we
    give up after days of temporary replies, the last reply decides (outbox/refused/mailbox_trouble.py).
    """
    if not facts.wanted:
        return ProbeResult.ENDED
    if facts.used:
        return ProbeResult.PASSED
    if facts.failure in (StepKind.HARD, StepKind.SOFT):
        return ProbeResult.FAILED
    if facts.failure is not None:
        return ProbeResult.ENDED
    if facts.state in (DeliveryState.ACCEPTED, DeliveryState.UNCERTAIN):
        over = facts.settled_at is not None and now - facts.settled_at >= wait
        return ProbeResult.PASSED if over else None
    waits = (DeliveryState.QUEUED, DeliveryState.LEASED, DeliveryState.DEFERRED)
    return None if facts.state in waits else ProbeResult.ENDED
