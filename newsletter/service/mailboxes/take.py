"""Take in one message of a mailbox, which other people may use too, and say what to do with it there."""

from __future__ import annotations

import enum
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import SQLAlchemyError

from newsletter.bounces.classify import InboundAction, NothingToDo, OwnAddresses, Returned, read_mail
from newsletter.errors import LimitReached, ReportsLimited
from newsletter.models import ReportOutcome
from newsletter.runtime import Runtime
from newsletter.service.incoming.apply import own_addresses, take_in

# What only a message for us leads to: a request, or a report with a value that we signed.
_OURS = frozenset({
    "left", "gone", "asked", ReportOutcome.HARD, ReportOutcome.SOFT, ReportOutcome.LATE, ReportOutcome.POLICY,
    ReportOutcome.COMPLAINT, ReportOutcome.STALE, ReportOutcome.REPEATED, ReportOutcome.CHECK,
})  # fmt: skip

log = logging.getLogger(__name__)


class After(enum.Enum):
    """What to do with a message in its mailbox."""

    SETTLE = "settle"  # done for us, and committed
    LEAVE = "leave"  # for other people
    LATER = "later"  # a limit was reached, or something failed: read it again


@dataclass
class Counts:
    """What a pass over a mailbox did: messages read, left alone, to be read again, skipped, and the words."""

    read: int = 0
    left_alone: int = 0
    later: int = 0
    skipped: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def add(self, after: After, words: Sequence[str]) -> None:
        """Count one message."""
        self.read += 1
        self.left_alone += after is After.LEAVE
        self.later += after is After.LATER
        if after is not After.LEAVE:
            self.done.update(words)


def concerns_us(runtime: Runtime, start: bytes) -> bool:
    """Return whether a message may be for us, by its start."""
    return _may_concern(read_mail(start, own_addresses(runtime)))


def take_message(runtime: Runtime, raw: bytes, counts: Counts) -> After:
    """Do what a message asks for, and commit. Database errors are raised, and then nothing was done."""
    own = own_addresses(runtime)
    actions = read_mail(raw, own)
    if not _may_concern(actions):
        counts.add(After.LEAVE, ())
        return After.LEAVE
    try:
        done = take_in(runtime, raw)
        after = After.SETTLE if _is_ours(actions, done, own) else After.LEAVE
    except ReportsLimited as limited:
        # Another sender's report stays where it is, so nothing is lost. Ours is read again.
        is_ours = limited.is_signed or _is_to_us(actions, own)
        done = ["later" if is_ours else ReportOutcome.UNSIGNED]
        after = After.LATER if is_ours else After.LEAVE
    except LimitReached:
        done, after = ["later"], After.LATER
    except SQLAlchemyError:
        raise
    except Exception:
        # One message that fails must not stop the others. It stays in the mailbox, and is read again.
        log.exception("event=mail_not_recorded bytes=%d", len(raw))
        done, after = ["failed"], After.LATER
    counts.add(after, done)
    return after


def _may_concern(actions: Sequence[InboundAction]) -> bool:
    return not all(isinstance(each, NothingToDo) for each in actions)


def _is_ours(actions: Sequence[InboundAction], done: Sequence[str], own: OwnAddresses) -> bool:
    return bool(_OURS & set(done)) or _is_to_us(actions, own)


def _is_to_us(actions: Sequence[InboundAction], own: OwnAddresses) -> bool:
    # Mail to the signed return path of a delivery is for nobody else, whatever it says.
    to = [each for action in actions if isinstance(action, Returned) for each in action.recipients]
    return any(own.is_signed_path(each) for each in to)
