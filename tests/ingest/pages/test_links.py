"""Tests of finding the releases that a page lists.

tests/data/listings/ has the pages. A link to a release has the attribute `data-release` there, and the page's
URL stands in a `<base>` element.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from newsletter.errors import FeedUnreadable, InputError
from newsletter.ingest.pages.links import MOST_LINKS, read_list

LISTINGS = sorted((Path(__file__).parents[2] / "data" / "listings").glob("*.html"))
URL = "https://port.example/news"


class Expected(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.base = ""
        self.urls: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "base":
            self.base = given["href"] or ""
        if "data-release" in given and (url := urljoin(self.base, given["href"] or "")) not in self.urls:
            self.urls.append(url)


@pytest.mark.parametrize("path", LISTINGS, ids=lambda path: path.stem)
def test_exactly_the_releases_of_a_page_are_found(path: Path):
    page = path.read_text(encoding="utf-8")
    expected = Expected(page)

    found = read_list(page.encode(), "text/html; charset=utf-8", expected.base)

    assert [each.url for each in found.items] == expected.urls
    assert all(each.title for each in found.items)


def found(html: str, **rules: str) -> list[tuple[str, str]]:
    page = f"<html><head><title>News</title></head><body>{html}".encode()
    return [
        (each.url.removeprefix("https://port.example"), each.title)
        for each in read_list(page, "", URL, **rules).items
    ]


LIST = "".join(
    f"<li>{day} March 2026 <a href='/news/{day}'>Release number {day} of the port</a></li>"
    for day in (3, 2, 1)
)
TIPS = ("How a crane works, in pictures", "A day at sea with the pilots")
OTHERS = "".join(f"<li><a href='/tips/{at}'>{tip}</a></li>" for at, tip in enumerate(TIPS, 1))


def test_dates_titles_and_the_order_of_the_page_are_kept():
    page = f"<html><head><title>News | Port</title></head><body><ul>{LIST}</ul>{OTHERS}".encode()

    feed = read_list(page, "", URL)

    assert (feed.title, feed.kind, feed.site_url) == ("News | Port", "Page", URL)
    assert [(each.title, each.published.isoformat()) for each in feed.items][:1] == [
        ("Release number 3 of the port", "2026-03-03")
    ]


def test_links_to_other_sites_files_and_the_page_itself_do_not_count():
    html = (
        f"<ul>{LIST}<li>4 March 2026 <a href='https://other.example/4'>Release number 4 of the port</a></li>"
    )
    html += "<li>5 March 2026 <a href='/files/5.pdf'>Release number 5 of the port</a></li>"
    html += "<li>6 March 2026 <a href='/news?page=2'>More releases of the port here</a></li></ul>"

    assert [url for url, _ in found(html)] == ["/news/3", "/news/2", "/news/1"]


def test_an_editor_can_say_where_the_links_are():
    assert [url for url, _ in found(f"<ul>{LIST}</ul><div id=tips>{OTHERS}</div>", selector="#tips li")] == [
        "/tips/1",
        "/tips/2",
    ]
    assert [url for url, _ in found(f"<ul>{LIST}</ul>{OTHERS}", pattern="/tips/*")] == ["/tips/1", "/tips/2"]
    assert found(f"<ul>{LIST}</ul>", pattern="https://port.example/none/*") == []


def test_a_selector_finds_links_that_our_rules_take_for_a_menu():
    assert len(found(f"<nav class=menu><ul>{LIST}</ul></nav>")) == 0
    assert len(found(f"<nav class=menu><ul>{LIST}</ul></nav>", selector="nav.menu a")) == 3


def test_a_page_without_a_list_has_no_releases():
    assert found("<p>Welcome to the port.</p><a href='/about'>About us</a>") == []
    assert found("") == []


def test_a_list_is_cut_at_its_limit():
    many = "".join(f"<li>3 March 2026 <a href='/news/{at}'>Release number {at}</a></li>" for at in range(300))

    assert len(found(f"<ul>{many}</ul>")) == MOST_LINKS


def test_rules_that_cannot_be_used_and_pages_beyond_a_limit_are_refused():
    with pytest.raises(InputError, match="not a CSS selector"):
        found(LIST, selector="a[[")
    with pytest.raises(FeedUnreadable, match="deep"):
        read_list(b"<html><body>" + b"<div>" * 1000, "", URL)
