"""Unsubscribing by a button or by one click of a mailbox program, and undoing it."""

from __future__ import annotations

from flask import Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import db
from newsletter.subscriptions.bearer import LinkFault, address_hint
from newsletter.subscriptions.preferences import make_preferences_token
from newsletter.subscriptions.unsubscribe import Left, left_at, read_unsubscription, undo
from newsletter.subscriptions.unsubscribe import unsubscribe as end_subscriptions
from newsletter.web.extensions import csrf, runtime
from newsletter.web.public.answers import address_to_keep, guarded_redirect, left_page, link_problem
from newsletter.web.public.blueprint import public
from newsletter.web.security import guard_tokens


@public.route("/unsubscribe/<token>", methods=["GET", "POST"])
@csrf.exempt  # type: ignore[untyped-decorator]
def unsubscribe(token: str) -> Response:
    """Show who would leave what, and one button; a POST unsubscribes at once.

    That is for our button and for mailbox programs (RFC 8058), which send no cookie and expect
    no redirect. The signed link is the whole proof, so any POST counts: one that does nothing
    would be worse than one too many, which can be undone.
    """
    if request.method == "POST":
        return _unsubscribe_now(token)
    parts = runtime()
    now = parts.now()
    leaver = read_unsubscription(db.session(), parts.tokens, token, now)
    if isinstance(leaver, LinkFault):
        return link_problem(leaver)
    ended_at = left_at(db.session(), leaver.public_id)
    if ended_at is not None:
        return left_page(Left(leaver.public_id, leaver.email, ended_at, 0))
    # This link outlives a change of address. Should addresses become changeable, a link older
    # than the change must not lead on to the choices.
    choices = make_preferences_token(parts.tokens, leaver.public_id, leaver.email_key, now)
    page = render_template(
        "web/unsubscribe.html",
        token=token,
        topics=[{"name": name} for name in leaver.topics],
        address_hint=address_hint(leaver.email),
        preferences_url=url_for(".preferences", token=choices),
    )
    return guard_tokens(make_response(page))


def _unsubscribe_now(token: str) -> Response:
    parts = runtime()
    person = request.form.get("page") == "yes"
    leaver = read_unsubscription(db.session(), parts.tokens, token, parts.now())
    done: Left | LinkFault
    if isinstance(leaver, LinkFault):
        done = leaver
    else:
        done = end_subscriptions(
            db.session(),
            parts.tokens,
            leaver.public_id,
            leaver.delivery_id,
            parts.now(),
            "button" if person else "one-click",
            address_to_keep(),
        )
        db.session.commit()
    if person:
        return link_problem(done) if isinstance(done, LinkFault) else left_page(done)
    if done is LinkFault.DAMAGED:
        return guard_tokens(Response("This link is damaged.\n", 400, mimetype="text/plain"))
    # A reader who is gone gets no mail either: nothing is left to be done.
    return guard_tokens(Response("Unsubscribed.\n", mimetype="text/plain"))


@public.post("/undo/<token>")
def undo_unsubscribe(token: str) -> AnyResponse:
    """Bring back what one leaving ended."""
    parts = runtime()
    now = parts.now()
    done = undo(db.session(), parts.tokens, token, now, ip_address=address_to_keep())
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    return guarded_redirect(url_for(".confirmed", token=choices))
