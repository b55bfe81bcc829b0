"""Readers: found, and looked at one by one."""

from __future__ import annotations

from flask import render_template, request

from newsletter.models import db
from newsletter.subscriptions import queries
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.query import page_number, text_of
from newsletter.web.extensions import runtime


@admin.get("/readers")
def readers() -> str:
    """Show the readers who fit the filters."""
    filters = {"q": text_of("q"), "state": request.args.get("state") or None}
    found = queries.list_readers(
        db.session(), search=filters["q"] or "", state=filters["state"] or "", page=page_number()
    )
    rows = [
        {
            "public_id": reader.public_id,
            "email": reader.email,
            "state": reader.state,
            "topics": [topic.name for topic in reader.topics],
            "created_at": reader.created_at,
        }
        for reader in found.items
    ]
    return render_template(
        "admin/readers.html",
        readers=rows,
        filters=filters,
        pagination=found,
    )


@admin.get("/readers/<public_id>")
def reader(public_id: str) -> str:
    """Show one reader: subscriptions, consent and mails."""
    found = queries.reader(db.session(), public_id, runtime().tokens)
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
        "admin/reader.html",
        reader=found.reader,
        state=found.reader.state,
        suppressed=found.suppressed,
        subscriptions=found.subscriptions,
        consent=found.ledger,
        deliveries=deliveries,
    )
