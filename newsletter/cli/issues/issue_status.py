"""Print the progress of an issue, once or as a bar until it is sent."""

from __future__ import annotations

import sys
import time
from typing import Any

import click
from sqlalchemy.orm import Session

from newsletter.cli.context import print_json
from newsletter.digest.schedule.outlook import waves_in_words
from newsletter.models import DeliveryState, Issue, IssueState
from newsletter.newsletters.queries import list_newsletters
from newsletter.outbox import control
from newsletter.outbox.lease import priority_of
from newsletter.outbox.pacing.standings import read_standing
from newsletter.outbox.pacing.waiting_reasons import own_hours_in_words, reasons_to_wait
from newsletter.outbox.reports.progress import Progress, progress
from newsletter.outbox.unbuildable import count_unbuildable
from newsletter.runtime import Runtime

LOOK_SECONDS = 1.0


def load_issue(parts: Runtime, public_id: str) -> Issue:
    """Return an issue. Raises NotFound."""
    with parts.reading() as session:
        return control.find_issue(session, public_id, lock=False)


def _progress(parts: Runtime, issue: Issue) -> Progress:

    with parts.reading() as session:
        return progress(session, issue.id, parts.now())


def print_status(parts: Runtime, issue: Issue, as_json: bool) -> None:
    """Print how far an issue has been sent, and why it waits."""
    found = _progress(parts, issue)
    counts = {str(state): count for state, count in sorted(found.by_state.items())}
    waits = _waits(parts, issue, found)
    with parts.reading() as session:
        newsletters = {row.id: row.slug for row in list_newsletters(session)}
        steps = _next_steps(session, issue)
    slug = newsletters[issue.newsletter_id]
    if as_json:
        answer: dict[str, Any] = {
            "id": issue.public_id,
            "newsletter": slug,
            "title": issue.title,
            "state": issue.state,
            "frequencies": issue.frequencies,
            "total": found.total,
            "deliveries": counts,
            "rate": round(found.rate, 1),
            "eta_seconds": found.eta_seconds,
            "note": issue.note,
            "waits": waits,
            "next_steps": steps,
        }
        print_json(answer)
        return
    states = ", ".join(f"{count} {DeliveryState(state).words}" for state, count in counts.items())
    states = states or "nothing yet"
    title = issue.title if len(newsletters) == 1 else f"{slug}  {issue.title}"
    click.echo(f"{issue.public_id}  {title}  {issue.state}: {states}")
    for line in [issue.note, *waits, *steps]:
        if line:
            click.echo(f"  {line}")


def _next_steps(session: Session, issue: Issue) -> list[str]:
    """Return what a person can decide about emails of an issue, with the commands."""
    steps, name = [], issue.public_id
    if count := control.count_resendable(session, issue):
        may = "1 email may" if count == 1 else f"{count} emails may"
        again = "send again, which may bring it twice"
        ended = "count it as not sent" if issue.drops_unsent else "let the next issue bring its releases"
        then = ended if issue.state is IssueState.CANCELLED else again
        steps.append(
            f"{may} have arrived or not: the relay never answered. To see whose: "
            f"newsletter digest deliveries {name} --state {DeliveryState.UNCERTAIN}"
        )
        steps.append(f"To {then}: newsletter digest resend-uncertain {name}")
    if count := control.count_retryable(session, issue):
        was = "1 email was" if count == 1 else f"{count} emails were"
        steps.append(
            f"{was} refused. To see why: newsletter digest deliveries {name} --state {DeliveryState.REJECTED}"
        )
        steps.append(f"To send again: newsletter digest retry-rejected {name}")
    if count := count_unbuildable(session, issue.id):
        left = "1 email" if count == 1 else f"{count} emails"
        steps.append(f"To skip {left} that cannot be made: newsletter digest skip-unbuildable {name}")
    if issue.state is IssueState.HELD:
        steps.append(f"It waits until another person approves it: newsletter digest approve {name}")
    if issue.state is IssueState.PAUSED:
        steps.append(f"To go on: newsletter digest resume {name}")
    return steps


def _waits(parts: Runtime, issue: Issue, found: Progress) -> list[str]:
    """Return the reasons why an issue that is being sent has to wait."""
    if issue.state is not IssueState.SENDING:
        return []
    sender = parts.sender(issue.newsletter_id)
    with parts.reading() as session:
        standing = read_standing(session, sender, parts.now())
        waves = waves_in_words(session, issue, sender.zone)
    hours = own_hours_in_words(found.later, found.last_hour_at, sender.zone)
    return reasons_to_wait(standing, sender, parts.now(), priority_of(issue)) + hours + waves


def watch_issue(parts: Runtime, public_id: str) -> None:
    """Draw a progress bar until an issue waits for nothing but subscribers' preferred hours."""
    moving = {IssueState.PREPARING, IssueState.SENDING}
    issue = load_issue(parts, public_id)
    while issue.state is IssueState.PREPARING:
        time.sleep(LOOK_SECONDS)
        issue = load_issue(parts, public_id)
    found = _progress(parts, issue)
    with click.progressbar(length=found.total, label=issue.title, file=sys.stderr, show_pos=True) as bar:
        bar.update(found.settled)
        while issue.state in moving and found.waiting > found.later:
            time.sleep(LOOK_SECONDS)
            issue, before = load_issue(parts, public_id), found
            found = _progress(parts, issue)
            bar.label = f"{issue.title}  {found.rate:.0f}/s"
            bar.update(found.settled - before.settled)
