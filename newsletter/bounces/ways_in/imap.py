"""Read a folder by IMAP (RFC 3501 and RFC 9051): list, fetch, mark, wait for new messages.

This is our own small client, for reasons in docs/decisions/0021-reading-mailboxes.md.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence

from newsletter.bounces.ways_in.account import Account
from newsletter.bounces.ways_in.imap_answers import (
    Answer,
    Fetched,
    Untagged,
    exists,
    fetched,
    folder_name,
    literal_size,
    uid_set,
    without_literal,
)
from newsletter.bounces.ways_in.imap_sign_in import capabilities, refused, sign_in
from newsletter.bounces.ways_in.wire import LineWire
from newsletter.errors import MailboxError, MailboxRefused
from newsletter.settings import RelaySecurity

# A message that we have dealt with has this keyword, if the server allows keywords.
KEYWORD = "$NewsletterDone"
# A search in a folder with more messages covers this many UIDs at a time, because its answer is one line.
SEARCHED_AT_ONCE = 50_000
HIGHEST_UID = 2**32 - 1
MOST_UNTAGGED = 20_000
_ANSWER_BYTES = 2 * 1024 * 1024
# Servers may close a connection after 29 minutes, and routers do so sooner (RFC 2177).
IDLE_SECONDS = 540.0
_SLICE_SECONDS = 1.0


class ImapFolder:
    """One folder, open for reading and for flags. Raises MailboxError and MailboxRefused."""

    def __init__(self, account: Account, wire: LineWire) -> None:
        self._account = account
        self._limits = account.limits
        self._wire = wire
        self._tags = (f"a{number}".encode() for number in itertools.count(1))
        self._offered: frozenset[str] = frozenset()
        self._keywords = False
        self._count = 0
        self._news = False
        # Whether the server has answered everything so far.
        self._answered = True
        self.validity = 0

    @classmethod
    def open(cls, account: Account) -> ImapFolder:
        """Connect, sign in and select the folder."""
        folder = cls(account, account.connect())
        try:
            folder._begin()
        except BaseException:
            folder._wire.close()
            raise
        return folder

    @property
    def can_wait(self) -> bool:
        """Whether the server says when a message comes (RFC 2177)."""
        return "IDLE" in self._offered

    def _begin(self) -> None:
        self._wire.begin(self._limits.answer_seconds, _ANSWER_BYTES)
        greeting = self._wire.line()
        if not greeting.startswith((b"* OK", b"* PREAUTH")):
            raise MailboxError(f"the server greeted with: {_words(greeting)}")
        if self._account.mailbox.security is RelaySecurity.STARTTLS:
            if "STARTTLS" not in capabilities(self.ask(b"CAPABILITY")):
                raise MailboxRefused(
                    "the server offers no STARTTLS, and no password is sent unencrypted", "server"
                )
            self._need(self.ask(b"STARTTLS"), "STARTTLS")
            self._account.start_tls(self._wire)
        if not greeting.startswith(b"* PREAUTH"):
            sign_in(self._account, self, capabilities(self.ask(b"CAPABILITY")))
        self._offered = capabilities(self.ask(b"CAPABILITY"))
        self._select()

    def _select(self) -> None:
        name = self._account.mailbox.folder
        answer = self.ask(b"SELECT " + folder_name(name))
        if not answer.ok:
            raise refused(f"the folder {name} cannot be opened", answer, "folder")
        if answer.code == "READ-ONLY":
            raise MailboxRefused(f"the folder {name} may only be read, so nothing can be marked", "folder")
        self._keywords = rb"\*" in (answer.value("PERMANENTFLAGS") or b"")
        validity = answer.value("UIDVALIDITY") or b""
        self.validity = int(validity) if validity.isdigit() and len(validity) < 11 else 0

    def uids_after(self, mark: int, most: int) -> list[int]:
        """Return the first UIDs after `mark` of messages that nobody deleted, at most `most`."""
        self._need(self.ask(b"NOOP"), "NOOP")
        self._news = False
        if self._count <= SEARCHED_AT_ONCE:
            return self._search(mark + 1, HIGHEST_UID)[:most]
        last = [each.uid for each in self._fetch(b"* (UID BODY.PEEK[HEADER.FIELDS (DATE)])", 1, 1000)]
        low = mark + 1
        while last and low <= last[0]:
            found = self._search(low, low + SEARCHED_AT_ONCE - 1)
            if found:
                return found[:most]
            low += SEARCHED_AT_ONCE
        return []

    def _search(self, low: int, high: int) -> list[int]:
        last = b"*" if high == HIGHEST_UID else str(high).encode()
        answer = self.ask(b"UID SEARCH UID %d:%s UNDELETED" % (low, last))
        self._need(answer, "SEARCH")
        # With "*", the last message is found even if its UID is lower.
        return sorted({uid for uid in answer.numbers("SEARCH") if low <= uid <= high})

    def fetch(self, uids: Sequence[int], most_bytes: int) -> dict[int, Fetched]:
        """Return messages by UID, each with its first `most_bytes`. Those that are gone are left out."""
        what = b"%s (UID RFC822.SIZE BODY.PEEK[]<0.%d>)" % (uid_set(list(uids)).encode(), most_bytes)
        found = self._fetch(what, len(uids), most_bytes)
        return {each.uid: each for each in found if each.uid in uids}

    def _fetch(self, what: bytes, count: int, most_bytes: int) -> list[Fetched]:
        most = count * (most_bytes + 8192) + self._limits.skipped_bytes
        answer = self.ask(b"UID FETCH " + what, self._limits.message_seconds, most, keep=most_bytes)
        self._need(answer, "FETCH")
        return [found for each in answer.untagged if (found := fetched(each)) is not None]

    def settle(self, uids: Sequence[int]) -> None:
        """Mark messages as dealt with, or delete or move them, as the settings say."""
        mailbox = self._account.mailbox
        if not uids:
            return
        chosen = uid_set(sorted(uids)).encode()
        if mailbox.move_to is not None:
            self._move(chosen, mailbox.move_to)
        elif mailbox.done == "delete":
            self._delete(chosen)
        else:
            self._store(chosen, rb"\Seen")

    def expunge_marked(self) -> None:
        """Delete the messages that an earlier conversation marked as deleted before it broke off."""
        if self._keywords and "UIDPLUS" in self._offered:
            answer = self.ask(b"UID SEARCH KEYWORD %s DELETED" % KEYWORD.encode())
            self._need(answer, "SEARCH")
            found = answer.numbers("SEARCH")
            if found:
                self._need(self.ask(b"UID EXPUNGE " + uid_set(found).encode()), "EXPUNGE")

    def _store(self, chosen: bytes, flags: bytes) -> None:
        flags += b" " + KEYWORD.encode() if self._keywords else b""
        self._need(self.ask(b"UID STORE %s +FLAGS.SILENT (%s)" % (chosen, flags)), "STORE")

    def _delete(self, chosen: bytes) -> None:
        self._store(chosen, rb"\Seen \Deleted")
        if "UIDPLUS" in self._offered:
            # A plain EXPUNGE would also remove what other people marked.
            self._need(self.ask(b"UID EXPUNGE " + chosen), "EXPUNGE")

    def _move(self, chosen: bytes, folder: str) -> None:
        name, moves = folder_name(folder), "MOVE" in self._offered
        command = b"UID %s %s %s" % (b"MOVE" if moves else b"COPY", chosen, name)
        answer = self.ask(command)
        if answer.code == "TRYCREATE":
            self.ask(b"CREATE " + name)
            answer = self.ask(command)
        if not answer.ok:
            raise refused(f"messages cannot be moved to the folder {folder}", answer, "folder")
        if not moves:
            self._delete(chosen)

    def wait(self, seconds: float, stopped: Callable[[], bool]) -> None:
        """Return when a message came, after `seconds`, or when `stopped` says so (RFC 2177)."""
        if self._news:
            return
        tag, self._answered = next(self._tags), False
        self._wire.write(tag + b" IDLE\r\n", self._limits.answer_seconds)
        self._wire.begin(self._limits.answer_seconds, _ANSWER_BYTES)
        line = self._wire.line()
        while line.startswith(b"* "):
            self._notice(Untagged(line[2:]))
            line = self._wire.line()
        if not line.startswith(b"+"):
            raise MailboxError(f"the server answered IDLE with: {_words(line)}")
        left = seconds
        while not self._news and left > 0 and not stopped():
            if self._wire.has_more(min(_SLICE_SECONDS, left)):
                self._wire.begin(self._limits.answer_seconds, _ANSWER_BYTES)
                self._notice(self._untagged(self._wire.line()))
            left -= _SLICE_SECONDS
        self._wire.write(b"DONE\r\n", self._limits.answer_seconds)
        self._wire.begin(self._limits.answer_seconds, _ANSWER_BYTES)
        self._need(self._until(tag, 0), "IDLE")

    def close(self) -> None:
        """Say good-bye, if the server still answers, and close."""
        if self._answered:
            with contextlib.suppress(MailboxError):
                self.ask(b"LOGOUT", seconds=2)
        self._wire.close()

    def ask(
        self,
        command: bytes,
        seconds: float | None = None,
        most_bytes: int = _ANSWER_BYTES,
        *,
        keep: int = 0,
        on_challenge: Callable[[], bytes] | None = None,
    ) -> Answer:
        """Send a command and return the answer, with at most `keep` bytes of each block in it.

        `on_challenge` returns what to send when the server asks for more.
        """
        tag = next(self._tags)
        seconds = seconds or self._limits.answer_seconds
        self._wire.begin(seconds, most_bytes)
        self._wire.write(tag + b" " + command + b"\r\n", seconds)
        return self._until(tag, keep, on_challenge)

    def _until(self, tag: bytes, keep: int, on_challenge: Callable[[], bytes] | None = None) -> Answer:
        untagged: list[Untagged] = []
        self._answered = False
        while True:
            line = self._wire.line()
            if line.startswith(b"+") and on_challenge is not None:
                self._wire.write(on_challenge() + b"\r\n", self._limits.answer_seconds)
                continue
            if not line.startswith(b"* "):
                break
            found = self._untagged(line, keep)
            self._notice(found)
            untagged.append(found)
            if len(untagged) > MOST_UNTAGGED:
                raise MailboxError("the server sent more than was asked for")
        said, status, words = (*line.split(b" ", 2), b"", b"")[:3]
        if said != tag or status.upper() not in {b"OK", b"NO", b"BAD"}:
            raise MailboxError(f"the server sent something that is not IMAP: {_words(line)}")
        self._answered = True
        return Answer(status.decode("ascii").upper(), words, tuple(untagged))

    def _untagged(self, line: bytes, keep: int = 0) -> Untagged:
        text, blocks = b"", []
        while (size := literal_size(line)) is not None:
            text += without_literal(line)
            blocks.append(self._wire.block(size, keep))
            line = self._wire.line()
        return Untagged((text + line)[2:], tuple(blocks))

    def _notice(self, answer: Untagged) -> None:
        if answer.text[:4].upper() == b"BYE ":
            raise MailboxError(f"the server ended the conversation: {_words(answer.text)}")
        count = exists(answer)
        if count is not None:
            self._news |= count > self._count
            self._count = count
        elif answer.text.upper().endswith(b" EXPUNGE"):
            self._count = max(0, self._count - 1)

    def _need(self, answer: Answer, command: str) -> None:
        if not answer.ok:
            raise MailboxError(f"the server answered {command} with: {_words(answer.words)}")


def _words(line: bytes) -> str:
    return line[:200].decode("utf-8", "replace")
