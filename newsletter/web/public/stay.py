"""The page of the button in a probe email."""

from __future__ import annotations

from flask import make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import db
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.choices.stay import read_stay
from newsletter.subscribers.choices.stay import stay as record_stay
from newsletter.subscribers.link import LinkFault
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import guard_tokens
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import ActForm
from newsletter.web.public.responses import guarded_redirect, link_problem


@public.route("/stay/<token>", methods=["GET", "POST"])
def stay(token: str) -> AnyResponse:
    """Show one button. A POST records that our emails arrive, and shows it."""
    parts = runtime()
    if request.method == "POST":
        newest = parts.settings.snooze_catch_up
        done = record_stay(db.session(), parts.tokens, token, parts.now(), newest)
        db.session.commit()
        return link_problem(done) if isinstance(done, LinkFault) else guarded_redirect(request.path)
    found = read_stay(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    choices = make_preferences_token(parts.tokens, found.public_id, found.email_key, parts.now())
    page = render_template(
        "web/stay.html",
        token=token,
        form=ActForm(),
        state=found,
        preferences_url=url_for(".preferences", token=choices),
    )
    return guard_tokens(make_response(page))
