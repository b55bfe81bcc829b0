"""Signing up, asking for a link, confirming."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import TokenError
from newsletter.ingest.queries import list_releases
from newsletter.models import Frequency, ReleaseState, db
from newsletter.subscriptions.bearer import LinkFault
from newsletter.subscriptions.confirm import confirm as confirm_subscription
from newsletter.subscriptions.confirm import read_confirmation
from newsletter.subscriptions.consent import current_wording
from newsletter.subscriptions.preferences import make_preferences_token
from newsletter.subscriptions.queries import offered_topics
from newsletter.subscriptions.signup import Signup, request_link, request_renewal, request_signup
from newsletter.tokens import Purpose
from newsletter.web.extensions import runtime
from newsletter.web.forms import FREQUENCY_WORDS, ActForm, LinkForm, SignupForm
from newsletter.web.public.answers import (
    address_to_keep,
    guarded_redirect,
    link_problem,
    refuse_too_many,
    stop_writing,
)
from newsletter.web.public.blueprint import public
from newsletter.web.security import guard_tokens

LATEST = 6


@public.route("/", methods=["GET", "POST"])
def subscribe() -> AnyResponse:
    """Show the sign-up form, and take it. The answer is the same for every address."""
    parts = runtime()
    offered = offered_topics(db.session())
    form = SignupForm(offered)
    if request.method == "POST" and form.validate():
        too_many = refuse_too_many()
        if too_many:
            return too_many
        signup = Signup(
            address=form.address,
            choices=form.choices(),
            wording=current_wording(),
            ip_address=address_to_keep(),
            language=str(get_locale() or "en"),
            time_zone=parts.settings.time_zone,
        )
        request_signup(db.session(), signup, parts.now())
        db.session.commit()
        parts.wake("signups")
        return redirect(url_for(".check_inbox"), code=303)
    stop_writing()
    page = render_template(
        "web/subscribe.html",
        form=form.ready(),
        topics=offered,
        consent_wording=current_wording().text,
        latest=list_releases(db.session(), state=ReleaseState.READY, per_page=LATEST).items,
    )
    return make_response(page, 422 if form.errors else 200)


@public.get("/check-inbox")
def check_inbox() -> str:
    """Say that a mail is on its way; the same to everyone."""
    return render_template("web/check_inbox.html")


@public.get("/privacy")
def privacy() -> str:
    """Say what is stored, and why."""
    return render_template("web/privacy.html")


@public.route("/link", methods=["GET", "POST"])
def send_link() -> AnyResponse:
    """Mail readers the link to their choices. The answer is the same for every address."""
    form = LinkForm()
    if request.method == "POST" and form.validate():
        too_many = refuse_too_many()
        if too_many:
            return too_many
        request_link(db.session(), form.address, runtime().now())
        db.session.commit()
        runtime().wake("signups")
        return redirect(url_for(".send_link", sent="yes"), code=303)
    stop_writing()
    page = render_template("web/send_link.html", form=form.ready(), sent=request.args.get("sent") == "yes")
    return make_response(page, 422 if form.errors else 200)


@public.post("/link/renew")
def renew_link() -> AnyResponse:
    """Mail another link in the place of one that cannot be used; the same answer for every address."""
    form = LinkForm()
    if not form.validate():
        stop_writing()
        return link_problem(_fault_named(form.problem.data), form)
    too_many = refuse_too_many()
    if too_many:
        return too_many
    request_renewal(db.session(), form.address, runtime().now())
    db.session.commit()
    runtime().wake("signups")
    return redirect(url_for(".check_inbox"), code=303)


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


def _fault_named(name: str | None) -> LinkFault:
    return LinkFault(name) if name in set(LinkFault) else LinkFault.EXPIRED
