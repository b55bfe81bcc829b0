"""The pages to unsubscribe, by button or one click (RFC 8058), to pause instead, and to undo."""

from __future__ import annotations

from flask import Response, abort, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import db
from newsletter.subscribers.choices.pauses import WEEKS
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.leaving.pause_instead import pause_instead
from newsletter.subscribers.leaving.reasons import Reason, give_reason
from newsletter.subscribers.leaving.undo import read_undo, undo
from newsletter.subscribers.leaving.unsubscribe import (
    Unsubscribed,
    Unsubscription,
    read_unsubscription,
    unsubscribe_by_link,
)
from newsletter.subscribers.link import LinkFault, address_hint
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import guard_tokens
from newsletter.web.http.this_newsletter import all_newsletters
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import ActForm
from newsletter.web.public.preferences import weeks_asked
from newsletter.web.public.responses import (
    address_to_keep,
    guarded_redirect,
    link_problem,
    newsletter_names,
    unsubscribed_page,
)

# What the field `newsletter` says for all of them: no slug has a space.
EVERYTHING = "all newsletters"


@public.route("/unsubscribe/<token>", methods=["GET", "POST"])
def unsubscribe(token: str) -> Response:
    """Show what would be unsubscribed, and one button. A POST unsubscribes at once.

    Both our button and mailbox providers (RFC 8058) post here. Providers send no cookie and expect no
    redirect. The signed link is the whole proof, so any POST counts: an ignored unsubscribe would be worse
    than an unintended one, which can be undone.
    """
    if request.method == "POST":
        return _unsubscribe_now(token)
    parts = runtime()
    unsubscription = read_unsubscription(db.session(), parts.tokens, token, parts.now())
    if isinstance(unsubscription, LinkFault):
        return link_problem(unsubscription)
    meant = unsubscription.newsletter_id
    if unsubscription.ended_at is not None:
        left = Unsubscribed(
            unsubscription.public_id,
            unsubscription.email,
            unsubscription.email_key,
            unsubscription.ended_at,
            0,
            len(unsubscription.topics),
            trusted=unsubscription.trusted,
            newsletters=() if meant is None else (meant,),
        )
        return unsubscribed_page(left, leave_token=token)
    others = [each for each in unsubscription.newsletters if each != meant]
    topics = [
        topic
        for newsletter in all_newsletters()
        for topic in unsubscription.topics
        if topic.newsletter_id == newsletter.newsletter_id and meant in {None, topic.newsletter_id}
    ]
    page = render_template(
        "web/unsubscribe.html",
        token=token,
        form=ActForm(),
        # What the first button ends: the newsletter's name, or None for everything.
        newsletter=next((name for _, name in newsletter_names([meant])), None) if meant and others else None,
        others=newsletter_names(others) if meant or len(others) > 1 else [],
        topics=topics,
        # If there are many topics, only those of this email: this page is to unsubscribe, not to choose.
        offered=[each for each in topics if each.carried] or topics,
        address_hint=address_hint(unsubscription.email) if unsubscription.trusted else None,
        preferences_url=_choices_of(unsubscription),
        pauses=() if unsubscription.snoozed_until else WEEKS,
        snoozed_until=unsubscription.snoozed_until,
    )
    return guard_tokens(make_response(page))


def _choices_of(unsubscription: Unsubscription) -> str | None:
    """Return the URL of the preferences page; None if the link went to an earlier address."""
    if not unsubscription.trusted:
        return None
    parts = runtime()
    choices = make_preferences_token(
        parts.tokens, unsubscription.public_id, unsubscription.email_key, parts.now()
    )
    return url_for(".preferences", token=choices)


def _unsubscribe_now(token: str) -> Response:
    parts = runtime()
    person = request.form.get("page") == "yes"
    wish = request.form if person else {}
    topic = wish.get("topic")
    asked = next((each for each in all_newsletters() if each.slug == wish.get("newsletter")), None)
    done = unsubscribe_by_link(
        db.session(),
        parts.tokens,
        token,
        parts.now(),
        "button" if person else "one-click",
        address_to_keep(),
        everything=wish.get("newsletter") == EVERYTHING,
        newsletter_id=None if asked is None else asked.newsletter_id,
        only=[topic] if topic else None,
        notice=parts.settings.leaving_notice,
    )
    if not isinstance(done, LinkFault):
        db.session.commit()
        parts.wake("single")
    if person:
        return (
            link_problem(done) if isinstance(done, LinkFault) else unsubscribed_page(done, leave_token=token)
        )
    if done is LinkFault.DAMAGED:
        return guard_tokens(Response("This link is damaged.\n", 400, mimetype="text/plain"))
    # An erased subscriber gets no email anyway, so there is nothing to do.
    return guard_tokens(Response("Unsubscribed.\n", mimetype="text/plain"))


@public.post("/unsubscribe/<token>/pause")
def pause_unsubscribe(token: str) -> AnyResponse:
    """Pause instead of unsubscribing."""
    parts = runtime()
    now = parts.now()
    done = pause_instead(db.session(), parts.tokens, token, weeks_asked(), now, address_to_keep())
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    if done.until is None:  # unsubscribed meanwhile: the page says so
        return guarded_redirect(url_for(".unsubscribe", token=token))
    preferences_url = None
    if done.trusted:
        choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
        preferences_url = url_for(".preferences", token=choices)
    page = render_template("web/paused.html", until=done.until, preferences_url=preferences_url)
    return guard_tokens(make_response(page))


@public.route("/undo/<token>", methods=["GET", "POST"])
def undo_unsubscribe(token: str) -> AnyResponse:
    """Show one button, for a link from an email. A POST restores what one unsubscribe ended."""
    parts = runtime()
    now = parts.now()
    if request.method != "POST":  # HEAD too
        found = read_undo(db.session(), parts.tokens, token, now)
        if isinstance(found, LinkFault):
            return link_problem(found)
        return guard_tokens(make_response(render_template("web/undo.html", token=token, form=ActForm())))
    done = undo(db.session(), parts.tokens, token, now, ip_address=address_to_keep())
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    if not done.trusted:
        return guarded_redirect(url_for(".welcome_back"))
    choices = make_preferences_token(parts.tokens, done.public_id, done.email_key, now)
    return guarded_redirect(url_for(".welcome_back", token=choices))


@public.post("/undo/<token>/reason")
def give_leaving_reason(token: str) -> AnyResponse:
    """Store the reason for an unsubscribe, if the person gives one."""
    parts = runtime()
    now = parts.now()
    said = request.form.get("reason")
    if said not in set(Reason):
        abort(400)
    done = give_reason(db.session(), parts.tokens, token, Reason(said), now, address_to_keep())
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    return unsubscribed_page(done, thanked=True)
