"""Receive a sign-up from our page, a form on another site, or its script."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from flask import current_app, request
from sqlalchemy.orm import Session

from newsletter.limits.visits import count_visit
from newsletter.models import db
from newsletter.subscribers.queries import OfferedTopic, offered_topics
from newsletter.subscribers.signup.confirmation_limits import Trust
from newsletter.subscribers.signup.proof_of_work import check_proof
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import client_address
from newsletter.web.public.forms import SignupForm
from newsletter.web.public.responses import address_to_keep, stop_writing
from newsletter.web.public.signup.write_batches import WriteBatcher, WriteLock

# A form on another site tells nothing about how long it was open. It is taken all the same while
# its visitor's network has sent no more than these shortly before; then the button is on our page.
UNTIMED = 5


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


class Outcome(enum.StrEnum):
    """What became of a form.

    ASKED is the same for every address; FAULTY is said by the form's errors; WAIT came too often;
    PRESS is to be sent once more, from a page of ours.
    """

    ASKED = "asked"
    FAULTY = "faulty"
    WAIT = "wait"
    PRESS = "press"


@dataclass(frozen=True)
class Taken:
    """What became of a form. `wait_seconds` is for WAIT."""

    outcome: Outcome
    wait_seconds: float = 0.0


@dataclass(frozen=True)
class _Posted:
    """What of a request is needed to write it down, whichever thread does that."""

    visitor: str
    timed: bool
    trapped: bool
    altcha: str | None
    signup: Signup


def take_signup(form: SignupForm, how: str) -> Taken:
    """Check a posted form, count it, and write down what was asked; commits.

    `how` names the door and goes into the ledger of consent. Every defence belongs in here, and
    none may depend on who is known: the answer is equal for every address. The answer is drawn
    by the caller, after this has let go of the database's write lock.
    """
    if not form.validate():
        stop_writing()
        return Taken(Outcome.FAULTY)
    taken = _writer()(_read_posted(form, how))
    if taken.outcome is Outcome.ASKED:
        runtime().wake("signups")
    else:
        stop_writing()
    return taken


def _read_posted(form: SignupForm, how: str) -> _Posted:
    settings = runtime().settings
    return _Posted(
        visitor=client_address(request, settings.trusted_proxies),
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


def _writer() -> Callable[[_Posted], Taken]:
    """Return what writes a form down: with others where there is one writer, else by itself."""
    if db.engine.dialect.name != "sqlite":
        return lambda posted: _write([posted])[0]
    writer = current_app.extensions.get(WRITER)
    if writer is None:
        turn = WriteLock(runtime().settings.data_dir / TURN_FILE)

        def write(all_posted: Sequence[_Posted]) -> list[Taken]:
            with turn():
                return _write(all_posted)

        # Of several threads that came first, all get the one that was made first.
        writer = current_app.extensions.setdefault(WRITER, WriteBatcher(write))
    return cast("WriteBatcher[_Posted, Taken]", writer)


def _write(all_posted: Sequence[_Posted]) -> list[Taken]:
    session, now = db.session(), runtime().now()
    try:
        taken, signups = [], []
        for posted in all_posted:
            outcome, signup = _judge(session, posted, now)
            taken.append(outcome)
            signups += [signup] if signup is not None else []
        request_signups(session, signups, now)
        session.commit()
    except BaseException:
        session.rollback()
        raise
    return taken


def _judge(session: Session, posted: _Posted, now: datetime) -> tuple[Taken, Signup | None]:
    """Count one form; return its answer, and what to write down for it."""
    parts = runtime()
    visit = count_visit(session, parts.tokens, posted.visitor, now)
    if visit.wait_seconds:
        return Taken(Outcome.WAIT, visit.wait_seconds), None
    if visit.nth > UNTIMED and not posted.timed:
        return Taken(Outcome.PRESS), None
    if posted.trapped:
        # A program filled in what nobody sees. It is told what everybody is told, and was counted.
        return Taken(Outcome.ASKED), None
    trust = posted.signup.trust
    if posted.altcha is not None and check_proof(session, parts.tokens, posted.altcha, now):
        trust = Trust.PROVEN
    return Taken(Outcome.ASKED), replace(posted.signup, trust=trust, nth=visit.nth)
