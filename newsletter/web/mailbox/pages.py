"""The demo's mailbox pages: every email that was sent, as an email program shows it. Only in demo mode."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from flask import Blueprint, Response, abort, redirect, render_template, url_for
from flask_wtf import FlaskForm
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import mail_answer
from newsletter.web.mailbox.stored_emails import (
    StoredEmail,
    find_stored_email,
    list_stored_emails,
    mailbox_folder,
)

dev = Blueprint("dev", __name__, url_prefix="/dev")

# The sandbox allows links only if they open in a new window.
NEW_WINDOWS = Markup('<base target="_blank">')


@dev.get("/mailbox")
def mailbox() -> str:
    """List the newest emails. The page reloads this list."""
    return render_template("dev/mailbox.html", mails=_list())


@dev.get("/mailbox/<mail_id>")
def message(mail_id: str) -> str:
    """Show one email: HTML in a frame, plain text, headers or source (?view=)."""
    return render_template("dev/message.html", mails=_list(), mail=_find(mail_id), form=FlaskForm())


@dev.post("/mailbox/<mail_id>/leave")
def leave(mail_id: str) -> AnyResponse:
    """Send the email by which an email program unsubscribes. The service handles it like any other."""
    mail = _find(mail_id)
    if mail.leave_address is None:
        abort(404)
    intake = runtime().settings.intake_listen
    unsubscribing = EmailMessage()
    try:
        unsubscribing["From"], unsubscribing["To"], unsubscribing["Subject"] = (
            mail.recipient,
            mail.leave_address,
            "unsubscribe",
        )
        with smtplib.SMTP(intake[0].host, intake[0].port, timeout=10) as talk:
            talk.send_message(unsubscribing)
        taken = "yes"
    except (smtplib.SMTPException, OSError, ValueError, IndexError):
        # An email in this folder may name any address, but our listener accepts its own addresses only.
        taken = "no"
    return redirect(url_for(".message", mail_id=mail_id, left=taken), code=303)


@dev.get("/mailbox/<mail_id>/html")
def message_html(mail_id: str) -> Response:
    """Return the email's HTML alone, for the frame: nothing in it may run or load."""
    html = _find(mail_id).html
    if html is None:
        abort(404)
    return mail_answer(NEW_WINDOWS + Markup(html))  # noqa: S704 (a mail is HTML; its policy disarms it)


@dev.get("/mailbox/<mail_id>/source")
def message_source(mail_id: str) -> Response:
    """Return the raw email as a file to save."""
    mail = _find(mail_id)
    # Not as text/html or message/rfc822, so that no browser opens it here.
    answer = Response(mail.raw, mimetype="application/octet-stream")
    answer.headers["Content-Disposition"] = f'attachment; filename="{mail.id}.eml"'
    return answer


def _list() -> list[StoredEmail]:
    return list_stored_emails(mailbox_folder(runtime().settings.data_dir))


def _find(mail_id: str) -> StoredEmail:
    mail = find_stored_email(mailbox_folder(runtime().settings.data_dir), mail_id)
    if mail is None:
        abort(404)
    return mail
