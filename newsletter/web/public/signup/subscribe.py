"""The pages to sign up and to request a link."""

from __future__ import annotations

from typing import Any

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import ClickCounting, db
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.offered_topics import find_newsletter_of
from newsletter.subscribers.signup.admit import Outcome
from newsletter.subscribers.signup.request import request_link, request_renewal
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.this_newsletter import (
    all_newsletters,
    make_it_about_the_first,
    named_newsletter,
    newsletter_of,
    this_newsletter,
)
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import LinkForm, SignupForm
from newsletter.web.public.responses import contact, link_problem, refuse_too_many, stop_writing, too_many
from newsletter.web.public.signup import own_request
from newsletter.web.public.signup.page import signup_page
from newsletter.web.public.signup.receive import take_signup, topics_to_offer
from newsletter.web.public.thanks_pages import after_asking


@public.route("/", methods=["GET", "POST"])
@public.route("/n/<newsletter>", methods=["GET", "POST"])
def subscribe() -> AnyResponse:
    """Show the sign-up form; a POST accepts it. The response is the same for every address.

    If there are several newsletters, / lists them. A form that was opened before that is for the first.
    """
    if named_newsletter() is None and request.method != "POST":
        return _list_newsletters()
    make_it_about_the_first()
    offered = topics_to_offer(this_newsletter().newsletter_id)
    form = SignupForm(this_newsletter(), offered)
    if request.method == "POST":
        taken = take_signup(form, "form")
        if taken.outcome is Outcome.ASKED:
            return own_request.keep(redirect(after_asking(form.next.data), code=303), form.own_request())
        if taken.outcome is Outcome.WAIT:
            return too_many(taken.wait_seconds)
        if taken.outcome is Outcome.PRESS:
            form.ask_to_press()
            return signup_page(form, offered, press=True)
    elif "correct" in request.args and (asked := own_request.read()) is not None:
        form.fill_from(asked)
        return own_request.do_not_store(signup_page(form, offered))
    return signup_page(form, offered)


def _list_newsletters() -> AnyResponse:
    """Show every newsletter, with a link to its sign-up page.

    Links with a topic are older than the other newsletters. They lead to the newsletter of that topic.
    """
    kept: dict[str, Any] = {
        name: request.args.getlist(name) for name in ("topic", "frequency", "next") if name in request.args
    }
    number = find_newsletter_of(db.session(), request.args.get("topic", ""))
    found = None if number is None else newsletter_of(number)
    if found is not None:
        return redirect(url_for(".subscribe", newsletter=found.slug, **kept))
    language = page_language()
    listed = [
        (each.texts_in(language), url_for(".subscribe", newsletter=each.slug, **kept))
        for each in all_newsletters()
    ]
    return make_response(render_template("web/newsletters.html", newsletters=listed))


@public.get("/check-inbox")
def check_inbox() -> AnyResponse:
    """Say that an email is on its way. The page is the same for every address.

    It shows the address that was typed, if the browser keeps our cookie, and a link to correct it.
    """
    named = named_newsletter()
    asked = None if "elsewhere" in request.args else own_request.read()
    page = render_template(
        "web/check_inbox.html",
        sender=named.from_address if named else None,
        typed=asked.email if asked else None,
        correct_url=url_for(".subscribe", correct="yes" if asked and asked.topics else None),
    )
    return own_request.do_not_store(make_response(page))


@public.get("/privacy")
def privacy() -> str:
    """Say what is stored, why, and for how long."""
    counts = any(each.click_counting is ClickCounting.AGREED for each in all_newsletters())
    return render_template(
        "web/privacy.html", keeps=runtime().settings, contact=contact(), counts_clicks=counts
    )


@public.route("/link", methods=["GET", "POST"])
def send_link() -> AnyResponse:
    """Email subscribers the link to their preferences. The response is the same for every address."""
    form = LinkForm()
    if request.method == "POST" and form.validate():
        refusal = refuse_too_many()
        if refusal:
            return refusal
        request_link(db.session(), form.address, runtime().now())
        db.session.commit()
        runtime().wake("signups")
        answer = redirect(url_for(".send_link", sent="yes"), code=303)
        return own_request.keep(answer, own_request.typed_address(form.address))
    stop_writing()
    sent = request.args.get("sent") == "yes"
    asked = own_request.read() if sent else None
    page = render_template(
        "web/send_link.html", form=form.ready(), sent=sent, typed=asked.email if asked else None
    )
    answer = make_response(page, 422 if form.errors else 200)
    return own_request.do_not_store(answer) if asked else answer


@public.post("/link/renew")
def renew_link() -> AnyResponse:
    """Email a new link in place of an unusable one. The response is the same for every address."""
    form = LinkForm()
    if not form.validate():
        stop_writing()
        return link_problem(_fault_named(form.problem.data), form)
    refusal = refuse_too_many()
    if refusal:
        return refusal
    request_renewal(db.session(), form.address, runtime().now())
    db.session.commit()
    runtime().wake("signups")
    answer = redirect(url_for(".check_inbox"), code=303)
    return own_request.keep(answer, own_request.typed_address(form.address))


def _fault_named(name: str | None) -> LinkFault:
    return LinkFault(name) if name in set(LinkFault) else LinkFault.EXPIRED
