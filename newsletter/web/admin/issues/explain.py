"""The page that explains a subscriber's next digest: why is each recent release in it, or not?"""

from __future__ import annotations

from flask import Response, make_response, render_template

from newsletter.digest.explain.explain import explain
from newsletter.errors import InputError, NotFound
from newsletter.models import db
from newsletter.models.rendition_key import release_ids
from newsletter.newsletters.schedule import read_moment
from newsletter.subscribers.consent.record import find_person
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import chosen_newsletter
from newsletter.web.admin.query_string import text_of
from newsletter.web.http.extensions import runtime


@admin.get("/readers/<public_id>/next")
def explain_subscriber(public_id: str) -> Response:
    """Say what a subscriber gets next, and why each recent release is in it or not."""
    session, parts = db.session(), runtime()
    person, chosen = find_person(session, public_id), chosen_newsletter(session)
    if person.email_key is None:
        raise NotFound("This person has no address, so they get no email.")
    identity = parts.identities.recent(parts.reading, chosen.id)
    typed, fault, at = text_of("at") or "", "", None
    try:
        at = read_moment(session, identity, typed) if typed else None
        found = explain(
            session, parts.tokens, person.email_key, identity,
            catch_up=parts.settings.snooze_catch_up, now=parts.now(), at=at,
        )  # fmt: skip
    except InputError as error:
        fault = str(error)
        found = explain(
            session, parts.tokens, person.email_key, identity,
            catch_up=parts.settings.snooze_catch_up, now=parts.now(),
        )  # fmt: skip
    before = [(found.say_time(each.occasion.at), len(release_ids(each.selection))) for each in found.before]
    page = render_template(
        "admin/explain.html",
        subscriber=person,
        newsletter=chosen,
        typed=typed,
        fault=fault,
        summary=found.summary,
        before=before,
        verdicts=found.verdicts,
    )
    return make_response(page, 422 if fault else 200)
