"""Sign in to an IMAP server, by password or by an access token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from newsletter.bounces.ways_in.account import Account
from newsletter.bounces.ways_in.imap_answers import Answer
from newsletter.errors import MailboxError, MailboxRefused
from newsletter.smtp.authentication import sasl

# The server is busy or repairs something. The password may be right (RFC 5530).
_FOR_A_TIME = frozenset({"UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"})


class Talk(Protocol):
    """What signing in needs of the connection."""

    def ask(self, command: bytes, *, on_challenge: Callable[[], bytes] | None = None) -> Answer:
        """Send a command and return the answer."""


def capabilities(answer: Answer) -> frozenset[str]:
    """Return what a server offers, in capitals."""
    words = [each.text.split() for each in answer.untagged]
    lines = [each[1:] for each in words if each and each[0].upper() == b"CAPABILITY"]
    return frozenset(word.decode("ascii", "replace").upper() for line in lines for word in line)


def sign_in(account: Account, talk: Talk, offered: frozenset[str]) -> None:
    """Sign in. Raises MailboxRefused if the server does not accept the account."""
    mailbox = account.mailbox
    if mailbox.password is None:
        _by_token(account, talk, offered)
        return
    if "AUTH=PLAIN" in offered:
        answer = _authenticate(talk, "PLAIN", sasl.plain(mailbox.username, mailbox.password), offered)
    elif "LOGINDISABLED" in offered:
        raise MailboxRefused("the server accepts no password on this connection", "sign-in")
    else:
        words = b" ".join(_quoted(each) for each in (mailbox.username, mailbox.password))
        answer = talk.ask(b"LOGIN " + words)
    if not answer.ok:
        raise refused("the server refused the sign-in", answer, "sign-in")


def _by_token(account: Account, talk: Talk, offered: frozenset[str]) -> None:
    """Sign in by a token. If a cached one is refused, get a new one and try once more."""
    mailbox, source = account.mailbox, account.tokens()
    if not {"AUTH=OAUTHBEARER", "AUTH=XOAUTH2"} & offered:
        raise MailboxRefused("the server accepts no access tokens", "sign-in")
    cached = source.kept
    for _ in range(2):
        token = account.token()
        if "AUTH=OAUTHBEARER" in offered:
            payload = sasl.oauthbearer(mailbox.username, token, mailbox.host, mailbox.port)
            answer = _authenticate(talk, "OAUTHBEARER", payload, offered, b"AQ==")
        else:
            answer = _authenticate(talk, "XOAUTH2", sasl.xoauth2(mailbox.username, token), offered)
        if answer.ok:
            return
        source.forget(token)
        if cached != token:
            break
    raise refused("the server refused the access token", answer, "sign-in")


def _authenticate(
    talk: Talk, mechanism: str, payload: bytes, offered: frozenset[str], after: bytes = b""
) -> Answer:
    """Send one AUTHENTICATE. `after` answers a further challenge: a refused token comes with a reason."""
    at_once = "SASL-IR" in offered
    command = b"AUTHENTICATE " + mechanism.encode()
    waiting: Iterator[bytes] = iter([after] if at_once else [payload, after])
    return talk.ask(
        command + b" " + payload if at_once else command, on_challenge=lambda: next(waiting, b"*")
    )


def refused(what: str, answer: Answer, part: str) -> MailboxError:
    """Return the error for a refusal, which may be for a time only."""
    words = f"{what}: {answer.words[:200].decode('utf-8', 'replace')}"
    return MailboxError(words) if answer.code in _FOR_A_TIME else MailboxRefused(words, part)


def _quoted(text: str) -> bytes:
    return b'"' + text.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
