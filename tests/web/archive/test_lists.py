"""The lists of the archive: all releases, a topic, a month, and the hits of a search."""

from __future__ import annotations

import html
import re
from datetime import date

import pytest

from newsletter.ingest.press.parse import PressRelease
from newsletter.releases.store import add_release


def add(visitor, title: str, day: date, language: str = "en") -> None:
    press = PressRelease(title, "Port", day, language, (f"{title}. It opens on Monday.",))
    with visitor.house.runtime.session() as session:
        add_release(session, press, now=visitor.house.clock())
        session.commit()


def test_the_archive_lists_the_releases_by_day(visitor):
    visitor.house.release("Energy from waves")
    visitor.house.release("Sea and shore")

    page = visitor.get("/releases")

    assert page.status_code == 200
    assert "Energy from waves" in page.text
    assert "March 10, 2026" in page.text


def test_an_empty_archive_says_so(visitor):
    assert "No releases yet" in visitor.get("/releases").text


def test_one_topic_is_listed_alone(visitor):
    visitor.house.release("Energy from waves")
    visitor.house.release("Sea and shore")

    page = visitor.get("/releases?topic=sea").text

    assert "Sea and shore" in page
    assert "Energy from waves" not in page


def test_pages_hold_every_release_once(visitor):
    for number in range(23):
        visitor.house.release(f"Energy number {number:02}")

    pages = [visitor.get(f"/releases?page={number}").text for number in (1, 2)]

    titles = [re.findall(r"Energy number \d\d(?=</a>)", page) for page in pages]
    assert [len(each) for each in titles] == [20, 3]
    assert len({*titles[0], *titles[1]}) == 23


@pytest.mark.parametrize(
    "query", ["page=501", "topic=gone", "page=2", "page=0", "page=-1", f"page={'9' * 30}"]
)
def test_what_is_not_there_is_not_found(visitor, query):
    assert visitor.get(f"/releases?{query}").status_code == 404


def test_a_page_that_is_no_number_is_the_first(visitor):
    assert visitor.get("/releases?page=two").status_code == 200


def test_a_topic_has_an_address_of_its_own(visitor):
    visitor.house.release("Energy from waves")
    visitor.house.release("Sea and shore")

    page = visitor.get("/topics/sea").text

    assert "Sea and shore" in page and "Energy from waves" not in page
    assert '<link rel="canonical" href="https://news.example.org/topics/sea">' in page
    assert visitor.get("/topics/gone").status_code == 404


def test_a_topic_that_belongs_to_one_of_several_newsletters_is_found_under_it(visitor):
    other = visitor.house.newsletter("other")
    visitor.house.topic("quay", newsletter=other)
    visitor.house.release("A quay is built")

    short = visitor.get("/topics/quay?lang=en&page=1")

    assert (short.status_code, short.location) == (308, "/n/other/topics/quay?lang=en&page=1")
    assert "A quay is built" in visitor.get("/n/other/topics/quay").text
    assert visitor.get("/topics/gone").status_code == 404
    assert visitor.get("/n/other/topics/energy").status_code == 404


def test_years_and_months_lead_back_in_time(visitor):
    add(visitor, "Energy in autumn", date(2024, 11, 30))
    add(visitor, "Energy in winter", date(2024, 12, 1))
    add(visitor, "Sea in spring", date(2025, 3, 1))

    start, year = visitor.get("/releases").text, visitor.get("/releases/2024").text

    assert 'href="/releases/2024"' in start and 'href="/releases/2025"' in start
    assert "Energy in winter" in year and "Energy in autumn" in year and "Sea in spring" not in year
    assert 'href="/releases/2024/11"' in year and 'href="/releases/2024/10"' not in year
    november = visitor.get("/releases/2024/11").text
    assert "Energy in autumn" in november and "Energy in winter" not in november
    assert "<h1>November 2024</h1>" in november
    assert "Energy in winter" in visitor.get("/topics/energy/2024/12").text
    assert "Energy in winter" in visitor.get("/topics/energy/2024").text


@pytest.mark.parametrize(
    "path", ["/releases/2023", "/releases/0000", "/releases/2024/13", "/releases/2024/0", "/releases/2024/2",
             "/topics/sea/2024", "/releases/20244", "/releases/2024/-1", "/releases/9999/12",
             "/releases/2024/1x"]
)  # fmt: skip
def test_a_time_without_releases_is_not_found(visitor, path):
    add(visitor, "Energy in autumn", date(2024, 11, 30))

    assert visitor.get(path).status_code == 404


def test_a_search_marks_the_words_and_keeps_what_was_typed(visitor):
    add(visitor, "Harbour <b>opens</b>", date(2026, 3, 1))

    page = visitor.get("/releases", query_string={"q": 'harbour "'}).text

    assert "<mark>Harbour</mark> &lt;b&gt;opens&lt;/b&gt;" in page
    assert "1 release found" in page
    assert "harbour &#34;" in page
    assert '<meta name="robots" content="noindex">' in page


@pytest.mark.parametrize(
    "query", ["", "?!", "nothing-like-this", "\0", "x" * 10_000, "<script>alert(1)</script>"]
)
def test_a_search_that_finds_nothing_says_so(visitor, query):
    add(visitor, "Harbour opens", date(2026, 3, 1))

    page = visitor.get("/releases", query_string={"q": query, "since": "soon", "topic": ""})

    assert page.status_code == 200
    assert "Harbour opens" not in page.text
    assert "<script>alert" not in page.text
    assert "No release has all these words" in page.text or "Type a word to search for" in page.text


def test_a_search_has_filters_and_pages_that_keep_them(visitor):
    for number in range(1, 23):
        add(visitor, f"Energy number {number:02}", date(2026, 1, number))
    add(visitor, "Energy later", date(2026, 2, 1))
    asked = {"q": "energy", "topic": "energy", "until": "2026-01-31", "order": "relevance"}

    first = visitor.get("/releases", query_string=asked).text

    assert "22 releases found" in first and "Energy later" not in first
    following = html.unescape(re.search(r'rel="next" href="([^"]*)"', first)[1])
    second = visitor.get(following).text
    assert "number 02" in html.unescape(re.sub("</?mark>", "", second))
    assert visitor.get("/releases", query_string={**asked, "page": 3}).status_code == 404


def test_the_language_of_the_archive_is_in_its_address(visitor):
    add(visitor, "Energy in autumn", date(2024, 11, 30))
    browser = {"headers": {"Accept-Language": "ja"}}

    plain, german = visitor.get("/releases", **browser), visitor.get("/releases?lang=de", **browser)

    assert '<html lang="en"' in plain.text
    assert '<html lang="de"' in german.text
    assert "/topics/energy?lang=de" in german.text
    # A page in the browser's language leads to the archive in that language.
    assert 'href="/releases?lang=ja"' in visitor.get("/", **browser).text


def test_a_release_in_a_script_from_right_to_left_runs_that_way(visitor):
    add(visitor, "الطاقة من الأمواج", date(2026, 3, 1), "ar")

    assert re.search(r'<h3[^>]* lang="ar" dir="rtl"', visitor.get("/releases").text)
    assert re.search(r'<h3[^>]* lang="ar" dir="rtl"', visitor.get("/releases?q=الطاقة").text)
