"""Tests of what identifies an item."""

from __future__ import annotations

import pytest
from ingest.sources.samples import make_sample

from newsletter.ingest.sources.identity import ambiguous_urls, each_once, item_key, normal_url, shared_keys


def test_an_item_is_known_by_guid_else_by_url_else_by_text():
    with_guid = make_sample("a", url="https://press.example/1")
    with_url = make_sample("", url="https://press.example/1")
    bare = make_sample("")

    assert item_key(with_guid) == item_key(make_sample("a", url="https://press.example/2", title="Other"))
    assert item_key(with_url) == item_key(make_sample("", url="http://www.press.example/1/?utm_source=x#y"))
    assert item_key(bare) == item_key(make_sample(""))
    assert len({item_key(each) for each in (with_guid, with_url, bare, make_sample("", title="Other"))}) == 4


def test_items_with_the_same_guid_are_counted_and_the_first_stays():
    first, second = make_sample("a", title="First"), make_sample("a", title="Second")

    assert each_once([first, second, make_sample("b")]) == ([first, make_sample("b")], 1)


@pytest.mark.parametrize(
    "guid",
    [
        "https://press.example/?p=1",
        "tag:press.example,2026:1",
        "urn:uuid:1234-5678",
        "5f0c1f1e-0b5e-4d3c-9a51-1c2d3e4f5a6b",
    ],
)
def test_a_guid_that_is_a_uri_identifies_a_release_in_every_source(guid: str):
    assert len(shared_keys(make_sample(guid), set())) == 1


@pytest.mark.parametrize("guid", ["1", "post-17", "http://x", "tag:x"])
def test_a_guid_that_another_site_may_use_too_does_not(guid: str):
    assert shared_keys(make_sample(guid), set()) == ()


def test_a_url_that_several_items_have_or_that_is_a_start_page_identifies_nothing():
    items = [
        make_sample("a", url="https://press.example/all"),
        make_sample("b", url="http://press.example/all/"),
        make_sample("c", url="https://other.example/"),
        make_sample("d", url="https://press.example/news"),
        make_sample("e", url="https://press.example/news/1"),
    ]

    ambiguous = ambiguous_urls(items, "https://press.example/news/")

    assert [len(shared_keys(each, ambiguous)) for each in items] == [0, 0, 0, 0, 1]
    assert ambiguous_urls([make_sample("", url="https://press.example/?id=1")], "") == set()


def test_a_url_is_compared_without_what_makes_no_difference():
    assert normal_url("HTTPS://www.Press.example:443/A/?b=1&utm_medium=rss#c") == "press.example/A?b=1"
    assert normal_url("https://press.example:8443/a") == "press.example:8443/a"
    assert normal_url("https://press.example/?id=1") != normal_url("https://press.example/?id=2")
