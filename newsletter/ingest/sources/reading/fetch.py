"""Fetch the document of a source: one conditional request, and what its answer means. No database."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter import __version__
from newsletter.errors import FetchError, FetchRefused
from newsletter.ingest.feeds.feed import Feed
from newsletter.ingest.guard import Allowed
from newsletter.ingest.retrieve import Limits, Retrieved, Retriever
from newsletter.ingest.sources.reading.read_pages import PagesRead
from newsletter.ingest.sources.schedule import Asked, what_is_asked
from newsletter.models import FetchOutcome
from newsletter.settings import Settings

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/rdf+xml, application/feed+json,"
    " application/xml;q=0.9, application/json;q=0.8, text/xml;q=0.8, text/html;q=0.7, */*;q=0.5"
)
USUAL = Limits()
_WORDS = {
    400: "bad request",
    401: "a password is needed",
    403: "access is refused",
    404: "not found",
    429: "too many requests",
    451: "not available for legal reasons",
    500: "an error of the server",
    502: "an error of the server",
    503: "not available now",
    504: "an error of the server",
}


@dataclass(frozen=True)
class Request:
    """What is needed to fetch a source: its URL and the marks of the document that we have."""

    url: str
    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""


@dataclass
class Fetched:
    """The result of a fetch. `document` is there only if the outcome is READ; close it."""

    outcome: FetchOutcome
    message: str = ""
    status: int | None = None
    asked: Asked = field(default_factory=Asked)
    moved_to: str | None = None
    milliseconds: int = 0
    document: Retrieved | None = None
    # It is fetched again in a minute: a file is still being written, or pages are left to be read.
    is_early: bool = False
    # The document as a feed, and what its items have on their pages.
    feed: Feed | None = None
    read: PagesRead | None = None
    body_hash: str = ""

    def close(self) -> None:
        """Forget the document."""
        if self.document is not None:
            self.document.close()


def make_retriever(settings: Settings, limits: Limits = USUAL) -> Retriever:
    """Return a Retriever whose User-Agent says who we are and how to reach the owner."""
    contact = f"; {settings.owner_address}" if settings.owner_address else ""
    agent = f"newsletter/{__version__} (+{settings.public_url}{contact})"
    return Retriever(agent.encode("ascii", "replace").decode(), Allowed.of(settings.fetch_allow), limits)


def fetch_feed(retriever: Retriever, request: Request, now: datetime) -> Fetched:
    """Fetch a feed unless it is unchanged. Raises nothing that an answer can cause."""
    began = time.monotonic()
    headers = {"Accept": ACCEPT}
    if request.etag:
        headers["If-None-Match"] = request.etag
    if request.last_modified:
        headers["If-Modified-Since"] = request.last_modified
    try:
        found = _judge(retriever.get(request.url, headers), request, now)
    except FetchRefused as fault:
        found = Fetched(FetchOutcome.REFUSED, f"Refused: {fault.reason}.")
    except FetchError as fault:
        found = Fetched(FetchOutcome.FAILED, f"Not fetched: {fault.reason}.")
    found.milliseconds = round((time.monotonic() - began) * 1000)
    return found


def _judge(answer: Retrieved, request: Request, now: datetime) -> Fetched:
    found = Fetched(
        FetchOutcome.FAILED,
        status=answer.status,
        asked=what_is_asked(answer.headers, now),
        moved_to=answer.moved_to,
    )
    if answer.status == 200:
        found.body_hash = hashlib.sha256(answer.read()).hexdigest()
        if found.body_hash == request.body_hash:
            found.outcome = FetchOutcome.UNCHANGED
        else:
            found.outcome, found.document = FetchOutcome.READ, answer
            return found
    elif answer.status == 304:
        found.outcome = FetchOutcome.UNCHANGED
    elif answer.status == 410:
        found.outcome, found.message = FetchOutcome.GONE, "The server says that it is gone for good (410)."
    elif answer.status in {429, 503} and found.asked.retry_after is not None:
        minutes = -(-found.asked.retry_after // timedelta(minutes=1))
        words = _WORDS[answer.status]
        found.outcome = FetchOutcome.WAIT
        found.message = f"The server answers {answer.status} ({words}) and asks us to wait {minutes} minutes."
    else:
        words = _WORDS.get(answer.status, "not a feed")
        found.message = f"The server answers {answer.status} ({words})."
    answer.close()
    return found
