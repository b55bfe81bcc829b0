"""The pages to confirm a sign-up, to welcome a subscriber back, and to disown a sign-up."""

from __future__ import annotations

from flask import Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import TokenError
from newsletter.models import db
from newsletter.subscribers.address_marks import DISOWNED_FOR
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.signup.confirm import confirm as confirm_subscription
from newsletter.subscribers.signup.confirm import read_confirmation
from newsletter.subscribers.signup.disown import Disowning, disown, own, read_disowning
from newsletter.tokens import Purpose
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import guard_tokens
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import FREQUENCY_WORDS, ActForm
from newsletter.web.public.responses import address_to_keep, guarded_redirect, link_problem
from newsletter.web.public.signup import own_request


@public.route("/confirm/<token>", methods=["GET", "POST"])
def confirm(token: str) -> AnyResponse:
    """Show what the link would confirm, and one button. A POST confirms.

    In the browser that sent the sign-up (signup/own_request.py), the visible page sends the form by itself.
    """
    if request.method == "POST":
        return _confirm_now(token)
    parts = runtime()
    found = read_confirmation(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    often = {topic.frequency for topic in found.topics}
    asked = own_request.read()
    page = render_template(
        "web/confirm.html",
        token=token,
        form=ActForm(),
        topics=[(topic.name, FREQUENCY_WORDS[topic.frequency]) for topic in found.topics],
        frequency=FREQUENCY_WORDS[often.pop()] if len(often) == 1 else None,
        confirms_itself=asked is not None and asked.covers(found),
        disown_token=found.disown_token,
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
        catch_up=parts.settings.snooze_catch_up,
        welcome_mail=parts.settings.welcome_mail,
        ip_address=address_to_keep(),
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    if parts.settings.welcome_mail and done.started:
        parts.wake("single")
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    return own_request.forget(guarded_redirect(url_for(".confirmed", token=choices)))


@public.get("/confirmed")
@public.get("/confirmed/<token>")
def confirmed(token: str = "") -> Response:
    """Say that the subscription is active, with a link to the preferences if the token allows it."""
    return _on_the_list(token, back=False)


@public.get("/welcome-back")
@public.get("/welcome-back/<token>")
def welcome_back(token: str = "") -> Response:
    """Say that the subscription is active again, after an undo."""
    return _on_the_list(token, back=True)


def _on_the_list(token: str, *, back: bool) -> Response:
    parts = runtime()
    try:
        parts.tokens.read(Purpose.PREFERENCES, token, parts.now())
        preferences_url = url_for(".preferences", token=token)
    except TokenError:
        preferences_url = None
    page = render_template("web/confirmed.html", preferences_url=preferences_url, back=back)
    return guard_tokens(make_response(page))


@public.route("/not-me/<token>", methods=["GET", "POST"])
def not_me(token: str) -> AnyResponse:
    """Show one button for a person who did not sign up. A POST ends what waits for confirmation.

    After that, the page offers to undo it.
    """
    parts = runtime()
    now = parts.now()
    found: Disowning | LinkFault
    if request.method != "POST":  # HEAD too
        found = read_disowning(db.session(), parts.tokens, token, now)
    elif request.form.get("act") == "own":
        found = own(db.session(), parts.tokens, token, now)
        db.session.commit()
    else:
        found = disown(db.session(), parts.tokens, token, now, ip_address=address_to_keep())
        db.session.commit()
    if isinstance(found, LinkFault):
        return link_problem(found)
    if request.method == "POST":
        # A redirect, so that a reload changes nothing.
        taken_back = request.form.get("act") == "own"
        return guarded_redirect(url_for(".not_me", token=token, owned="yes" if taken_back else None))
    page = render_template(
        "web/not_me.html",
        token=token,
        form=ActForm(),
        state=found,
        owned=request.args.get("owned") == "yes" and not found.done,
        days=DISOWNED_FOR.days,
    )
    return guard_tokens(make_response(page))
