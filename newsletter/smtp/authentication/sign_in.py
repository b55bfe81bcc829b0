"""Sign in to a relay with SMTP AUTH (RFC 4954), by password or by an OAuth 2 access token."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Collection, Mapping

from newsletter.errors import ConnectionLost, ProtocolError, RelayRefused, TransportError
from newsletter.smtp.authentication import sasl
from newsletter.smtp.authentication.access_token import TokenCommand
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.replies import Reply

# Sends a line and returns the reply to it.
Ask = Callable[[bytes], Reply]

# Tried in this order. The first two send the password itself, protected by TLS; every relay has one of them.
BY_PASSWORD = ("PLAIN", "LOGIN", "CRAM-MD5")
BY_TOKEN = ("OAUTHBEARER", "XOAUTH2")
# A relay that lists PLAIN may accept LOGIN only, so two are tried. A third wrong password would make some
# relays lock the account.
MOST_WRONG = 2


def sign_in(ask: Ask, endpoint: Endpoint, offered: Collection[str]) -> None:
    """Sign in by the first mechanism that the relay offers and accepts.

    Raises RelayRefused when the relay accepts none. Raises TransportError when it offers none that we know,
    or when we get no access token.
    """
    if not (endpoint.relay.username or "").isprintable():
        raise TransportError("the relay's user name holds a control character")
    if "\0" in (endpoint.relay.password or ""):
        raise TransportError("neither user name nor password can hold a NUL")
    if endpoint.relay.password is None:
        _by_token(ask, endpoint, _known(BY_TOKEN, endpoint, offered))
    else:
        _by_password(ask, endpoint, _known(BY_PASSWORD, endpoint, offered))


def _known(ours: Collection[str], endpoint: Endpoint, offered: Collection[str]) -> list[str]:
    found = [name for name in ours if name in offered]
    if not found:
        theirs = " ".join(sorted(offered)) or "none"
        raise TransportError(
            f"{endpoint.name} offers no sign-in that we can use: {' or '.join(ours)} (it offers: {theirs})"
        )
    return found


def _by_password(ask: Ask, endpoint: Endpoint, mechanisms: Collection[str]) -> None:
    username, password = endpoint.relay.username or "", endpoint.relay.password or ""
    refusals: list[Reply] = []
    for name in mechanisms:
        try:
            reply = _TALKS[name](ask, username, password)
        except ConnectionLost:
            # The relay hung up on the second try. Its reply to the first one says more.
            if not refusals:
                raise
            break
        if reply.code == 235:
            return
        refusals.append(reply)
        if not reply.permanent or sum(each.code == 535 for each in refusals) == MOST_WRONG:
            break
    # Report "wrong password" (535) first: it tells the owner more than "unknown mechanism".
    raise _refused(next((each for each in refusals if each.code == 535), refusals[-1]))


def _by_token(ask: Ask, endpoint: Endpoint, mechanisms: Collection[str]) -> None:
    """Sign in by token. If the relay refuses a cached token, get a new one and try once more."""
    source = TokenCommand.of(endpoint)
    kept, token = source.kept, source.token()
    reply = _offer_token(ask, endpoint, mechanisms, token)
    if reply.permanent:
        source.forget(token)
        if kept == token:
            reply = _offer_token(ask, endpoint, mechanisms, source.token())
    if reply.code != 235:
        raise _refused(reply)


def _offer_token(ask: Ask, endpoint: Endpoint, mechanisms: Collection[str], token: str) -> Reply:
    """Try `token` with each mechanism until one is not refused for good; return the last reply."""
    for name in mechanisms:
        reply = (
            _oauthbearer(ask, endpoint, token) if name == "OAUTHBEARER" else _xoauth2(ask, endpoint, token)
        )
        if not reply.permanent:
            break
    return reply


def _plain(ask: Ask, username: str, password: str) -> Reply:
    """Sign in by PLAIN (RFC 4616)."""
    return ask(b"AUTH PLAIN " + sasl.plain(username, password))


def _login(ask: Ask, username: str, password: str) -> Reply:
    """Sign in by LOGIN, which is no standard: the relay asks for the user name, then for the password."""
    reply = ask(b"AUTH LOGIN")
    for word in (username, password):
        if reply.code != 334:
            return reply
        reply = ask(sasl.encode(word))
    return reply


def _cram_md5(ask: Ask, username: str, password: str) -> Reply:
    """Sign in by CRAM-MD5 (RFC 2195): send an HMAC of the relay's challenge, keyed with the password."""
    reply = ask(b"AUTH CRAM-MD5")
    if reply.code != 334:
        return reply
    try:
        challenge = base64.b64decode(reply.text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("the relay's challenge for CRAM-MD5 is not base64") from error
    digest = hmac.digest(password.encode(), challenge, "md5").hex()
    return ask(sasl.encode(f"{username} {digest}"))


_TALKS: Mapping[str, Callable[[Ask, str, str], Reply]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
}


def _oauthbearer(ask: Ask, endpoint: Endpoint, token: str) -> Reply:
    """Sign in by OAUTHBEARER (RFC 7628). A refusing relay gives the reason with 334 and waits for a ^A."""
    relay = endpoint.relay
    answer = sasl.oauthbearer(relay.username or "", token, relay.host, relay.port)
    reply = ask(b"AUTH OAUTHBEARER " + answer)
    return ask(sasl.encode("\x01")) if reply.code == 334 else reply


def _xoauth2(ask: Ask, endpoint: Endpoint, token: str) -> Reply:
    """Sign in by XOAUTH2 of Google and Microsoft. A refusing relay gives the reason with 334 and waits."""
    reply = ask(b"AUTH XOAUTH2 " + sasl.xoauth2(endpoint.relay.username or "", token))
    return ask(b"") if reply.code == 334 else reply


def _refused(reply: Reply) -> RelayRefused:
    return RelayRefused(f"the relay answered the sign-in with: {reply}", reply.code, reply.status, "sign-in")
