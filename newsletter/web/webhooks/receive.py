"""Receive a webhook call: verify it, take in its events, commit, and answer.

The answer is 200 only after the commit. Some providers repeat a call after any other answer. A refused call
learns no more than that it is refused; the reason is in the log.
"""

from __future__ import annotations

import logging
import math
import time
from collections import Counter
from datetime import datetime

from flask import Blueprint, Response, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import RequestEntityTooLarge

from newsletter.bounces.providers.call import Call
from newsletter.bounces.providers.event import Event
from newsletter.bounces.providers.payload import LARGEST_BYTES
from newsletter.bounces.reports.match import SigningKeys
from newsletter.bounces.reports.take_events import find_unsubscriber, note_topic, take_call, take_event
from newsletter.errors import CallRefused, FetchError, PayloadInvalid
from newsletter.limits.keys import limit_key, network_of
from newsletter.limits.spend import spend
from newsletter.mail.verp import LEAVE_KEY, RETURN_KEY
from newsletter.models import ReportOutcome, db
from newsletter.runtime import Runtime
from newsletter.subscribers.leaving.unsubscribe import unsubscribe
from newsletter.subscribers.link import LinkFault
from newsletter.throttle import Limit
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import client_address
from newsletter.web.webhooks.providers import WEBHOOKS, Verified, Webhook

webhooks = Blueprint("webhooks", __name__)

# Refused calls of one network that are recorded in the log. A provider with a wrong key stays below this.
REFUSED = Limit(burst=30, period_seconds=600)
# Other processes can write between two commits, and what was committed is not repeated.
EVENTS_A_COMMIT = 25
# After this time a provider does not wait any more. It repeats the call, and the other events follow then.
WORK_SECONDS = 20.0
RETRY_SECONDS = 60

log = logging.getLogger(__name__)


@webhooks.post("/webhooks/<provider>")
def take(provider: str) -> Response:
    """Take in one call. Answers 200 for a call that was taken in before, too."""
    parts = runtime()
    webhook = WEBHOOKS.get(provider)
    if webhook is None or not webhook.keys(parts.settings):
        return _answer(404, "There is no webhook at this address.")
    raw = _read_body()
    if isinstance(raw, Response):
        return raw
    try:
        done, left = take_in(parts, provider, _verify(parts, webhook, raw))
    except (CallRefused, PayloadInvalid) as fault:
        return _refuse(parts, webhook, provider, fault)
    except FetchError as fault:
        log.warning("event=webhook_waits provider=%s why=%s", provider, fault.reason)
        return _busy(webhook)
    except SQLAlchemyError:
        db.session.rollback()
        log.exception("event=webhook_not_recorded provider=%s", provider)
        return _busy(webhook)
    words = ",".join(f"{outcome}:{count}" for outcome, count in sorted(done.items()))
    log.info("event=webhook_received provider=%s bytes=%d done=%s left=%d", provider, len(raw), words, left)
    return _busy(webhook) if left else _answer(200, "Done.")


def _read_body() -> bytes | Response:
    """Return the body as it was sent, or the answer to one that is not accepted."""
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        return _answer(415, "Send the body without Content-Encoding.")
    request.max_content_length = LARGEST_BYTES
    try:
        return request.get_data(cache=False, parse_form_data=False)
    except RequestEntityTooLarge:
        return _answer(413, f"Send at most {LARGEST_BYTES} bytes.")


def _verify(parts: Runtime, webhook: Webhook, raw: bytes) -> Verified:
    if not webhook.admits(parts.settings, _caller(parts)):
        raise CallRefused("network")
    call = Call(raw, {name.lower(): value for name, value in request.headers.items()})
    return webhook.verify(call, parts.settings, parts.now())


def _caller(parts: Runtime) -> str:
    return client_address(request, parts.settings.trusted_proxies)


def take_in(
    parts: Runtime, provider: str, verified: Verified, seconds: float = WORK_SECONDS
) -> tuple[Counter[str], int]:
    """Act on the events, and commit. Return how many had which outcome, and how many are left.

    Events are left if the work takes longer than `seconds`. What was committed is known when they come again.
    """
    session, now = db.session(), parts.now()
    keys = SigningKeys(parts.tokens.derived_key(RETURN_KEY), parts.tokens.derived_key(LEAVE_KEY))
    if verified.call:
        take_call(session, provider, verified.call, verified.events, now)
    if verified.topic is not None:
        note_topic(session, verified.topic, now)
    done: Counter[str] = Counter()
    reports = [each for each in verified.events if each.counts]
    until = time.monotonic() + seconds
    # Each call does something new, however slow this host is.
    while reports and (set(done) <= {ReportOutcome.REPEATED} or time.monotonic() < until):
        batch, reports = reports[:EVENTS_A_COMMIT], reports[EVENTS_A_COMMIT:]
        done.update(_take(session, parts, keys, provider, each, now) for each in batch)
        session.commit()
    session.commit()
    return done, len(reports)


def _take(
    session: Session, parts: Runtime, keys: SigningKeys, provider: str, event: Event, now: datetime
) -> str:
    """Act on one event; return a word for the outcome."""
    if not event.unsubscribes:
        return take_event(session, parts.tokens, keys, provider, event, now).value
    unsubscriber = find_unsubscriber(session, keys, provider, event, now)
    if unsubscriber is None:
        return ReportOutcome.REPEATED.value
    left = unsubscribe(
        session, parts.tokens, unsubscriber.public_id, unsubscriber.delivery_id, now, "one-click",
        newsletter_id=unsubscriber.newsletter_id,
    )  # fmt: skip
    return "left" if not isinstance(left, LinkFault) and left.ended else ReportOutcome.GONE.value


def _refuse(parts: Runtime, webhook: Webhook, provider: str, fault: CallRefused | PayloadInvalid) -> Response:
    """Answer a call that was refused, and count it. Calls that are authentic are never counted."""
    wait_seconds = _count_refused(parts)
    if wait_seconds:
        answer = _answer(429, "Too many calls were refused. Try again later.")
        answer.headers["Retry-After"] = str(math.ceil(wait_seconds))
        return answer
    if isinstance(fault, PayloadInvalid):
        log.warning("event=webhook_refused provider=%s reason=body", provider)
        return _answer(400, f"The body cannot be read: {fault}.")
    log.warning("event=webhook_refused provider=%s reason=%s", provider, fault.reason)
    answer = _answer(401 if webhook.asks_for_secret else 403, "This call is not authentic.")
    if webhook.asks_for_secret:
        answer.headers["WWW-Authenticate"] = 'Basic realm="webhook"'
    return answer


def _count_refused(parts: Runtime) -> float:
    """Count a refused call of the caller's network; return the seconds to wait if there were too many."""
    db.session.rollback()
    key = limit_key(parts.tokens, "webhook", network_of(_caller(parts)) or "unknown")
    try:
        wait_seconds = spend(db.session(), key, REFUSED, parts.now())
        db.session.commit()
    except SQLAlchemyError:
        db.session.rollback()
        log.exception("event=webhook_refusal_not_counted")
        return 0.0
    return wait_seconds


def _busy(webhook: Webhook) -> Response:
    answer = _answer(webhook.busy_status, "This cannot be done now. Try again later.")
    answer.headers["Retry-After"] = str(RETRY_SECONDS)
    return answer


def _answer(status: int, words: str) -> Response:
    answer = Response(f"{words}\n", status, mimetype="text/plain")
    answer.headers["Cache-Control"] = "no-store"
    return answer
