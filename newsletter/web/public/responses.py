"""Responses and helpers shared by the public views."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response, make_response, redirect, render_template, request, url_for
from flask_babel import lazy_gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from newsletter.coverage import UNDO_FOR
from newsletter.limits.visits import visitor_wait
from newsletter.models import db
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.consent.ledger import kept_address
from newsletter.subscribers.leaving.reasons import Reason
from newsletter.subscribers.leaving.undo import make_undo_token
from newsletter.subscribers.leaving.unsubscribe import Unsubscribed
from newsletter.subscribers.link import LinkFault, address_hint
from newsletter.web.http.errors import error_page
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.security import client_address, guard_tokens
from newsletter.web.http.this_newsletter import all_newsletters, this_newsletter
from newsletter.web.public.forms import LinkForm

REASON_WORDS: Mapping[Reason, Any] = {
    Reason.TOO_MANY: _("Too many emails"),
    Reason.NOT_RELEVANT: _("Not what I expected, or not for me"),
    Reason.NO_TIME: _("No time to read them"),
    Reason.ELSEWHERE: _("I read the releases elsewhere"),
    Reason.NEVER_ASKED: _("I did not ask for them"),
    Reason.OTHER: _("Something else"),
}


def newsletter_names(ids: Sequence[int]) -> list[tuple[str, str]]:
    """Return slug and name of these newsletters, in the order in which people see them."""
    language = page_language()
    return [
        (each.slug, each.texts_in(language).name) for each in all_newsletters() if each.newsletter_id in ids
    ]


def unsubscribed_page(
    left: Unsubscribed, *, thanked: bool = False, leave_token: str | None = None
) -> Response:
    """Confirm an unsubscribe, offer undo while that works, and ask why. `thanked`: a reason was given.

    If other newsletters are left, `leave_token` (the link that was used) offers to end them too.
    """
    parts = runtime()
    now = parts.now()
    undo_token = None
    if left.ended_at is not None and now - left.ended_at < UNDO_FOR:
        proof = left.email_key if left.trusted else None
        undo_token = make_undo_token(parts.tokens, left.public_id, left.ended_at, now, proof)
    preferences_url = None
    if left.trusted and left.remaining:
        choices = make_preferences_token(parts.tokens, left.public_id, left.email_key, now)
        preferences_url = url_for("public.preferences", token=choices)
    ended = newsletter_names(left.newsletters)
    page = render_template(
        "web/unsubscribed.html",
        undo_token=undo_token,
        address_hint=address_hint(left.email) if left.trusted else None,
        newsletter=ended[0][1] if len(ended) == 1 and left.remaining else None,
        topics=left.topics if left.remaining else (),
        leave_token=leave_token if left.remaining and left.newsletters else None,
        preferences_url=preferences_url,
        reasons=REASON_WORDS.items(),
        thanked=thanked,
    )
    return guard_tokens(make_response(page))


def link_problem(fault: LinkFault, form: LinkForm | None = None) -> Response:
    """Explain why a link cannot be used, and offer a new one."""
    if form is None:
        # This answers a POST to an unusable link. The posted fields do not belong to this form.
        form = LinkForm(formdata=None)
        form.problem.data = fault.value
    page = render_template("web/link_problem.html", problem=fault.value, form=form.ready())
    status = 422 if form.errors else 404 if fault is LinkFault.DAMAGED else 410
    return guard_tokens(make_response(page, status))


def guarded_redirect(target: str) -> AnyResponse:
    """Redirect to (or from) a page whose URL contains a token, without revealing either URL."""
    answer = redirect(target, code=303)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def refuse_too_many() -> Response | None:
    """Count this form; return an error page if it exceeds the rate limit."""
    parts = runtime()
    asking = client_address(request, parts.settings.trusted_proxies)
    wait_seconds = visitor_wait(db.session(), parts.tokens, asking, parts.now())
    if not wait_seconds:
        return None
    db.session.rollback()
    return too_many(wait_seconds)


def too_many(wait_seconds: float, words: str | None = None) -> Response:
    """Return the page for a reached rate limit. Without `words`, it says that too many forms were sent."""
    answer = error_page(429, words or in_a_while(wait_seconds))
    answer.headers["Retry-After"] = str(math.ceil(wait_seconds))
    return answer


def in_a_while(wait_seconds: float) -> str:
    """Return the sentence that says when the next form is accepted."""
    words = ngettext(
        "Too many forms were sent from your network. Please try again in a minute.",
        "Too many forms were sent from your network. Please try again in %(num)d minutes.",
        math.ceil(wait_seconds / 60),
    )
    return str(words)


def too_many_links(wait_seconds: float) -> Response:
    """Return the page for too many links in a day. This limit counts the subscriber, not the network."""
    words = ngettext(
        "This link was requested several times within a day. Please use the newest one, or try again in "
        "an hour.",
        "This link was requested several times within a day. Please use the newest one, or try again in "
        "%(num)d hours.",
        math.ceil(wait_seconds / 3600),
    )
    return too_many(wait_seconds, str(words))


def too_many_emails(wait_seconds: float) -> Response:
    """Return the page for too many emails to one address. It says when the next one is sent."""
    words = ngettext(
        "We send few emails to one address in a short time. Please ask again in an hour.",
        "We send few emails to one address in a short time. Please ask again in %(num)d hours.",
        math.ceil(wait_seconds / 3600),
    )
    return too_many(wait_seconds, str(words))


def stop_writing() -> None:
    """Release the database's only write lock before a page is rendered."""
    db.session.rollback()
    db.session().info["writes"] = False


def contact() -> str:
    """Return the address to contact the owner if a link cannot help."""
    return this_newsletter().contact


def address_to_keep() -> str | None:
    """Return the form of the client's IP address that the settings allow to keep."""
    settings = runtime().settings
    return kept_address(client_address(request, settings.trusted_proxies), settings.ip_storage)
