"""Pages of the archive may be kept by everybody, and are never older than the last change."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import edit_release
from sqlalchemy import event

from newsletter.clock import utcnow
from newsletter.models import Newsletter, Release, db
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.web.archive.caching import KEPT_FOR, MOST_BYTES, Made, PageStore

PATHS = [
    "/releases", "/topics/energy", "/releases/2026", "/releases/2026/3", "/releases.atom", "/releases.rss",
    "/topics/energy.json", "/sitemap.xml", "/sitemap-0.xml", "/sitemap-1.xml", "/robots.txt",
    "/releases?q=energy",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_a_page_may_be_kept_by_everybody_and_is_the_same_for_all(visitor, path):
    visitor.house.release("Energy from waves")
    visitor.get("/")  # sets the session's cookie

    answers = [
        visitor.get(path, headers=headers)
        for headers in ({}, {"Accept-Language": "ja", "Cookie": "session=x"}, {"User-Agent": "other"})
    ]

    assert len({(each.data, each.headers["ETag"]) for each in answers}) == 1
    for each in answers:
        assert each.status_code == 200
        assert each.headers["Cache-Control"] == "public, max-age=60"
        assert "Vary" not in each.headers and "Set-Cookie" not in each.headers
        assert "nonce" not in each.text and "nonce" not in each.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", PATHS)
def test_who_has_the_present_page_is_told_so(visitor, path):
    visitor.house.release("Energy from waves")
    first = visitor.get(path)

    again = visitor.get(path, headers={"If-None-Match": first.headers["ETag"]})
    other = visitor.get(path, headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert other.status_code == 200


def test_the_date_of_the_last_change_serves_programs_that_know_no_tag(visitor):
    visitor.house.release("Energy from waves")
    # The database's clock says when it changed.
    visitor.house.clock.moment = utcnow() + timedelta(minutes=1)
    first = visitor.get("/releases")
    since = {"If-Modified-Since": first.headers["Last-Modified"]}

    unchanged = visitor.get("/releases", headers=since)
    before = visitor.get("/releases", headers={"If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT"})

    assert unchanged.status_code == 304
    assert before.status_code == 200


def test_a_page_that_changed_within_a_second_has_no_date(visitor):
    visitor.house.clock.moment = utcnow()
    visitor.house.release("Energy from waves")

    assert "Last-Modified" not in visitor.get("/releases").headers


def test_a_change_is_seen_at_once(visitor):
    release = visitor.house.release("Energy from waves")
    shown = [visitor.get(path).text for path in ("/releases", "/releases.atom", "/topics/energy")]
    edit_release(visitor.house, release, ReleaseAction.EXCLUDE)
    hidden = [visitor.get(path).text for path in ("/releases", "/releases.atom", "/topics/energy")]
    edit_release(visitor.house, release, ReleaseAction.READY)
    again = [visitor.get(path).text for path in ("/releases", "/releases.atom", "/topics/energy")]

    assert all("Energy from waves" in each for each in (*shown, *again))
    assert not any("Energy from waves" in each for each in hidden)


def test_an_embargo_that_ends_without_a_change_is_seen_within_a_minute(visitor):
    release = visitor.house.release("Energy from waves")
    with visitor.house.runtime.session() as session:
        session.get_one(Release, release).embargo_until = visitor.house.clock() + timedelta(seconds=30)
        session.commit()

    before = visitor.get("/releases").text
    visitor.house.clock.pass_(seconds=KEPT_FOR.total_seconds())

    assert "Energy from waves" not in before
    assert "Energy from waves" in visitor.get("/releases").text


def test_the_name_of_the_newsletter_is_never_an_old_one(visitor):
    visitor.house.release("Energy from waves")
    visitor.get("/releases")
    with visitor.house.runtime.session() as session:
        session.query(Newsletter).first().slug = "waves"
        session.commit()

    assert visitor.get("/releases").status_code == 200


def test_what_is_not_found_is_not_kept(visitor):
    for path in ("/releases/gone", "/topics/gone", "/releases?page=2", "/issues/1"):
        answer = visitor.get(path)

        assert answer.status_code == 404
        assert "public" not in answer.headers.get("Cache-Control", "")


def made(visitor, size: int) -> Made:
    return Made(b"x" * size, "text/html", "en", "tag", visitor.house.clock())


def test_the_store_has_a_limit_and_drops_what_was_used_least_recently(visitor):
    store, now = PageStore(), visitor.house.clock()
    third = MOST_BYTES // 3
    for name in ("first", "second", "third"):
        store.keep(name, made(visitor, third))
    store.find("first", now)
    store.keep("fourth", made(visitor, third))

    assert [store.find(name, now) is not None for name in ("first", "second", "third", "fourth")] == [
        True, False, True, True,
    ]  # fmt: skip
    store.keep("large", made(visitor, MOST_BYTES + 1))
    assert store.find("large", now) is None


def test_a_stored_page_ends_with_time_and_when_the_clock_goes_back(visitor):
    store, now = PageStore(), visitor.house.clock()
    store.keep("page", made(visitor, 10))

    assert store.find("page", now) is not None
    assert store.find("page", now + KEPT_FOR) is None
    assert store.find("page", now - timedelta(seconds=1)) is None


def test_what_pages_have_in_common_is_as_new_as_the_pages(visitor):
    visitor.house.release("Energy from waves")
    visitor.get("/releases?n=1")

    visitor.house.topic("harbours", "quay")
    old = visitor.house.release("A quay")
    with visitor.house.runtime.session() as session:
        release = session.get_one(Release, old)
        release.published_on = release.published_on.replace(year=2019)
        release.published_at = release.published_at.replace(year=2019)
        session.commit()
    page = visitor.get("/releases?n=2").text

    assert "/topics/harbours" in page
    assert "/releases/2019" in page


def test_the_years_follow_the_end_of_an_embargo(visitor):
    """An embargo ends without a change in the database."""
    release = visitor.house.release("Energy from waves")
    with visitor.house.runtime.session() as session:
        found = session.get_one(Release, release)
        found.published_on = found.published_on.replace(year=2019)
        found.embargo_until = visitor.house.clock() + timedelta(seconds=30)
        session.commit()
    visitor.house.release("Energy from wind")
    before = visitor.get("/releases?n=1").text

    visitor.house.clock.pass_(seconds=KEPT_FOR.total_seconds() + 1)
    after = visitor.get("/releases?n=2").text

    assert "/releases/2019" not in before
    assert "/releases/2019" in after


def test_a_new_page_asks_the_database_a_few_questions(visitor):
    visitor.house.release("Energy from waves")
    visitor.get("/releases?n=1")
    asked: list[str] = []
    with visitor.client.application.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))

    answer = visitor.get("/releases?n=2")

    assert answer.status_code == 200
    # The version of what is public, the newsletters, and the releases.
    assert 1 <= len([each for each in asked if each.startswith("SELECT")]) <= 3
