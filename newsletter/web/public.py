"""The doors that visitors and readers use: signing up, confirming, choosing, leaving."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Blueprint, Response, make_response, redirect, render_template, request, url_for
from flask_babel import get_locale, ngettext
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import TokenError
from newsletter.ingest.queries import list_releases
from newsletter.models import Frequency, ReleaseState, db
from newsletter.subscriptions.bearer import LinkFault, address_hint
from newsletter.subscriptions.confirm import confirm as confirm_subscription
from newsletter.subscriptions.confirm import read_confirmation
from newsletter.subscriptions.consent import current_wording, kept_address
from newsletter.subscriptions.limits import visitor_wait
from newsletter.subscriptions.preferences import (
    Choice,
    Saved,
    make_preferences_token,
    read_preferences,
    save_preferences,
)
from newsletter.subscriptions.queries import offered_topics
from newsletter.subscriptions.signup import Signup, request_link, request_renewal, request_signup
from newsletter.subscriptions.unsubscribe import (
    Left,
    left_at,
    make_undo_token,
    read_unsubscription,
    undo,
)
from newsletter.subscriptions.unsubscribe import unsubscribe as end_subscriptions
from newsletter.tokens import Purpose
from newsletter.web.extensions import csrf, runtime
from newsletter.web.forms import (
    FREQUENCY_WORDS,
    USUAL_FREQUENCY,
    ActForm,
    LinkForm,
    SignupForm,
    TopicForm,
)
from newsletter.web.problems import problem
from newsletter.web.security import client_address, guard_tokens

public = Blueprint("public", __name__)

LATEST = 6
UNDO_FOR = timedelta(days=1)


@public.route("/", methods=["GET", "POST"])
def subscribe() -> AnyResponse:
    """Show the sign-up form, and take it. The answer is the same for every address."""
    parts = runtime()
    offered = offered_topics(db.session())
    form = SignupForm(offered)
    if request.method == "POST" and form.validate():
        too_many = _refuse_too_many()
        if too_many:
            return too_many
        signup = Signup(
            address=form.address,
            choices=form.choices(),
            wording=current_wording(),
            ip_address=_kept_address(),
            language=str(get_locale() or "en"),
            time_zone=parts.settings.time_zone,
        )
        request_signup(db.session(), signup, parts.now())
        db.session.commit()
        parts.wake("signups")
        return redirect(url_for(".check_inbox"), code=303)
    _stop_writing()
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
        too_many = _refuse_too_many()
        if too_many:
            return too_many
        request_link(db.session(), form.address, runtime().now())
        db.session.commit()
        runtime().wake("signups")
        return redirect(url_for(".send_link", sent="yes"), code=303)
    _stop_writing()
    page = render_template("web/send_link.html", form=form.ready(), sent=request.args.get("sent") == "yes")
    return make_response(page, 422 if form.errors else 200)


@public.post("/link/renew")
def renew_link() -> AnyResponse:
    """Mail another link in the place of one that cannot be used; the same answer for every address."""
    form = LinkForm()
    if not form.validate():
        _stop_writing()
        return _link_problem(_fault_named(form.problem.data), form)
    too_many = _refuse_too_many()
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
        return _link_problem(found)
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
        ip_address=_kept_address(),
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return _link_problem(done)
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    return _guarded_redirect(url_for(".confirmed", token=choices))


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
        return _link_problem(leaver)
    ended_at = left_at(db.session(), leaver.public_id)
    if ended_at is not None:
        return _left_page(Left(leaver.public_id, leaver.email, ended_at, 0))
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
            _kept_address(),
        )
        db.session.commit()
    if person:
        return _link_problem(done) if isinstance(done, LinkFault) else _left_page(done)
    if done is LinkFault.DAMAGED:
        return guard_tokens(Response("This link is damaged.\n", 400, mimetype="text/plain"))
    # A reader who is gone gets no mail either: nothing is left to be done.
    return guard_tokens(Response("Unsubscribed.\n", mimetype="text/plain"))


@public.post("/undo/<token>")
def undo_unsubscribe(token: str) -> AnyResponse:
    """Bring back what one leaving ended."""
    parts = runtime()
    now = parts.now()
    done = undo(db.session(), parts.tokens, token, now, ip_address=_kept_address())
    db.session.commit()
    if isinstance(done, LinkFault):
        return _link_problem(done)
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    return _guarded_redirect(url_for(".confirmed", token=choices))


@dataclass(frozen=True)
class Row:
    """One topic on the page of choices, with its two fields."""

    topic: Choice
    form: TopicForm

    @property
    def wanted(self) -> object:
        """The box to tick."""
        return self.form.wanted

    @property
    def frequency(self) -> object:
        """How often."""
        return self.form.frequency


@public.route("/preferences/<token>", methods=["GET", "POST"])
def preferences(token: str) -> AnyResponse:
    """Show a reader's choices, and keep them."""
    parts = runtime()
    now = parts.now()
    found = read_preferences(db.session(), parts.tokens, token, now)
    if isinstance(found, LinkFault):
        return _link_problem(found)
    rows = _rows(found.choices)
    status = 200
    if request.method == "POST":
        faulty = [row for row in rows if not row.form.validate()]
        if not faulty:
            return _save(token, rows)
        _stop_writing()
        status = 422
    leave = parts.tokens.make(Purpose.UNSUBSCRIBE, [found.public_id, None], now)
    page = render_template(
        "web/preferences.html",
        token=token,
        address_hint=address_hint(found.email),
        form=ActForm(),
        rows=rows,
        saved=request.method == "GET" and request.args.get("saved") == "yes",
        leave_url=url_for(".unsubscribe", token=leave),
    )
    return guard_tokens(make_response(page, status))


def _rows(choices: Sequence[Choice]) -> list[Row]:
    usual = next((each.frequency for each in choices if each.frequency), USUAL_FREQUENCY)
    posted = request.form if request.method == "POST" else None
    return [
        Row(
            each,
            TopicForm(
                posted,
                prefix=f"topic-{each.slug}-",
                data={"wanted": each.frequency is not None, "frequency": (each.frequency or usual).value},
            ),
        )
        for each in choices
    ]


def _save(token: str, rows: Sequence[Row]) -> AnyResponse:
    parts = runtime()
    done = save_preferences(
        db.session(),
        parts.tokens,
        token,
        {row.topic.slug: Frequency(row.form.frequency.data) for row in rows if row.form.wanted.data},
        parts.now(),
        welcome_releases=parts.settings.welcome_releases,
        ip_address=_kept_address(),
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return _link_problem(done)
    if isinstance(done, Left):
        return _left_page(done)
    if done is Saved.ASKED:
        parts.wake("single")
        return _guarded_redirect(url_for(".check_inbox"))
    return _guarded_redirect(url_for(".preferences", token=token, saved="yes"))


def _left_page(left: Left) -> Response:
    parts = runtime()
    now = parts.now()
    undo_token = None
    if left.ended_at is not None and now - left.ended_at < UNDO_FOR:
        undo_token = make_undo_token(parts.tokens, left.public_id, left.ended_at, now)
    page = render_template(
        "web/unsubscribed.html", undo_token=undo_token, address_hint=address_hint(left.email)
    )
    return guard_tokens(make_response(page))


def _link_problem(fault: LinkFault, form: LinkForm | None = None) -> Response:
    """Say kindly why a link cannot be used, and offer a new one."""
    if form is None:
        # The answer to a POST to a spoiled link: what was posted there is not for this form.
        form = LinkForm(formdata=None)
        form.problem.data = fault.value
    page = render_template("web/link_problem.html", problem=fault.value, form=form.ready())
    status = 422 if form.errors else 404 if fault is LinkFault.DAMAGED else 410
    return guard_tokens(make_response(page, status))


def _fault_named(name: str | None) -> LinkFault:
    return LinkFault(name) if name in set(LinkFault) else LinkFault.EXPIRED


def _guarded_redirect(target: str) -> AnyResponse:
    answer = redirect(target, code=303)
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _refuse_too_many() -> Response | None:
    """Count this form; return the page to answer with when it was one too many."""
    parts = runtime()
    asking = client_address(request, parts.settings.trusted_proxies)
    wait_seconds = visitor_wait(db.session(), parts.tokens, asking, parts.now())
    if not wait_seconds:
        return None
    db.session.rollback()
    minutes = math.ceil(wait_seconds / 60)
    answer = problem(
        429,
        ngettext(
            "Many forms came from your network in a short time. Please try again in a minute.",
            "Many forms came from your network in a short time. Please try again in %(num)d minutes.",
            minutes,
        ),
    )
    answer.headers["Retry-After"] = str(math.ceil(wait_seconds))
    return answer


def _stop_writing() -> None:
    """Let go of the database's only write lock before a page is drawn."""
    db.session.rollback()
    db.session().info["writes"] = False


def _kept_address() -> str | None:
    settings = runtime().settings
    return kept_address(client_address(request, settings.trusted_proxies), settings.ip_storage)


def _in_words(frequencies: Sequence[Frequency]) -> str:
    return ", ".join(str(FREQUENCY_WORDS[each]) for each in dict.fromkeys(frequencies))
