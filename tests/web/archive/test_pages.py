"""The public archive, and a subscriber's issue in the browser."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from house import edit_release

from newsletter.models import Delivery, Release, ReleaseState
from newsletter.releases.edit import ReleaseAction
from newsletter.tokens import Purpose


def public_id(visitor, release_id):
    with visitor.house.runtime.session() as session:
        return session.get_one(Release, release_id).public_id


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


@pytest.mark.parametrize("query", ["topic=gone", "page=2", "page=0", "page=-1", f"page={'9' * 30}"])
def test_what_is_not_there_is_not_found(visitor, query):
    assert visitor.get(f"/releases?{query}").status_code == 404


def test_a_page_that_is_no_number_is_the_first(visitor):
    assert visitor.get("/releases?page=two").status_code == 200


def test_a_release_is_shown_with_its_topics(visitor):
    release = visitor.house.release("Energy from waves")

    page = visitor.get(f"/releases/{public_id(visitor, release)}")

    assert page.status_code == 200
    assert "It opens on Monday" in page.text
    assert "/releases?topic=energy" in page.text


def test_the_archive_is_a_feed_too(visitor):
    release = visitor.house.release("Energy from waves & <wind>\x01")
    visitor.house.release("Sea and shore")
    visitor.house.release("Energy in secret", state=ReleaseState.HELD)

    answer = visitor.get("/releases.atom?topic=energy")

    atom = "{http://www.w3.org/2005/Atom}"
    (entry,) = ElementTree.fromstring(answer.data).iter(f"{atom}entry")
    assert answer.mimetype == "application/atom+xml"
    assert entry.findtext(f"{atom}title") == "Energy from waves & <wind>"
    assert entry.findtext(f"{atom}id") == f"https://news.example.org/releases/{public_id(visitor, release)}"
    assert "/releases.atom?topic=energy" in visitor.get("/releases?topic=energy").text


def test_a_feed_of_nothing_is_a_feed_and_of_no_topic_is_not_found(visitor):
    assert ElementTree.fromstring(visitor.get("/releases.atom").data).tag.endswith("feed")
    assert visitor.get("/releases.atom?topic=gone").status_code == 404


@pytest.mark.parametrize("state", [ReleaseState.HELD, ReleaseState.EXCLUDED])
def test_what_is_held_or_excluded_is_not_there_for_visitors(visitor, state):
    release = visitor.house.release("Energy in secret", state=state)

    assert visitor.get(f"/releases/{public_id(visitor, release)}").status_code == 404
    assert "in secret" not in visitor.get("/releases").text
    assert "in secret" not in visitor.get("/").text


@pytest.mark.parametrize("action", [ReleaseAction.HOLD, ReleaseAction.EXCLUDE])
def test_a_release_that_was_public_before_is_said_to_be_withdrawn(visitor, action):
    release = visitor.house.release("Energy in secret")
    edit_release(visitor.house, release, action)

    answer = visitor.get(f"/releases/{public_id(visitor, release)}")

    assert answer.status_code == 410
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert "withdrawn" in answer.text
    assert "in secret" not in answer.text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "http://[bad", " "])
def test_a_link_to_the_original_leads_only_to_the_web(visitor, url):
    release = visitor.house.release("Energy from waves")
    with visitor.house.runtime.session() as session:
        session.get_one(Release, release).canonical_url = url
        session.commit()

    page = visitor.get(f"/releases/{public_id(visitor, release)}")

    assert page.status_code == 200
    assert "Read the original" not in page.text


def test_a_subscriber_sees_their_issue_in_the_browser_and_nobody_elses(visitor):
    visitor.join(frequency="weekly")
    visitor.house.release("Energy from waves")
    visitor.house.send()
    delivery = next(each for each in visitor.house.all(Delivery) if each.issue_id)
    subscriber = visitor.person().public_id

    mine = visitor.get(f"/issues/{visitor.token(Purpose.VIEW, subscriber, delivery.id)}")
    others = visitor.get(f"/issues/{visitor.token(Purpose.VIEW, 'somebody', delivery.id)}")
    gone = visitor.get(f"/issues/{visitor.token(Purpose.VIEW, subscriber, 999)}")

    assert mine.status_code == 200
    assert "Energy from waves" in mine.text
    assert "script-src" not in mine.headers["Content-Security-Policy"]
    assert mine.headers["Referrer-Policy"] == "no-referrer"
    assert (others.status_code, gone.status_code) == (404, 404)
