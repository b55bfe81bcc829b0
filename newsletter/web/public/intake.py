"""Taking a sign-up: the one way in, whichever door it came by (our page, another site's form, its script)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from flask import request

from newsletter.models import db
from newsletter.subscriptions.defences import Trust
from newsletter.subscriptions.limits import count_visit
from newsletter.subscriptions.proof import check_proof
from newsletter.subscriptions.signup import Signup, request_signup
from newsletter.web.extensions import runtime
from newsletter.web.forms import SignupForm
from newsletter.web.public.answers import address_to_keep, stop_writing
from newsletter.web.security import client_address

# A form on another site tells nothing about how long it was open. It is taken all the same while
# its visitor's network has sent no more than these shortly before; then the button is on our page.
UNTIMED = 5


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
    parts = runtime()
    now = parts.now()
    session = db.session()
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
    parts.wake("signups")
    return Taken(Outcome.ASKED)


def _trust(form: SignupForm) -> Trust:
    parts = runtime()
    if parts.settings.altcha and check_proof(db.session(), parts.tokens, form.altcha.data or "", parts.now()):
        return Trust.PROVEN
    return Trust.SEEN if form.seen.data == "yes" else Trust.NONE
