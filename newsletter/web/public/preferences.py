"""The preferences page: topics, frequency, language, hour and pause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response, abort, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form

from newsletter.models import Frequency, db
from newsletter.subscribers.choices.pauses import WEEKS
from newsletter.subscribers.choices.preferences import (
    Choice,
    Preferences,
    Saved,
    pause,
    read_preferences,
    resume,
    save_preferences,
)
from newsletter.subscribers.leaving.unsubscribe import Left
from newsletter.subscribers.link import LinkFault, address_hint
from newsletter.tokens import Purpose
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import guard_tokens
from newsletter.web.http.this_newsletter import this_newsletter
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import USUAL_FREQUENCY, ActForm, TopicForm
from newsletter.web.public.personal_settings import PersonalSettingsForm
from newsletter.web.public.responses import (
    address_to_keep,
    contact,
    guarded_redirect,
    left_page,
    link_problem,
    stop_writing,
)

# The messages that the page can show at the top after an action.
NEWS = ("saved", "paused", "resumed", "mailed")


@dataclass(frozen=True)
class Row:
    """One topic on the preferences page, with its two fields."""

    topic: Choice
    form: TopicForm

    @property
    def slug(self) -> str:
        """The topic's slug."""
        return self.topic.slug

    @property
    def group(self) -> str:
        """The name of the topic's group, or ""."""
        return self.topic.group

    @property
    def wanted(self) -> object:
        """The checkbox."""
        return self.form.wanted

    @property
    def frequency(self) -> object:
        """The frequency field."""
        return self.form.frequency


@public.route("/preferences/<token>", methods=["GET", "POST"])
def preferences(token: str) -> AnyResponse:
    """Show a subscriber's preferences; a POST saves them."""
    parts = runtime()
    found = read_preferences(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    posted = request.form if request.method == "POST" else None
    rows = _rows(found.choices, posted is not None)
    personal_settings = PersonalSettingsForm(posted, found.personal_settings, this_newsletter().languages)
    if posted is None:
        return preferences_page(token, found, rows=rows, personal_settings=personal_settings)
    # Validate all forms, so that every fault is shown at once.
    forms: list[Form] = [personal_settings, *(row.form for row in rows)]
    sound = [form.validate() for form in forms]
    if all(sound):
        return _save(token, rows, personal_settings)
    return preferences_page(token, found, rows=rows, personal_settings=personal_settings, status=422)


def preferences_page(
    token: str,
    found: Preferences,
    *,
    rows: Sequence[Row] | None = None,
    personal_settings: PersonalSettingsForm | None = None,
    status: int = 200,
) -> Response:
    """Render the page, with the submitted forms if there are any."""
    parts = runtime()
    stop_writing()
    leave = parts.tokens.make(Purpose.UNSUBSCRIBE, [found.public_id, None], parts.now())
    news = request.args.get("news", "")
    shown = rows if rows is not None else _rows(found.choices, posted=False)
    page = render_template(
        "web/preferences.html",
        token=token,
        address_hint=address_hint(found.email),
        form=ActForm(formdata=None),
        rows=shown,
        chosen=[row.slug for row in shown if row.form.wanted.data or row.form.errors],
        personal_settings=personal_settings
        or PersonalSettingsForm(None, found.personal_settings, this_newsletter().languages),
        news=news if request.method == "GET" and news in NEWS else "",
        on_the_list=found.on_the_list,
        snoozed_until=found.snoozed_until,
        pauses=WEEKS,
        contact=contact(),
        leave_url=url_for(".unsubscribe", token=leave),
    )
    return guard_tokens(make_response(page, status))


def _rows(choices: Sequence[Choice], posted: bool) -> list[Row]:
    usual = next((each.frequency for each in choices if each.frequency), USUAL_FREQUENCY)
    return [
        Row(
            each,
            TopicForm(
                request.form if posted else None,
                prefix=f"topic-{each.slug}-",
                data={"wanted": each.frequency is not None, "frequency": (each.frequency or usual).value},
            ),
        )
        for each in choices
    ]


def _save(token: str, rows: Sequence[Row], personal_settings: PersonalSettingsForm) -> AnyResponse:
    parts = runtime()
    done = save_preferences(
        db.session(),
        parts.tokens,
        token,
        {row.topic.slug: Frequency(row.form.frequency.data) for row in rows if row.form.wanted.data},
        parts.now(),
        personal_settings=personal_settings.personal_settings(),
        welcome_releases=parts.settings.welcome_releases,
        ip_address=address_to_keep(),
        notice=parts.settings.leaving_notice,
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    if isinstance(done, Left):
        parts.wake("single")
        return left_page(done)
    if done is Saved.ASKED:
        parts.wake("single")
        return guarded_redirect(url_for(".check_inbox"))
    # In the newly chosen language, even if the page was shown in another one.
    return guarded_redirect(url_for(".preferences", token=token, news="saved", lang=None))


@public.post("/preferences/<token>/pause")
def pause_preferences(token: str) -> AnyResponse:
    """Pause for some weeks."""
    parts = runtime()
    done = pause(db.session(), parts.tokens, token, weeks_asked(), parts.now(), address_to_keep())
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    return guarded_redirect(url_for(".preferences", token=token, news="paused" if done else None))


@public.post("/preferences/<token>/resume")
def resume_preferences(token: str) -> AnyResponse:
    """End a pause now."""
    parts = runtime()
    catch_up = parts.settings.snooze_catch_up
    done = resume(db.session(), parts.tokens, token, catch_up, parts.now(), address_to_keep())
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    return guarded_redirect(url_for(".preferences", token=token, news="resumed" if done else None))


def weeks_asked() -> int:
    """Return the number of weeks that the form asks to pause; abort with 400 if it is not on offer."""
    weeks = request.form.get("weeks", type=int)
    if weeks not in WEEKS:
        abort(400)
    return weeks
