"""What this process tried and heard, in a file that outlives it.

The database marks outcomes batch by batch; between two marks a killed process leaves only its
leases. Its journal tells them apart: no line means never offered, a start without a reply means
nobody can know (RFC 1047), a reply means what it says. The file is held by flock, so that whoever
gets the lock knows that the writer is dead: under whatever host name it wrote, since a container made
anew and a machine that was renamed have another name than before.

    boot <boot id>
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
from newsletter.outbox.file_systems import network_file_system
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SUFFIX = ".journal"
LONGEST_TEXT = 400
# What Linux allows for a host name; a longer one of another system is cut.
LONGEST_HOST = 63

log = logging.getLogger(__name__)


def boot_id() -> str:
    """Return an id of this start of the machine; written data of an earlier one may be lost."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return "unknown"


def host_name() -> str:
    """Return this host's name, as it stands in journals and leases."""
    return host_label(socket.gethostname())


def host_label(name: str) -> str:
    """Return a host's name as it stands in journals and leases."""
    return re.sub(r"[^a-z0-9-]", "-", name.lower())[:LONGEST_HOST] or "host"


def worker_host(worker: str) -> str:
    """Return the host in a worker's name, which is `<host>-<process id>-<random>`."""
    return worker.rsplit("-", 2)[0]


class Journal:
    """The journal of one process; its `name` is what the process leases by.

    Raises ServiceError when it cannot be written: nothing may be sent that cannot be accounted for.
    """

    def __init__(self, folder: Path, host: str | None = None) -> None:
        self.name = f"{host or host_name()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.path = folder / f"{self.name}{SUFFIX}"
        # Two connections of a process write at the same time; a line is never torn.
        self._lock = threading.Lock()
        # Locked before it has its name: whoever looks for journals of the dead never finds it free.
        unnamed = self.path.with_suffix(".new")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as fault:
            raise self._unwritable(fault.strerror) from fault
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(f"boot {boot_id()}\n")
            unnamed.rename(self.path)
        except (OSError, ServiceError) as fault:
            # On a full disk the engine tries again every few seconds: nothing may pile up.
            os.close(self._file)
            unnamed.unlink(missing_ok=True)
            if isinstance(fault, ServiceError):
                raise
            raise self._unwritable(fault.strerror) from fault

    def start(self, delivery_id: int) -> None:
        """Note that the content of a message is about to leave."""
        self._write(f"start {delivery_id}\n")

    def reply(self, delivery_id: int, outcome: Outcome) -> None:
        """Note what became of it."""
        code = outcome.reply.code if outcome.reply else "-"
        text = outcome.reply.text if outcome.reply else outcome.reason
        flat = " ".join(without_addresses(text).split())[:LONGEST_TEXT]
        self._write(f"reply {delivery_id} {outcome.fate} {outcome.step or '-'} {code} {flat}\n")

    def clear(self) -> None:
        """Forget everything: the database has it."""
        with self._lock:
            os.ftruncate(self._file, 0)
        self._write(f"boot {boot_id()}\n")

    def close(self) -> None:
        """Remove the journal of a process that holds no lease any more."""
        self.path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Let go of the file but leave it, as a killed process would: leases are still open."""
        # A thread that comes late finds no file, instead of whichever has been given the number since.
        with self._lock:
            file, self._file = self._file, -1
        os.close(file)

    def _write(self, line: str) -> None:
        data = line.encode("utf-8", "replace")
        with self._lock:
            try:
                written = os.write(self._file, data)
                if written != len(data):
                    # Another connection may find room again: its line must not be glued to this half.
                    os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            except OSError as fault:
                raise self._unwritable(fault.strerror) from fault
        if written != len(data):
            raise self._unwritable("the disk is full")

    def _unwritable(self, why: str | None) -> ServiceError:
        return ServiceError(f"cannot write the journal {self.path}: {why}")


@dataclass(frozen=True)
class Record:
    """What a dead process left: outcomes heard, ids started without an answer, and whether it is whole.

    After a power loss the end of the file may be missing (`complete` is false), so an id
    without a line may have been sent all the same.
    """

    name: str
    outcomes: dict[int, Outcome]
    unanswered: frozenset[int]
    complete: bool


def judged_here(folder: Path, host: str | None = None, network: str | None = None) -> list[Path]:
    """Return the journals in `folder` of which this host can tell whether their writers live.

    On a local file system these are all; on a network file system only those of `host`, which is this
    host by default. `network` is the type of a network file system, by default what the system says.
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
    """Log once a process that journals of other host names are left alone."""
    log.warning(
        "event=journals_on_network_file_system type=%s folder=%s: journals of other hosts, and of this host "
        "under an earlier name, are read by `newsletter digest lost-host` only",
        network,
        folder,
    )


def abandoned(
    folder: Path, host: str | None = None, network: str | None = None
) -> Iterator[tuple[Record, Path]]:
    """Yield what each dead process left whose journal is judged here (see `judged_here`).

    The file is locked meanwhile, and stays. The caller records it, commits, and removes the file.
    """
    yield from left_in(judged_here(folder, host, network))


def left_in(paths: list[Path]) -> Iterator[tuple[Record, Path]]:
    """Yield what stands in each of these journals whose writer is dead, as `abandoned` does."""
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
            continue  # its writer lives, or another has cleared up after it in this moment
        try:
            yield record, path
        finally:
            os.close(file)


def read_record(path: Path) -> Record:
    """Read a journal. Never fails for what stands in it.

    A last line that a crash cut short is as if it was never written. A damaged line before it could
    have been any, so the record is not complete then.
    """
    outcomes: dict[int, Outcome] = {}
    unanswered: set[int] = set()
    boot = ""
    whole = True
    *lines, _cut = path.read_bytes().decode("utf-8", "replace").split("\n")
    for line in lines:
        words = line.split(" ", 5)
        try:
            if words[0] == "boot":
                boot = words[1]
            elif words[0] == "start":
                # One worker may try a delivery twice: what it heard the first time says nothing now.
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
    return Record(path.stem, outcomes, frozenset(unanswered), complete)


def _outcome(words: list[str]) -> Outcome:
    """Raises ValueError or IndexError for what is no line of ours."""
    _, _, fate, step, code, text = words
    text = text.strip()
    reply = None if code == "-" else Reply(int(code), (text,))
    return Outcome(Fate(fate), None if step == "-" else Step(step), reply, "" if reply else text)
