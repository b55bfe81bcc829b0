"""Moving to another address: asked for on a reader's own page, confirmed by a button at the new address."""

from __future__ import annotations

from flask import Response, make_response, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import db
from newsletter.subscriptions.bearer import LinkFault, address_hint
from newsletter.subscriptions.change_address import ask_to_move, move, read_move
from newsletter.subscriptions.preferences import Preferences, make_preferences_token, read_preferences
from newsletter.web.extensions import runtime
from newsletter.web.forms import ActForm, MoveForm
from newsletter.web.public.answers import (
    address_to_keep,
    guarded_redirect,
    link_problem,
    refuse_too_many,
    too_many,
)
from newsletter.web.public.blueprint import public
from newsletter.web.public.choices import preferences_page
from newsletter.web.security import guard_tokens


@public.post("/preferences/<token>/address")
def change_address(token: str) -> AnyResponse:
    """Mail a confirmation to another address. The answer is the same for every address."""
    parts = runtime()
    found = read_preferences(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    form = MoveForm()
    if not form.validate():
        return preferences_page(token, found, move_form=form, status=422)
    return refuse_too_many() or _ask(token, found, form)


def _ask(token: str, found: Preferences, form: MoveForm) -> AnyResponse:
    parts = runtime()
    done = ask_to_move(db.session(), parts.tokens, token, form.address, parts.now(), address_to_keep())
    if isinstance(done, LinkFault):
        return link_problem(done)
    if done.same:
        form.email.errors = [gettext("This is your address already.")]
        return preferences_page(token, found, move_form=form, status=422)
    if done.wait_seconds:
        db.session.rollback()
        return too_many(done.wait_seconds)
    db.session.commit()
    parts.wake("single")
    return guarded_redirect(url_for(".preferences", token=token, news="asked"))


@public.route("/move/<token>", methods=["GET", "POST"])
def move_address(token: str) -> AnyResponse:
    """Show whose mail would come here, and one button; a POST changes the address."""
    if request.method == "POST":
        return _move_now(token)
    parts = runtime()
    found = read_move(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    page = render_template(
        "web/move.html",
        token=token,
        form=ActForm(),
        old_hint=address_hint(found.old),
        new_hint=address_hint(found.new),
        is_undo=found.is_undo,
    )
    return guard_tokens(make_response(page))


def _move_now(token: str) -> Response:
    parts = runtime()
    now = parts.now()
    done = move(db.session(), parts.tokens, token, now, ip_address=address_to_keep())
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    parts.wake("single")
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    page = render_template(
        "web/moved.html", joined=done.joined, preferences_url=url_for(".preferences", token=choices)
    )
    return guard_tokens(make_response(page))
