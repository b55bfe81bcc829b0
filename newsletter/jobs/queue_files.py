"""kombu's queue in a folder, made safe for several producers and consumers.

kombu's own transport has two faults. It creates a message's file under its final name and writes it
afterwards, so a consumer can read it empty, which ends the worker. And it takes a message by moving the file
into the system's temporary folder. Between two file systems that is a copy, which two consumers can both
make.

Here a file gets its final name by a rename, once it is complete. A consumer takes it by a rename within the
folder, which succeeds for one consumer only.
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
# An unfinished file that is older than this belongs to no running process.
HALF_DONE_SECONDS = 60
# The longest wait for messages before Celery can check for a request to stop.
LOOK_SECONDS = 0.3

log = logging.getLogger(__name__)


def _waiting(folder: Path, queue: str) -> list[Path]:
    """Return the files of the queue's messages, the oldest first."""
    # Names only: this runs ten times a second, and pathlib is slower.
    names = sorted(os.listdir(folder))  # noqa: PTH208
    return [folder / name for name in names if name.endswith(f".{queue}.msg")]


class Channel(filesystem.Channel):
    """The access of one connection to the folder."""

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:  # type: ignore[override]
        folder = Path(self.data_folder_out)
        # The order by clock is good enough: no task depends on the order of messages.
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
                continue  # another consumer was quicker
            text = taken.read_text(encoding="utf-8")
            taken.unlink()
            try:
                payload: dict[str, Any] = loads(text)  # type: ignore[no-untyped-call]
            except ValueError:  # cut short by a power loss; the sweep finds the work again
                log.warning("event=damaged_message queue=%s", queue)
                continue
            return payload
        raise Empty

    def _queue_bind(self, *_: Any) -> None:
        """Keep no table of bindings: every message names its queue, and a shared file could be damaged."""

    def _size(self, queue: str) -> int:
        return len(_waiting(Path(self.data_folder_in), queue))


class Transport(filesystem.Transport):
    """The transport of `newsletter-files://`."""

    Channel = Channel

    def drain_events(  # type: ignore[override]
        self, connection: Any, timeout: float | None = None
    ) -> Any:
        """Wait for a message for up to `LOOK_SECONDS`, then raise TimeoutError as kombu does.

        Celery checks only between two waits whether it was asked to stop, and it waits twice.
        """
        wait_seconds = LOOK_SECONDS if timeout is None else min(timeout, LOOK_SECONDS)
        return super().drain_events(connection, wait_seconds)  # type: ignore[no-untyped-call]


def register() -> None:
    """Register the URL scheme `newsletter-files://` with kombu."""
    TRANSPORT_ALIASES[ALIAS] = f"{__name__}:Transport"


def open_folder(folder: Path) -> dict[str, Any]:
    """Create `folder`, delete unfinished files of crashed processes, and return the transport's options."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for leftover in (*folder.glob("*.new"), *folder.glob("*.taken")):
        with suppress(FileNotFoundError):
            if time() - leftover.stat().st_mtime > HALF_DONE_SECONDS:
                leftover.unlink()
    return {"data_folder_in": str(folder), "data_folder_out": str(folder), "control_folder": str(folder)}
