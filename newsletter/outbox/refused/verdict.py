"""Decide whether refused addresses are dead mailboxes or a fault of the relay. Pure.

A relay, or the server of one domain, sometimes replies "no such mailbox" for every address. So one refusal
proves nothing. The rule reads the replies of the relay and of the recipient's domain to other emails, just
before and just after. Addresses that accepted an email in the past, called witnesses, are the best evidence,
because they exist.

- *Wrong*: the relay, or the domain, refuses too many. Issues pause or emails are held, and the owner decides.
- *Gone*: the refusal is a rare exception among acceptances, for the relay and for the domain.
- *Wait*: everything else. The address is emailed as before, and its next refusal is judged by the same
  rule. Three refusals over a week with no acceptance between are believed.

docs/decisions/0004-refused-addresses-are-judged-by-their-neighbours.md has the reasons.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate
from typing import NamedTuple

# How many outcomes the rule uses on each side of a refusal.
AROUND = 100
# Of this many nearest outcomes on each side, most must be acceptances.
NEAREST = 20
# Fewer witnesses prove nothing.
WITNESSES = 20
# If more than this part of the witnesses is refused, no refusal is believed.
BELIEVED_PART = 0.05
# If at least this many witnesses are refused, and more than that part of them, the relay is wrong.
WRONG_WITNESSES = 5
# If this many outcomes in a row have this many refusals and no majority of acceptances, the relay is wrong.
STRETCH = 40
WRONG_IN_STRETCH = 10
# This many refusals in a row are not a rare exception.
IN_A_ROW = 3
# For each other refusal in the domain there must be this many acceptances.
ACCEPTANCES_PER_REFUSAL = 4
# A domain with fewer outcomes is too small for the rule about relays.
DOMAIN_OUTCOMES = 20
# Outcomes of one domain that are further apart than this are not compared.
DOMAIN_TIME = timedelta(days=1)
# An address is gone if it was refused this often, over this time, with no acceptance between.
REFUSALS = 3
REFUSED_FOR = timedelta(days=7)


class Verdict(enum.Enum):
    """What a refusal means."""

    GONE = "gone"
    WAIT = "wait"
    WRONG = "wrong"


class DigestOutcome(NamedTuple):
    """The outcome of one digest.

    `refused`: the relay said that there is no such mailbox. After any other rejection neither `accepted` nor
    `refused` is true. `witness`: the address accepted an email before. `handled`: the owner was asked about
    this refusal, or it was decided.
    """

    delivery_id: int
    person: int
    accepted: bool
    refused: bool
    witness: bool
    handled: bool = False


def is_wrong(outcomes: Sequence[DigestOutcome]) -> bool:
    """Return whether these consecutive outcomes show that a relay or a domain is wrong.

    Refusals that the owner was asked about, or that were decided, are no new evidence and are left out.
    """
    fresh = [each for each in outcomes if not (each.refused and each.handled)]
    witnesses = [each for each in fresh if each.witness]
    refused = sum(each.refused for each in witnesses)
    if refused >= WRONG_WITNESSES and refused > BELIEVED_PART * len(witnesses):
        return True
    if sum(each.refused for each in fresh) < WRONG_IN_STRETCH:
        return False
    # Sums up to each place, because this is asked for every refusal.
    refusals = list(accumulate((each.refused for each in fresh), initial=0))
    acceptances = list(accumulate((each.accepted for each in fresh), initial=0))
    size = min(STRETCH, len(fresh))
    return any(
        refusals[at] - refusals[at - size] >= WRONG_IN_STRETCH
        and 2 * (acceptances[at] - acceptances[at - size]) <= size
        for at in range(size, len(fresh) + 1)
    )


def judge(
    before: Sequence[DigestOutcome],
    refusal: DigestOutcome,
    after: Sequence[DigestOutcome],
    domain_before: Sequence[DigestOutcome],
    domain_after: Sequence[DigestOutcome],
) -> Verdict:
    """Return what one refusal means.

    `before` and `after` are the relay's nearest outcomes on each side, in their order, up to `AROUND`. The
    two about the domain are those to other people of the recipient's domain, on the same relay.
    """
    before, after = before[-AROUND:], after[:AROUND]
    if is_wrong([*before, refusal, *after]):
        return Verdict.WRONG
    if _is_exception(before, refusal, after) and is_alive(domain_before, domain_after):
        return Verdict.GONE
    return Verdict.WAIT


def is_alive(before: Sequence[DigestOutcome], after: Sequence[DigestOutcome]) -> bool:
    """Return whether a domain accepted other people's emails before and after a refusal.

    At least one acceptance must come after the refusal. Without it, the domain may have just begun to refuse
    everybody. So an address that is alone in its domain is never suppressed after its first refusal.
    """
    accepted_after = sum(each.accepted for each in after)
    everything = [*before, *after]
    refused = sum(each.refused for each in everything)
    accepted = sum(each.accepted for each in everything)
    refused_after = sum(each.refused for each in after)
    return (
        accepted_after > 0
        and accepted_after >= ACCEPTANCES_PER_REFUSAL * refused_after
        and accepted >= ACCEPTANCES_PER_REFUSAL * refused
    )


def _is_exception(
    before: Sequence[DigestOutcome], refusal: DigestOutcome, after: Sequence[DigestOutcome]
) -> bool:
    near_before, near_after = before[-NEAREST:], after[:NEAREST]
    if len(near_before) < NEAREST or len(near_after) < NEAREST:
        return False
    if not (_mostly_accepted(near_before) and _mostly_accepted(near_after)):
        return False
    if _has_run([*near_before, refusal, *near_after]):
        return False
    witnesses = [each for each in (*before, *after) if each.witness]
    if len(witnesses) < WITNESSES:
        return False
    sides = [[each for each in side if each.witness] for side in (before, after)]
    # A side with few witnesses is not judged alone, because one refusal is already a large part of it.
    judged = [witnesses, *(side for side in sides if len(side) >= WITNESSES)]
    return all(sum(each.refused for each in part) <= BELIEVED_PART * len(part) for part in judged)


def _mostly_accepted(stretch: Sequence[DigestOutcome]) -> bool:
    return 2 * sum(each.accepted for each in stretch) > len(stretch)


def _has_run(stretch: Sequence[DigestOutcome]) -> bool:
    run = 0
    for each in stretch:
        run = run + 1 if each.refused else 0
        if run >= IN_A_ROW:
            return True
    return False
