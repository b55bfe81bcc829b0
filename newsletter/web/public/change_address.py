"""The pages to change a subscriber's address."""

from __future__ import annotations

from flask import Response, make_response, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import db
from newsletter.subscribers.choices.change_address import move, read_move, request_address_change
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.link import LinkFault, address_hint, longer_hint
from newsletter.subscribers.privacy.emailed_links import Right, read_right
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import guard_tokens
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import ActForm, MoveForm
from newsletter.web.public.responses import (
    address_to_keep,
    contact,
    guarded_redirect,
    link_problem,
    refuse_too_many,
    stop_writing,
    too_many_emails,
)


@public.route("/new-address/<token>", methods=["GET", "POST"])
def new_address(token: str) -> AnyResponse:
    """Ask for a new address, and email a confirmation to it. The response is the same for every address."""
    parts = runtime()
    found = read_right(db.session(), parts.tokens, Right.ADDRESS, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    hint = address_hint(found.email or "")
    if request.method == "GET":
        return _new_address_page(token, hint, MoveForm(formdata=None))
    form = MoveForm()
    if not form.validate():
        return _new_address_page(token, hint, form, status=422)
    return refuse_too_many() or _ask(token, hint, form)


def _new_address_page(token: str, hint: str, form: MoveForm, status: int = 200) -> Response:
    stop_writing()
    page = render_template(
        "web/new_address.html",
        token=token,
        form=form.ready(),
        address_hint=hint,
        asked=request.method == "GET" and request.args.get("news") == "asked",
        contact=contact(),
    )
    return guard_tokens(make_response(page, status))


def _ask(token: str, hint: str, form: MoveForm) -> AnyResponse:
    parts = runtime()
    done = request_address_change(
        db.session(), parts.tokens, token, form.address, parts.now(), address_to_keep()
    )
    if isinstance(done, LinkFault):
        return link_problem(done)
    if done.same:
        form.email.errors = [gettext("This is already your address.")]
        return _new_address_page(token, hint, form, status=422)
    if done.wait_seconds:
        db.session.rollback()
        return too_many_emails(done.wait_seconds)
    db.session.commit()
    parts.wake("single")
    return guarded_redirect(url_for(".new_address", token=token, news="asked"))


@public.route("/move/<token>", methods=["GET", "POST"])
def move_address(token: str) -> AnyResponse:
    """Show whose emails would come to this address, and one button. A POST changes the address."""
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
        old_hint=longer_hint(found.old),
        new_hint=longer_hint(found.new),
        is_undo=found.is_undo,
    )
    return guard_tokens(make_response(page))


def _move_now(token: str) -> Response:
    parts = runtime()
    now = parts.now()
    done = move(
        db.session(),
        parts.tokens,
        token,
        now,
        ip_address=address_to_keep(),
        catch_up=parts.settings.snooze_catch_up,
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    parts.wake("single")
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    page = render_template(
        "web/moved.html", joined=done.joined, preferences_url=url_for(".preferences", token=choices)
    )
    return guard_tokens(make_response(page))
