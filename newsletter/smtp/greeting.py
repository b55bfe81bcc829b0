"""Open a connection to the relay: greeting, EHLO, STARTTLS, AUTH. Parse the extensions it offers."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from newsletter.errors import RelayRefused, TransportError
from newsletter.settings import RelaySecurity
from newsletter.smtp.authentication.sign_in import sign_in
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.replies import Reply
from newsletter.smtp.wire import Wire

_HELO_INSTEAD = frozenset({500, 501, 502, 504, 550, 554})


@dataclass(frozen=True)
class Extensions:
    """What a relay offers in its answer to EHLO.

    `size` is in bytes, None without a limit; `max_messages` is MAILMAX of RFC 9422.
    """

    pipelining: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    size: int | None = None
    auth: frozenset[str] = frozenset()
    max_messages: int | None = None


def parse_ehlo(reply: Reply) -> Extensions:
    """Return the extensions in the reply to EHLO. Its first line is the relay's name; others are ignored."""
    offered: dict[str, list[str]] = {}
    for line in reply.lines[1:]:
        words = line.upper().replace("AUTH=", "AUTH ").split()  # an old spelling that some relays still send
        if words:
            offered.setdefault(words[0], []).extend(words[1:])
    limits = dict(word.partition("=")[::2] for word in offered.get("LIMITS", ()))
    return Extensions(
        pipelining="PIPELINING" in offered,
        eight_bit="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        dsn="DSN" in offered,
        starttls="STARTTLS" in offered,
        size=_number(offered.get("SIZE", [""])[:1]),
        auth=frozenset(offered.get("AUTH", ())),
        max_messages=_number([limits.get("MAILMAX", "")]),
    )


def open_wire(endpoint: Endpoint) -> tuple[Wire, Extensions]:
    """Return a connection that is ready for MAIL, and the extensions that the relay offers.

    Raises RelayRefused if the relay refuses us, ProtocolError or ConnectionLost. Raises a plain
    TransportError if the relay cannot be reached or its certificate cannot be trusted.
    """
    relay, times = endpoint.relay, endpoint.timeouts
    wire = Wire.connect(relay.host, relay.port, times.connect)
    try:
        if relay.security is RelaySecurity.TLS:
            wire.start_tls(_context(endpoint), relay.host, times.sign_in)
        _check("greeting", "greeted with", wire.reply(times.greeting), 220)
        offered = _say_hello(wire, endpoint)
        if relay.security is RelaySecurity.STARTTLS:
            if not offered.starttls:
                raise TransportError(
                    f"{endpoint.name} offers no STARTTLS, and nothing is sent to it unencrypted"
                )
            _check("starttls", "answered STARTTLS with", _ask(wire, b"STARTTLS", times.sign_in), 220)
            wire.start_tls(_context(endpoint), relay.host, times.sign_in)
            # An attacker may have changed what was offered before TLS (RFC 3207, section 4.2).
            offered = _say_hello(wire, endpoint)
        if relay.username:
            _sign_in(wire, endpoint, offered)
    except BaseException:
        wire.close()
        raise
    return wire, offered


def _context(endpoint: Endpoint) -> ssl.SSLContext:
    try:
        return endpoint.tls_context()
    except OSError as error:
        raise TransportError(f"the certificates in {endpoint.ca_file} cannot be read: {error}") from error


def _say_hello(wire: Wire, endpoint: Endpoint) -> Extensions:
    """Send EHLO, or HELO if the relay does not know EHLO (RFC 5321, section 3.2)."""
    seconds = endpoint.timeouts.sign_in
    reply = _ask(wire, f"EHLO {endpoint.local_name}".encode(), seconds)
    if reply.code in _HELO_INSTEAD:
        helo = _ask(wire, f"HELO {endpoint.local_name}".encode(), seconds)
        _check("hello", "answered HELO with", helo, 250)
        return Extensions()
    _check("hello", "answered EHLO with", reply, 250)
    return parse_ehlo(reply)


def _sign_in(wire: Wire, endpoint: Endpoint, offered: Extensions) -> None:
    """Sign in, but only over TLS or to this machine, so that nobody else can read the password."""
    if not wire.encrypted and not endpoint.loopback:
        raise TransportError(f"the password is not sent to {endpoint.name} without TLS")
    sign_in(lambda line: _ask(wire, line, endpoint.timeouts.sign_in), endpoint, offered.auth)


def _ask(wire: Wire, command: bytes, seconds: float) -> Reply:
    wire.expect_silence()
    wire.write(command + b"\r\n", seconds)
    return wire.reply(seconds)


def _check(step: str, did: str, reply: Reply, code: int) -> None:
    if reply.code != code:
        raise RelayRefused(f"the relay {did}: {reply}", reply.code, reply.status, step)


def _number(words: list[str]) -> int | None:
    """Return the number in `words`, or None for no limit: a missing number or 0 (RFC 1870, section 3)."""
    return int(words[0]) or None if words and words[0].isascii() and words[0].isdigit() else None
