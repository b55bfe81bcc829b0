"""Tests of what a page declares in JSON-LD, meta elements and links."""

from __future__ import annotations

import json

from newsletter.ingest.pages.declared import Declared, base_of, read_declared
from newsletter.ingest.pages.tree import parse_tree

URL = "https://port.example/news/quay"


def declared(head: str) -> Declared:
    return read_declared(parse_tree(f"<html><head>{head}</head><body><p>x".encode(), "", URL), URL)


def json_ld(*nodes: object) -> str:
    return "".join(f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes)


def test_json_ld_names_title_publisher_and_date():
    found = declared(
        json_ld(
            {
                "@type": "NewsArticle",
                "headline": "The quay opens",
                "datePublished": "2026-03-03T09:00:00+02:00",
                "author": {"@type": "Organization", "name": "Port of Halden"},
                "publisher": {"@type": "Organization", "name": "Press Room"},
                "image": [{"url": "/quay.jpg"}],
                "inLanguage": "en-GB",
            }
        )
    )

    assert (found.titles, found.publishers, found.sites) == (
        ("The quay opens",),
        ("Port of Halden",),
        ("Press Room",),
    )
    assert found.dates == ("2026-03-03T09:00:00+02:00",)
    assert (found.language, found.image_url) == ("en-GB", "https://port.example/quay.jpg")


def test_a_graph_is_followed_to_the_object_that_a_reference_means():
    graph = {
        "@graph": [
            {"@type": "WebPage", "datePublished": "2020-01-01"},
            {"@type": ["Article"], "headline": "The quay opens", "publisher": {"@id": "#us"}},
            {"@type": "Organization", "@id": "#us", "name": "Port of Halden"},
        ]
    }

    assert declared(json_ld(graph)).sites == ("Port of Halden",)


def test_of_several_articles_the_one_with_the_title_of_the_page_counts():
    others = [
        {"@type": "Article", "headline": f"Story {at}", "datePublished": "2020-01-01"} for at in range(3)
    ]
    mine = {"@type": "Article", "headline": "The quay opens", "datePublished": "2026-03-03"}

    found = declared("<title>The quay opens | Port</title>" + json_ld(*others, mine))

    assert found.dates == ("2026-03-03",)


def test_damaged_and_endless_json_is_left_out():
    start = '<script type="application/ld+json">'

    assert declared(f"{start}{'[' * 100_000}</script>{start}{{</script>") == Declared()


def test_meta_elements_are_read_by_name_property_and_itemprop():
    found = declared(
        '<meta property="og:title" content="The quay opens"><meta property="og:site_name" content="Port">'
        '<meta itemprop="datePublished" content="2026-03-03">'
        '<meta name="DC.Publisher" content="City of Halden">'
        '<meta property="og:image" content="/a.jpg"><meta property="og:image:alt" content="The quay">'
        '<link rel="canonical" href="?id=3">'
    )

    assert (found.titles, found.sites, found.publishers) == (
        ("The quay opens",),
        ("Port",),
        ("City of Halden",),
    )
    assert (found.dates, found.image_alt) == (("2026-03-03",), "The quay")
    assert found.canonical_url == "https://port.example/news/quay?id=3"


def test_a_person_is_no_publisher():
    article = {"@type": "NewsArticle", "author": {"@type": "Person", "name": "Ann Writer"}}

    assert declared(json_ld(article)).publishers == ()


def test_a_base_element_moves_relative_links():
    root = parse_tree(b"<html><head><base href='/de/'></head><body><p>x", "", URL)

    assert base_of(root, URL) == "https://port.example/de/"
    assert base_of(parse_tree(b"<p>x", "", URL), URL) == URL
