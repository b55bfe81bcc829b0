"""The page of the audit log."""

from __future__ import annotations

from flask import render_template

from newsletter.audit import detail_words, list_entries
from newsletter.models import db
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query_string import page_number, text_of

PER_PAGE = 50


@admin.get("/audit-log")
def audit_log() -> str:
    """Show who changed what, the newest change first."""
    filters = {name: text_of(name) or "" for name in ("actor", "action", "subject")}
    found = list_entries(db.session(), **filters, page=page_number(), per_page=PER_PAGE)
    rows = [
        {
            "at": each.at,
            "actor": each.actor,
            "action": each.action,
            "subject": each.subject,
            "detail": detail_words(each),
        }
        for each in found.items
    ]
    return render_template("admin/audit_log.html", entries=rows, filters=filters, pagination=found)
