"""Read the mailboxes of the settings: once, or until told to stop, with pauses after a failure."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from types import FrameType

from sqlalchemy.exc import SQLAlchemyError

from newsletter.bounces.ways_in.account import Account, Limits
from newsletter.bounces.ways_in.imap import IDLE_SECONDS, ImapFolder
from newsletter.errors import MailboxError, MailboxRefused, ServiceError
from newsletter.mail.redact import without_addresses
from newsletter.notices import NoticeKind, open_notices, settle, tell_owner
from newsletter.runtime import Runtime
from newsletter.service.mailboxes.read_imap import ImapReader
from newsletter.service.mailboxes.read_pop3 import Pop3Reader
from newsletter.service.mailboxes.take import Counts
from newsletter.settings import Mailbox, Settings, variable

# A server may lock an account after some wrong passwords, so a refusal is followed by long pauses.
REFUSED_SECONDS, MOST_REFUSED_SECONDS = 900.0, 4 * 3600.0
FAILED_SECONDS, MOST_FAILED_SECONDS = 15.0, 900.0
# The owner is told only after a server has not answered for this long.
TOLD_AFTER = timedelta(minutes=30)
# How often one call of the command tries again, so that one bad message does not stop it each time.
TRIES = 8
_GRACE_SECONDS = 5
_LONGEST_SUBJECT = 255

log = logging.getLogger(__name__)


def pause_after(failures: int, *, refused: bool) -> float:
    """Return the seconds to wait after this many failures in a row."""
    first, most = (
        (REFUSED_SECONDS, MOST_REFUSED_SECONDS) if refused else (FAILED_SECONDS, MOST_FAILED_SECONDS)
    )
    return float(min(most, first * 2 ** min(failures - 1, 20)))


def accounts_of(settings: Settings, limits: Limits = Limits()) -> list[Account]:  # noqa: B008 (frozen)
    """Return the mailboxes of the settings. Raises ServiceError if there are none."""
    if not settings.mailboxes:
        example = "imaps://user:password@mail.example.org/INBOX"
        raise ServiceError(f"Name a mailbox in {variable('mailboxes')}, such as {example}.")
    ca_file = str(settings.mailbox_ca_file) if settings.mailbox_ca_file else None
    return [Account(each, ca_file, settings.mailbox_token_command, limits) for each in settings.mailboxes]


class MailboxWatch:
    """One mailbox: reads it, and tells the owner when that fails for long or for good."""

    def __init__(self, runtime: Runtime, account: Account, stop: threading.Event) -> None:
        self._runtime = runtime
        self._account = account
        self._stop = stop
        mailbox, most_bytes = account.mailbox, account.limits.most_bytes
        self._imap = ImapReader(runtime, mailbox.key, most_bytes, stop.is_set)
        self._pop3 = Pop3Reader(runtime, account, stop.is_set)
        self._failures = 0
        self._failing_since: datetime | None = None
        # At the start, a notice of an earlier process may be open.
        self._settled = False

    @property
    def name(self) -> str:
        """The mailbox for people."""
        return self._account.mailbox.name

    @property
    def broken_reads(self) -> int:
        """How often a server failed at a message. After some times, the message is left out."""
        return self._imap.broken_reads + self._pop3.broken_reads

    def read_once(self, counts: Counts) -> None:
        """Read everything that is new. Raises MailboxError."""
        if self._account.mailbox.protocol == "pop3":
            self._pop3.run(counts)
        else:
            folder = ImapFolder.open(self._account)
            try:
                self._imap.run(folder, counts)
            finally:
                folder.close()
        self._succeeded()

    def run(self) -> None:
        """Read the mailbox until told to stop."""
        while not self._stop.is_set():
            try:
                for _ in self._rounds():
                    self._succeeded()
                    if self._stop.is_set():
                        break
            except MailboxError as error:
                self._pause(error)
            except SQLAlchemyError as error:
                log.warning("event=mailbox_waits_for_database fault=%s", type(error).__name__)
                self._failures += 1
                self._stop.wait(pause_after(self._failures, refused=False))
            except Exception:
                log.exception("event=mailbox_failed")
                self._failures += 1
                self._stop.wait(pause_after(self._failures, refused=False))

    def _rounds(self) -> Iterator[None]:
        """Read the mailbox and wait for news, again and again. Yields after each reading."""
        seconds = self._account.mailbox.poll_seconds
        if self._account.mailbox.protocol == "pop3":
            self._logged(self._pop3.run)
            yield
            self._stop.wait(seconds)
            return
        folder = ImapFolder.open(self._account)
        try:
            while True:
                self._logged(lambda counts: self._imap.run(folder, counts))
                yield
                if folder.can_wait:
                    folder.wait(IDLE_SECONDS, self._stop.is_set)
                else:
                    self._stop.wait(seconds)
        finally:
            folder.close()

    def _logged(self, read: Callable[[Counts], None]) -> None:
        counts = Counts()
        try:
            read(counts)
        finally:
            if counts.read or counts.skipped:
                done = ",".join(f"{word}:{number}" for word, number in sorted(counts.done.items()))
                log.info(
                    "event=mailbox_read mailbox=%s read=%d left_alone=%d later=%d skipped=%d done=%s",
                    self._account.mailbox.key[:8], counts.read, counts.left_alone, counts.later,
                    counts.skipped, done,
                )  # fmt: skip

    def _succeeded(self) -> None:
        if not self._settled:
            with self._runtime.session() as session:
                settle(session, NoticeKind.MAILBOX_FAILS, self._subject, self._runtime.now())
                session.commit()
        self._failures, self._failing_since, self._settled = 0, None, True

    def _pause(self, error: MailboxError) -> None:
        self._failures += 1
        refused = isinstance(error, MailboxRefused)
        log.warning("event=mailbox_unread refused=%s fault=%s", "yes" if refused else "no", error)
        self._tell(error)
        self._stop.wait(pause_after(self._failures, refused=refused))

    def _tell(self, error: MailboxError) -> None:
        now = self._runtime.now()
        self._failing_since = self._failing_since or now
        if not isinstance(error, MailboxRefused) and now - self._failing_since < TOLD_AFTER:
            return
        self._settled = False
        what = without_addresses(str(error)).strip().rstrip(".")
        with self._runtime.session() as session:
            tell_owner(
                session,
                NoticeKind.MAILBOX_FAILS,
                self._subject,
                now,
                what=f"{what[:1].upper()}{what[1:]}.",
                remedy=remedy(error, self._account),
            )
            session.commit()

    @property
    def _subject(self) -> str:
        return self.name[:_LONGEST_SUBJECT]


def remedy(error: MailboxError, account: Account) -> str:
    """Return what the owner can do about a failure, with the name of the setting."""
    setting = variable("mailboxes")
    part = error.part if isinstance(error, MailboxRefused) else ""
    if part == "sign-in" and account.mailbox.password is None:
        command = variable("mailbox_token_command")
        return f"See what {command} prints, and whether the user in {setting} is right."
    return {
        "sign-in": f"Correct the user name or the password in {setting}.",
        "certificate": (
            f"Use the name in the certificate in {setting}, or trust another authority with "
            f"{variable('mailbox_ca_file')}."
        ),
        "folder": f"Correct the folder in {setting}.",
        "server": f"Use another protocol or server in {setting}. imaps:// and pop3s:// begin with TLS.",
    }.get(part, f"Check host and port in {setting}, and whether the server runs.")


def read_all(runtime: Runtime, accounts: list[Account]) -> Iterator[tuple[Mailbox, Counts, str]]:
    """Read each mailbox once; yield it with what was done, and what failed or an empty text."""
    for account in accounts:
        watch, counts, fault = MailboxWatch(runtime, account, threading.Event()), Counts(), ""
        for _ in range(TRIES):
            before = (counts.read, watch.broken_reads)
            try:
                watch.read_once(counts)
                fault = ""
                break
            except MailboxRefused as error:
                fault = f"{error}. {remedy(error, account)}"
                break
            except MailboxError as error:
                fault = f"{error}. {remedy(error, account)}"
                if (counts.read, watch.broken_reads) == before:
                    break
            except SQLAlchemyError as error:
                fault = f"the database: {type(error).__name__}"
                break
        if counts.skipped and not fault:
            fault = "Some messages could not be read, because the connection broke. They will be tried again."
        yield account.mailbox, counts, fault


def watch_all(runtime: Runtime, accounts: list[Account], stop: threading.Event | None = None) -> None:
    """Read the mailboxes, each in a thread of its own, until SIGTERM, Ctrl-C or `stop`."""
    stop = stop or _stop_at_signals()
    _settle_others(runtime, [account.mailbox for account in accounts])
    watches = [MailboxWatch(runtime, account, stop) for account in accounts]
    # A thread that waits for a server does not keep the process: what it has not marked is read again.
    threads = [threading.Thread(target=each.run, name=each.name, daemon=True) for each in watches]
    for thread in threads:
        thread.start()
    log.info("event=mailboxes_watched number=%d", len(threads))
    stop.wait()
    for thread in threads:
        thread.join(_GRACE_SECONDS)


def _stop_at_signals() -> threading.Event:
    stop = threading.Event()

    def told(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return stop


def _settle_others(runtime: Runtime, mailboxes: list[Mailbox]) -> None:
    """Close the notices about mailboxes that are no longer in the settings."""
    names = {each.name[:_LONGEST_SUBJECT] for each in mailboxes}
    with runtime.session() as session:
        for notice in open_notices(session, NoticeKind.MAILBOX_FAILS):
            if notice.subject not in names:
                settle(session, NoticeKind.MAILBOX_FAILS, notice.subject, runtime.now())
        session.commit()
