"""The process that works on documents from outside, within limits (process.py starts it).

It reads requests from standard input. For each it writes a line of JSON to standard output, and the bytes
that this line announces. It ends when its input ends, so it never outlives the process that started it by
more than one request.
"""

from __future__ import annotations

import importlib
import json
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from newsletter.errors import InputError, ReleaseUnreadable
from newsletter.isolation.process import WAITED_SECONDS, Answer

Program = Callable[[bytes, Mapping[str, Any]], Answer]


def main() -> None:
    """Answer requests until the input ends."""
    name, seconds, memory_bytes = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    program: Program = importlib.import_module(name).answer
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        head = json.loads(line)
        # These signals end the process, also in the middle of a library's C code.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, WAITED_SECONDS)
        made = _made(program, source.read(head["size"]), head["request"])
        told = {"facts": made.facts, "size": len(made.content), "unreadable": made.unreadable}
        written = json.dumps(told).encode() + b"\n" + made.content
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        target.write(written)
        target.flush()


def _made(program: Program, document: bytes, request: Mapping[str, Any]) -> Answer:
    try:
        return program(document, request)
    except ReleaseUnreadable as fault:
        return Answer({}, unreadable=fault.reason)
    except InputError as fault:
        return Answer({}, unreadable=str(fault))
    except MemoryError:
        return Answer({}, unreadable="Reading it takes too much memory.")
    except Exception as fault:
        # Whatever a document provokes in a library is a fault of the document, and no reason to stop.
        return Answer({}, unreadable=f"It cannot be read ({type(fault).__name__}).")


if __name__ == "__main__":
    main()
