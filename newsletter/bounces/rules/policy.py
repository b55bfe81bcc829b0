"""Decide the outcome of a report about a delivery. docs/returned-mail.md has the table. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Failure, Kind, Report
from newsletter.models import ReportOutcome

# Servers give up after five days at most (RFC 5321, section 4.5.4.1).
STALE = timedelta(days=7)
_OWNERS_FAULT = (Reason.POLICY, Reason.CONTENT, Reason.RATE)


@dataclass(frozen=True)
class Facts:
    """What we know about the delivery that a report is about.

    `addresses` are the forms of the address that we mailed, and of the person's present one, in lower case.
    `attempted_at` is None if the relay never accepted the email. `to_present`: the email went to the present
    address. `later_accepted`: the address accepted a later email that did not come back. `used_since`: its
    owner used a link since. `said` are the outcomes of earlier reports about it.
    """

    addresses: frozenset[str]
    attempted_at: datetime | None
    to_present: bool = True
    later_accepted: bool = False
    used_since: bool = False
    said: frozenset[ReportOutcome] = frozenset()


@dataclass(frozen=True)
class Decision:
    """The outcome of a report, and the failure that it is about.

    `asks_probe`: the mailbox does not exist by this report, and a sign of life contradicts it.
    """

    outcome: ReportOutcome
    failure: Failure | None = None
    asks_probe: bool = False


def decide(report: Report, facts: Facts, now: datetime) -> Decision:
    """Return the decision about a report."""
    if report.kind is Kind.AUTOREPLY:
        return Decision(ReportOutcome.AUTOREPLY)
    if report.kind is Kind.OTHER:
        return Decision(ReportOutcome.NOTHING)
    if facts.attempted_at is None:
        # The relay refused the email itself, so this report brings no news.
        return Decision(ReportOutcome.REPEATED)
    if now - facts.attempted_at > STALE:
        return Decision(ReportOutcome.STALE)
    if report.kind is Kind.COMPLAINT:
        return _of_complaint(report, facts)
    return _of_bounce(report, facts)


def _of_complaint(report: Report, facts: Facts) -> Decision:
    named = {each.lower() for each in report.complaints}
    if named and not named & facts.addresses:
        # The complaint comes from a person to whom the email was forwarded.
        return Decision(ReportOutcome.NOTHING)
    repeated = ReportOutcome.COMPLAINT in facts.said
    return Decision(ReportOutcome.REPEATED if repeated else ReportOutcome.COMPLAINT)


def _of_bounce(report: Report, facts: Facts) -> Decision:
    ours = [each for each in report.failures if each.address.lower() in facts.addresses]
    if not ours and not report.failures:
        return Decision(ReportOutcome.NOTHING)
    failure = next((each for each in ours if each.hard), (ours or report.failures)[0])
    if failure.delayed:
        return Decision(ReportOutcome.LATE, failure)
    if facts.said & {ReportOutcome.HARD, ReportOutcome.SOFT, ReportOutcome.POLICY}:
        return Decision(ReportOutcome.REPEATED, failure)
    if failure.hard and ours:
        return _of_dead_address(failure, facts)
    is_owners_fault = failure.reason in _OWNERS_FAULT
    return Decision(ReportOutcome.POLICY if is_owners_fault else ReportOutcome.SOFT, failure)


def _of_dead_address(failure: Failure, facts: Facts) -> Decision:
    if facts.to_present and not (facts.later_accepted or facts.used_since):
        return Decision(ReportOutcome.HARD, failure)
    # A report about a former address says nothing about the present one, so no probe is sent there.
    return Decision(ReportOutcome.SOFT, failure, asks_probe=facts.to_present)
