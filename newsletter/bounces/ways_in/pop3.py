"""Read a mailbox by POP3 (RFC 1939): list, read, delete.

poplib reads a whole message into memory and refuses lines of more than 2,048 bytes, so this is our own.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from newsletter.bounces.ways_in.account import Account
from newsletter.bounces.ways_in.wire import LineWire
from newsletter.errors import MailboxError, MailboxRefused
from newsletter.settings import RelaySecurity
from newsletter.smtp.authentication import sasl

# A list of 100,000 messages has about 4 MB.
_LIST_BYTES = 8 * 1024 * 1024
_ANSWER_BYTES = 256 * 1024
# The server is busy, or the mailbox is open elsewhere. The password may be right (RFC 2449, RFC 3206).
_FOR_A_TIME = (b"[IN-USE]", b"[LOGIN-DELAY]", b"[SYS/TEMP]")
LONGEST_UID = 70


@dataclass(frozen=True)
class Listed:
    """A message of a mailbox: its number in this conversation, and its lasting unique id."""

    number: int
    uid: str


class Pop3Mailbox:
    """One mailbox, locked by the server while it is open. Raises MailboxError and MailboxRefused."""

    def __init__(self, account: Account, wire: LineWire) -> None:
        self._account = account
        self._limits = account.limits
        self._wire = wire

    @classmethod
    def open(cls, account: Account) -> Pop3Mailbox:
        """Connect and sign in."""
        mailbox = cls(account, account.connect())
        try:
            mailbox._begin()
        except BaseException:
            mailbox._wire.close()
            raise
        return mailbox

    def _begin(self) -> None:
        self._wire.begin(self._limits.answer_seconds, _ANSWER_BYTES)
        greeting = self._wire.line()
        if not greeting.startswith(b"+OK"):
            raise MailboxError(f"the server greeted with: {_words(greeting)}")
        if self._account.mailbox.security is RelaySecurity.STARTTLS:
            if not self._ask(b"STLS").startswith(b"+OK"):
                raise MailboxRefused(
                    "the server offers no STLS, and no password is sent unencrypted", "server"
                )
            self._account.start_tls(self._wire)
        if self._account.mailbox.password is None:
            self._sign_in_by_token()
        else:
            self._sign_in(self._account.mailbox.username, self._account.mailbox.password)

    def _sign_in(self, username: str, password: str) -> None:
        answer = self._ask(b"USER " + username.encode())
        if answer.startswith(b"+OK"):
            answer = self._ask(b"PASS " + password.encode())
        _check_sign_in(answer)

    def _sign_in_by_token(self) -> None:
        mailbox, source = self._account.mailbox, self._account.tokens()
        mechanisms = self._mechanisms()
        cached, answer = source.kept, b""
        for _ in range(2):
            token = self._account.token()
            if b"OAUTHBEARER" in mechanisms:
                payload = sasl.oauthbearer(mailbox.username, token, mailbox.host, mailbox.port)
                answer = self._authenticate(b"OAUTHBEARER", payload, b"AQ==")
            else:
                answer = self._authenticate(b"XOAUTH2", sasl.xoauth2(mailbox.username, token), b"")
            if answer.startswith(b"+OK"):
                return
            source.forget(token)
            if cached != token:
                break
        _check_sign_in(answer)

    def _mechanisms(self) -> list[bytes]:
        found: list[bytes] = []
        if self._ask(b"CAPA").startswith(b"+OK"):
            for line in self._wire.until_dot(_ANSWER_BYTES).splitlines():
                words = line.upper().split()
                found += words[1:] if words[:1] == [b"SASL"] else []
        if not {b"OAUTHBEARER", b"XOAUTH2"} & set(found):
            raise MailboxRefused("the server accepts no access tokens", "sign-in")
        return found

    def _authenticate(self, mechanism: bytes, payload: bytes, after: bytes) -> bytes:
        """Send one AUTH. A refused token comes with a reason, which `after` answers."""
        answer = self._ask(b"AUTH " + mechanism)
        for each in (payload, after):
            if not answer.startswith(b"+ ") and answer != b"+":
                break
            answer = self._ask(each)
        return answer

    def listing(self) -> list[Listed]:
        """Return all messages. Raises MailboxRefused if the server has no unique ids for them."""
        answer = self._ask(b"UIDL", most_bytes=_LIST_BYTES)
        if not answer.startswith(b"+OK"):
            raise MailboxRefused("the server has no unique ids for messages (UIDL)", "server")
        found = []
        for line in self._wire.until_dot(_LIST_BYTES).splitlines():
            number, _, uid = line.strip().partition(b" ")
            if number.isdigit() and len(number) < 10 and 0 < len(uid) <= LONGEST_UID:
                found.append(Listed(int(number), uid.decode("ascii", "replace")))
        return found

    def read(self, number: int, most_bytes: int) -> bytes | None:
        """Return the first `most_bytes` of a message, or None if it is gone."""
        most = most_bytes + self._limits.skipped_bytes
        answer = self._ask(b"RETR %d" % number, self._limits.message_seconds, most)
        if answer.startswith(b"-ERR"):
            return None
        if not answer.startswith(b"+OK"):
            raise MailboxError(f"the server answered RETR with: {_words(answer)}")
        return self._wire.until_dot(most_bytes)

    def delete(self, number: int) -> None:
        """Mark a message as deleted. The server deletes it at `finish`."""
        answer = self._ask(b"DELE %d" % number)
        if not answer.startswith(b"+OK"):
            raise MailboxError(f"the server answered DELE with: {_words(answer)}")

    def finish(self) -> None:
        """End the conversation, so that the server deletes what was marked."""
        answer = self._ask(b"QUIT")
        self._wire.close()
        if not answer.startswith(b"+OK"):
            raise MailboxError(f"the server answered QUIT with: {_words(answer)}")

    def close(self) -> None:
        """Close at once. The server deletes nothing."""
        with contextlib.suppress(MailboxError):
            self._wire.close()

    def _ask(self, command: bytes, seconds: float | None = None, most_bytes: int = _ANSWER_BYTES) -> bytes:
        seconds = seconds or self._limits.answer_seconds
        self._wire.begin(seconds, most_bytes)
        self._wire.write(command + b"\r\n", seconds)
        return self._wire.line()


def _check_sign_in(answer: bytes) -> None:
    if answer.startswith(b"+OK"):
        return
    words = f"the server refused the sign-in: {_words(answer)}"
    if any(code in answer.upper() for code in _FOR_A_TIME):
        raise MailboxError(words)
    raise MailboxRefused(words, "sign-in")


def _words(line: bytes) -> str:
    return line[:200].decode("utf-8", "replace")
