"""Find links that do not work. Every request goes through the SSRF guard."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from newsletter.errors import AnswerRefused, FetchError
from newsletter.ingest.retrieve import Limits, Retriever

# A page waits for this, so it takes at most MOST_LINKS / AT_ONCE * SECONDS.
MOST_LINKS = 60
AT_ONCE = 12
LINK_LIMITS = Limits(seconds=4, silent_seconds=4, wire_bytes=256 * 1024, body_bytes=1024 * 1024)
# The page is gone. Other answers, such as 403, often mean only that robots are not wanted.
GONE = frozenset({404, 410})


def find_dead_links(retriever: Retriever, urls: Sequence[str]) -> list[tuple[str, str]]:
    """Return the links that do not work, each with the reason. Only the first MOST_LINKS are tried."""
    tried = list(dict.fromkeys(urls))[:MOST_LINKS]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reasons = list(pool.map(lambda url: _reason(retriever, url), tried))
    return [(url, reason) for url, reason in zip(tried, reasons, strict=True) if reason]


def _reason(retriever: Retriever, url: str) -> str:
    """Return why a link does not work, "" if it works."""
    try:
        with retriever.get(url) as answer:
            status = answer.status
    except AnswerRefused:
        return ""  # there is a page, which is larger than we read
    except FetchError as fault:
        return fault.reason
    if status in GONE:
        return f"the site answers {status}"
    return f"the site has an error, {status}" if status >= 500 else ""
