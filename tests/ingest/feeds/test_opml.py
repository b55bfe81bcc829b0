"""Tests of lists of feeds as OPML."""

from __future__ import annotations

import pytest

from newsletter.errors import InputError
from newsletter.ingest.feeds.opml import Outline, read_opml, write_opml


def test_a_list_is_read_with_its_folders_and_each_address_once():
    data = b"""<?xml version="1.0"?><opml version="1.1"><head><title>x</title></head><body>
      <outline text="Ministries"><outline type="rss" text="Harbour" title="Harbour Press"
        xmlUrl="https://a.example/f?a=1&amp;b=2" htmlUrl="https://a.example/"/></outline>
      <outline text="Rail" xmlURL="https://b.example/feed"/><outline text="again"
      xmlUrl="https://b.example/feed"/><outline text="no feed" htmlUrl="https://c.example"/></body></opml>"""

    assert read_opml(data) == [
        Outline("https://a.example/f?a=1&b=2", "Harbour Press", "https://a.example/"),
        Outline("https://b.example/feed", "Rail", ""),
    ]


def test_what_is_written_is_read_again():
    outlines = [
        Outline("https://a.example/?a=1&b=2", 'Zoë\'s "news" <b>', "https://a.example/"),
        Outline("u", "u"),
    ]

    assert read_opml(write_opml("Sources", outlines)) == outlines


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<rss/>",
        b"<opml>",
        b'<!DOCTYPE opml [<!ENTITY a "b">]><opml/>',
        b"<opml>" + b"<outline>" * 200 + b"</outline>" * 200 + b"</opml>",
        b" " * (8 * 1024 * 1024 + 1),
    ],
)
def test_a_file_that_is_no_list_is_refused(data: bytes):
    with pytest.raises(InputError):
        read_opml(data)
