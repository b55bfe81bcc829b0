"""The journal: a file in which a worker writes each message that it sends and each reply.

The database records outcomes in batches. If a process is killed between two batches, only its leases are
left, and its journal tells what became of them. No line: the message was never offered. A start without a
reply: nobody can know (RFC 1047). A reply: that is the outcome.

The writer holds the file by flock, so another process that gets the lock knows that the writer is dead. This
does not depend on the host name, which changes when a container is made again or a machine is renamed.

    boot <boot id>
    relay <number of the relay's key>
    start <delivery id>
    reply <delivery id> <fate> <step or -> <code or -> <text>
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from newsletter.errors import ServiceError
from newsletter.mail.redact import without_addresses
from newsletter.outbox.journals.file_systems import network_file_system
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SUFFIX = ".journal"
LONGEST_TEXT = 400
# Linux's limit for a host name. A longer name of another system is cut.
LONGEST_HOST = 63

log = logging.getLogger(__name__)


def boot_id() -> str:
    """Return the id of this boot of the machine. Data written before a power loss may be missing."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return "unknown"


def host_name() -> str:
    """Return this host's name in the form that journals and leases use."""
    return host_label(socket.gethostname())


def host_label(name: str) -> str:
    """Return a host's name in the form that journals and leases use."""
    return re.sub(r"[^a-z0-9-]", "-", name.lower())[:LONGEST_HOST] or "host"


def worker_host(worker: str) -> str:
    """Return the host in a worker's name, which is `<host>-<process id>-<random>`."""
    return worker.rsplit("-", 2)[0]


class Journal:
    """The journal of one process. Its `name` is the worker's name in leases.

    Raises ServiceError when it cannot be written, because then no message may be sent.
    """

    def __init__(self, folder: Path, host: str | None = None, *, relay: int | None = None) -> None:
        self._relay = relay
        self.name = f"{host or host_name()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.path = folder / f"{self.name}{SUFFIX}"
        # The threads of two connections may write at the same time, and a line must not be split.
        self._lock = threading.Lock()
        # Lock the file before it gets its name, so that no process can take it for a dead worker's journal.
        unnamed = self.path.with_suffix(".new")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as fault:
            raise self._unwritable(fault.strerror) from fault
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(self._head())
            unnamed.rename(self.path)
        except (OSError, ServiceError) as fault:
            # On a full disk the worker tries again every few seconds, and must leave no files behind.
            os.close(self._file)
            unnamed.unlink(missing_ok=True)
            if isinstance(fault, ServiceError):
                raise
            raise self._unwritable(fault.strerror) from fault

    def start(self, delivery_id: int) -> None:
        """Write that the content of a message is about to be sent."""
        self._write(f"start {delivery_id}\n")

    def reply(self, delivery_id: int, outcome: Outcome) -> None:
        """Write the outcome of a message that was started."""
        code = outcome.reply.code if outcome.reply else "-"
        text = outcome.reply.text if outcome.reply else outcome.reason
        flat = " ".join(without_addresses(text).split())[:LONGEST_TEXT]
        self._write(f"reply {delivery_id} {outcome.fate} {outcome.step or '-'} {code} {flat}\n")

    def clear(self) -> None:
        """Empty the journal, after the database has recorded everything in it."""
        with self._lock:
            os.ftruncate(self._file, 0)
        self._write(self._head())

    def close(self) -> None:
        """Remove the journal. Call it when the process holds no lease any more."""
        self.path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close the file but do not remove it, as if the process was killed: it still holds leases."""
        # Set to -1, so that a late thread fails instead of writing to another file with the same number.
        with self._lock:
            file, self._file = self._file, -1
        os.close(file)

    def _head(self) -> str:
        head = f"boot {boot_id()}\n"
        return head if self._relay is None else f"{head}relay {self._relay}\n"

    def _write(self, line: str) -> None:
        data = line.encode("utf-8", "replace")
        with self._lock:
            try:
                written = os.write(self._file, data)
                if written != len(data):
                    # Remove the half line: another thread may write again, and its line must not follow it.
                    os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            except OSError as fault:
                raise self._unwritable(fault.strerror) from fault
        if written != len(data):
            raise self._unwritable("the disk is full")

    def _unwritable(self, why: str | None) -> ServiceError:
        return ServiceError(f"cannot write the journal {self.path}: {why}")


@dataclass(frozen=True)
class Record:
    """A dead worker's journal: outcomes by delivery id, ids without a reply, and whether it is complete.

    After a power loss the end of the file may be missing. Then `complete` is false, and an id without a line
    may have been sent too. `relay` is the number of the relay that the worker sent to, None if not known.
    """

    name: str
    outcomes: dict[int, Outcome]
    unanswered: frozenset[int]
    complete: bool
    relay: int | None = None


def judged_here(folder: Path, host: str | None = None, network: str | None = None) -> list[Path]:
    """Return the journals in `folder` for which this host can tell whether their writers are alive.

    On a local file system these are all journals. On a network file system they are only those of `host`, by
    default this host. `network` is the type of a network file system, by default what the system says.
    """
    network = network or network_file_system(folder)
    if network is None:
        return _journals(folder)
    _warn_of_network(folder, network)
    return written_on(folder, host or host_name())


def written_on(folder: Path, host: str) -> list[Path]:
    """Return the journals in `folder` whose writers ran on `host`."""
    return [path for path in _journals(folder) if worker_host(path.stem) == host]


def _journals(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


@lru_cache
def _warn_of_network(folder: Path, network: str) -> None:
    """Log, once in a process, that journals of other host names are not read."""
    log.warning(
        "event=journals_on_network_file_system type=%s folder=%s: journals of other hosts, and of this host "
        "under an earlier name, are read by `newsletter digest lost-host` only",
        network,
        folder,
    )


def abandoned(
    folder: Path, host: str | None = None, network: str | None = None
) -> Iterator[tuple[Record, Path]]:
    """Yield the record and path of each dead worker's journal that this host can read (`judged_here`).

    The file is locked meanwhile. The caller records the outcomes, commits, and then removes the file.
    """
    yield from left_in(judged_here(folder, host, network))


def left_in(paths: list[Path]) -> Iterator[tuple[Record, Path]]:
    """Yield the record and path of each of these journals whose writer is dead, as `abandoned` does."""
    for path in paths:
        try:
            file = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            record = read_record(path)
        except (BlockingIOError, FileNotFoundError):
            os.close(file)
            continue  # the writer is alive, or another process has just recorded and removed the journal
        try:
            yield record, path
        finally:
            os.close(file)


def read_record(path: Path) -> Record:
    """Read a journal. No content of the file makes it fail.

    A last line without a line break is ignored: a crash cut it off. Any other damaged line may have been
    important, so the record is then not complete.
    """
    outcomes: dict[int, Outcome] = {}
    unanswered: set[int] = set()
    boot = ""
    relay: int | None = None
    whole = True
    *lines, _cut = path.read_bytes().decode("utf-8", "replace").split("\n")
    for line in lines:
        words = line.split(" ", 5)
        try:
            if words[0] == "boot":
                boot = words[1]
            elif words[0] == "relay":
                relay = int(words[1])
            elif words[0] == "start":
                # A worker may try a delivery twice. The first reply says nothing about the second attempt.
                outcomes.pop(int(words[1]), None)
                unanswered.add(int(words[1]))
            elif words[0] == "reply":
                outcomes[int(words[1])] = _outcome(words)
                unanswered.discard(int(words[1]))
            else:
                whole = False
        except (ValueError, IndexError):
            whole = False
    complete = whole and boot == boot_id()
    return Record(path.stem, outcomes, frozenset(unanswered), complete, relay)


def _outcome(words: list[str]) -> Outcome:
    """Return the outcome in a reply line. Raises ValueError or IndexError for a damaged line."""
    _, _, fate, step, code, text = words
    text = text.strip()
    reply = None if code == "-" else Reply(int(code), (text,))
    return Outcome(Fate(fate), None if step == "-" else Step(step), reply, "" if reply else text)
