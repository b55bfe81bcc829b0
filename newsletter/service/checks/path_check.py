"""`newsletter bounce check`: send an email that is to be refused, and wait until its report comes back."""

from __future__ import annotations

import enum
import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from newsletter.bounces.read.report import Kind
from newsletter.bounces.reports.path_checks import begin_check, find_return
from newsletter.errors import InputError, TransportError
from newsletter.mail import headers as fields
from newsletter.mail.addresses import Address
from newsletter.mail.assemble import build_message
from newsletter.mail.dkim import sign
from newsletter.mail.redact import without_addresses
from newsletter.mail.verp import RETURN_KEY, delivery_token, return_path
from newsletter.messages.sender import Sender
from newsletter.runtime import Runtime
from newsletter.service.checks.mail_exchange import why_no_email
from newsletter.service.checks.relay_check import PATIENCE
from newsletter.service.relay_transport import make_endpoint
from newsletter.settings import Settings, variable
from newsletter.smtp.connection import Connection
from newsletter.smtp.outcomes import Envelope, Outcome, Outgoing, Step
from newsletter.suppression import is_suppressed

LOOK_EVERY_SECONDS = 1.0
TEXT = (
    "This is a test of returned email, made with: newsletter bounce check\r\n\r\n"
    "It was sent to an address that should not exist. If you got it, ignore it.\r\n"
)


class Found(enum.StrEnum):
    """The result of a check."""

    RETURNED = "returned"
    REFUSED_AT_ONCE = "refused-at-once"
    NOTHING = "nothing"
    NOT_SENT = "not-sent"


@dataclass(frozen=True)
class Result:
    """What a check found, in words for people. `seconds` is how long the way back took, or we waited."""

    found: Found
    address: str
    return_path: str
    words: str
    seconds: float | None = None
    advice: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "result": self.found,
            "address": self.address,
            "return_path": self.return_path,
            "seconds": self.seconds,
            "words": self.words,
            "advice": list(self.advice),
        }


def random_address(sender: Sender) -> str:
    """Return an address at the sender's own domain that most probably does not exist."""
    name = "".join(secrets.choice(string.ascii_lowercase) for _ in range(16))
    return f"{name}@{sender.identity.from_address.rpartition('@')[2]}"


def check_path(
    runtime: Runtime,
    sender: Sender,
    target: Address,
    wait_seconds: float,
    sleep: Callable[[float], None],
    sent: Callable[[str], None] = lambda _note: None,
    look_up: Callable[[str], str] = why_no_email,
) -> Result:
    """Send a check to `target`, and wait up to `wait_seconds` for its report. It commits.

    `sent` is called once the relay has accepted the email, with why other servers cannot return any, or "".
    `look_up` finds that out about a domain. Raises InputError if the address is suppressed.
    Never raises for what the relay does.
    """
    address = target.text
    with runtime.session() as session:
        if is_suppressed(session, runtime.tokens, target.canonical):
            raise InputError("This address is suppressed, so it gets no email. Name another one.")
        check_id = begin_check(session, runtime.now())
        session.commit()
    token = delivery_token(check_id, runtime.tokens.derived_key(RETURN_KEY))
    path = sender.plain_path or return_path(token, sender.path_domain)
    try:
        outcome = _send(sender, Envelope(path, address), token, runtime.now())
    except TransportError as error:
        return _not_sent(address, path, str(error))
    if not outcome.accepted:
        return _refused(address, path, outcome)
    fault = look_up(path.rpartition("@")[2])
    note = f"{fault} So only the relay itself can return email to it, and no other server." if fault else ""
    sent(note)
    waited = 0.0
    while waited < wait_seconds:
        with runtime.reading() as session:
            found = find_return(session, check_id)
        if found is not None:
            return replace(_returned(address, path, *found), advice=(note,) if note else ())
        sleep(LOOK_EVERY_SECONDS)
        waited += LOOK_EVERY_SECONDS
    words = f"Nothing came back within {wait_seconds:g} seconds."
    lines = advice(runtime.settings, sender, path)
    return Result(Found.NOTHING, address, path, words, wait_seconds, (note, *lines) if note else lines)


def advice(settings: Settings, sender: Sender, path: str) -> tuple[str, ...]:
    """Return what to check if no report comes back. Pure."""
    domain = path.rpartition("@")[2]
    wanted = sender.plain_path or f"b-...@{domain}"
    lines = ["If the address exists, no report comes. Take an address that does not exist."]
    if settings.intake_listen:
        places = ", ".join(f"{each.protocol}://{each.host}:{each.port}" for each in settings.intake_listen)
        lines.append(
            f"Reports go to the mail server that the MX of {domain} names (to see it: dig MX {domain}). That "
            f"server must pass on email to {wanted}, to our listener at {places}."
        )
    if settings.mailboxes:
        names = ", ".join(each.name for each in settings.mailboxes)
        lines.append(
            f"Email to {wanted} must arrive in the mailbox ({names}). Look whether the report is there, and "
            "run: newsletter bounce fetch"
        )
    if not settings.intake_listen and not settings.mailboxes:
        lines.append(
            f"Neither {variable('intake_listen')} nor {variable('mailboxes')} is set. If your mail server "
            f"passes email to {wanted} to newsletter bounce ingest, look at its log."
        )
    hooks = (settings.webhook_ses_topics, settings.webhook_sendgrid_keys, settings.webhook_mailgun_keys)
    if any((*hooks, settings.webhook_postmark_secrets, settings.webhook_brevo_secrets)):
        lines.append("If the relay's provider reports by a webhook, look at its list of calls.")
    lines.append("Look whether the service runs. Its log has event=mail_received for each email.")
    lines.append("Some servers report hours later. To see that: newsletter bounce reports --outcome check")
    return tuple(lines)


def _send(sender: Sender, envelope: Envelope, token: str, now: datetime) -> Outcome:
    endpoint = replace(make_endpoint(sender.settings, sender.relay), timeouts=PATIENCE)
    connection = Connection.open(endpoint)
    try:
        (result,) = connection.send([Outgoing(0, envelope, lambda: _message(sender, envelope, token, now))])
        connection.quit()
    finally:
        connection.close()
    return result.outcome


def _message(sender: Sender, envelope: Envelope, token: str, now: datetime) -> bytes:
    identity = sender.identity
    head = [
        fields.from_field(identity.from_address, identity.sender_name),
        fields.to_field(envelope.recipient),
        fields.date_field(now),
        fields.message_id_field(f"{token}.{int(now.timestamp())}", identity.sender_domain),
        fields.token_field(sender.relay.token_header, token),
        fields.subject_field("Test of returned email"),
        fields.auto_submitted_field(),
        fields.Field(b"MIME-Version", b"1.0"),
        fields.Field(b"Content-Type", b"text/plain; charset=us-ascii"),
    ]
    lines, body = fields.join_fields(head), TEXT.encode("ascii")
    signature = sign(head, body, sender.keys, int(now.timestamp())) if sender.keys else b""
    return build_message(signature + lines, body)


def _returned(address: str, path: str, seconds: float, kind: str) -> Result:
    what = {Kind.BOUNCE: "The report", Kind.AUTOREPLY: "An automatic reply"}.get(Kind(kind), "An email")
    words = f"{what} came back after {seconds:.0f} seconds. Returned emails reach the service."
    return Result(Found.RETURNED, address, path, words, seconds)


def _refused(address: str, path: str, outcome: Outcome) -> Result:
    reply = outcome.reply
    if reply is None:
        return _not_sent(address, path, outcome.reason or "the connection ended")
    said = without_addresses(str(reply)).rstrip(".")
    if outcome.step is Step.MAIL or not reply.permanent:
        return _not_sent(address, path, f"it answered {said}")
    words = (
        f"The relay refused the address at once, so there is no returned mail to wait for: {said}. "
        "Name an address of another provider that does not exist, to check the way back."
    )
    return Result(Found.REFUSED_AT_ONCE, address, path, words)


def _not_sent(address: str, path: str, why: str) -> Result:
    said = without_addresses(why).rstrip(".")
    words = f"The relay did not take the email: {said}. To find out why: newsletter relay check"
    return Result(Found.NOT_SENT, address, path, words)
