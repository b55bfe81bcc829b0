"""The process that reads feeds and pages from outside, within limits (isolated.py starts it).

It reads requests from standard input and writes a line of JSON for each to standard output. It ends when its
input ends, so it never outlives the process that started it by more than one request.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from datetime import date
from typing import Any, BinaryIO

from newsletter.errors import InputError, ReleaseUnreadable
from newsletter.ingest.feeds.isolated import MEMORY_BYTES, WAITED_SECONDS
from newsletter.ingest.feeds.read import read_feed


def main() -> None:
    """Answer requests until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    seconds = float(sys.argv[1])
    source = sys.stdin.buffer
    while line := source.readline():
        request = json.loads(line)
        # These signals end the process, also in the middle of a library's C code.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, WAITED_SECONDS)
        answer = _answer(source, request)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def _answer(source: BinaryIO, request: dict[str, str]) -> str:
    data = source.read(int(request["size"]))
    try:
        return json.dumps(_read(data, request))
    except ReleaseUnreadable as fault:
        return json.dumps({"unreadable": fault.reason})
    except InputError as fault:
        return json.dumps({"unreadable": str(fault)})
    except MemoryError:
        return json.dumps({"unreadable": "Reading it takes too much memory."})
    except Exception as fault:
        # Whatever a document provokes in a library is a fault of the document, and no reason to stop.
        return json.dumps({"unreadable": f"It cannot be read ({type(fault).__name__})."})


def _read(data: bytes, request: dict[str, str]) -> dict[str, Any]:
    content_type, url = request["content_type"], request["url"]
    if request["what"] == "feed":
        return {"feed": read_feed(data, content_type, url).as_record()}
    # Only a process that reads pages needs the memory for what reads them.
    from newsletter.ingest.pages.links import read_list  # noqa: PLC0415
    from newsletter.ingest.pages.read import read_page  # noqa: PLC0415

    if request["what"] == "list":
        found = read_list(data, content_type, url, request["selector"], request["pattern"])
        return {"feed": found.as_record()}
    today = date.fromisoformat(request["today"]) if request["today"] else None
    return {"page": read_page(data, content_type, url, today).as_record()}


if __name__ == "__main__":
    main()
