"""`newsletter relay check`: talk to a relay as sending does, and report in plain words what would fail."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import AddressInvalid, RelayRefused, TransportError
from newsletter.mail import headers as fields
from newsletter.mail.addresses import parse_address
from newsletter.mail.assemble import build_message
from newsletter.mail.dkim import sign
from newsletter.mail.redact import without_addresses
from newsletter.mail.verp import RETURN_KEY, delivery_token, return_path
from newsletter.messages.sender import Sender
from newsletter.models import AdminUser
from newsletter.outbox.pacing.setup import relay_checks
from newsletter.outbox.pacing.setup.owner_notices import remedy
from newsletter.service.relay_transport import make_endpoint
from newsletter.settings import RelaySecurity, Settings, variable
from newsletter.smtp.commands import envelope_commands
from newsletter.smtp.connection import Connection
from newsletter.smtp.endpoint import Endpoint, Timeouts
from newsletter.smtp.greeting import Extensions, open_wire
from newsletter.smtp.outcomes import Envelope, Outgoing, Step
from newsletter.smtp.refusals import connect_fault, reply_fault, setup_fault
from newsletter.smtp.replies import Reply
from newsletter.smtp.wire import Wire
from newsletter.tokens import Tokens

# A person waits for the result. A relay that takes longer is reported as not answering.
PATIENCE = Timeouts(
    connect=10, greeting=40, sign_in=30, mail=30, rcpt=30, data=30, block=30, content=120, quit=2
)
# Without a signature the relay still accepts emails, so this step is not a part of its verdict.
SIGNATURE = relay_checks.SIGNATURE
# No delivery has this number, so a message returned to the check's sender is no delivery's bounce.
NO_DELIVERY = "0"

TEST_TEXT = (
    "This is the test that you asked for with: newsletter relay check --send\r\n\r\n"
    "Your relay accepted it, so it can send confirmations and digests.\r\n"
)


class Verdict(enum.StrEnum):
    """The result of one step. UNKNOWN is what the check could not find out."""

    PASSED = relay_checks.PASSED
    FAILED = relay_checks.FAILED
    UNKNOWN = relay_checks.UNKNOWN


@dataclass(frozen=True)
class Finding:
    """One step of the check, in words for people. It contains no secret, and no address but the From one."""

    step: str
    verdict: Verdict
    words: str


@dataclass(frozen=True)
class Report:
    """What a check of one newsletter's sender found, in the order of the conversation."""

    relay: str
    newsletter: str
    findings: tuple[Finding, ...]
    sent: bool = False
    by_backup: bool = False

    @property
    def failed(self) -> bool:
        """Whether any step failed."""
        return any(each.verdict is Verdict.FAILED for each in self.findings)

    @property
    def verdict(self) -> Verdict:
        """FAILED if the relay would refuse us, UNKNOWN if that is not known, else PASSED."""
        uncounted = {SIGNATURE} if self.sent else {SIGNATURE, "message"}
        found = {each.verdict for each in self.findings if each.step not in uncounted}
        if Verdict.FAILED in found:
            return Verdict.FAILED
        return Verdict.UNKNOWN if Verdict.UNKNOWN in found else Verdict.PASSED

    def as_json(self) -> dict[str, Any]:
        """Return the report as plain values."""
        found = [{"step": e.step, "verdict": e.verdict, "words": e.words} for e in self.findings]
        return {
            "relay": self.relay,
            "newsletter": self.newsletter,
            "backup": self.by_backup,
            "verdict": self.verdict,
            "sent": self.sent,
            "findings": found,
        }


def check_relay(sender: Sender, owner: str, now: datetime, *, send: bool = False) -> Report:
    """Greet a newsletter's relay, sign in, offer its sender and the owner's address, then cancel with RSET.

    With `send`, send one real message to the owner. Never raises for what the relay does.
    """
    endpoint = replace(make_endpoint(sender.settings, sender.relay), timeouts=PATIENCE)
    check = _Check(sender, endpoint, owner, now, send)
    findings = tuple(check.run())
    return Report(endpoint.name, sender.identity.name, findings, check.accepted, sender.by_backup)


def owner_of(settings: Settings, session: Session | None, from_address: str) -> str:
    """Return the recipient that a check offers: the owner's address, an account's, or the From address."""
    if settings.owner_address:
        return settings.owner_address
    emails = session.scalars(select(AdminUser.email).order_by(AdminUser.email)) if session else ()
    for email in emails:
        try:
            return parse_address(email).text
        except AddressInvalid:
            continue  # an account may be named admin@localhost
    return from_address


class _Check:
    """One conversation. `accepted` says whether the relay accepted a real message."""

    def __init__(self, sender: Sender, endpoint: Endpoint, owner: str, now: datetime, send: bool) -> None:
        self._sender = sender
        self._endpoint = endpoint
        self._now = now
        self._send = send
        self._envelope = Envelope(_envelope_sender(sender), owner)
        self.accepted = False

    def run(self) -> Iterator[Finding]:
        """Yield the finding of each step, up to the first that fails."""
        if self._sender.missing_key is not None:
            yield Finding(SIGNATURE, Verdict.FAILED, self._sender.missing_key)
        try:
            wire, offered = open_wire(self._endpoint)
        except TransportError as error:
            yield self._not_connected(error)
            return
        with closing(wire):
            yield from self._connected()
            try:
                taken = yield from self._offer(wire, offered)
                if self._send and taken:
                    yield self._deliver(wire, offered)
                elif taken:
                    yield Finding("message", Verdict.UNKNOWN, _WITHOUT_A_MESSAGE)
            except TransportError as error:
                yield Finding(
                    "conversation", Verdict.FAILED, f"The conversation with the relay ended: {_said(error)}."
                )

    def _not_connected(self, error: TransportError) -> Finding:
        fault = connect_fault(error) if isinstance(error, RelayRefused) else None
        words = f"{_said(error)}."
        if fault is not None:
            return Finding(fault.value, Verdict.FAILED, f"{words} {remedy(fault, self._sender)}")
        if isinstance(error, RelayRefused) and error.code < 500:
            return Finding(
                "connect", Verdict.UNKNOWN, f"{words} It may accept us later. Emails wait until then."
            )
        return Finding("connect", Verdict.FAILED, f"{words} {_advice(error, self._endpoint)}".strip())

    def _connected(self) -> Iterator[Finding]:
        relay = self._endpoint.relay
        how = {
            RelaySecurity.TLS: "over TLS, and its certificate is trusted",
            RelaySecurity.STARTTLS: "with STARTTLS, and its certificate is trusted",
            RelaySecurity.NONE: "without encryption",
        }[relay.security]
        yield Finding("connect", Verdict.PASSED, f"The relay {self._endpoint.name} answers {how}.")
        hello = f"It accepts our name {self._endpoint.local_name}."
        yield Finding("hello", Verdict.PASSED, hello)
        signed_in = "The sign-in was accepted." if relay.username else "No sign-in: the URL has no user name."
        yield Finding("account", Verdict.PASSED, signed_in)

    def _offer(self, wire: Wire, offered: Extensions) -> Generator[Finding, None, bool]:
        """Offer the sender and the recipient; return whether both were accepted."""
        commands = envelope_commands(self._envelope, self._message(), offered)
        if not isinstance(commands[0], bytes) or not isinstance(commands[1], bytes):
            yield Finding(
                "recipient", Verdict.FAILED, f"This relay cannot be given the owner's address: {commands[1]}."
            )
            return False
        times = self._endpoint.timeouts
        taken = True
        for step, command, seconds in (
            (Step.MAIL, commands[0], times.mail),
            (Step.RCPT, commands[1], times.rcpt),
        ):
            reply = _ask(wire, command, seconds)
            yield self._answer(step, reply)
            if not reply.positive:
                taken = False
                break
        _ask(wire, b"RSET\r\n", times.mail)
        return taken

    def _answer(self, step: Step, reply: Reply) -> Finding:
        name, what = {
            Step.MAIL: ("sender", f"the sender address ({_which(self._sender)})"),
            Step.RCPT: ("recipient", "the owner's address as a recipient"),
        }[step]
        if reply.positive:
            return Finding(name, Verdict.PASSED, f"The relay accepts {what}.")
        fault = reply_fault(step, reply)
        said = without_addresses(str(reply)).rstrip(".")
        if fault is not None:
            words = f"All emails would wait, because the relay refuses our {_WHAT[fault.value]}: {said}."
            return Finding(fault.value, Verdict.FAILED, f"{words} {remedy(fault, self._sender)}")
        if reply.transient:
            words = (
                f"The relay asks us to try again later: {said}. That is usual (greylisting, limits), and "
                "emails are retried automatically. The later steps could not be checked."
            )
            return Finding(name, Verdict.UNKNOWN, words)
        own = f" Set {variable('owner_address')} to an address that exists." if step is Step.RCPT else ""
        return Finding(name, Verdict.FAILED, f"The relay refuses {what}: {said}.{own}")

    def _deliver(self, wire: Wire, offered: Extensions) -> Finding:
        connection = Connection(wire, self._endpoint, offered)
        outgoing = Outgoing(0, self._envelope, self._message)
        (result,) = connection.send([outgoing])
        connection.quit()
        outcome = result.outcome
        said = without_addresses(str(outcome.reply or outcome.reason)).rstrip(".")
        if outcome.accepted:
            self.accepted = True
            return Finding("message", Verdict.PASSED, f"The relay accepted a message to the owner: {said}.")
        fault = setup_fault(outcome)
        if fault is not None:
            words = f"The relay refuses our {_WHAT[fault.value]} after the message: {said}."
            return Finding(fault.value, Verdict.FAILED, f"{words} {remedy(fault, self._sender)}")
        if outcome.reply is not None and outcome.reply.permanent:
            return Finding("message", Verdict.FAILED, f"The relay refuses the message: {said}.")
        return Finding("message", Verdict.UNKNOWN, f"The relay did not accept the message now: {said}.")

    def _message(self) -> bytes:
        identity = self._sender.identity
        head = [
            fields.from_field(identity.from_address, identity.sender_name),
            fields.to_field(self._envelope.recipient),
            fields.date_field(self._now),
            fields.message_id_field(f"check.{secrets.token_hex(8)}", identity.sender_domain),
            fields.subject_field("Test of your relay"),
            fields.auto_submitted_field(),
            fields.Field(b"MIME-Version", b"1.0"),
            fields.Field(b"Content-Type", b"text/plain; charset=us-ascii"),
        ]
        lines, body = fields.join_fields(head), TEST_TEXT.encode("ascii")
        keys = self._sender.keys
        signature = sign(head, body, keys, int(self._now.timestamp())) if keys else b""
        return build_message(signature + lines, body)


_TLS_AT_ONCE = "If its port uses TLS from the first byte, as 465 does, write smtps:// in the URL."
_WHAT = {"sender": "sender address", "hello": "name in EHLO", "account": "account"}
_WITHOUT_A_MESSAGE = (
    "It is not known whether the relay accepts a message: some check only then whether the account may use "
    "the sender. To find out, run: newsletter relay check --send"
)


def lines_of(report: Report) -> Sequence[str]:
    """Return the report for a terminal, one line for each step."""
    marks = {Verdict.PASSED: "ok", Verdict.FAILED: "FAILED", Verdict.UNKNOWN: "unknown"}
    return [f"{marks[each.verdict]:<8} {each.words}" for each in report.findings]


def _envelope_sender(sender: Sender) -> str:
    if sender.plain_path is not None:
        return sender.plain_path
    key = Tokens(sender.settings.secret_keys).derived_key(RETURN_KEY)
    return return_path(delivery_token(NO_DELIVERY, key), sender.path_domain)


def _which(sender: Sender) -> str:
    if sender.plain_path is None:
        return "signed, one for each delivery"
    return f"the one in {variable('return_path')}"


def _ask(wire: Wire, command: bytes, seconds: float) -> Reply:
    wire.expect_silence()
    wire.write(command, seconds)
    return wire.reply(seconds)


def _said(error: TransportError) -> str:
    said = without_addresses(str(error)).strip().rstrip(".")
    # The name of a host is not changed.
    return said if "." in said.partition(" ")[0] else said[:1].upper() + said[1:]


def _advice(error: TransportError, endpoint: Endpoint) -> str:
    # The advice for words of an error. The first that fits counts.
    relay = variable("relay")
    known = {
        "certificate": "Use the name in the certificate in the URL, or trust another authority with "
        f"{variable('relay_ca_file')}.",
        "STARTTLS": f"{_TLS_AT_ONCE} To use the relay without encryption, add ?tls=none.",
        "sign-in": "If the relay needs no sign-in, leave the user name out of the URL.",
        "reached": f"Check host and port in {relay}, and whether a firewall blocks the connection.",
        "greeted": f"Check the host in {relay}, and ask the provider whether this host may connect.",
    }
    if endpoint.relay.security is RelaySecurity.TLS:
        known["TLS with"] = "If the port begins without encryption, write smtp:// in the URL (STARTTLS)."
    else:
        known["no answer"] = _TLS_AT_ONCE
    return next((advice for words, advice in known.items() if words in str(error)), "")
