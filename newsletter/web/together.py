"""One transaction for what several requests of a process want to write at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy.exc import OperationalError

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class _Wish(Generic[Item, Result]):
    """What one thread wants written, and what came of it."""

    item: Item
    result: Result | None = None
    error: BaseException | None = None
    done: bool = False


class Together(Generic[Item, Result]):
    """Writes what one thread asks for together with what others ask for meanwhile.

    A database with one writer makes each commit wait for the disk, one after the other. So whoever
    comes first writes at once, and those who come while it does are written by one of them, all
    with the next commit. Nobody waits for others to come, and nobody is answered before their own
    commit is on the disk. `write` is given the items, begins, commits, and returns a result for each.
    """

    def __init__(self, write: Callable[[Sequence[Item]], Sequence[Result]]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self._waiting: list[_Wish[Item, Result]] = []
        self._busy = False

    def __call__(self, item: Item) -> Result:
        """Return what `write` returned for this item, once it is committed; raise what it raised for it."""
        wish = _Wish[Item, Result](item)
        with self._changed:
            self._waiting.append(wish)
            while self._busy and not wish.done:
                self._changed.wait()
            if not wish.done:
                taken, self._waiting, self._busy = self._waiting, [], True
        if not wish.done:
            try:
                self._write_all(taken)
            finally:
                with self._changed:
                    self._busy = False
                    for each in taken:
                        each.done = True
                    self._changed.notify_all()
        if wish.error is not None:
            raise wish.error
        return wish.result  # type: ignore[return-value]  # there is one, since there is no error

    def _write_all(self, wishes: Sequence[_Wish[Item, Result]]) -> None:
        try:
            results = self._write([each.item for each in wishes])
        except Exception as error:
            # What ails the database ails everybody; what ails one item must not harm the others.
            if len(wishes) == 1 or isinstance(error, OperationalError):
                for each in wishes:
                    each.error = error
                return
            for each in wishes:
                self._write_all([each])
        except BaseException as error:
            for each in wishes:
                each.error = error
            raise
        else:
            for each, result in zip(wishes, results, strict=True):
                each.result = result
