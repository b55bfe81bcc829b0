"""Tests of reading a release from its page."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.pages.read import MOST_BLOCKS, read_page

URL = "https://port.example/news/quay?utm_source=x"
PAGE = """<!doctype html><html lang="en"><head><title>Harbour opens third quay | Port of Halden</title>
<meta property="og:site_name" content="Port of Halden">
<meta property="article:published_time" content="2025-03-04T23:30:00Z">
<link rel="canonical" href="/news/quay"><meta property="og:image" content="/img/quay.jpg"></head><body>
<nav><a href="/">Home</a><a href="/news">News</a></nav><main><h1>Harbour opens third quay</h1>
<p class="date">5 March 2025</p><div class="share"><a href="x">Share</a></div>
<img src="/img/quay.jpg" alt="The quay at dawn"><script>alert(1)</script><img src="https://count.example/1.gif">
<div>The Port of Halden opened its third quay on Tuesday. Ferries use it from April.<br><br>
It took <a href="/plan" onclick="x()">four years</a> to build, and cost 40 million euros.</div>
<ul><li>Length: 300 m</li><li>Depth: 12 m</li></ul>
<table><tr><th>Year</th><th>Ships</th></tr><tr><td>2024</td><td>1,200</td></tr></table>
<p>Freight ships move there in summer. <a href="javascript:alert(1)">Watch</a> them.</p>
<h2>Related news</h2><ul><li><a href="a">Port closes old gate</a></li><li><a href="b">Two</a></li></ul>
</main><footer>© 2025 Port of Halden <a href="imprint">Imprint</a></footer></body></html>"""


def test_a_page_gives_each_field_of_its_release():
    item = read_page(PAGE.encode(), "text/html", URL)

    assert (item.title, item.publisher, item.language) == ("Harbour opens third quay", "Port of Halden", "en")
    assert item.url == "https://port.example/news/quay"
    assert item.published == date(2025, 3, 5)
    assert item.published_at == datetime(2025, 3, 4, 23, 30, tzinfo=UTC)
    assert (item.image_url, item.image_alt) == ("https://port.example/img/quay.jpg", "The quay at dawn")


def test_the_text_keeps_lists_tables_and_links_and_nothing_else():
    item = read_page(PAGE.encode(), "text/html", URL)

    assert item.paragraphs[0].startswith("The Port of Halden opened")
    assert item.paragraphs[1].endswith("cost 40 million euros.")
    assert item.paragraphs[2] == "- Length: 300 m\n- Depth: 12 m"
    assert "2024 | 1,200" in item.body
    assert item.paragraphs[-1] == "Freight ships move there in summer. Watch them."
    assert '<a href="https://port.example/plan" rel="noopener noreferrer">four years</a>' in item.body_html
    for refused in ("script", "javascript:", "onclick", "<img", "Imprint", "Share", "Related"):
        assert refused not in item.body_html


def test_an_address_at_another_host_is_not_that_of_the_release():
    other = PAGE.replace('href="/news/quay"', 'href="https://other.example/news/1"')
    start = PAGE.replace('href="/news/quay"', 'href="/"')

    assert read_page(other.encode(), "", URL).url == URL
    assert read_page(start.encode(), "", URL).url == URL


def test_a_file_has_no_address_but_the_one_that_it_declares():
    there = PAGE.replace('href="/news/quay"', 'href="https://port.example/news/quay"')

    assert read_page(there.encode(), "", "quay.html").url == "https://port.example/news/quay"
    assert read_page(PAGE.encode(), "", "quay.html").url == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "no text of a release"),
        ("<div id=app></div><script>render()</script>", "JavaScript"),
        ("<p>x y z</p>" * (MOST_BLOCKS + 1), "more than 5,000"),
        ("<frameset><frame src=x></frameset>", "no text of a release"),
    ],
)
def test_a_page_without_a_text_says_why(body: str, words: str):
    with pytest.raises(ReleaseUnreadable, match=words):
        read_page(f"<html><head><title>The quay opens</title></head><body>{body}".encode(), "", URL)


def test_a_label_below_the_text_tells_the_day():
    long = "<p>The quay has a lamp, a crane and a shelter for those who wait for the ferry.</p>" * 12
    page = PAGE.replace('<p class="date">5 March 2025</p>', long).replace("2025-03-04T23:30:00Z", "")
    dated = page.replace("</main>", "</main><p>Last updated: 7 March 2025</p>")

    assert read_page(page.encode(), "", URL).published is None
    assert read_page(dated.encode(), "", URL).published == date(2025, 3, 7)


def test_a_page_is_read_within_the_limits_of_the_other_process():
    with IsolatedReader(seconds=5) as reader:
        item = reader.read_page(PAGE.encode(), "text/html", URL, date(2026, 1, 1))

        assert item == read_page(PAGE.encode(), "text/html", URL)
        with pytest.raises(ReleaseUnreadable, match="deep"):
            reader.read_page(b"<html><body>" + b"<div>" * 100_000, "text/html", URL)
