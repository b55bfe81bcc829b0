"""A child process with limits, which works on one document after another.

A parser or a decoder may need minutes or gigabytes for a document that was made for it. The child process
ends by itself at its limits, and the next document gets a new one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

# The address space of the child process: Python and its libraries take about 70 MB of it.
MEMORY_BYTES = 240 * 1024 * 1024
# The most CPU time for one document. A busy machine takes longer, and refuses no document for that.
SECONDS = 8.0
# The longest wait for an answer, whatever the child does meanwhile.
WAITED_SECONDS = 60.0
# The child needs no setting and no secret of this process.
_KEPT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TZ")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the program made of a document: `facts` that JSON can hold, and bytes.

    `unreadable` says in a sentence why there is no answer; "" if there is one.
    """

    facts: Mapping[str, Any]
    content: bytes = b""
    unreadable: str = ""


class IsolatedProcess:
    """Runs `program`, a module with a function `answer(document, request)`, for one thread at a time.

    The function returns an `Answer`. It raises InputError for a document that it refuses.
    """

    def __init__(self, program: str, seconds: float = SECONDS, memory_bytes: int = MEMORY_BYTES) -> None:
        self._arguments = (program, str(seconds), str(memory_bytes))
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def ask(self, document: bytes, request: Mapping[str, Any]) -> Answer:
        """Return the answer of the child process. If it reached a limit, `unreadable` says so."""
        head = json.dumps({"size": len(document), "request": request}).encode()
        if self._owner != os.getpid():
            # A process that was forked has the pipes of its parent, and the child cannot serve both.
            self._child, self._lock, self._owner = None, threading.Lock(), os.getpid()
        with self._lock:
            child = self._started()
            assert child.stdin is not None
            assert child.stdout is not None
            try:
                child.stdin.write(head + b"\n" + document)
                child.stdin.flush()
                line = child.stdout.readline()
                found = json.loads(line) if line.endswith(b"\n") else None
                content = child.stdout.read(found["size"]) if found else b""
            except OSError:
                found, content = None, b""
            if found is None or len(content) < found["size"]:
                self._end()
                return Answer({}, unreadable="Reading it takes too long or too much memory.")
        return Answer(found["facts"], content, found["unreadable"])

    @property
    def pid(self) -> int | None:
        """The id of the child process, if one was started."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end()
            self._child = subprocess.Popen(  # noqa: S603 - our own program, no shell
                [sys.executable, "-m", "newsletter.isolation.child", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                stream.close()
        child.wait()


class ProcessOwner:
    """The base of what works in a child process of its own, and ends it when it is closed."""

    def __init__(self, process: IsolatedProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        """The id of the child process, if one was started."""
        return self._process.pid

    def close(self) -> None:
        """End the child process."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
