"""The pages to sign up and to request a link."""

from __future__ import annotations

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import db
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.signup.admit import Outcome
from newsletter.subscribers.signup.request import request_link, request_renewal
from newsletter.web.http.extensions import runtime
from newsletter.web.http.this_newsletter import this_newsletter
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import LinkForm, SignupForm
from newsletter.web.public.responses import contact, link_problem, refuse_too_many, stop_writing, too_many
from newsletter.web.public.signup.page import signup_page
from newsletter.web.public.signup.receive import take_signup, topics_to_offer
from newsletter.web.public.thanks_pages import after_asking


@public.route("/", methods=["GET", "POST"])
def subscribe() -> AnyResponse:
    """Show the sign-up form; a POST accepts it. The response is the same for every address."""
    offered = topics_to_offer()
    form = SignupForm(offered)
    if request.method == "POST":
        taken = take_signup(form, "form")
        if taken.outcome is Outcome.ASKED:
            return redirect(after_asking(form.next.data), code=303)
        if taken.outcome is Outcome.WAIT:
            return too_many(taken.wait_seconds)
    return signup_page(form, offered)


@public.get("/check-inbox")
def check_inbox() -> str:
    """Say that an email is on its way. The page is the same for everyone."""
    return render_template("web/check_inbox.html", sender=this_newsletter().from_address)


@public.get("/privacy")
def privacy() -> str:
    """Say what is stored, why, and for how long."""
    return render_template("web/privacy.html", keeps=runtime().settings, contact=contact())


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
        return redirect(url_for(".send_link", sent="yes"), code=303)
    stop_writing()
    page = render_template("web/send_link.html", form=form.ready(), sent=request.args.get("sent") == "yes")
    return make_response(page, 422 if form.errors else 200)


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
    return redirect(url_for(".check_inbox"), code=303)


def _fault_named(name: str | None) -> LinkFault:
    return LinkFault(name) if name in set(LinkFault) else LinkFault.EXPIRED
