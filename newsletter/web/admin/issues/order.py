"""The page of the manual order of one issue: named sections, and the releases in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from newsletter.digest.order.change import LONGEST_TITLE, GivenSection, change_order, check_sections
from newsletter.digest.order.listed import ListedRelease, list_releases
from newsletter.digest.order.store import find_row
from newsletter.digest.order.targets import Target, find_target
from newsletter.digest.preview import Preview, preview
from newsletter.errors import FieldsInvalid, OrderChanged, StateConflict
from newsletter.identity import Identity
from newsletter.languages import language_name
from newsletter.models import db
from newsletter.models.hand_order import HandOrder, read_order
from newsletter.newsletters.queries import find_newsletter
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.errors import error_page
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import mail_answer
from newsletter.web.public.responses import stop_writing

# The page has this many empty sections below those that exist.
EMPTY_SECTIONS = 2


@dataclass(frozen=True)
class Entry:
    """A release in the form. `section` is the number of its section, "" for the automatic order."""

    listed: ListedRelease
    section: str
    place: str


@admin.get("/newsletters/<slug>/order/<target>")
def order(slug: str, target: str) -> Response:
    """Show the order of an issue, in a form if it can still be changed."""
    session = db.session()
    identity, found = _find(session, slug, target)
    row = find_row(session, identity.newsletter_id, found.name)
    stored = read_order(row.sections) if row else ()
    listed = list_releases(session, found, stored)
    ids = {each.release.id: each.release.public_id for each in listed}
    sections = [
        GivenSection(each.title, [ids[one] for one in each.release_ids if one in ids], each.translations)
        for each in stored
    ]
    return _page(session, identity, found, sections, _entries(listed, sections), row.version if row else 0)


@admin.get("/newsletters/<slug>/order/<target>/body")
def order_body(slug: str, target: str) -> Response:
    """Return the HTML of the issue in its stored order, for the frame."""
    session = db.session()
    identity, found = _find(session, slug, target)
    shown = _preview(session, identity, found)
    if shown is None:
        abort(404)
    return mail_answer(shown.html)


@admin.post("/newsletters/<slug>/order/<target>/preview")
def preview_order(slug: str, target: str) -> Response:
    """Return the HTML of the issue in the order of the form. Stores nothing."""
    session = db.session()
    stop_writing()
    identity, found = _find(session, slug, target)
    try:
        given = check_sections(session, identity.newsletter_id, _given(identity), identity.languages)
    except FieldsInvalid as fault:
        return error_page(422, str(fault))
    shown = _preview(session, identity, found, given)
    if shown is None:
        abort(404)
    return mail_answer(shown.html)


@admin.post("/newsletters/<slug>/order/<target>", endpoint="change_order")
def change_order_(slug: str, target: str) -> Response:
    """Store the order of the form, or make the order automatic again."""
    session = db.session()
    identity, found = _find(session, slug, target)
    typed = request.form.get("version", "")
    version = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 9 else 0
    sections = [] if request.form.get("action") == "automatic" else _given(identity)
    try:
        change_order(
            session,
            identity.newsletter_id,
            found.name,
            sections,
            version,
            languages=identity.languages,
            actor=actor(),
            now=runtime().now(),
        )
    except (FieldsInvalid, OrderChanged) as fault:
        stop_writing()
        return _again(session, identity, found, sections, version, fault)
    except StateConflict as fault:
        session.rollback()
        flash(str(fault), "warn")
        return make_response(redirect(url_for("admin.order", slug=slug, target=target), code=303))
    session.commit()
    flash("The order is saved." if sections else "The order is automatic.", "ok")
    return make_response(redirect(url_for("admin.order", slug=slug, target=target), code=303))


def _again(
    session: Session,
    identity: Identity,
    found: Target,
    sections: Sequence[GivenSection],
    version: int,
    fault: FieldsInvalid | OrderChanged,
) -> Response:
    """Show what the editor typed, with what is wrong, or beside what another editor saved meanwhile."""
    faults = fault.faults if isinstance(fault, FieldsInvalid) else {}
    row = find_row(session, identity.newsletter_id, found.name)
    theirs: HandOrder = ()
    if isinstance(fault, OrderChanged):
        theirs, version = read_order(row.sections) if row else (), row.version if row else 0
    # Releases that only the other editor placed are listed too.
    listed = list_releases(session, found, theirs or (read_order(row.sections) if row else ()))
    return _page(
        session, identity, found, sections, _entries(listed, sections), version,
        faults=faults, conflict="" if faults else str(fault), theirs=theirs,
    )  # fmt: skip


def _find(session: Session, slug: str, target: str) -> tuple[Identity, Target]:
    parts = runtime()
    newsletter_id = find_newsletter(session, slug).id
    parts.identities.forget()
    identity = parts.identities.recent(parts.reading, newsletter_id)
    return identity, find_target(session, newsletter_id, target, parts.now())


def _given(identity: Identity) -> list[GivenSection]:
    """Return the sections of the form, without those that have neither a title nor a release."""
    _, *others = identity.languages
    numbers = range(1, _whole("sections", 0, 99) + 1)
    releases: dict[int, list[tuple[int, str]]] = {number: [] for number in numbers}
    for public_id in request.form.getlist("release")[:1_000]:
        number = _whole(f"section-{public_id}", 0, 99)
        if number in releases:
            releases[number].append((_whole(f"place-{public_id}", 9_999, 9_999), public_id))
    sections = []
    for number in numbers:
        title = request.form.get(f"title-{number}", "").strip()
        titles = {each: request.form.get(f"title-{number}-{each}", "").strip() for each in others}
        titles = {each: text for each, text in titles.items() if text}
        # Sorting is stable: releases with the same place stay in the order of the page.
        chosen = [public_id for _, public_id in sorted(releases[number], key=lambda each: each[0])]
        if title or titles or chosen:
            sections.append(GivenSection(title, chosen, titles))
    return sections


def _whole(name: str, otherwise: int, most: int) -> int:
    typed = request.form.get(name, "").strip()
    return min(int(typed), most) if typed.isascii() and typed.isdigit() and len(typed) < 9 else otherwise


def _entries(listed: Sequence[ListedRelease], sections: Sequence[GivenSection]) -> list[Entry]:
    places = {
        public_id: (str(number), str(place))
        for number, section in enumerate(sections, start=1)
        for place, public_id in enumerate(section.releases, start=1)
    }
    return [Entry(each, *places.get(each.release.public_id, ("", ""))) for each in listed]


def _preview(
    session: Session, identity: Identity, found: Target, given: HandOrder | None = None
) -> Preview | None:
    parts = runtime()
    return preview(
        session,
        parts.renderer,
        frequencies=found.frequencies,
        now=parts.now(),
        newsletter_id=identity.newsletter_id,
        to_sequence=found.to_sequence,
        slot=found.slot,
        target=found.name,
        order=given,
        for_anybody=True,
    )


def _page(
    session: Session,
    identity: Identity,
    found: Target,
    sections: Sequence[GivenSection],
    entries: Sequence[Entry],
    version: int,
    *,
    faults: Mapping[str, str] | None = None,
    conflict: str = "",
    theirs: HandOrder = (),
) -> Response:
    first, *others = identity.languages
    row = find_row(session, identity.newsletter_id, found.name)
    titles = {each.listed.release.id: each.listed.release.title for each in entries}
    shown: list[Mapping[str, Any]] = [
        {
            "number": number,
            "title": section.title,
            "titles": section.titles,
            "fault": (faults or {}).get(f"section-{number}", ""),
        }
        for number, section in enumerate(
            [*sections, *[GivenSection("", ())] * (0 if found.closed else EMPTY_SECTIONS)], start=1
        )
    ]
    page = render_template(
        "admin/order.html",
        identity=identity,
        target=found,
        sections=shown,
        entries=entries,
        version=version,
        row=row,
        first_language=language_name(first),
        languages=[(each, language_name(each)) for each in others],
        longest_title=LONGEST_TITLE,
        faults=faults or {},
        conflict=conflict,
        theirs=[
            {"title": each.title, "releases": [titles.get(one, "") for one in each.release_ids]}
            for each in theirs
        ],
    )
    return make_response(page, 409 if conflict else 422 if faults else 200)
