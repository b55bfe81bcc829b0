"""The suppression list: find, list, add, lift, import and export addresses that are never emailed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import date

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter import audit, suppression
from newsletter.address_rules.rules import rules_for
from newsletter.errors import AddressInvalid, NotFound, StateConflict
from newsletter.mail.addresses import parse_address
from newsletter.models import SuppressionReason, db
from newsletter.runtime import Runtime
from newsletter.subscribers.queries import find_by_key
from newsletter.subscribers.suppressions.addresses_in_file import safe_cell
from newsletter.subscribers.suppressions.import_file import (
    Counted,
    import_addresses,
    list_imports,
    try_import,
    undo_import,
)
from newsletter.subscribers.suppressions.listing import (
    Filter,
    Slice,
    count_by_reason,
    find_suppression,
    known_suppressions,
    list_suppressions,
)
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import choice_of, text_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

REASONS = {
    SuppressionReason.HARD_BOUNCE: "no such mailbox",
    SuppressionReason.SOFT_BOUNCE: "emails kept coming back",
    SuppressionReason.COMPLAINT: "complaint",
    SuppressionReason.ERASED: "erased",
    SuppressionReason.MANUAL: "manually",
}


@admin.get("/suppressions")
def suppressions() -> str:
    """Show one slice of the list."""
    wanted = _filter()
    found = list_suppressions(
        db.session(),
        runtime().tokens,
        wanted,
        older_than=request.args.get("older", ""),
        newer_than=request.args.get("newer", ""),
    )
    return _page(found, wanted)


def _filter() -> Filter:
    return Filter(choice_of(SuppressionReason, request.args.get("reason")), _day("since"), _day("until"))


def _day(name: str) -> date | None:
    try:
        return date.fromisoformat(text_of(name) or "")
    except ValueError:
        return None


def _page(
    found: Slice, wanted: Filter, *, typed: str = "", looked_up: Mapping[str, object] | None = None
) -> str:
    session = db.session()
    counts = count_by_reason(session)
    return render_template(
        "admin/suppressions.html",
        found=found,
        filters=wanted,
        reasons=REASONS,
        counts=counts,
        total=sum(counts.values()),
        imports=list_imports(session, 5),
        typed=typed,
        looked_up=looked_up,
    )


@admin.post("/suppressions")
def change_suppressions() -> AnyResponse:
    """Find or suppress the typed address. It is not in a URL, because URLs stay in logs."""
    session, parts = db.session(), runtime()
    typed = request.form.get("address", "")
    try:
        key = parse_address(typed).canonical
    except AddressInvalid as fault:
        flash(str(fault), "warn")
        return make_response(redirect(url_for("admin.suppressions"), code=303))
    match request.form.get("action"):
        case "find":
            return make_response(_found(typed.strip(), key))
        case "add":
            new = suppression.add_by_hand(session, parts.tokens, key, actor(), parts.now())
            session.commit()
            words = "The address gets no more emails." if new else "The address was suppressed already."
            flash(words, "ok" if new else "info")
        case "lift":
            _lift(key)
        case _:
            abort(400)
    return make_response(redirect(url_for("admin.suppressions"), code=303))


def _found(typed: str, key: str) -> str:
    session, parts = db.session(), runtime()
    row = suppression.find(session, parts.tokens, key)
    person = find_by_key(session, key)
    looked_up = {
        "address": typed,
        "row": row,
        "public_id": person.public_id if person else None,
        "rules": rules_for(session, key),
    }
    found = list_suppressions(session, parts.tokens, Filter())
    return _page(found, Filter(), typed=typed, looked_up=looked_up)


def _lift(key: str) -> None:
    session, parts = db.session(), runtime()
    why = request.form.get("why", "").strip()
    if not why:
        flash("Nothing has changed. Say why emails to this address are allowed again.", "warn")
        return
    newest = parts.settings.snooze_catch_up
    if suppression.lift(session, parts.tokens, key, actor(), parts.now(), newest, why):
        session.commit()
        flash("Emails to this address are allowed again. This does not restore a subscription.", "ok")
    else:
        flash("This address is not suppressed.", "warn")


@admin.get("/suppressions/<int(max=9223372036854775807):number>")
def ask_lift(number: int) -> str:
    """Show one suppression, with a form that asks why it is lifted."""
    found = find_suppression(db.session(), runtime().tokens, number)
    return render_template("admin/lift_suppression.html", row=found, reasons=REASONS)


@admin.post("/suppressions/<int(max=9223372036854775807):number>")
def lift_suppression(number: int) -> AnyResponse:
    """Lift one suppression."""
    session, parts = db.session(), runtime()
    why = request.form.get("why", "").strip()
    if not why:
        flash("Nothing has changed. Say why emails to this address are allowed again.", "warn")
        return make_response(redirect(url_for("admin.ask_lift", number=number), code=303))
    try:
        suppression.lift_row(session, number, actor(), parts.now(), parts.settings.snooze_catch_up, why)
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "warn")
    else:
        session.commit()
        flash("Emails to this address are allowed again. This does not restore a subscription.", "ok")
    return make_response(redirect(url_for("admin.suppressions"), code=303))


@admin.post("/suppressions/import")
def import_suppressions() -> AnyResponse:
    """Import a small file of addresses, or count what that would do. The command takes files of any size."""
    session, parts = db.session(), runtime()
    given = request.files.get("file")
    content = io.BytesIO(given.read() if given else b"")
    counted = Counted()
    if request.form.get("action") == "try":
        counted = [counted, *try_import(session, parts.tokens, content)][-1]
    elif content.getbuffer().nbytes:
        for part in import_addresses(session, parts.tokens, content, actor(), parts.now()):
            session.commit()
            counted = part
    if counted == Counted():
        flash("The file has no addresses.", "warn")
    else:
        flash(counted.in_words(), "ok" if counted.import_id else "info")
    return make_response(redirect(url_for("admin.suppressions"), code=303))


@admin.post("/suppressions/imports/<int(max=9223372036854775807):import_id>/undo")
def undo_suppression_import(import_id: int) -> AnyResponse:
    """Lift what came with one import."""
    session, parts = db.session(), runtime()
    count = 0
    try:
        newest = parts.settings.snooze_catch_up
        for part in undo_import(session, import_id, actor(), parts.now(), newest):
            session.commit()
            count = part
    except (NotFound, StateConflict) as fault:
        flash(str(fault), "warn")
    else:
        flash(f"The import is undone. {count:,} addresses may be emailed again.", "ok")
    return make_response(redirect(url_for("admin.suppressions"), code=303))


@admin.post("/suppressions/export")
def export_suppressions() -> Response:
    """Return the suppressions whose address is known, as CSV. It is sent while it is read."""
    session, parts = db.session(), runtime()
    audit.record(session, actor(), "suppressions.export", "", parts.now())
    session.commit()
    answer = Response(_csv(parts), mimetype="text/csv")
    answer.headers["Content-Disposition"] = 'attachment; filename="suppressions.csv"'
    return answer


def _csv(parts: Runtime) -> Iterator[str]:
    yield "address,reason,since\r\n"
    with parts.reading() as session:
        for each in known_suppressions(session, parts.tokens, Filter()):
            line = io.StringIO()
            cells = (safe_cell(each.email or ""), each.reason.value, each.since.isoformat())
            csv.writer(line).writerow(cells)
            yield line.getvalue()
