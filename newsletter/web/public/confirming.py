"""Confirming by a link and a button."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import TokenError
from newsletter.models import Frequency, db
from newsletter.subscriptions.bearer import LinkFault
from newsletter.subscriptions.confirm import confirm as confirm_subscription
from newsletter.subscriptions.confirm import read_confirmation
from newsletter.subscriptions.preferences import make_preferences_token
from newsletter.tokens import Purpose
from newsletter.web.extensions import runtime
from newsletter.web.forms import FREQUENCY_WORDS, ActForm
from newsletter.web.public.answers import address_to_keep, guarded_redirect, link_problem
from newsletter.web.public.blueprint import public
from newsletter.web.security import guard_tokens


@public.route("/confirm/<token>", methods=["GET", "POST"])
def confirm(token: str) -> AnyResponse:
    """Show what the link would confirm, and one button; a POST confirms."""
    if request.method == "POST":
        return _confirm_now(token)
    parts = runtime()
    found = read_confirmation(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    page = render_template(
        "web/confirm.html",
        token=token,
        form=ActForm(),
        topics=found.topics,
        frequency=_in_words([topic.frequency for topic in found.topics]),
    )
    return guard_tokens(make_response(page))


def _confirm_now(token: str) -> AnyResponse:
    parts = runtime()
    now = parts.now()
    done = confirm_subscription(
        db.session(),
        parts.tokens,
        token,
        now,
        welcome_releases=parts.settings.welcome_releases,
        ip_address=address_to_keep(),
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    return guarded_redirect(url_for(".confirmed", token=choices))


@public.get("/confirmed")
@public.get("/confirmed/<token>")
def confirmed(token: str = "") -> Response:
    """Say that somebody is on the list; with the link to their choices when it came along."""
    parts = runtime()
    try:
        parts.tokens.read(Purpose.PREFERENCES, token, parts.now())
        preferences_url = url_for(".preferences", token=token)
    except TokenError:
        preferences_url = None
    return guard_tokens(make_response(render_template("web/confirmed.html", preferences_url=preferences_url)))


def _in_words(frequencies: Sequence[Frequency]) -> str:
    return ", ".join(str(FREQUENCY_WORDS[each]) for each in dict.fromkeys(frequencies))
