"""The privacy pages: emails sent, data export, erasure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, make_response, render_template, request, url_for
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as AnyResponse
from wtforms import BooleanField
from wtforms.validators import InputRequired

from newsletter.errors import NotFound
from newsletter.models import DeliveryState, Subscriber, db
from newsletter.models.paging import LAST_PAGE
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.consent.record import Publisher, names_of
from newsletter.subscribers.consent.signature import public_key_pem
from newsletter.subscribers.link import LinkFault, address_hint, read_link_subscriber
from newsletter.subscribers.privacy.emailed_links import Right, ask_for_link, read_right
from newsletter.subscribers.privacy.export import OwnEmail, personal_data
from newsletter.subscribers.privacy.export import list_own_emails as read_my_mails
from newsletter.tokens import Purpose
from newsletter.web.erase_everywhere import erase_everywhere
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import guard_tokens
from newsletter.web.http.this_newsletter import all_newsletters, this_newsletter
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import ActForm, PublicForm
from newsletter.web.public.responses import (
    contact,
    guarded_redirect,
    link_problem,
    refuse_too_many,
    stop_writing,
    too_many_links,
)

# Descriptions of single emails, by template.
MAIL_WORDS: Mapping[str, Any] = {
    "confirm": _("The link to confirm your subscription"),
    "reminder": _("A reminder to confirm your subscription"),
    "link": _("The link to your preferences"),
    "left": _("A notice that you unsubscribed, with a link to undo it"),
    "welcome": _("The welcome email, with recent releases"),
    "own_link": _("A link that works for one hour"),
    "change_address": _("The link to confirm a new address"),
    "address_changed": _("A notice that your address changed"),
}

STATE_WORDS: Mapping[DeliveryState, Any] = {
    DeliveryState.QUEUED: _("Waiting to be sent"),
    DeliveryState.LEASED: _("Being sent"),
    DeliveryState.ACCEPTED: _("Sent"),
    DeliveryState.DEFERRED: _("Delayed: your provider asked us to try again later"),
    DeliveryState.REJECTED: _("Rejected by your provider"),
    DeliveryState.UNCERTAIN: _("Possibly sent: your provider did not reply"),
    DeliveryState.SKIPPED: _("Not sent"),
    DeliveryState.CANCELLED: _("Not sent"),
}


class EraseForm(PublicForm):
    """One checkbox to confirm."""

    sure = BooleanField(
        _("Yes, delete all my data"), [InputRequired(_("Please tick the box if you are sure."))]
    )


def publisher() -> Publisher:
    """Return the publisher as consent records name it."""
    newsletter = this_newsletter()
    url = runtime().settings.public_url
    return Publisher(newsletter.name, url, newsletter.postal_address, names_of(all_newsletters()))


@public.get("/preferences/<token>/mails")
def my_mails(token: str) -> Response:
    """Show the emails that a subscriber was sent, the newest first."""
    parts = runtime()
    found = read_link_subscriber(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    page = request.args.get("page", 1, type=int)
    if not 1 <= page <= LAST_PAGE:
        raise NotFound("no such page")
    mails = read_my_mails(db.session(), found, page)
    if page > max(1, mails.pages):
        raise NotFound("no such page")
    shown = render_template(
        "web/my_mails.html",
        token=token,
        address_hint=address_hint(found.email or ""),
        mails=[_shown(mail) for mail in mails.items],
        pagination=mails,
    )
    return guard_tokens(make_response(shown))


def _shown(mail: OwnEmail) -> dict[str, Any]:
    parts = runtime()
    view_url = None
    if mail.viewable:
        view = parts.tokens.make(Purpose.VIEW, [mail.subscriber_public_id, mail.delivery_id], parts.now())
        view_url = url_for("archive.issue", token=view)
    return {
        "title": mail.title or MAIL_WORDS.get(mail.template, _("A message about your subscription")),
        "at": mail.at,
        "state": mail.state,
        "words": _("Returned: your mailbox did not accept it") if mail.came_back else STATE_WORDS[mail.state],
        "view_url": view_url,
    }


@public.post("/preferences/<token>/ask/<right>")
def ask_for_own_link(token: str, right: str) -> AnyResponse:
    """Email the link for an export, an erasure or a new address to the subscriber's own address."""
    if right not in set(Right):
        raise NotFound("there is no such link")
    parts = runtime()
    refused = refuse_too_many()
    if refused is not None:
        return refused
    done = ask_for_link(db.session(), parts.tokens, token, Right(right), parts.now())
    if isinstance(done, LinkFault):
        return link_problem(done)
    if done.wait_seconds:
        db.session.rollback()
        return too_many_links(done.wait_seconds)
    db.session.commit()
    parts.wake("single")
    return guarded_redirect(url_for(".preferences", token=token, news="mailed"))


@public.route("/export/<token>", methods=["GET", "POST"])
def export(token: str) -> Response:
    """Show one button. A POST returns all data that is kept about a subscriber, as a file."""
    parts = runtime()
    found = read_right(db.session(), parts.tokens, Right.EXPORT, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    if request.method == "GET":
        page = render_template(
            "web/export.html", token=token, form=ActForm(), address_hint=address_hint(found.email or "")
        )
        return guard_tokens(make_response(page))
    data = personal_data(db.session(), parts.tokens, found, publisher(), parts.now())
    answer = Response(json.dumps(data, ensure_ascii=False, indent=2), mimetype="application/json")
    answer.headers["Content-Disposition"] = 'attachment; filename="my-newsletter-data.json"'
    return guard_tokens(answer)


@public.route("/erase/<token>", methods=["GET", "POST"])
def erase(token: str) -> Response:
    """Explain what erasing does. A POST erases."""
    parts = runtime()
    found = read_right(db.session(), parts.tokens, Right.ERASE, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    form = EraseForm()
    if form.validate_on_submit():
        return _erase_now(found)
    status = 200
    if form.is_submitted():
        stop_writing()
        status = 422
    choices = make_preferences_token(parts.tokens, found.public_id, found.email_key or "", parts.now())
    page = render_template(
        "web/erase.html",
        token=token,
        form=form,
        address_hint=address_hint(found.email or ""),
        preferences_url=url_for(".preferences", token=choices),
        contact=contact(),
    )
    return guard_tokens(make_response(page, status))


def _erase_now(found: Subscriber) -> Response:
    try:
        erase_everywhere(runtime(), db.session(), found.public_id, "page")
    except NotFound:  # the button was pressed twice at the same moment
        return link_problem(LinkFault.DELETED)
    runtime().wake("single")
    return guard_tokens(make_response(render_template("web/erased.html")))


@public.get("/.well-known/newsletter-consent-key.pem")
def consent_key() -> Response:
    """Publish the key that checks consent records."""
    return Response(public_key_pem(runtime().tokens), mimetype="text/plain")
