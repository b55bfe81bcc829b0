"""Taking a sign-up: the one way in, whichever door it came by (our page, another site's form, its script)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from flask import request
from flask_babel import get_locale

from newsletter.models import db
from newsletter.subscriptions.wordings import current_wording
from newsletter.subscriptions.limits import visitor_wait
from newsletter.subscriptions.signup import Signup, request_signup
from newsletter.web.extensions import runtime
from newsletter.web.forms import SignupForm
from newsletter.web.public.answers import address_to_keep, stop_writing
from newsletter.web.security import client_address


class Outcome(enum.StrEnum):
    """ASKED is the same for every address; FAULTY is said by the form's errors; WAIT came too often."""

    ASKED = "asked"
    FAULTY = "faulty"
    WAIT = "wait"


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
    parts = runtime()
    now = parts.now()
    session = db.session()
    asking = client_address(request, parts.settings.trusted_proxies)
    wait_seconds = visitor_wait(session, parts.tokens, asking, now)
    if wait_seconds:
        stop_writing()
        return Taken(Outcome.WAIT, wait_seconds)
    signup = Signup(
        address=form.address,
        choices=form.choices(),
        wording=current_wording(),
        ip_address=address_to_keep(),
        language=str(get_locale() or "en"),
        time_zone=parts.settings.time_zone,
        how=how,
    )
    request_signup(session, signup, now)
    session.commit()
    parts.wake("signups")
    return Taken(Outcome.ASKED)
