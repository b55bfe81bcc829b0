"""Write the data of simultaneous requests of one process in one transaction."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from sqlalchemy.exc import OperationalError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _PendingWrite(Generic[Item, Result]):
    """The item that one thread wants written, and its result."""

    item: Item
    result: Result | None = None
    error: BaseException | None = None
    done: bool = False


class WriteBatcher(Generic[Item, Result]):
    """Writes the items of several threads in one transaction.

    A database with one writer makes each commit wait for the disk, one after the other. So the first thread
    writes at once. Items that arrive meanwhile are written by one of their threads, all in the next commit.
    No thread waits for others to come, and each returns only after its own commit is on disk.

    `write` gets the items, begins, commits, and returns a result for each.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._waiting: list[_PendingWrite[Item, Result]] = []
        self._busy = False

    def __call__(self, item: Item) -> Result:
        """Return what `write` returned for this item, once it is committed; raise what it raised for it."""
        pending = _PendingWrite[Item, Result](item)
        with self._changed:
            self._waiting.append(pending)
            while self._busy and not pending.done:
                self._changed.wait()
            if not pending.done:
                taken, self._waiting, self._busy = self._waiting, [], True
        if not pending.done:
            try:
                self._write_all(taken)
            finally:
                with self._changed:
                    self._busy = False
                    for each in taken:
                        each.done = True
                    self._changed.notify_all()
        if pending.error is not None:
            raise pending.error
        return pending.result  # type: ignore[return-value]  # there is one, since there is no error

    def _write_all(self, pending: Sequence[_PendingWrite[Item, Result]]) -> None:
        try:
            results = self._write([each.item for each in pending])
        except Exception as error:
            # A failure of the database affects all items. A failure of one item must not affect the others.
            if len(pending) == 1 or isinstance(error, OperationalError):
                for each in pending:
                    each.error = error
                return
            for each in pending:
                self._write_all([each])
        except BaseException as error:
            for each in pending:
                each.error = error
            raise
        else:
            for each, result in zip(pending, results, strict=True):
                each.result = result


class WriteLock:
    """A lock for writing, shared by the processes of one machine, on the file `path`.

    Processes that wait in SQLite sleep and look again, each time for longer, while later ones overtake them.
    Those that wait for this lock are woken. Without the file (disk full, or a file system without locks) they
    wait in SQLite as usual.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold the lock during the block. WriteBatcher lets only one thread of a process in at a time."""
        held = self._take()
        try:
            yield
        finally:
            if held is not None:
                fcntl.flock(held, fcntl.LOCK_UN)

    def _take(self) -> int | None:
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except OSError:
            return None
        return self._file

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)
