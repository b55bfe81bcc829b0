"""kombu's queue in a folder, made safe for several readers and writers.

The original opens a message's file under its final name and writes afterwards, so a reader can
take it empty, which ends the worker; it takes a file by moving it into the system's temporary
folder, which between two file systems is a copy that two readers can both make. Here a file
appears whole by a rename, and is taken by a rename within the folder, which only one can win.
"""

from __future__ import annotations

import logging
import os
import uuid
from contextlib import suppress
from pathlib import Path
from queue import Empty
from time import time, time_ns
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

ALIAS = "newsletter-files"
# What is older was not left by a process that is still at it.
HALF_DONE_SECONDS = 60
# How long a worker that is asked to stop may go on waiting for messages.
LOOK_SECONDS = 0.3

log = logging.getLogger(__name__)


def _waiting(folder: Path, queue: str) -> list[Path]:
    """Return the files of the queue's messages, the oldest first."""
    # Names only: this is asked ten times a second, and pathlib is slower.
    names = sorted(os.listdir(folder))  # noqa: PTH208
    return [folder / name for name in names if name.endswith(f".{queue}.msg")]


class Channel(filesystem.Channel):
    """One connection's view of the folder."""

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # The clock orders messages well enough: nothing depends on their order.
        name = f"{time_ns():020d}_{uuid.uuid4().hex}"
        fresh = folder / f"{name}.new"
        fresh.write_text(dumps(payload), encoding="utf-8")  # type: ignore[no-untyped-call]
        fresh.rename(folder / f"{name}.{queue}.msg")

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        folder = Path(self.data_folder_in)
        for path in _waiting(folder, queue):
            taken = path.with_suffix(".taken")
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue  # another reader was quicker
            text = taken.read_text(encoding="utf-8")
            taken.unlink()
            try:
                payload: dict[str, Any] = loads(text)  # type: ignore[no-untyped-call]
            except ValueError:  # cut short by a power loss: the sweep finds the work again
                log.warning("event=damaged_message queue=%s", queue)
                continue
            return payload
        raise Empty

    def _queue_bind(self, *_: Any) -> None:
        """Keep no table: every message of ours names its queue, and a shared file is one to damage."""

    def _size(self, queue: str) -> int:
        return len(_waiting(Path(self.data_folder_in), queue))


class Transport(filesystem.Transport):
    """The transport of `newsletter-files://`."""

    Channel = Channel

    def drain_events(  # type: ignore[override]
        self, connection: Any, timeout: float | None = None
    ) -> Any:
        """Wait for a message, `LOOK_SECONDS` at most (then TimeoutError, as ever).

        Celery looks only between two waits whether it has been asked to stop, and waits twice.
        """
        wait_seconds = LOOK_SECONDS if timeout is None else min(timeout, LOOK_SECONDS)
        return super().drain_events(connection, wait_seconds)  # type: ignore[no-untyped-call]


def register() -> None:
    """Teach kombu the scheme `newsletter-files://`."""
    TRANSPORT_ALIASES[ALIAS] = f"{__name__}:Transport"


def open_folder(folder: Path) -> dict[str, Any]:
    """Make `folder`, clear what a crash left half done, and return the transport's options."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in (*folder.glob("*.new"), *folder.glob("*.taken")):
        with suppress(FileNotFoundError):
            if time() - leftover.stat().st_mtime > HALF_DONE_SECONDS:
                leftover.unlink()
    return {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder)}
