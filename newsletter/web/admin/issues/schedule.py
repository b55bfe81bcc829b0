"""The schedule page: the rules in words, the next dates, and buttons to start, stop and change it."""

from __future__ import annotations

import enum

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from newsletter.calendar.instants import zone_of
from newsletter.calendar.rules import WEEKDAYS
from newsletter.digest.schedule import outlook
from newsletter.digest.schedule.approval import open_approvals
from newsletter.digest.schedule.approval_dates import forget_approvals
from newsletter.digest.schedule.clock import answer_late
from newsletter.digest.schedule.first_start import steps_before_start
from newsletter.errors import FieldsInvalid, StateConflict
from newsletter.identity import Identity
from newsletter.models import db
from newsletter.newsletters import schedule as schedules
from newsletter.newsletters.queries import find_newsletter
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import ScheduleForm
from newsletter.web.admin.query_string import choice_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing


class ScheduleAction(enum.StrEnum):
    """The actions of the buttons of the page."""

    SAVE = "save"
    START = "start"
    STOP = "stop"
    SEND_LATE = "send_late"
    SKIP_LATE = "skip_late"


@admin.get("/newsletters/<slug>/schedule")
def schedule(slug: str) -> str:
    """Show the schedule of a newsletter. It counts who would get each date only if asked to."""
    session = db.session()
    identity = _identity(session, slug)
    values = schedules.as_text(schedules.read_schedule(session, identity))
    return _page(session, identity, ScheduleForm(None, data=values), counted="count" in request.args)


@admin.get("/newsletters/<slug>/schedule/confirm")
def confirm_schedule(slug: str) -> str:
    """Ask before the schedule is started or stopped: say what will happen."""
    session = db.session()
    identity = _identity(session, slug)
    row = schedules.read_schedule(session, identity)
    return render_template(
        "admin/confirm_schedule.html",
        identity=identity,
        is_on=row.is_on,
        steps=steps_before_start(session, runtime().sender(identity.newsletter_id)),
        rules=schedules.in_words(row),
        dates=_dates(session, identity, 3, counted=not row.is_on),
    )


@admin.post("/newsletters/<slug>/schedule")
def change_schedule(slug: str) -> Response:
    """Change, start or stop the schedule, or decide about a late issue."""
    action = choice_of(ScheduleAction, request.form.get("action"))
    if action is None:
        abort(400)
    session, now = db.session(), runtime().now()
    identity = _identity(session, slug)
    words, given = "The schedule was saved.", {}
    try:
        if action is ScheduleAction.SAVE:
            # The weekdays are checkboxes. An empty field comes before them, in case none is ticked.
            given = {
                name: ",".join(filter(None, request.form.getlist(name)))
                for name in schedules.FIELDS
                if name in request.form
            }
            if not schedules.set_schedule(session, identity, given, actor=actor(), now=now):
                words = "Nothing has changed."
        elif action is ScheduleAction.START:
            schedules.start_schedule(session, identity, actor=actor(), now=now)
            words = "The schedule is on. Issues go out by themselves."
        elif action is ScheduleAction.STOP:
            schedules.stop_schedule(session, identity, actor=actor(), now=now)
            forget_approvals(session, identity.newsletter_id, now)
            words = "The schedule is off. What was opened is still sent."
        else:
            send = action is ScheduleAction.SEND_LATE
            answer_late(session, identity.newsletter_id, send=send, actor=actor(), now=now)
            words = "It is being sent." if send else "Skipped. Its releases come with the next issue."
    except FieldsInvalid as fault:
        stop_writing()
        form = ScheduleForm(
            None, data={**schedules.as_text(schedules.read_schedule(session, identity)), **given}
        )
        for name, said in fault.faults.items():
            form[name].errors = [said]
        return make_response(_page(session, identity, form), 422)
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "warn")
        return make_response(redirect(url_for("admin.schedule", slug=slug), code=303))
    session.commit()
    if action is ScheduleAction.SEND_LATE:
        runtime().wake("bulk")
    flash(words, "ok")
    return make_response(redirect(url_for("admin.schedule", slug=slug), code=303))


def _identity(session: Session, slug: str) -> Identity:
    parts = runtime()
    newsletter_id = find_newsletter(session, slug).id
    parts.identities.forget()
    return parts.identities.recent(parts.reading, newsletter_id)


def _page(session: Session, identity: Identity, form: ScheduleForm, *, counted: bool = False) -> str:
    row = schedules.read_schedule(session, identity)
    zone = zone_of(row.time_zone)
    opens_at = outlook.gathering_opens_at(session, identity.newsletter_id)
    return render_template(
        "admin/schedule.html",
        identity=identity,
        form=form,
        hints={name: hint for name, (_, hint) in schedules.FIELDS.items()},
        is_on=row.is_on,
        weekdays=WEEKDAYS,
        time_zone=row.time_zone,
        rules=schedules.in_words(row),
        dates=_dates(session, identity, 10, counted=counted),
        counted=counted,
        opens_at=f"{opens_at.astimezone(zone):%H:%M} ({zone.key})" if opens_at else "",
        asked=outlook.count_asked(session, identity.newsletter_id),
        approvals=[each.slot for each in open_approvals(session, identity.newsletter_id) if each.asked_at],
    )


def _dates(
    session: Session, identity: Identity, limit: int, *, counted: bool = False
) -> list[dict[str, object]]:
    """Return the next dates as the page shows them, in the time zone of the schedule."""
    row = schedules.read_schedule(session, identity)
    zone = zone_of(row.time_zone)
    return [
        {
            "day": f"{each.day:%a, %Y-%m-%d}",
            "slot": each.day,
            "frequencies": ", ".join(frequency.words for frequency in each.frequencies),
            "first_at": f"{each.first_at.astimezone(zone):%a %H:%M} ({zone.key})",
            "last_at": f"{each.last_at.astimezone(zone):%a %H:%M} ({zone.key})",
            "waves": each.waves,
            "subscribers": each.subscribers,
        }
        for each in outlook.coming_dates(session, row, runtime().now(), limit, counted=counted)
    ]
