"""Taking a sign-up: the one way in, whichever door it came by (our page, another site's form, its script)."""

from __future__ import annotations

import enum
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import current_app, request
from sqlalchemy.orm import Session

from newsletter.models import db
from newsletter.subscriptions.defences import Trust
from newsletter.subscriptions.limits import count_visit
from newsletter.subscriptions.proof import check_proof
from newsletter.subscriptions.queries import OfferedTopic, offered_topics
from newsletter.subscriptions.signup import Signup, request_signup
from newsletter.web.extensions import runtime
from newsletter.web.forms import SignupForm
from newsletter.web.public.answers import address_to_keep, stop_writing
from newsletter.web.security import client_address

# A form on another site tells nothing about how long it was open. It is taken all the same while
# its visitor's network has sent no more than these shortly before; then the button is on our page.
UNTIMED = 5


# How long a process may go on taking forms for the topics it has seen.
TOPICS_KNOWN_SECONDS = 60.0
TOPICS = "newsletter.topics"


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


_TURN = threading.Lock()


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


def take_signup(form: SignupForm, how: str) -> Taken:
    """Check a posted form, count it, and write down what was asked; commits.

    `how` names the door and goes into the ledger of consent. Every defence belongs in here, and
    none may depend on who is known: the answer is equal for every address. The answer is drawn
    by the caller, after this has let go of the database's write lock.
    """
    if not form.validate():
        stop_writing()
        return Taken(Outcome.FAULTY)
    session = db.session()
    with _turn(session):
        taken = _write(session, form, how)
    if taken.outcome is Outcome.ASKED:
        runtime().wake("signups")
    return taken


@contextmanager
def _turn(session: Session) -> Iterator[None]:
    """Let one thread of this process write at a time, where only one can.

    Threads that wait here go on in turn; those that wait in SQLite sleep, look again, and may
    be overtaken for long when many come at once.
    """
    if session.get_bind().dialect.name != "sqlite":
        yield
        return
    with _TURN:
        yield


def _write(session: Session, form: SignupForm, how: str) -> Taken:
    parts = runtime()
    now = parts.now()
    asking = client_address(request, parts.settings.trusted_proxies)
    visit = count_visit(session, parts.tokens, asking, now)
    if visit.wait_seconds or (visit.nth > UNTIMED and not form.timed):
        stop_writing()
        return Taken(Outcome.WAIT if visit.wait_seconds else Outcome.PRESS, visit.wait_seconds)
    if form.website.data:
        # A program filled in what nobody sees. It is told what everybody is told, and was counted.
        session.commit()
        return Taken(Outcome.ASKED)
    signup = Signup(
        address=form.address,
        choices=form.choices(),
        wording=form.agreed(),
        ip_address=address_to_keep(),
        language=form.language.data,
        time_zone=form.time_zone.data,
        how=how,
        trust=_trust(form),
        nth=visit.nth,
    )
    request_signup(session, signup, now)
    session.commit()
    return Taken(Outcome.ASKED)


def _trust(form: SignupForm) -> Trust:
    parts = runtime()
    if parts.settings.altcha and check_proof(db.session(), parts.tokens, form.altcha.data or "", parts.now()):
        return Trust.PROVEN
    return Trust.SEEN if form.seen.data == "yes" else Trust.NONE
