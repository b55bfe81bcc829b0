"""Measure a poll of many sources against a server on this machine.

`python -m benchmarks.poll_sources [SOURCES] [CHANGED] [SLOW]` prints one JSON line. By default, 1,000 sources
are polled of which 50 have changed, and none is slow. A slow source sends a byte a second. The targets are 60
seconds and 200 MiB for the first two, with the process that reads feeds. The server is a process of its own.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import socket
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

from sqlalchemy import func, select, update

from benchmarks.corpus import WORDS
from newsletter.clock import utcnow
from newsletter.ingest.guard import Allowed
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.sources.manage import add_source
from newsletter.ingest.sources.reading.fetch import make_retriever
from newsletter.models import Base, Release, Source
from newsletter.runtime import Runtime
from newsletter.service.polling.poll_sources import Poller, Tally
from newsletter.settings import load_settings

ITEMS = 3
BODY_WORDS = 250


@dataclass(frozen=True)
class Round:
    """What a poll of all due sources took."""

    seconds: float
    tally: Tally


def feed(number: int, *, changed: bool) -> bytes:
    """Return the feed of a source, with one more item if it has changed.

    Each item has words of its own. With the same text, each would be compared with eight others.
    """
    items = "".join(
        f"<item><title>Quay {at} of harbour {number} opens</title><guid>urn:x:{number}-{at}-item</guid>"
        f"<description>&lt;p&gt;{_prose(number, at)}&lt;/p&gt;</description></item>"
        for at in range(ITEMS + changed)
    )
    return f"<rss version='2.0'><channel><title>Harbour {number}</title>{items}</channel></rss>".encode()


def _prose(number: int, at: int) -> str:
    chosen = random.Random(number * 100 + at)  # noqa: S311 (test data, the same each time)
    return " ".join(chosen.choices(WORDS, k=BODY_WORDS))


def serve(listener: socket.socket, changed: int, slow: int, is_second: Event) -> None:
    """Answer requests for /N until the parent ends this process."""

    def answer(connection: socket.socket) -> None:
        with connection:
            asked = connection.recv(65536).decode("latin-1")
            number = int(asked.split(" ")[1].strip("/"))
            if is_second.is_set() and changed <= number < changed + slow:
                connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                try:
                    while True:
                        connection.sendall(b" ")
                        time.sleep(1)
                except OSError:
                    return
            has_changed = is_second.is_set() and number < changed
            mark = f'"{number}-{has_changed}"'
            if mark in asked:
                connection.sendall(f"HTTP/1.1 304 Same\r\nETag: {mark}\r\n\r\n".encode())
                return
            body = feed(number, changed=has_changed)
            head = f"HTTP/1.1 200 OK\r\nETag: {mark}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)

    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection,), daemon=True).start()


def poll(poller: Poller) -> Round:
    """Poll until nothing is due."""
    began = time.perf_counter()
    tally = poller.round(lambda: False, seconds=600)
    return Round(time.perf_counter() - began, tally)


def memory(reader: IsolatedReader) -> float:
    """Return the largest memory of this process and of the one that reads feeds, in MiB."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    status = Path(f"/proc/{reader.pid}/status").read_text() if reader.pid else "VmHWM: 0 kB"
    child = int(status.split("VmHWM:")[1].split()[0])
    return (own + child) / 1024


def measure(sources: int, changed: int, slow: int) -> dict[str, float]:
    """Return the figures of one poll, after a first one in which every source is new."""
    is_second = multiprocessing.Event()
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0), backlog=512) as listener,
    ):
        server = multiprocessing.Process(target=serve, args=(listener, changed, slow, is_second), daemon=True)
        server.start()
        try:
            return _measure(Path(folder), listener.getsockname()[1], (sources, changed, slow), is_second)
        finally:
            server.terminate()


def _measure(folder: Path, port: int, counts: tuple[int, int, int], is_second: Event) -> dict[str, float]:
    sources, changed, slow = counts
    settings = load_settings(
        {
            "NEWSLETTER_PUBLIC_URL": "https://news.example.org",
            "NEWSLETTER_SECRET_KEYS": "a-key-for-measuring-that-is-long-enough",
            "NEWSLETTER_FROM_ADDRESS": "letter@example.org",
            "NEWSLETTER_POSTAL_ADDRESS": "Harbour Road 1",
            "NEWSLETTER_RELAY": "smtp://127.0.0.1:2525",
            "NEWSLETTER_DATA_DIR": str(folder),
            "NEWSLETTER_FETCH_ALLOW": "127.0.0.1",
        }
    )
    runtime = Runtime(settings)
    Base.metadata.create_all(runtime.engine)
    with runtime.session() as session:
        for number in range(sources):
            add_source(
                session, f"http://127.0.0.1:{port}/{number}", allowed=Allowed.of(["127.0.0.1"]),
                actor="benchmark", now=utcnow(), settle_minutes=0,
            )  # fmt: skip
        session.commit()
    with IsolatedReader() as reader:
        poller = Poller(runtime, reader, make_retriever(settings))
        first = poll(poller)
        is_second.set()
        with runtime.session() as session:
            session.execute(update(Source).values(next_at=utcnow() - timedelta(minutes=1)))
            session.commit()
        cpu = time.process_time()
        second = poll(poller)
        cpu = time.process_time() - cpu
        used = memory(reader)
    with runtime.reading() as session:
        releases = session.scalar(select(func.count()).select_from(Release)) or 0
    return {
        "sources": sources,
        "changed": changed,
        "slow": slow,
        "seconds": round(second.seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "mebibytes": round(used),
        "fetched": second.tally.fetched,
        "new_releases": second.tally.added,
        "releases": releases,
        "first_seconds": round(first.seconds, 1),
        "cores": len(os.sched_getaffinity(0)),
    }


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    wanted = [*given, *(1_000, 50, 0)[len(given) :]]
    sys.stdout.write(json.dumps(measure(*wanted)) + "\n")
