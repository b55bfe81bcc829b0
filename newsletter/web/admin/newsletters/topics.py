"""The pages to list, add and edit topics and their groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Response, flash, make_response, redirect, render_template, request, url_for
from sqlalchemy.orm import Session

from newsletter.errors import FieldsInvalid
from newsletter.identity import Identity
from newsletter.languages import language_name
from newsletter.models import Topic, TopicGroup, db
from newsletter.releases.rules.text import write_rules
from newsletter.releases.topics.edit import add_group, edit_group, edit_topic, find_group, list_groups
from newsletter.releases.topics.manage import add_topic, find_topic, list_topics, rule_set_of
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.chosen_newsletter import chosen_newsletter
from newsletter.web.admin.forms import GroupForm, TopicForm
from newsletter.web.admin.query_string import text_of
from newsletter.web.admin.session import actor
from newsletter.web.http.extensions import runtime
from newsletter.web.public.responses import stop_writing

TEXTS = ("name", "description", "group", "position")


@admin.get("/topics")
def topics() -> str:
    """List the topics of a newsletter by group, in the order of the sign-up page."""
    session = db.session()
    chosen = chosen_newsletter(session)
    found = list_topics(session, chosen.id)
    groups = list_groups(session, chosen.id)
    return render_template(
        "admin/topics.html",
        groups=[(group, [each for each in found if each.group is group]) for group in (None, *groups)],
        count=len(found),
        newsletters=chosen.options,
        newsletter=chosen.slug,
        of_this=_of_this(session),
    )


@admin.get("/add-topic")
def new_topic() -> Response:
    """Show an empty form for a topic of a newsletter."""
    return _topic_page(db.session(), None, _form_of_topic(None))


@admin.post("/add-topic", endpoint="add_topic")
def add_topic_() -> Response:
    """Add a topic after the others, and show its page; show the form again with what is wrong."""
    session, now = db.session(), runtime().now()
    form = _form_of_topic()
    identity = _identity(session)

    def store() -> None:
        made = add_topic(
            session,
            slug=form.slug.data or "",
            name=form.name.data or "",
            description=form.description.data or "",
            newsletter_id=identity.newsletter_id,
            actor=actor(),
            now=now,
        )
        if form.group.data:
            edit_topic(session, identity, made.slug, {"group": form.group.data}, actor=actor(), now=now)

    if not _stored(form, store):
        return _topic_page(session, None, form, 422)
    return _saved("The topic was added.", url_for("admin.topic", slug=form.slug.data))


@admin.get("/topics/<slug>")
def topic(slug: str) -> Response:
    """Show the texts of a topic in one language, its group, its position and its rules."""
    session = db.session()
    found = find_topic(session, slug)
    return _topic_page(session, found, _form_of_topic(found))


@admin.post("/topics/<slug>", endpoint="edit_topic")
def edit_topic_(slug: str) -> Response:
    """Change a topic; show the form again with what is wrong."""
    session = db.session()
    found = find_topic(session, slug)
    form = _form_of_topic(found)
    identity = _identity(session, found.newsletter_id)
    language = _language(identity)
    changed: Sequence[str] = ()

    def store() -> None:
        nonlocal changed
        changed = edit_topic(
            session, identity, slug, _given(), language=language, actor=actor(), now=runtime().now()
        )

    if not _stored(form, store):
        return _topic_page(session, found, form, 422)
    return _saved("The topic was saved." if changed else "Nothing has changed.", request.full_path)


@admin.get("/add-topic-group")
def new_group() -> Response:
    """Show an empty form for a group of topics."""
    return _group_page(db.session(), None, GroupForm(None))


@admin.post("/add-topic-group", endpoint="add_group")
def add_group_() -> Response:
    """Add a group after the others; show the form again with what is wrong."""
    session = db.session()
    form = GroupForm()
    identity = _identity(session)

    def store() -> None:
        slug, name = form.slug.data or "", form.name.data or ""
        add_group(session, identity, slug, name, actor=actor(), now=runtime().now())

    if not _stored(form, store):
        return _group_page(session, None, form, 422)
    return _saved("The group was added. Choose it on the page of each topic.", _list_url(session))


@admin.get("/topic-groups/<slug>")
def group(slug: str) -> Response:
    """Show the name of a group in one language, and its position."""
    session = db.session()
    identity = _identity(session)
    found = find_group(session, identity, slug)
    name = found.name if _is_first(identity) else found.translations.get(_language(identity), "")
    return _group_page(session, found, GroupForm(None, data={"name": name, "position": str(found.position)}))


@admin.post("/topic-groups/<slug>", endpoint="edit_group")
def edit_group_(slug: str) -> Response:
    """Change a group; show the form again with what is wrong."""
    session = db.session()
    identity = _identity(session)
    found = find_group(session, identity, slug)
    form = GroupForm()

    def store() -> None:
        language = _language(identity)
        given = {name: text for name, text in _given().items() if name in {"name", "position"}}
        edit_group(session, identity, slug, given, language=language, actor=actor(), now=runtime().now())

    if not _stored(form, store):
        return _group_page(session, found, form, 422)
    return _saved("The group was saved.", _list_url(session))


def _stored(form: TopicForm | GroupForm, store: Callable[[], None]) -> bool:
    """Run `store` and commit. If a field is wrong, put the reason beside it and return False."""
    try:
        store()
    except FieldsInvalid as fault:
        stop_writing()
        for name, words in fault.faults.items():
            if name in form:
                form[name].errors = [words]
            else:
                form.form_errors.append(words)
        return False
    db.session().commit()
    return True


def _saved(words: str, place: str) -> Response:
    flash(words, "ok")
    return make_response(redirect(place.rstrip("?"), code=303))


def _given() -> dict[str, str]:
    """Return the texts of the form's fields. A field that was not sent is not changed."""
    return {name: request.form[name] for name in TEXTS if name in request.form}


def _form_of_topic(shown: Topic | None = None) -> TopicForm:
    """Return the form: as it was posted, or with the texts of a topic in the language of the page."""
    session = db.session()
    newsletter_id = shown.newsletter_id if shown else chosen_newsletter(session).id
    if request.method == "POST":
        form = TopicForm()
    elif shown is None:
        form = TopicForm(None)
    else:
        identity = _identity(session, newsletter_id)
        own = (shown.translations or {}).get(_language(identity), {})
        texts = {"name": shown.name, "description": shown.description} if _is_first(identity) else own
        group_slug = shown.group.slug if shown.group else ""
        form = TopicForm(None, data={**texts, "position": str(shown.position), "group": group_slug})
    form.group.choices = [
        ("", "None"),
        *((each.slug, each.name) for each in list_groups(session, newsletter_id)),
    ]
    return form


def _topic_page(session: Session, shown: Topic | None, form: TopicForm, status: int = 200) -> Response:
    identity = _identity(session, shown.newsletter_id if shown else None)
    rules = write_rules(rule_set_of(shown)) if shown else ""
    around = _around(session, identity, shown)
    page = render_template("admin/topic.html", topic=shown, form=form, rules=rules, **around)
    return make_response(page, status)


def _group_page(session: Session, shown: TopicGroup | None, form: GroupForm, status: int = 200) -> Response:
    identity = _identity(session)
    page = render_template(
        "admin/topic_group.html", group=shown, form=form, **_around(session, identity, shown)
    )
    return make_response(page, status)


def _around(session: Session, identity: Identity, shown: Topic | TopicGroup | None) -> dict[str, Any]:
    """Return what both pages show around the form: the newsletter, and a tab for each language."""
    several = _of_this(session, identity.slug)
    language = _language(identity)
    languages = []
    if shown is not None:
        of_group = several if isinstance(shown, TopicGroup) else {}
        endpoint = "admin.group" if isinstance(shown, TopicGroup) else "admin.topic"
        for each in identity.languages:
            place = url_for(endpoint, slug=shown.slug, language=each, **of_group)
            languages.append((place, language_name(each), each == language))
    return {
        "language": language,
        "languages": languages,
        "first_language": "" if _is_first(identity) else language_name(identity.languages[0]),
        "of_this": several,
        "newsletter_name": identity.name if several else "",
    }


def _identity(session: Session, newsletter_id: int | None = None) -> Identity:
    """Return a newsletter by its id, or the one that the query names, as it is now."""
    parts = runtime()
    # What another process has changed within the last second must show here.
    parts.identities.forget()
    return parts.identities.of(session, newsletter_id or chosen_newsletter(session).id)


def _of_this(session: Session, slug: str | None = None) -> dict[str, Any]:
    """Return what a URL needs to name the newsletter: nothing if there is only one."""
    chosen = chosen_newsletter(session)
    return {"newsletter": slug or chosen.slug} if chosen.slug else {}


def _list_url(session: Session) -> str:
    return url_for("admin.topics", **_of_this(session))


def _language(identity: Identity) -> str:
    asked = text_of("language") or ""
    return asked if asked in identity.languages else identity.languages[0]


def _is_first(identity: Identity) -> bool:
    return _language(identity) == identity.languages[0]
