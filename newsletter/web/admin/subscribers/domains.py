"""Rules for domains: list, add and remove them. A rule that stops subscribers is asked about first."""

from __future__ import annotations

from flask import flash, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from newsletter.address_rules.pattern import Pattern, parse_pattern
from newsletter.address_rules.rules import add_rule, count_subscribers, list_rules, pattern_of
from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.models import RuleKind, db
from newsletter.subscribers.suppressions.end_rule import end_rule
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import choice_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime

KINDS = {
    RuleKind.NEVER_ACCEPTED: "never accepted",
    RuleKind.NEVER_MAILED: "never emailed",
    RuleKind.ALLOWED: "allowed",
}


@admin.get("/domains")
def domains() -> str:
    """Show the rules."""
    return _page()


def _page(asked: dict[str, object] | None = None) -> str:
    rules = [
        {"pattern": str(pattern_of(each)), "kind": each.kind, "note": each.note, "since": each.since}
        for each in list_rules(db.session())
    ]
    return render_template("admin/domains.html", rules=rules, kinds=KINDS, asked=asked)


@admin.post("/domains")
def change_domains() -> Response:
    """Add a rule, ask about a dangerous one, or remove one."""
    session = db.session()
    try:
        pattern = parse_pattern(request.form.get("pattern", ""))
        if request.form.get("action") == "remove":
            newest = runtime().settings.snooze_catch_up
            for _ in end_rule(session, pattern, actor(), runtime().now(), newest):
                session.commit()
            words = f"The rule for {pattern} is removed."
        else:
            kind = choice_of(RuleKind, request.form.get("kind"))
            if kind is None:
                raise InputError("Choose what the rule does.")
            note, number = request.form.get("note", ""), count_subscribers(session, pattern)
            if _is_unsure(pattern, kind, number):
                asked = {"pattern": str(pattern), "kind": kind, "note": note, "number": number}
                return make_response(_page(asked))
            add_rule(session, pattern, kind, note, actor(), runtime().now())
            words = f"{pattern}: {KINDS[kind]}."
    except (InputError, NotFound, StateConflict) as fault:
        session.rollback()
        flash(str(fault), "warn")
    else:
        session.commit()
        flash(words, "ok")
    return make_response(redirect(url_for("admin.domains"), code=303))


def _is_unsure(pattern: Pattern, kind: RuleKind, number: int) -> bool:
    """Return whether the person must confirm: the page did not show how many subscribers the rule names."""
    if kind is RuleKind.ALLOWED or not (number or pattern.is_wide):
        return False
    return request.form.get("number", type=int) != number
