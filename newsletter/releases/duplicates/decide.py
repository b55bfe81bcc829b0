"""Decide whether two releases are one: merge them, suggest it to the editor, or neither. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, timedelta

from newsletter.models import HoldReason
from newsletter.releases.duplicates.compare import Likeness

# Releases whose dates are further apart are not compared.
WITHIN = timedelta(days=3)
# Two copies have at least these parts of their texts in common (compare.Likeness).
LEAST_SHARED, LEAST_COVERED = 0.85, 0.7
# A pair that shares at least this part is suggested to the editor.
SUGGESTED_FROM = 0.6
# Shorter texts have too few words to tell a copy from a notice that recurs.
LEAST_WORDS = 25
# These holds end by themselves, and the merged release keeps those of the release that stays.
_PASSING = {HoldReason.SETTLING, HoldReason.DATE}
# These holds wait for a person's decision. The program never merges a release that has one of them.
_BY_PERSON = {HoldReason.EDITOR, HoldReason.EMBARGO}


class Verdict(enum.Enum):
    """What to do. ASK: they would be merged, but a person held one back, so the editor is told at once."""

    NONE = "none"
    SUGGEST = "suggest"
    ASK = "ask"
    MERGE = "merge"


@dataclass(frozen=True)
class Side:
    """What a decision needs of a release. `is_out`: it is excluded or deleted."""

    day: date
    holds: frozenset[HoldReason] = frozenset()
    is_out: bool = False


def decide(likeness: Likeness, known: Side, new: Side, *, same_source: bool) -> Verdict:
    """Return what to do with a new release, by its likeness to a known one.

    A known one that settles is not judged: it is judged itself when it has settled.
    """
    if abs(known.day - new.day) > WITHIN or HoldReason.SETTLING in known.holds:
        return Verdict.NONE
    is_copy = (
        not likeness.differs
        and likeness.words >= LEAST_WORDS
        and likeness.shared >= LEAST_SHARED
        and likeness.covered >= LEAST_COVERED
    )
    if not is_copy:
        is_alike = likeness.shared >= SUGGESTED_FROM and likeness.words >= LEAST_WORDS
        return Verdict.SUGGEST if is_alike and not same_source else Verdict.NONE
    holds = known.holds | new.holds
    if same_source:
        # Equal texts are a notice that recurs. Nearly equal ones may be a correction with a new guid.
        return Verdict.NONE if likeness.is_equal else Verdict.SUGGEST
    if holds & _BY_PERSON or known.is_out:
        return Verdict.ASK
    return Verdict.SUGGEST if holds - _PASSING else Verdict.MERGE
