"""The page “Returned mail”: rates of each issue and domain, and reasons over time, as charts and tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import render_template, request

from newsletter.bounces.history.summary import count_by_domain, count_by_issue, count_by_reason, in_weeks
from newsletter.models import db
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import newsletter_names
from newsletter.web.admin.returned_mail.charts import bars_in_rows, stacked_columns
from newsletter.web.http.extensions import runtime

# The choices of the page, in days.
PERIODS = (30, 90, 365)
KINDS = {"hard": "no such mailbox", "soft": "other failures", "policy": "policy"}
# Few colours can be distinguished. The rarest reasons count as "others". The first ones are always shown, in
# the colours of the kinds above.
FIRST_REASONS = ("no such user", "mailbox full", "policy")
MOST_REASONS = 5
OTHERS = "others"


@admin.get("/returned")
def returned_mail() -> str:
    """Show the rates."""
    session, now, settings = db.session(), runtime().now(), runtime().settings
    days = request.args.get("days", type=int)
    days = days if days in PERIODS else PERIODS[1]
    issues = count_by_issue(session)
    domains = count_by_domain(session, runtime().tokens, now - timedelta(days=days))
    percents = [
        (f"{each.created_at:%d %b}", {words: each.numbers.percent(kind) for kind, words in KINDS.items()})
        for each in issues
    ]
    complaints = [
        (f"{each.created_at:%d %b}", {"complaints": each.numbers.percent("complaint")}) for each in issues
    ]
    return render_template(
        "admin/returned_mail.html",
        days=days,
        periods=PERIODS,
        issues=list(reversed(issues)),
        newsletters=newsletter_names(session),
        kinds=list(KINDS.values()),
        failures=stacked_columns(percents, list(KINDS.values()), " %"),
        complaints=stacked_columns(
            complaints, ["complaints"], " %", settings.complaint_alarm_percent or None
        ),
        complaint_alarm=settings.complaint_alarm_percent,
        bounce_alarm=settings.bounce_alarm_percent,
        domains=domains,
        domain_chart=bars_in_rows(
            [(each.domain, each.numbers.percent("hard")) for each in domains[:8]], " %"
        ),
        **_reasons(now, days),
    )


def _reasons(now: datetime, days: int) -> dict[str, Any]:
    """Return the chart of reasons over time, and its table."""
    since = now - timedelta(days=days)
    weeks = in_weeks(count_by_reason(db.session(), since), since.date(), now.date())
    totals: dict[str, int] = {}
    for _, numbers in weeks:
        for reason, number in numbers.items():
            totals[reason] = totals.get(reason, 0) + number
    most = sorted(totals, key=lambda each: (-totals[each], each))
    named = [each.replace("_", " ") for each in most]
    shown = list(dict.fromkeys([*FIRST_REASONS, *named]))[:MOST_REASONS]
    series = shown + [OTHERS] * bool(set(named) - set(shown))
    columns = []
    for monday, numbers in weeks:
        values: dict[str, float] = {}
        for reason, number in numbers.items():
            name = reason.replace("_", " ")
            name = name if name in shown else OTHERS
            values[name] = values.get(name, 0) + number
        columns.append((f"{monday:%d %b}", values))
    return {
        "reasons": stacked_columns(columns, series),
        "reason_names": series,
        "reason_table": [(each.replace("_", " "), totals[each]) for each in most],
        "weeks": [(monday, sum(numbers.values()), numbers) for monday, numbers in reversed(weeks)],
    }
