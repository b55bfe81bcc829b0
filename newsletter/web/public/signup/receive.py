"""Receive a sign-up from our page, a form on another site, or its script."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

from flask import current_app, request

from newsletter.models import db
from newsletter.subscribers.consent.ledger import kept_address
from newsletter.subscribers.offered_topics import OfferedTopic, offered_topics
from newsletter.subscribers.signup.admit import Arrival, Outcome, Taken, store_signups
from newsletter.subscribers.signup.confirmation_limits import Trust
from newsletter.subscribers.signup.request import Signup
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import client_address
from newsletter.web.public.forms import SignupForm
from newsletter.web.public.responses import stop_writing
from newsletter.web.public.signup.write_batches import WriteBatcher, WriteLock

# For this long, a process accepts forms for the topics that it has read.
TOPICS_KNOWN_SECONDS = 60.0
TOPICS = "newsletter.topics"
WRITER = "newsletter.writer"
LOCK_FILE = "signups.turn"


def topics_to_offer(newsletter_id: int) -> tuple[OfferedTopic, ...]:
    """Return the topics of a newsletter, to choose from."""
    return tuple(topic for topic in _all_topics() if topic.newsletter_id == newsletter_id)


def _all_topics() -> tuple[OfferedTopic, ...]:
    """Return the topics of all newsletters.

    If a form names only topics that this process has read lately, they are not read again, and checking the
    form blocks no writer. A topic deleted meanwhile is left out later.
    """
    if request.method == "POST":
        seen_at, known = current_app.extensions.get(TOPICS, (0.0, ()))
        slugs = {topic.slug for topic in known}
        if time.monotonic() - seen_at < TOPICS_KNOWN_SECONDS and slugs.issuperset(
            request.form.getlist("topics")
        ):
            return tuple(known)
    offered = offered_topics(db.session())
    db.session.rollback()  # reading took the write lock, which this request needs only later
    current_app.extensions[TOPICS] = (time.monotonic(), offered)
    return offered


def take_signup(form: SignupForm, how: str) -> Taken:
    """Check a posted form, count it, and store the sign-up request. Commits.

    `how` names the form (our page, another site, its script) and goes into the consent ledger. Every defence
    belongs in here, and none may depend on whether the address is known: the response is the same for every
    address. Afterwards, the database's write lock is free, and the request can only read.
    """
    taken = _writer()(_read_arrival(form, how)) if form.validate() else Taken(Outcome.FAULTY)
    stop_writing()
    return taken


def _read_arrival(form: SignupForm, how: str) -> Arrival:
    settings = runtime().settings
    ip_address = client_address(request, settings.trusted_proxies)
    trapped = bool(form.website.data)
    return Arrival(
        ip_address=ip_address,
        timed=form.timed,
        trapped=trapped,
        pressed=trapped and form.pressed_here(),
        altcha=(form.altcha.data or "") if settings.altcha else None,
        signup=Signup(
            address=form.address,
            choices=form.choices(),
            wording=form.agreed(),
            newsletter_id=form.newsletter.newsletter_id,
            ip_address=kept_address(ip_address, settings.ip_storage),
            language=form.language.data,
            time_zone=form.time_zone.data,
            how=how,
            trust=Trust.SEEN if form.seen.data == "yes" else Trust.NONE,
        ),
    )


def _writer() -> Callable[[Arrival], Taken]:
    """Return the function that stores a form: batched on SQLite, which has one writer, else one by one."""
    if db.engine.dialect.name != "sqlite":
        return lambda arrival: _woken(_write([arrival]))[0]
    writer = current_app.extensions.get(WRITER)
    if writer is None:
        lock = WriteLock(runtime().settings.data_dir / LOCK_FILE)

        def write(arrivals: Sequence[Arrival]) -> list[Taken]:
            with lock():
                taken = _write(arrivals)
            return _woken(taken)

        # If several threads get here together, all use the writer that was stored first.
        writer = current_app.extensions.setdefault(WRITER, WriteBatcher(write))
    return cast("WriteBatcher[Arrival, Taken]", writer)


def _write(arrivals: Sequence[Arrival]) -> list[Taken]:
    session, now = db.session(), runtime().now()
    try:
        taken = store_signups(session, runtime().tokens, arrivals, now)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    return taken


def _woken(taken: list[Taken]) -> list[Taken]:
    """Return these answers, after asking the workers once to resolve the sign-ups among them."""
    if any(each.outcome is Outcome.ASKED for each in taken):
        runtime().wake("signups")
    return taken
