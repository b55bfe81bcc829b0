"""A reader's own page: topics, and how often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import Frequency, db
from newsletter.subscriptions.bearer import LinkFault, address_hint
from newsletter.subscriptions.preferences import Choice, Saved, read_preferences, save_preferences
from newsletter.subscriptions.unsubscribe import Left
from newsletter.tokens import Purpose
from newsletter.web.extensions import runtime
from newsletter.web.forms import USUAL_FREQUENCY, ActForm, TopicForm
from newsletter.web.public.answers import (
    address_to_keep,
    guarded_redirect,
    left_page,
    link_problem,
    stop_writing,
)
from newsletter.web.public.blueprint import public
from newsletter.web.security import guard_tokens


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
        return link_problem(found)
    rows = _rows(found.choices)
    status = 200
    if request.method == "POST":
        faulty = [row for row in rows if not row.form.validate()]
        if not faulty:
            return _save(token, rows)
        stop_writing()
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
        ip_address=address_to_keep(),
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    if isinstance(done, Left):
        return left_page(done)
    if done is Saved.ASKED:
        parts.wake("single")
        return guarded_redirect(url_for(".check_inbox"))
    return guarded_redirect(url_for(".preferences", token=token, saved="yes"))
