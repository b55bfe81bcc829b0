"""Render the page with the sign-up form."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Response, make_response, render_template, request, url_for
from flask_babel import get_locale

from newsletter.models import db
from newsletter.releases.publishing.public import list_public, newest_by_topic
from newsletter.subscribers.offered_topics import OfferedTopic
from newsletter.subscribers.signup.judge import MOST_TOPICS
from newsletter.web.http.extensions import runtime
from newsletter.web.http.this_newsletter import is_only_one
from newsletter.web.http.time_zones import zone_in_words, zone_options
from newsletter.web.public.forms import FREQUENCY_WORDS, EmbeddedSignupForm, SignupForm
from newsletter.web.public.issue_dates import issue_dates
from newsletter.web.public.thanks_pages import let_form_lead_to

LATEST = 6


def signup_page(form: SignupForm, topics: Sequence[OfferedTopic], *, press: bool = False) -> Response:
    """Return the page with `form`. The status is 422 if a field has an error.

    `press`: the button has to be pressed once more, here.
    """
    form.ready()
    let_form_lead_to(form.next.data)
    language = str(get_locale() or "en")
    session, now = db.session(), runtime().now()
    # A release without a topic belongs to no newsletter. If there is one newsletter, its page shows all.
    only = None if is_only_one() else form.newsletter.newsletter_id
    page = render_template(
        "web/subscribe.html",
        form=form,
        # A form without a session stays without one: it is posted back to its own URL.
        action=url_for(
            "public.subscribe_embedded" if isinstance(form, EmbeddedSignupForm) else "public.subscribe"
        ),
        press=press,
        embedded=isinstance(form, EmbeddedSignupForm),
        topics=[each.shown_in(language) for each in topics],
        most_topics=MOST_TOPICS,
        samples=newest_by_topic(session, now, only),
        frequencies=[(frequency.value, words) for frequency, words in FREQUENCY_WORDS.items()],
        dates=issue_dates(session, form.newsletter.newsletter_id, None, now, language),
        zone=(form.time_zone.data, zone_in_words(form.time_zone.data, language)),
        zones=zone_options(language),
        consent=form.agreed(),
        latest=list_public(session, now, newsletter_id=only, per_page=LATEST).items,
    )
    answer = make_response(page, 422 if form.errors else 200)
    if request.method == "POST":
        answer.headers["Cache-Control"] = "no-store"
    return answer
