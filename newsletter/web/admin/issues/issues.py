"""The issue pages: progress, deliveries, and buttons to pause, resume, cancel and resend."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Any

from babel.dates import format_timedelta
from flask import (
    Response,
    abort,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from sqlalchemy.orm import Session

from newsletter.digest.by_hand import approve_held
from newsletter.digest.clicks.count import clicks_of, count_agreed
from newsletter.digest.order.store import version_of
from newsletter.digest.schedule.outlook import waves_in_words
from newsletter.models import (
    UNSETTLED,
    Delivery,
    DeliveryState,
    Frequency,
    Issue,
    IssueState,
    Newsletter,
    db,
    target_of,
)
from newsletter.models.paging import Page
from newsletter.outbox import control
from newsletter.outbox.lease import priority_of
from newsletter.outbox.pacing.standings import read_standing
from newsletter.outbox.pacing.waiting_reasons import own_hours_in_words, reasons_to_wait
from newsletter.outbox.reports.delivery_list import as_csv, list_deliveries
from newsletter.outbox.reports.issue_list import count_by_issue, list_issues, page_of_deliveries
from newsletter.outbox.reports.outcome import read_outcome
from newsletter.outbox.reports.progress import Progress, progress
from newsletter.outbox.unbuildable import count_unbuildable, skip_unbuildable
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import chosen_newsletter, newsletter_names
from newsletter.web.admin.query_string import choice_of, page_number
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

PER_PAGE = 50
MOVING = frozenset({IssueState.PREPARING, IssueState.SENDING})


class IssueAction(enum.StrEnum):
    """The actions of an issue's buttons."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RESEND_UNCERTAIN = "resend_uncertain"
    RETRY_REJECTED = "retry_rejected"
    SKIP_UNBUILDABLE = "skip_unbuildable"
    APPROVE = "approve"


@admin.get("/issues")
def issues() -> str:
    """Show the issues of all newsletters, or of the one that the query names, the newest first."""
    session = db.session()
    chosen, names = chosen_newsletter(session), newsletter_names(session)
    only = chosen if request.args.get("newsletter") == chosen.slug else None
    found = list_issues(session, page_number(), PER_PAGE, only.id if only else None)
    counts = count_by_issue(session, [issue.id for issue in found.items])
    rows = [
        {
            "public_id": issue.public_id,
            "title": issue.title,
            "newsletter": names.get(issue.newsletter_id),
            "state": issue.state,
            "frequencies": [Frequency(each).words for each in issue.frequencies],
            "created_at": issue.created_at,
            "total": sum(counts[issue.id].values()),
            "done": sum(count for state, count in counts[issue.id].items() if state not in UNSETTLED),
            "accepted": counts[issue.id].get(DeliveryState.ACCEPTED, 0),
        }
        for issue in found.items
    ]
    return render_template(
        "admin/issues.html",
        issues=rows,
        pagination=found,
        newsletters=chosen.options,
        newsletter=only.slug if only else None,
    )


@admin.get("/issues/<public_id>")
def issue(public_id: str) -> str:
    """Show one issue and its deliveries."""
    session, now = db.session(), runtime().now()
    found = control.find_issue(session, public_id, lock=False)
    state = choice_of(DeliveryState, request.args.get("state"))
    shown = _progress(session, found, now)
    rows, pages = _deliveries(session, found.id, state)
    may = {
        "pause": found.state is IssueState.SENDING,
        "resume": found.state is IssueState.PAUSED,
        "cancel": found.state in control.CAN_END,
        "resend_uncertain": control.count_resendable(session, found),
        "approve": found.state is IssueState.HELD and found.created_by != actor(),
        "skip_unbuildable": bool(count_unbuildable(session, found.id)),
        "retry_rejected": control.count_retryable(session, found),
    }
    return render_template(
        "admin/issue.html",
        issue=found,
        newsletter=newsletter_names(session).get(found.newsletter_id),
        slug=session.get_one(Newsletter, found.newsletter_id).slug,
        order_target=target_of(found),
        order_version=version_of(session, found.newsletter_id, target_of(found)),
        frequencies=[Frequency(each).words for each in found.frequencies],
        progress=shown,
        outcome=read_outcome(session, found),
        clicks=clicks_of(session, found.id),
        agreed=count_agreed(session, found.id),
        may=may,
        deliveries=rows,
        state_filter=state.value if state else None,
        pagination=pages,
    )


@admin.get("/issues/<public_id>/progress")
def issue_progress(public_id: str) -> str:
    """Show the progress of an issue: the partial that its page reloads."""
    session = db.session()
    found = control.find_issue(session, public_id, lock=False)
    state = choice_of(DeliveryState, request.args.get("state"))
    return render_template(
        "admin/_issue_progress.html",
        issue=found,
        frequencies=[Frequency(each).words for each in found.frequencies],
        progress=_progress(session, found, runtime().now()),
        state_filter=state.value if state else None,
    )


@admin.get("/issues/<public_id>/cancel")
def cancel_issue(public_id: str) -> str:
    """Ask before cancelling: say who has the issue, and who will not get it."""
    session = db.session()
    found = control.find_issue(session, public_id, lock=False)
    counts = progress(session, found.id, runtime().now()).by_state
    return render_template(
        "admin/cancel_issue.html",
        issue=found,
        preparing=found.state is IssueState.PREPARING,
        planned=found.state in {IssueState.HELD, IssueState.SCHEDULED},
        refused=counts.get(DeliveryState.REJECTED, 0),
        have=counts.get(DeliveryState.ACCEPTED, 0) + counts.get(DeliveryState.UNCERTAIN, 0),
        sending=counts.get(DeliveryState.LEASED, 0),
        waiting=counts.get(DeliveryState.QUEUED, 0) + counts.get(DeliveryState.DEFERRED, 0),
    )


@admin.get("/issues/<public_id>/deliveries.csv")
def deliveries_csv(public_id: str) -> Response:
    """Download the deliveries, with state and reason: all, or those in one state."""
    session = db.session()
    found = control.find_issue(session, public_id, lock=False)
    lines = list_deliveries(session, found.id, choice_of(DeliveryState, request.args.get("state")))
    answer = Response(stream_with_context(as_csv(lines)), mimetype="text/csv")
    answer.headers["Content-Disposition"] = f'attachment; filename="deliveries-{found.public_id}.csv"'
    return answer


@admin.post("/issues/<public_id>")
def change_issue(public_id: str) -> Response:
    """Pause, resume or cancel an issue, or send again what failed or may have been lost."""
    action = choice_of(IssueAction, request.form.get("action"))
    if action is None:
        abort(400)
    session, now = db.session(), runtime().now()
    found = control.find_issue(session, public_id)
    if action is IssueAction.PAUSE:
        control.pause(session, found, actor(), now)
        words = "Paused. No more emails of this issue are sent."
    elif action is IssueAction.RESUME:
        control.resume(session, found, actor(), now)
        words = "Resumed. Sending continues."
    elif action is IssueAction.CANCEL:
        drop = request.form.get("releases") == "drop"
        count = control.cancel(session, found, actor(), now, session.commit, drop=drop)
        fate = "Its releases are dropped for them." if drop else "They get its releases with the next issue."
        words = f"Cancelled. Subscribers who did not get it: {count}. {fate}"
    elif action is IssueAction.APPROVE:
        seen = request.form.get("order_version", "")
        approve_held(session, found, actor(), now, int(seen) if seen.isdecimal() and len(seen) < 9 else None)
        words = "Approved. " + (
            "The issue is sent at its time." if found.state is IssueState.SCHEDULED else "It is being sent."
        )
    elif action is IssueAction.SKIP_UNBUILDABLE:
        count = skip_unbuildable(session, found, actor(), now)
        words = f"Emails skipped: {count}. Their releases are sent with the next issue."
    else:
        again = action is IssueAction.RESEND_UNCERTAIN
        send_again = control.resend_uncertain if again else control.retry_rejected
        words = send_again(session, found, actor(), now).in_words()
    session.commit()
    if action not in {IssueAction.PAUSE, IssueAction.CANCEL}:
        runtime().wake("bulk")
    flash(words, "ok")
    return make_response(redirect(url_for("admin.issue", public_id=public_id), code=303))


def _progress(session: Session, issue: Issue, now: datetime) -> dict[str, Any]:
    counted = progress(session, issue.id, now)
    moving = issue.state in MOVING
    return {
        "total": counted.total,
        "done": counted.settled,
        "counts": {state.value: count for state, count in counted.by_state.items()},
        "rate_text": _rate(counted.rate) if moving else "",
        "eta_text": _eta(counted.eta_seconds) if moving else "",
        "moving": moving,
        "waits": _waits(session, issue, counted, now) if issue.state is IssueState.SENDING else [],
    }


def _waits(session: Session, issue: Issue, counted: Progress, now: datetime) -> list[str]:
    sender = runtime().sender(issue.newsletter_id)
    hours = own_hours_in_words(counted.later, counted.last_hour_at, sender.zone)
    waits = reasons_to_wait(read_standing(session, sender, now), sender, now, priority_of(issue)) + hours
    return waits + waves_in_words(session, issue, sender.zone)


def _rate(rate: float) -> str:
    if not rate:
        return ""
    return f"{rate:,.0f} a second" if rate >= 1 else f"{rate * 60:,.0f} a minute"


def _eta(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return "about " + format_timedelta(timedelta(seconds=max(1, round(seconds))), locale="en", threshold=1.5)


def _deliveries(
    session: Session, issue_id: int, state: DeliveryState | None
) -> tuple[list[dict[str, Any]], Page[Delivery]]:
    found, people = page_of_deliveries(session, issue_id, state, page_number(), PER_PAGE)
    rows = []
    for delivery in found.items:
        subscriber = people.get(delivery.subscriber_id or 0)
        rows.append(
            {
                "subscriber_public_id": subscriber.public_id if subscriber else None,
                "email": subscriber.label if subscriber else delivery.recipient or "",
                "state": delivery.state,
                "attempt": delivery.attempt,
                "at": delivery.settled_at or delivery.due_at,
                "reply_code": delivery.reply_code,
                "status": delivery.status,
                "reply_text": delivery.reply_text,
                "bounced_at": delivery.bounced_at,
                "complained_at": delivery.complained_at,
            }
        )
    return rows, found
