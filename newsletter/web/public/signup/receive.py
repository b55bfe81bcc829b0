"""Receive a sign-up from our page, a form on another site, or its script."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import cast

from flask import current_app, request

from newsletter.models import db
from newsletter.subscribers.queries import OfferedTopic, offered_topics
from newsletter.subscribers.signup.admit import Arrival, Outcome, Taken, store_signups
from newsletter.subscribers.signup.confirmation_limits import Trust
from newsletter.subscribers.signup.request import Signup
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import client_address
from newsletter.web.public.forms import SignupForm
from newsletter.web.public.responses import address_to_keep, stop_writing
from newsletter.web.public.signup.write_batches import WriteBatcher, WriteLock

# How long a process may go on taking forms for the topics it has seen.
TOPICS_KNOWN_SECONDS = 60.0
TOPICS = "newsletter.topics"
WRITER = "newsletter.writer"
TURN_FILE = "signups.turn"


def topics_to_offer() -> tuple[OfferedTopic, ...]:
    """Return the topics to choose from.

    A form that asks for topics this process knows is not made to wait for another look at them,
    and checking it holds up no writer. A topic deleted meanwhile is left out later.
    """
    if request.method == "POST":
        seen_at, known = current_app.extensions.get(TOPICS, (0.0, ()))
        slugs = {topic.slug for topic in known}
        if time.monotonic() - seen_at < TOPICS_KNOWN_SECONDS and slugs.issuperset(
            request.form.getlist("topics")
        ):
            return tuple(known)
    offered = offered_topics(db.session())
    db.session.rollback()  # it had begun to write, and the turn for that comes later
    current_app.extensions[TOPICS] = (time.monotonic(), offered)
    return offered


def take_signup(form: SignupForm, how: str) -> Taken:
    """Check a posted form, count it, and write down what was asked; commits.

    `how` names the door and goes into the ledger of consent. Every defence belongs in here, and
    none may depend on who is known: the answer is equal for every address. The answer is drawn
    by the caller, after this has let go of the database's write lock.
    """
    if not form.validate():
        stop_writing()
        return Taken(Outcome.FAULTY)
    taken = _writer()(_read_arrival(form, how))
    if taken.outcome is Outcome.ASKED:
        runtime().wake("signups")
    else:
        stop_writing()
    return taken


def _read_arrival(form: SignupForm, how: str) -> Arrival:
    settings = runtime().settings
    return Arrival(
        ip_address=client_address(request, settings.trusted_proxies),
        timed=form.timed,
        trapped=bool(form.website.data),
        altcha=(form.altcha.data or "") if settings.altcha else None,
        signup=Signup(
            address=form.address,
            choices=form.choices(),
            wording=form.agreed(),
            ip_address=address_to_keep(),
            language=form.language.data,
            time_zone=form.time_zone.data,
            how=how,
            trust=Trust.SEEN if form.seen.data == "yes" else Trust.NONE,
        ),
    )


def _writer() -> Callable[[Arrival], Taken]:
    """Return what writes a form down: with others where there is one writer, else by itself."""
    if db.engine.dialect.name != "sqlite":
        return lambda arrival: _write([arrival])[0]
    writer = current_app.extensions.get(WRITER)
    if writer is None:
        turn = WriteLock(runtime().settings.data_dir / TURN_FILE)

        def write(arrivals: Sequence[Arrival]) -> list[Taken]:
            with turn():
                return _write(arrivals)

        # Of several threads that came first, all get the one that was made first.
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
