"""The list of reports that came back, one report, and its message as plain text."""

from __future__ import annotations

from flask import Response, render_template, request

from newsletter.bounces.history.queries import find_report, page_of_reports, read_message
from newsletter.models import ReportOutcome, db
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import choice_of

# Nothing in it may run or load, whatever a browser takes it for.
MESSAGE_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
OUTCOMES = {
    ReportOutcome.HARD: "no such mailbox",
    ReportOutcome.SOFT: "other failure",
    ReportOutcome.LATE: "delayed",
    ReportOutcome.POLICY: "policy",
    ReportOutcome.COMPLAINT: "complaint",
    ReportOutcome.UNSIGNED: "not signed",
    ReportOutcome.STALE: "too late",
    ReportOutcome.REPEATED: "known before",
    ReportOutcome.GONE: "email unknown",
    ReportOutcome.AUTOREPLY: "automatic reply",
    ReportOutcome.NOTHING: "says nothing",
    ReportOutcome.CHECK: "came back from a check",
}


@admin.get("/returned/reports")
def reports() -> str:
    """Show the newest reports, or older ones."""
    outcome = choice_of(ReportOutcome, request.args.get("outcome"))
    rows, older = page_of_reports(db.session(), outcome, request.args.get("before", type=int))
    return render_template(
        "admin/reports.html", reports=rows, older=older, outcome=outcome, outcomes=OUTCOMES
    )


@admin.get("/returned/reports/<int(max=9223372036854775807):number>")
def report(number: int) -> str:
    """Show one report."""
    found = find_report(db.session(), number)
    return render_template("admin/report.html", report=found, outcomes=OUTCOMES)


@admin.get("/returned/reports/<int(max=9223372036854775807):number>/message")
def report_message(number: int) -> Response:
    """Return the first part of the message of a report, as text that a browser only shows."""
    answer = Response(read_message(db.session(), number), content_type="text/plain; charset=utf-8")
    answer.headers["Content-Security-Policy"] = MESSAGE_POLICY
    answer.headers["X-Content-Type-Options"] = "nosniff"
    answer.headers["Content-Disposition"] = f'inline; filename="report-{number}.txt"'
    return answer
