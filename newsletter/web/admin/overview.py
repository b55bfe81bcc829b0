"""The overview page: counts, the last issue, the outbox, and the running processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import render_template, url_for
from sqlalchemy.orm import Session

from newsletter.calendar.store import calendars_on
from newsletter.digest.overdue import INTERVALS, count_waiting, find_overdue
from newsletter.messages.sender import Sender, with_backups
from newsletter.models import (
    SILENT,
    DeliveryState,
    Notice,
    RelayCheck,
    ReleaseState,
    db,
    worker_heartbeats,
)
from newsletter.newsletters.edit import differing_settings
from newsletter.newsletters.queries import list_newsletters
from newsletter.notices import NoticeKind, find_open, open_notices, words
from newsletter.outbox.drain.worker import journal_folder
from newsletter.outbox.journals.file_systems import network_file_system
from newsletter.outbox.pacing.setup.relay_checks import FAILED, PASSED, UNKNOWN, failures_of, last_checks
from newsletter.outbox.pacing.warm_up import read_stages
from newsletter.outbox.refused.notices import QUESTIONS
from newsletter.outbox.reports.issue_list import held_issues, newest_issues
from newsletter.outbox.reports.progress import health, progress
from newsletter.outbox.unbuildable import count_unbuildable
from newsletter.releases.queries import count_releases
from newsletter.subscribers.queries import count_changes
from newsletter.subscribers.signup.hold import count_held, count_unresolved
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import newsletter_names
from newsletter.web.http.extensions import runtime

# While a worker runs, a sign-up request is resolved within seconds.
WAITS_LONG = timedelta(minutes=2)
WEEK = timedelta(days=7)


@admin.get("/")
def overview() -> str:
    """Show the overview."""
    session, now = db.session(), runtime().now()
    workers = _workers(session, now)
    outbox = _outbox(session, now)
    senders = runtime().senders()
    checks = last_checks(session, with_backups(senders))
    return render_template(
        "admin/overview.html",
        numbers=_numbers(session, now),
        waiting=count_waiting(session),
        last_issue=_last_issue(session, now),
        newsletters=_newsletters(session, now),
        outbox=outbox,
        workers=workers,
        relay_check=_worst(checks),
        warm_ups=read_stages(session, senders, now),
        schedules=_schedules(session),
        warnings=_warnings(session, now, workers, outbox, senders, checks),
    )


def _schedules(session: Session) -> list[dict[str, Any]]:
    on = set(calendars_on(session))
    return [{"slug": each.slug, "is_on": each.id in on} for each in list_newsletters(session)]


def _numbers(session: Session, now: datetime) -> dict[str, int]:
    releases, subscribers = count_releases(session), count_changes(session, now - WEEK)
    return {
        "readers": subscribers.active,
        "pending": subscribers.pending,
        "joined_7d": subscribers.confirmed,
        "left_7d": subscribers.unsubscribed,
        "ready": releases[ReleaseState.READY],
        "held": releases[ReleaseState.HELD],
    }


def _newsletters(session: Session, now: datetime) -> list[dict[str, Any]]:
    """Return each newsletter with its last issue and its schedule; nothing if there is only one."""
    names, on = newsletter_names(session), set(calendars_on(session))
    return [
        {
            "slug": row.slug,
            "name": names[row.id],
            "is_on": row.id in on,
            "last": _last_issue(session, now, row.id),
        }
        for row in list_newsletters(session)
        if names
    ]


def _last_issue(session: Session, now: datetime, newsletter_id: int | None = None) -> dict[str, Any] | None:
    newest = newest_issues(session, 1, newsletter_id)
    if not newest:
        return None
    issue = newest[0]
    counted = progress(session, issue.id, now)
    return {
        "public_id": issue.public_id,
        "title": issue.title,
        "state": issue.state,
        "created_at": issue.created_at,
        "total": counted.total,
        "done": counted.settled,
    }


def _outbox(session: Session, now: datetime) -> dict[str, Any]:
    found = health(session, now)
    shown = (DeliveryState.QUEUED, DeliveryState.LEASED, DeliveryState.DEFERRED, DeliveryState.UNCERTAIN)
    oldest = found.oldest_single_seconds
    return {
        **{state.value: found.by_state.get(state, 0) for state in shown},
        "overdue": found.overdue,
        "oldest_due_at": None if oldest is None else now - timedelta(seconds=oldest),
    }


def _workers(session: Session, now: datetime) -> list[dict[str, Any]]:
    return [
        {"name": row.name, "seen_at": row.seen_at, "alive": row.seen_at > now - SILENT}
        for row in worker_heartbeats(session)
    ]


def _told(notice: Notice) -> dict[str, str]:
    said = words(notice)
    text = f"{said.title}. {said.sentence} {said.remedy}".strip()
    warning = {"tone": "bad" if said.urgent else "warn", "text": text}
    if notice.kind in {kind.key for kind in QUESTIONS}:
        warning |= {"url": url_for("admin.refused"), "link": "See the refused addresses"}
    if notice.kind == NoticeKind.RESTORED_COPY.key:
        warning |= {"url": url_for("admin.ask_send_from_here"), "link": "Send from here"}
    if notice.detail.get("page"):
        warning |= {"url": notice.detail["page"], "link": "Look at the issue"}
    return warning


def _overdue_warnings(session: Session, now: datetime) -> list[dict[str, str]]:
    """Warn about each frequency whose subscribers have waited longer than its interval."""
    warnings = []
    names = newsletter_names(session)
    slugs = {row.id: row.slug for row in list_newsletters(session)} if names else {}
    for each in find_overdue(session, now):
        count = "1 release has" if each.releases == 1 else f"{each.releases:,} releases have"
        days = INTERVALS[each.frequency].days
        slug = slugs.get(each.newsletter_id)
        whose = f" in {names[each.newsletter_id]}" if slug else ""
        option = f" --newsletter {slug}" if slug else ""
        text = (
            f"{count} waited longer than {days} {'day' if days == 1 else 'days'} and 12 hours for people who "
            f"chose “{each.frequency.words}”{whose}. Send an issue here, or let a cron job run "
            f"“newsletter digest send{option} --frequency {each.frequency.option} --yes”."
        )
        place = url_for("admin.preview", newsletter=slug)
        warnings.append({"tone": "warn", "text": text, "url": place, "link": "Preview and send"})
    return warnings


def _worst(checks: Sequence[tuple[Sender, RelayCheck]]) -> RelayCheck | None:
    """Return the check with the worst result, and the oldest of these; None if there was none."""
    order = (FAILED, UNKNOWN, PASSED)
    found = [check for _, check in checks]
    return min(found, key=lambda each: (order.index(each.verdict), each.checked_at), default=None)


def _relay_warnings(checks: Sequence[tuple[Sender, RelayCheck]]) -> list[dict[str, str]]:
    """Return the failures that the last checks of the relays found."""
    warnings = []
    for _, check in checks:
        if check.verdict == FAILED:
            text = f"A check of the relay {check.report['relay']} failed. {' '.join(failures_of(check))}"
            warnings.append({"tone": "bad", "text": f"{text} To check it again, run: newsletter relay check"})
    return warnings


def _key_warnings(senders: Sequence[Sender]) -> list[dict[str, str]]:
    """Warn about each newsletter whose From domain has no DKIM key."""
    return [{"tone": "warn", "text": each.missing_key} for each in senders if each.missing_key is not None]


def _journal_warnings() -> list[dict[str, str]]:
    """Warn if the journals are on a file system that other machines may use too."""
    kind = network_file_system(journal_folder(runtime().settings))
    if kind is None:
        return []
    text = (
        f"The data folder is on a network file system ({kind}), so each host clears up after its own workers "
        "only. When a host is renamed or gone for good, run: newsletter digest lost-host ITS-OLD-NAME"
    )
    return [{"tone": "warn", "text": text}]


def _setting_warnings(senders: Sequence[Sender]) -> list[dict[str, str]]:
    """Return a warning for each former setting that is set and differs from the newsletter's content."""
    settings, place = runtime().settings, url_for("admin.newsletter")
    differing = [name for each in senders for name in differing_settings(settings, each.identity)]
    return [
        {
            "tone": "warn",
            "text": f"{name} is not used: the newsletter has another value.",
            "url": place,
            "link": "See the newsletter",
        }
        for name in differing
    ]


def _warnings(
    session: Session,
    now: datetime,
    workers: list[dict[str, Any]],
    outbox: dict[str, Any],
    senders: Sequence[Sender],
    checks: Sequence[tuple[Sender, RelayCheck]],
) -> list[dict[str, str]]:
    warnings = [_told(notice) for notice in open_notices(session)]
    warnings += _relay_warnings(checks) + _key_warnings(senders) + _setting_warnings(senders)
    warnings += _worker_warnings(workers) + _signup_warnings(session, now)
    warnings += _uncertain_warnings(outbox["uncertain"]) + _journal_warnings()
    warnings += _overdue_warnings(session, now) + _unbuildable_warnings(session)
    return warnings + _host_warnings(outbox["overdue"]) + _decision_warnings(session)


def _worker_warnings(workers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    if any(worker["alive"] for worker in workers):
        return []
    words = "No worker has been seen for two minutes. Confirmations and digests wait until a worker runs."
    return [{"tone": "bad", "text": words}]


def _signup_warnings(session: Session, now: datetime) -> list[dict[str, str]]:
    """Warn about sign-ups that wait for a worker, and about those that a limit holds."""
    warnings = []
    late = count_unresolved(session, now - WAITS_LONG)
    if late:
        words = "1 sign-up has" if late == 1 else f"{late} sign-ups have"
        warnings.append({"tone": "warn", "text": f"{words} been waiting for more than two minutes."})
    held = count_held(session)
    # The limit of one domain holds sign-ups too, and opens no notice.
    if held and find_open(session, NoticeKind.SIGNUPS_HELD, "") is None:
        words = "1 sign-up waits" if held == 1 else f"{held} sign-ups wait"
        text = (
            f"{words} because new addresses sign up faster than the settings allow. To release or drop them, "
            "use the command “newsletter subscriber held”."
        )
        warnings.append({"tone": "warn", "text": text})
    return warnings


def _uncertain_warnings(count: int) -> list[dict[str, str]]:
    if not count:
        return []
    words = "1 email" if count == 1 else f"{count} emails"
    text = f"It is uncertain whether {words} arrived. The relay did not reply."
    return [{"tone": "warn", "text": text, "url": url_for("admin.issues"), "link": "See the issues"}]


def _unbuildable_warnings(session: Session) -> list[dict[str, str]]:
    count = count_unbuildable(session)
    if not count:
        return []
    words = "1 email cannot" if count == 1 else f"{count} emails cannot"
    text = (
        f"{words} be built, and wait. The log of the worker names the fault. They are sent when it is "
        "fixed. To skip the emails of an issue, use the button on its page."
    )
    return [{"tone": "bad", "text": text, "url": url_for("admin.issues"), "link": "See the issues"}]


def _host_warnings(overdue: Mapping[str, int]) -> list[dict[str, str]]:
    """Warn about hosts that have held deliveries for too long. `overdue` counts these by host."""
    warnings = []
    for host, count in sorted(overdue.items()):
        words = "1 email has" if count == 1 else f"{count} emails have"
        text = (
            f"{words} been held by the host {host} for more than ten minutes. It may be slow or "
            f"disconnected. If it is lost for good, run: newsletter digest lost-host {host}"
        )
        warnings.append({"tone": "bad", "text": text})
    return warnings


def _decision_warnings(session: Session) -> list[dict[str, str]]:
    """Warn about issues that wait for a person's decision."""
    warnings = []
    for issue in held_issues(session, 5):
        place = url_for("admin.issue", public_id=issue.public_id)
        text = f"The issue “{issue.title}” needs a decision."
        warnings.append({"tone": "warn", "text": text, "url": place, "link": "See the issue"})
    return warnings
