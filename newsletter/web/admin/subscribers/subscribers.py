"""The subscriber pages: find, show, suppress and erase a person, and show their consent."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter import suppression
from newsletter.bounces.history.steps import list_steps
from newsletter.bounces.history.undo import CAN_UNDO, undo
from newsletter.clock import zone_in_words
from newsletter.errors import AddressInvalid, NotFound, StateConflict
from newsletter.mail.addresses import parse_address
from newsletter.models import Subscriber, db
from newsletter.subscribers import queries
from newsletter.subscribers.consent.descriptions import act_in_words, detail_in_words, how_in_words
from newsletter.subscribers.consent.record import consent_record, find_person, names_of
from newsletter.subscribers.consent.signature import sign_record
from newsletter.subscribers.leaving.reasons import Reason, count_reasons
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import page_number, text_of
from newsletter.web.admin.session import actor
from newsletter.web.admin.subscribers.suppressions import REASONS
from newsletter.web.erase_everywhere import erase_everywhere
from newsletter.web.http.extensions import runtime
from newsletter.web.http.this_newsletter import all_newsletters, is_only_one
from newsletter.web.public.privacy import publisher

REASONS_OF = timedelta(days=90)
IN_WORDS = {
    Reason.TOO_MANY: "Too many emails",
    Reason.NOT_RELEVANT: "Not what they expected",
    Reason.NO_TIME: "No time",
    Reason.ELSEWHERE: "Read elsewhere",
    Reason.NEVER_ASKED: "Did not ask for it",
    Reason.OTHER: "Something else",
}


@admin.get("/readers")
def subscribers() -> str:
    """Show the subscribers who match the filters."""
    filters = {"q": text_of("q"), "state": request.args.get("state") or None}
    found = queries.list_subscribers(
        db.session(), search=filters["q"] or "", state=filters["state"] or "", page=page_number()
    )
    rows = [
        {
            "public_id": subscriber.public_id,
            "label": subscriber.label,
            "state": subscriber.state,
            "topics": [topic.name for topic in subscriber.topics],
            "created_at": subscriber.created_at,
        }
        for subscriber in found.items
    ]
    return render_template(
        "admin/subscribers.html",
        subscribers=rows,
        filters=filters,
        pagination=found,
        reasons=_reasons(),
    )


def _reasons() -> list[tuple[str, int]]:
    """Return the recent reasons for unsubscribing, in words, the most frequent first."""
    counted = count_reasons(db.session(), runtime().now() - REASONS_OF)
    return [(IN_WORDS[reason], count) for reason, count in sorted(counted.items(), key=lambda each: -each[1])]


@admin.get("/readers/<public_id>")
def subscriber(public_id: str) -> str:
    """Show one subscriber: subscriptions, consent and emails."""
    found = queries.subscriber_detail(db.session(), public_id, runtime().tokens)
    deliveries = [
        {
            "what": mail.title or mail.template or "",
            "issue_public_id": mail.issue_public_id,
            "state": mail.state,
            "attempt": mail.attempt,
            "at": mail.settled_at or mail.created_at,
            "reply_code": mail.reply_code,
            "status": mail.status,
            "reply_text": mail.reply_text,
        }
        for mail in found.deliveries
    ]
    return render_template(
        "admin/subscriber.html",
        subscriber=found.subscriber,
        state=found.subscriber.state,
        suppressed=found.suppressed,
        stopped_by=found.stopped_by,
        subscriptions=found.subscriptions,
        consent=found.ledger,
        can_undo=CAN_UNDO,
        reasons={reason.value: words for reason, words in REASONS.items()},
        history=list_steps(db.session(), find_person(db.session(), public_id).id),
        deliveries=deliveries,
        newsletters=names_of(all_newsletters()),
    )


@admin.post("/readers/<public_id>")
def change_subscriber(public_id: str) -> AnyResponse:
    """Suppress, lift the suppression, or erase, depending on the button."""
    person = find_person(db.session(), public_id)
    match request.form.get("action"):
        case "suppress" if person.email_key:
            _suppress(person.email_key)
        case "unsuppress":
            _lift(person)
        case "erase" if person.email_key:
            _erase(person)
        case _:
            abort(400)
    return make_response(redirect(url_for("admin.subscriber", public_id=public_id), code=303))


@admin.post("/readers/<public_id>/steps/<int(max=9223372036854775807):number>/undo")
def undo_step(public_id: str, number: int) -> AnyResponse:
    """Undo one step of this person's history of returned emails."""
    session, parts = db.session(), runtime()
    person = find_person(session, public_id)
    if number not in {step.id for step in list_steps(session, person.id)}:
        abort(404)
    try:
        undo(session, parts.tokens, number, actor(), parts.now(), parts.settings.snooze_catch_up)
    except (NotFound, StateConflict) as fault:
        session.rollback()
        flash(str(fault), "warn")
    else:
        session.commit()
        parts.wake("bulk")
        flash("The step is undone. The history and the audit log have it.", "ok")
    place = url_for("admin.subscriber", public_id=public_id, _anchor="history")
    return make_response(redirect(place, code=303))


def _suppress(email_key: str) -> None:
    parts = runtime()
    suppression.add_by_hand(db.session(), parts.tokens, email_key, actor(), parts.now())
    db.session.commit()
    flash("We send no more emails to this address.", "ok")


def _lift(person: Subscriber) -> None:
    """Lift the suppression of a subscriber, or of the typed address if the person is erased."""
    parts = runtime()
    key = person.email_key or _typed_key()
    why = request.form.get("why", "").strip()
    newest = parts.settings.snooze_catch_up
    if key is None:
        flash("Please type the erased address.", "warn")
    elif not why:
        flash("Nothing has changed. Say why emails to this address are allowed again.", "warn")
    elif suppression.lift(db.session(), parts.tokens, key, actor(), parts.now(), newest, why):
        db.session.commit()
        flash(
            "Emails to this address are allowed again. This does not restore a subscription. "
            "The person must subscribe and confirm.",
            "ok",
        )
    else:
        flash("This address is not suppressed.", "warn")


def _erase(person: Subscriber) -> None:
    if _typed_key() != person.email_key:
        flash("Nothing was erased. The address you typed is not this subscriber's address.", "warn")
        return
    erase_everywhere(runtime(), db.session(), person.public_id, "admin", actor())
    flash("The subscriber has been erased. The address is suppressed, so nobody can add it again.", "ok")


def _typed_key() -> str | None:
    try:
        return parse_address(request.form.get("address", "")).canonical
    except AddressInvalid:
        return None


@admin.get("/readers/<public_id>/consent")
def subscriber_consent(public_id: str) -> str:
    """Show the consent record of one person, for printing."""
    record = _record(public_id)
    return render_template(
        "admin/subscriber_consent.html",
        record=record,
        label=find_person(db.session(), public_id).label,
        public_id=public_id,
        entries=[_shown(entry, record["person"]["time_zone"]) for entry in record["entries"]],
    )


@admin.get("/readers/<public_id>/consent.json")
def subscriber_consent_json(public_id: str) -> Response:
    """Return the same record as signed JSON."""
    parts = runtime()
    signed = sign_record(parts.tokens, _record(public_id), parts.links.consent_key())
    answer = Response(json.dumps(signed, ensure_ascii=False, indent=2), mimetype="application/json")
    answer.headers["Content-Disposition"] = f'attachment; filename="consent-{public_id}.json"'
    return answer


def _record(public_id: str) -> dict[str, Any]:
    parts = runtime()
    return consent_record(db.session(), public_id, publisher(), parts.now())


def _shown(entry: dict[str, Any], time_zone: str) -> dict[str, Any]:
    """Return an entry for display, with its time in UTC and in the subscriber's time zone."""
    at = datetime.fromisoformat(entry["at"])
    try:
        local = at.astimezone(ZoneInfo(time_zone))
    except (ZoneInfoNotFoundError, ValueError):
        local = at
    return entry | {
        "at": at,
        "local": f"{local:%Y-%m-%d %H:%M:%S} {zone_in_words(local)}" if time_zone != "UTC" else None,
        "act": act_in_words(entry["act"]),
        "how": how_in_words(entry["how"]),
        "detail": detail_in_words(_named_if_several(entry["detail"])),
    }


def _named_if_several(detail: dict[str, Any]) -> dict[str, Any]:
    """Return the details of an entry, without the newsletter if there is only one."""
    return {name: value for name, value in detail.items() if name != "newsletter" or not is_only_one()}
