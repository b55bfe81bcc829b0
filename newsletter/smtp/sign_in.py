"""Signing in to a relay (RFC 4954), by password or by an access token of OAuth 2."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Collection, Mapping

from newsletter.errors import ConnectionLost, ProtocolError, RelayRefused, TransportError
from newsletter.smtp.access_token import TokenCommand
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.replies import Reply

# Sends a line and returns the reply to it.
Ask = Callable[[bytes], Reply]

# In this order. Under TLS the first two say the password as it is, and every relay has one of them.
BY_PASSWORD = ("PLAIN", "LOGIN", "CRAM-MD5")
BY_TOKEN = ("OAUTHBEARER", "XOAUTH2")
# A relay that lists PLAIN may take LOGIN only. A third wrong password would have some lock the account.
MOST_WRONG = 2


def sign_in(ask: Ask, endpoint: Endpoint, offered: Collection[str]) -> None:
    """Sign in by the first mechanism that the relay offers and takes.

    Raises RelayRefused when it takes none, TransportError when it offers none that we know or there is no
    access token.
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
            # It hung up on the second try; what it said to the first tells more.
            if not refusals:
                raise
            break
        if reply.code == 235:
            return
        refusals.append(reply)
        if not reply.permanent or sum(each.code == 535 for each in refusals) == MOST_WRONG:
            break
    # "Wrong password" tells the owner more than "I do not know that mechanism".
    raise _refused(next((each for each in refusals if each.code == 535), refusals[-1]))


def _by_token(ask: Ask, endpoint: Endpoint, mechanisms: Collection[str]) -> None:
    """Sign in by token. If the relay refuses one that was kept, get a new one and try once more."""
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
    """Offer `token` by one mechanism after the other; return the last reply."""
    for name in mechanisms:
        reply = (
            _oauthbearer(ask, endpoint, token) if name == "OAUTHBEARER" else _xoauth2(ask, endpoint, token)
        )
        if not reply.permanent:
            break
    return reply


def _plain(ask: Ask, username: str, password: str) -> Reply:
    """RFC 4616."""
    return ask(b"AUTH PLAIN " + _base64(f"\0{username}\0{password}"))


def _login(ask: Ask, username: str, password: str) -> Reply:
    """Never a standard; the relay asks for the user name, then for the password."""
    reply = ask(b"AUTH LOGIN")
    for word in (username, password):
        if reply.code != 334:
            return reply
        reply = ask(_base64(word))
    return reply


def _cram_md5(ask: Ask, username: str, password: str) -> Reply:
    """RFC 2195: the password answers a challenge and is not sent itself."""
    reply = ask(b"AUTH CRAM-MD5")
    if reply.code != 334:
        return reply
    try:
        challenge = base64.b64decode(reply.text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("the relay's challenge for CRAM-MD5 is not base64") from error
    digest = hmac.digest(password.encode(), challenge, "md5").hex()
    return ask(_base64(f"{username} {digest}"))


_TALKS: Mapping[str, Callable[[Ask, str, str], Reply]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
}


def _oauthbearer(ask: Ask, endpoint: Endpoint, token: str) -> Reply:
    """RFC 7628. After a refusal the relay tells the reason as 334, and waits for a ^A."""
    relay = endpoint.relay
    user = (relay.username or "").replace("=", "=3D").replace(",", "=2C")
    fields = (f"n,a={user},", f"host={relay.host}", f"port={relay.port}", f"auth=Bearer {token}")
    reply = ask(b"AUTH OAUTHBEARER " + _base64("\x01".join(fields) + "\x01\x01"))
    return ask(_base64("\x01")) if reply.code == 334 else reply


def _xoauth2(ask: Ask, endpoint: Endpoint, token: str) -> Reply:
    """Google's and Microsoft's own. After a refusal the relay gives the reason as 334, and waits."""
    reply = ask(b"AUTH XOAUTH2 " + _base64(f"user={endpoint.relay.username}\x01auth=Bearer {token}\x01\x01"))
    return ask(b"") if reply.code == 334 else reply


def _refused(reply: Reply) -> RelayRefused:
    return RelayRefused(f"the relay answered the sign-in with: {reply}", reply.code, reply.status, "sign-in")


def _base64(text: str) -> bytes:
    return base64.b64encode(text.encode())
