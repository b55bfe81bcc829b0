"""The demo's mailbox: every mail that was sent, as a mail program would show it. Only in demo mode."""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template, request
from markupsafe import Markup

from newsletter.web.caught import CaughtMail, find_caught, list_caught, mailbox_folder
from newsletter.web.extensions import runtime
from newsletter.web.security import mail_answer

dev = Blueprint("dev", __name__, url_prefix="/dev")

VIEWS = ("html", "text", "headers", "source")

# The sandbox lets a link out as a new window and in no other way.
NEW_WINDOWS = Markup('<base target="_blank">')


@dev.get("/mailbox")
def mailbox() -> str:
    """List the newest mails; the page asks for it again and again."""
    return render_template("dev/mailbox.html", messages=_list(), open_id=request.args.get("open"))


@dev.get("/mailbox/<id>")
def message(id: str) -> str:  # noqa: A002 (the template's word)
    """Show one mail: HTML in a frame, plain text, headers or source."""
    view = request.args.get("view", "html")
    if view not in VIEWS:
        abort(404)
    return render_template("dev/message.html", messages=_list(), message=_find(id), view=view)


@dev.get("/mailbox/<id>/html")
def message_html(id: str) -> Response:  # noqa: A002
    """Answer with the mail's HTML alone, for the frame: nothing in it may run or load."""
    html = _find(id).html
    if html is None:
        abort(404)
    return mail_answer(NEW_WINDOWS + Markup(html))  # noqa: S704 (a mail is HTML; its policy disarms it)


def _list() -> list[CaughtMail]:
    return list_caught(mailbox_folder(runtime().settings.data_dir))


def _find(mail_id: str) -> CaughtMail:
    mail = find_caught(mailbox_folder(runtime().settings.data_dir), mail_id)
    if mail is None:
        abort(404)
    return mail
