"""The page of the rules of a topic: try them against stored releases, and change them."""

from __future__ import annotations

from flask import Response, flash, make_response, redirect, render_template, request, url_for

from newsletter.errors import FieldsInvalid
from newsletter.models import db
from newsletter.releases.rules.edit import Trial, set_rules, try_rules
from newsletter.releases.rules.text import read_rules, write_rules
from newsletter.releases.topics.manage import find_topic, rule_set_of
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing

LONGEST_RULES = 60_000


@admin.get("/topics/<slug>/rules")
def topic_rules(slug: str) -> str:
    """Show the rules of a topic in a form."""
    session = db.session()
    return _page(slug, write_rules(rule_set_of(find_topic(session, slug))))


@admin.post("/topics/<slug>/rules", endpoint="change_topic_rules")
def change_topic_rules(slug: str) -> Response:
    """Try the rules and show what they would do, or store them."""
    session = db.session()
    text = request.form.get("rules", "")[:LONGEST_RULES]
    saves = request.form.get("action") == "save"
    try:
        rules = read_rules(text)
        if not saves:
            stop_writing()
            return make_response(_page(slug, text, trial=try_rules(session, slug, rules)))
        existing = bool(request.form.get("existing"))
        added = set_rules(session, slug, rules, actor=actor(), now=runtime().now(), existing=existing)
    except FieldsInvalid as fault:
        stop_writing()
        return make_response(_page(slug, text, fault=fault.faults["rules"]), 422)
    session.commit()
    flash(f"The rules are stored.{f' Releases that came under the topic: {added}.' if added else ''}", "ok")
    return make_response(redirect(url_for("admin.topic_rules", slug=slug), code=303))


def _page(slug: str, text: str, *, trial: Trial | None = None, fault: str = "") -> str:
    session = db.session()
    return render_template(
        "admin/topic_rules.html", topic=find_topic(session, slug), text=text, trial=trial, fault=fault
    )
