"""Read a release from a document of any kind that has one: a web page, or plain text. From a URL too."""

from __future__ import annotations

from datetime import date

from newsletter.errors import FetchError, ReleaseUnreadable
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.charset import is_page
from newsletter.ingest.press.parse import PressRelease, parse_press
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.text.decode import MAX_RELEASE_BYTES, decode

ACCEPT = "text/html, application/xhtml+xml, text/plain;q=0.8, */*;q=0.5"
_PAGES = (".html", ".htm", ".xhtml")


def is_url(name: str) -> bool:
    """Return whether a name is a URL, and not that of a file."""
    return name.lower().startswith(("http://", "https://"))


def read_release(
    reader: IsolatedReader, data: bytes, name: str, *, content_type: str = "", today: date | None = None
) -> PressRelease | Item:
    """Return the release in a document; `name` is its file or URL. Raises ReleaseUnreadable."""
    kind = content_type.partition(";")[0].strip().lower()
    if "html" in kind or is_page(data) or name.lower().endswith(_PAGES):
        return reader.read_page(data, content_type, name, today)
    return parse_press(decode(data, name), name, today)


def fetch_release(
    retriever: Retriever, reader: IsolatedReader, url: str, today: date | None = None
) -> PressRelease | Item:
    """Fetch a URL through the guard and return its release. Raises ReleaseUnreadable."""
    try:
        answer = retriever.get(url, {"Accept": ACCEPT})
    except FetchError as fault:
        raise ReleaseUnreadable(url, f"cannot be fetched: {fault.reason}") from fault
    with answer:
        if answer.status != 200:
            raise ReleaseUnreadable(url, f"cannot be fetched: the server answers {answer.status}")
        content_type = answer.headers.get("content-type", "")[:200]
        data = answer.read()
        if "html" not in content_type and len(data) > MAX_RELEASE_BYTES:
            raise ReleaseUnreadable(url, "it is neither a web page nor a text of at most 2 MiB")
        return read_release(reader, data, answer.url, content_type=content_type, today=today)
