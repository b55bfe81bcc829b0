"""The preferences page: topics, frequency, language, hour and pause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, make_response, render_template, request, url_for
from markupsafe import Markup, escape
from werkzeug.wrappers import Response as AnyResponse

from newsletter.models import ClickCounting, Frequency, db
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
from newsletter.subscribers.leaving.unsubscribe import Unsubscribed, make_leave_token
from newsletter.subscribers.link import LinkFault, address_hint
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.security import guard_tokens
from newsletter.web.http.this_newsletter import all_newsletters, is_only_one, offered_languages
from newsletter.web.public.blueprint import public
from newsletter.web.public.forms import FREQUENCY_WORDS, ActForm
from newsletter.web.public.issue_dates import IssueDates, issue_dates
from newsletter.web.public.personal_settings import CLICKS_WORDING, PersonalSettingsForm
from newsletter.web.public.responses import (
    address_to_keep,
    contact,
    guarded_redirect,
    link_problem,
    stop_writing,
    unsubscribed_page,
)

_KNOWN = frozenset(Frequency)
# The messages that the page can show at the top after an action.
NEWS = ("saved", "paused", "resumed", "mailed")


@dataclass(frozen=True, slots=True)
class Row:
    """One topic on the preferences page, and what its two fields show.

    `name` begins the names of its fields. `faulty`: the frequency is unknown.
    """

    topic: Choice
    name: Markup
    wanted: bool
    frequency: str
    faulty: bool = False

    @property
    def slug(self) -> str:
        """The topic's slug."""
        return self.topic.slug

    @property
    def group(self) -> str:
        """The name of the topic's group, or ""."""
        return self.topic.group


@dataclass(frozen=True)
class Group:
    """The topics of one newsletter on the preferences page.

    `has`: the subscriber gets some of them. Any other newsletter has one frequency field for all its topics,
    with the name `field`. Otherwise the page would be too large with many newsletters.
    """

    name: str
    tagline: str
    field: str
    frequency: str
    rows: Sequence[Row]
    has: bool

    @property
    def is_open(self) -> bool:
        """Whether its topics are shown at once."""
        return self.has or bool(self.chosen)

    @property
    def chosen(self) -> list[str]:
        """The slugs of the topics that are ticked or faulty."""
        return [row.slug for row in self.rows if row.wanted or row.faulty]


@public.route("/preferences/<token>", methods=["GET", "POST"])
def preferences(token: str) -> AnyResponse:
    """Show a subscriber's preferences; a POST saves them."""
    parts = runtime()
    found = read_preferences(db.session(), parts.tokens, token, parts.now())
    if isinstance(found, LinkFault):
        return link_problem(found)
    posted = request.form if request.method == "POST" else None
    groups = _groups(found.choices, posted is not None)
    personal_settings = _personal_settings(posted, found)
    if posted is None:
        return preferences_page(token, found, groups=groups, personal_settings=personal_settings)
    rows = [row for group in groups for row in group.rows]
    # Validate the form even if a row is faulty, so that every fault is shown at once.
    if personal_settings.validate() and not any(row.faulty for row in rows):
        return _save(token, found, groups, personal_settings)
    return preferences_page(token, found, groups=groups, personal_settings=personal_settings, status=422)


def preferences_page(
    token: str,
    found: Preferences,
    *,
    groups: Sequence[Group] | None = None,
    personal_settings: PersonalSettingsForm | None = None,
    status: int = 200,
    withheld: bool = False,
) -> Response:
    """Render the page, with the submitted forms if there are any. `withheld`: an email was not sent."""
    parts = runtime()
    stop_writing()
    leave = make_leave_token(parts.tokens, token, found.public_id, parts.now())
    news = request.args.get("news", "")
    page = render_template(
        "web/preferences.html",
        token=token,
        address_hint=address_hint(found.email),
        form=ActForm(formdata=None),
        groups=groups if groups is not None else _groups(found.choices, posted=False),
        options=_options(),
        personal_settings=personal_settings or _personal_settings(None, found),
        news=news if request.method == "GET" and news in NEWS else "",
        withheld=withheld,
        clicks_wording=CLICKS_WORDING,
        dates=_dates(found),
        on_the_list=found.on_the_list,
        snoozed_until=found.snoozed_until,
        pauses=WEEKS,
        contact=contact(),
        leave_url=url_for(".unsubscribe", token=leave),
    )
    return guard_tokens(make_response(page, status))


def _dates(found: Preferences) -> list[tuple[str, IssueDates]]:
    """Return when the issues of the subscriber's newsletters come, at their own hour if they chose one."""
    theirs = {each.newsletter_id for each in found.choices if each.frequency}
    own, now, language = found.personal_settings, runtime().now(), page_language()
    hour = None if own.preferred_hour is None else (own.time_zone, own.preferred_hour)
    dates = []
    for each in all_newsletters():
        if each.newsletter_id in theirs:
            when = issue_dates(db.session(), each.newsletter_id, hour, now, language)
            dates += [] if when is None else [(each.texts_in(language).name, when)]
    return dates


def _personal_settings(posted: Any, found: Preferences) -> PersonalSettingsForm:
    counting = any(each.click_counting is ClickCounting.AGREED for each in all_newsletters())
    return PersonalSettingsForm(
        posted,
        found.personal_settings,
        offered_languages(),
        found.release_languages,
        asks_clicks=counting,
    )


def _groups(choices: Sequence[Choice], posted: bool) -> list[Group]:
    """Return the topics by newsletter. The newsletters that the subscriber has come first."""
    parts: dict[int, list[Choice]] = {}
    for each in choices:
        parts.setdefault(each.newsletter_id, []).append(each)
    language = page_language()
    groups = []
    for newsletter in all_newsletters():
        theirs = parts.get(newsletter.newsletter_id)
        if theirs:
            texts = newsletter.texts_in(language)
            field = f"newsletter-{newsletter.slug}-frequency"
            usual = next((each.frequency for each in theirs if each.frequency), newsletter.default_frequency)
            often = request.form.get(field, usual.value) if posted else usual.value
            rows = _posted_rows(theirs, request.form.get(field, "")) if posted else _rows(theirs, often)
            has = is_only_one() or any(each.frequency for each in theirs)
            groups.append(Group(texts.name, texts.tagline, field, often, rows, has))
    return sorted(groups, key=lambda group: not group.has)


def _rows(choices: Sequence[Choice], usual: str) -> list[Row]:
    return [
        Row(each, _name_of(each), each.frequency is not None, each.frequency or usual) for each in choices
    ]


def _posted_rows(choices: Sequence[Choice], for_all: str) -> list[Row]:
    """Return the rows as they were sent; `for_all` is the frequency of a newsletter that has one field."""
    given = request.form
    rows = []
    for each in choices:
        wanted = given.get(f"topic-{each.slug}-wanted", "") not in {"", "false"}
        frequency = given.get(f"topic-{each.slug}-frequency", for_all)
        rows.append(Row(each, _name_of(each), wanted, frequency, frequency not in _KNOWN))
    return rows


def _name_of(choice: Choice) -> Markup:
    # Escaped once here, because the page has it several times for each of perhaps a thousand topics.
    return escape(f"topic-{choice.slug}")


def _options() -> dict[str, Markup]:
    """Return the options of a frequency field, for each frequency that can be chosen in it.

    They are made once for the whole page, because there may be a thousand topics.
    """
    words = {frequency.value: str(words) for frequency, words in FREQUENCY_WORDS.items()}
    return {
        chosen: Markup("").join(
            Markup('<option{} value="{}">{}</option>').format(
                Markup(" selected") if value == chosen else "", value, name
            )
            for value, name in words.items()
        )
        for chosen in ("", *words)
    }


def _save(
    token: str, found: Preferences, groups: Sequence[Group], personal_settings: PersonalSettingsForm
) -> AnyResponse:
    parts = runtime()
    done = save_preferences(
        db.session(),
        parts.tokens,
        token,
        {row.topic.slug: Frequency(row.frequency) for group in groups for row in group.rows if row.wanted},
        parts.now(),
        personal_settings=personal_settings.personal_settings(),
        welcome_releases=parts.settings.welcome_releases,
        ip_address=address_to_keep(),
        notice=parts.settings.leaving_notice,
    )
    db.session.commit()
    if isinstance(done, LinkFault):
        return link_problem(done)
    if isinstance(done, Unsubscribed):
        parts.wake("single")
        return unsubscribed_page(done)
    if done is Saved.WITHHELD:
        parts.wake("single")
        return preferences_page(
            token, found, groups=groups, personal_settings=personal_settings, status=429, withheld=True
        )
    if done is Saved.ASKED:
        parts.wake("single")
        return guarded_redirect(url_for(".check_inbox", elsewhere="yes"))
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
