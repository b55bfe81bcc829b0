"""Tests of finding the feeds that a page names."""

from __future__ import annotations

from newsletter.ingest.feeds.find import FoundFeed, find_feeds


def test_a_page_names_its_feeds_in_its_head():
    page = b"""<!doctype html><html><head><base href="/en/">
      <link rel=stylesheet href=a.css><link rel="Alternate home" type="application/rss+xml; charset=utf-8"
      title="All  news" href="news.xml">
      <link rel="alternate" type="application/feed+json" href="https://other.example/feed.json">
      <link rel="alternate" type="application/json" href="https://press.example/wp-json/wp/v2/pages/1">
      <link rel="alternate" type="application/atom+xml" href="javascript:alert(1)">
      <link rel="alternate" hreflang="de" href="/de/"></head>"""

    assert find_feeds(page, "text/html", "https://press.example/") == (
        FoundFeed("https://press.example/en/news.xml", "All news", "application/rss+xml"),
        FoundFeed("https://other.example/feed.json", "", "application/feed+json"),
    )


def test_an_unknown_charset_is_read_as_utf_8():
    page = '<link rel="alternate" type="application/rss+xml" href="/ž">'.encode()

    assert find_feeds(page, "text/html; charset=klingon", "https://press.example/")[0].url.endswith("/ž")
