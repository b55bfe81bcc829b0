"""The page of one release, and what search engines read of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from house import edit_release

from newsletter.models import PairState, Release, ReleasePair, ReleaseState
from newsletter.releases.duplicates.merge import merge_releases
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.revisions.revise import revise
from newsletter.releases.revisions.store import Texts


def public_id(visitor, release_id):
    with visitor.house.runtime.session() as session:
        return session.get_one(Release, release_id).public_id


def test_a_release_is_shown_with_its_topics(visitor):
    release = visitor.house.release("Energy from waves")

    page = visitor.get(f"/releases/{public_id(visitor, release)}")

    assert page.status_code == 200
    assert "It opens on Monday" in page.text
    assert "/topics/energy" in page.text


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
    # Chromium keeps a 410 forever without this.
    assert answer.headers["Cache-Control"] == "no-store"
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


def json_ld(page: str) -> dict:
    (found,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.S)
    return json.loads(found)


@pytest.mark.parametrize(
    "title", ["</script><script>alert(1)</script>", "<!--<script>", "a\u2028b", '"}', "]]>", "\\u003c"]
)
def test_no_title_ends_the_json_of_search_engines(visitor, title):
    release = visitor.house.release("Energy from waves")
    with visitor.house.runtime.session() as session:
        session.get_one(Release, release).title = title
        session.commit()

    page = visitor.get(f"/releases/{public_id(visitor, release)}").text

    assert json_ld(page)["headline"] == title
    assert "<script>alert" not in page and "<!--<script>" not in page


def test_search_engines_read_what_people_read(visitor):
    release = visitor.house.release("Energy from waves")
    with visitor.house.runtime.session() as session:
        session.get_one(Release, release).canonical_url = "https://port.example.com/waves"
        session.commit()

    page = visitor.get(f"/releases/{public_id(visitor, release)}").text

    facts = json_ld(page)
    assert facts["@type"] == "NewsArticle"
    assert facts["publisher"]["name"] == "Port of Halmstrand"
    assert facts["datePublished"].startswith("2026-03-10T12:00:00")
    assert '<link rel="canonical" href="https://port.example.com/waves">' in page
    assert '<meta property="og:title" content="Energy from waves">' in page
    own = f"https://news.example.org/releases/{public_id(visitor, release)}"
    assert f'<meta property="og:url" content="{own}">' in page


def test_without_an_original_the_page_is_its_own(visitor):
    release = visitor.house.release("Energy from waves")
    own = f"/releases/{public_id(visitor, release)}"

    assert (
        f'<link rel="canonical" href="https://news.example.org{own}">' in visitor.get(f"{own}?lang=de").text
    )


def test_addresses_in_the_text_are_links(visitor):
    release = visitor.house.release("Energy at https://port.example.com/waves today")

    page = visitor.get(f"/releases/{public_id(visitor, release)}").text

    assert '<a href="https://port.example.com/waves" rel="noopener noreferrer">' in page


def test_a_release_whose_public_text_was_corrected_says_so(visitor):
    release = visitor.house.release("Energy from waves")
    visitor.house.clock.pass_(days=1)
    with visitor.house.runtime.session() as session:
        stored = session.get_one(Release, release)
        texts = replace(Texts.of(stored), title="Energy from tides")
        revise(session, stored, texts, made_by="test", now=visitor.house.clock())
        session.commit()

    page = visitor.get(f"/releases/{public_id(visitor, release)}").text

    assert "Updated" in page and "March 11, 2026" in page
    assert json_ld(page)["dateModified"].startswith("2026-03-11")
    assert "Updated" in visitor.get("/releases").text
    assert "<updated>2026-03-11" in visitor.get("/releases.atom").text


def test_two_releases_that_were_both_sent_link_each_other(visitor):
    one, other = visitor.house.release("Energy from waves"), visitor.house.release("Wave energy")
    with visitor.house.runtime.session() as session:
        session.add(
            ReleasePair(
                earlier_id=one, later_id=other, state=PairState.LINKED, found_at=visitor.house.clock()
            )
        )
        session.commit()

    page = visitor.get(f"/releases/{public_id(visitor, one)}").text

    assert "was also published as" in page
    assert f'href="/releases/{public_id(visitor, other)}"' in page


def test_a_merged_release_leads_to_the_one_that_stays(visitor):
    one, other = visitor.house.release("Energy from waves"), visitor.house.release("Wave energy")
    with visitor.house.runtime.session() as session:
        merge_releases(
            session, public_id(visitor, one), public_id(visitor, other), "editor", visitor.house.clock()
        )
        session.commit()

    answer = visitor.get(f"/releases/{public_id(visitor, other)}")

    assert (answer.status_code, answer.headers["Location"]) == (301, f"/releases/{public_id(visitor, one)}")
    assert "Wave energy" not in visitor.get("/releases").text
