"""Tests of making a tree of a page, and of its limits."""

from __future__ import annotations

import pytest

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.pages.charset import LARGEST_BYTES
from newsletter.ingest.pages.tree import DEEPEST, MOST_ELEMENTS, parse_tree, remove, text_of


def test_the_text_behind_an_element_stays_when_it_is_removed():
    root = parse_tree(b"<p>The <b>quay</b> opens", "", "x")

    remove(root.find(".//b"))

    assert text_of(root) == "The opens"


def test_characters_that_xml_does_not_have_are_left_out():
    assert text_of(parse_tree(b"<p>The\x0b\x00 quay \xef\xbf\xbe", "", "x")) == "The quay"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b" ", "empty"),
        (b"<p>" + b" " * LARGEST_BYTES, "larger than 4 MB"),
        (b"<div>" * (DEEPEST + 10), "deep"),
        (b"<br>" * (MOST_ELEMENTS + 1), "more than 60,000 elements"),
    ],
)
def test_a_page_beyond_a_limit_is_refused(data: bytes, words: str):
    with pytest.raises(ReleaseUnreadable, match=words):
        parse_tree(data, "", "x")


def test_soft_hyphens_are_left_out_of_words():
    assert text_of(parse_tree("<p>Mes\u00adsen&shy;ger".encode(), "", "x")) == "Messenger"


def test_a_page_that_does_not_name_its_body_has_one():
    page = b"<!doctype html><title>Port</title><nav>Home</nav><article>The quay opens</article>"

    root = parse_tree(page, "", "x")

    assert text_of(root.find("body")) == "HomeThe quay opens"
    assert text_of(root.find(".//title")) == "Port"
