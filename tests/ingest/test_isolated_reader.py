"""Tests of reading feeds in a process with limits (isolated_reader.py, read_document.py)."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

import pytest

from newsletter.errors import FeedUnreadable
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.isolation.process import MEMORY_BYTES

URL = "https://press.example/feed"
GOOD = (
    b'<rss version="2.0"><channel><title>x</title><item><title>The quay opens</title></item></channel></rss>'
)


@pytest.fixture
def reader():
    # A second, so that the tests are quick: what takes longer is refused, as it would be after eight.
    with IsolatedReader(seconds=1) as made:
        yield made


def test_feeds_are_read_one_after_another_by_one_process(reader: IsolatedReader):
    first = reader.read(GOOD, "application/rss+xml", URL)
    pid = reader.pid
    second = reader.read(GOOD.replace(b"quay", "Käi".encode()), "application/rss+xml", URL)

    assert first.items[0].title == "The quay opens"
    assert second.items[0].title == "The Käi opens"
    assert reader.pid == pid is not None


def test_a_refused_feed_leaves_the_process_as_it_is(reader: IsolatedReader):
    with pytest.raises(FeedUnreadable, match="empty"):
        reader.read(b"", "", URL)
    pid = reader.pid

    assert reader.read(GOOD, "", URL).title == "x"
    assert reader.pid == pid


def test_the_process_has_a_limit_of_memory_and_no_secret(
    reader: IsolatedReader, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("NEWSLETTER_SECRET_KEYS", "a-secret")

    reader.read(GOOD, "", URL)

    soft, hard = resource.prlimit(reader.pid, resource.RLIMIT_AS)
    assert soft == hard == MEMORY_BYTES
    assert b"NEWSLETTER" not in Path(f"/proc/{reader.pid}/environ").read_bytes()


def hostile_documents() -> dict[str, bytes]:
    items = b"".join(b"<item><title>Quay %d</title></item>" % at for at in range(100_000))
    head = b'<rss version="2.0"><channel><title>x</title>'
    return {
        "100,000 items": head + items + b"</channel></rss>",
        "items without an end": b"<item>" * 1_000_000,
        "a deep tree": b"<a>" * 1_000_000,
        "an attribute without an end": b"<rss a='" + b"x" * 8_000_000,
        "a large text": head + b"<item><title>x</title><description>" + b"&amp;lt;b&amp;gt;" * 100_000,
        "many namespaces": b"<rss "
        + b" ".join(b'xmlns:a%d="u%d"' % (at, at) for at in range(100_000))
        + b">",
        "many links": head + b"<item><title>x</title>" + b"<link>http://a.example/</link>" * 150_000,
        "zeros": bytes(8_000_000),
    }


@pytest.mark.parametrize("name", list(hostile_documents()))
def test_a_hostile_document_ends_with_a_clear_answer_and_the_next_feed_is_read(
    reader: IsolatedReader, name: str
):
    """The limits of the process bound the time and the memory; here only the answers are looked at."""
    try:
        feed = reader.read(hostile_documents()[name], "application/rss+xml", URL)
    except FeedUnreadable as fault:
        assert str(fault).endswith(".")
    else:
        assert len(feed.items) <= 2_000

    assert reader.read(GOOD, "", URL).items[0].title == "The quay opens"


def test_a_process_that_ended_is_replaced(reader: IsolatedReader):
    """The system may end it, or its own limit of time."""
    reader.read(GOOD, "", URL)
    first = reader.pid
    os.kill(first, signal.SIGKILL)
    os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)

    assert reader.read(GOOD, "", URL).title == "x"
    assert reader.pid != first


def test_a_document_that_ends_the_process_is_unreadable(reader: IsolatedReader):
    reader.read(GOOD, "", URL)
    resource.prlimit(reader.pid, resource.RLIMIT_CPU, (0, 0))

    with pytest.raises(FeedUnreadable, match="too long or too much memory"):
        reader.read(GOOD * 1000, "", URL)
    assert reader.read(GOOD, "", URL).title == "x"
