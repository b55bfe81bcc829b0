"""Tests of finding the part of a page that has the text."""

from __future__ import annotations

import copy

from newsletter.ingest.pages.blocks import blocks_of
from newsletter.ingest.pages.main_text import Words, container, mark_found, read_press, trim
from newsletter.ingest.pages.tree import parse_tree

PROSE = (
    "The harbour has opened its new quay number {}, and all ferries use it from April on, said its director."
)
TEXT = "".join(f"<p>{PROSE.format(at)}</p>" for at in range(6))
LINKS = "".join(f"<li><a href=/{at}>Another story of the port, number {at}</a></li>" for at in range(5))
MAIN = f"<div id=text><h1>The quay opens</h1>{TEXT}</div>"
PAGE = f"<html><body><ul>{LINKS}</ul>{MAIN}<ul>{LINKS}</ul></body></html>"


def test_the_part_with_the_text_is_found():
    root = parse_tree(PAGE.encode(), "", "x")
    whole, body = copy.deepcopy(root), root.find("body")
    blocks = blocks_of(body)

    mark_found(whole, blocks)

    assert container(body, blocks).get("id") == "text"


def test_prose_counts_when_the_library_finds_nothing():
    root = parse_tree(b"<html><body><p>x", "", "x")
    blocks = blocks_of(parse_tree(PAGE.encode(), "", "x").find("body"))

    mark_found(root, blocks)

    assert [each.is_found for each in blocks if each.element.tag == "p"] == [True] * 6


def test_the_text_begins_and_ends_where_the_reader_of_texts_says():
    end = "<p>###</p><p>Contact: press@port.example</p>"
    html = f"<html><body><h1>The quay opens</h1><p>3 March 2026</p>{TEXT}{end}"
    blocks = blocks_of(parse_tree(html.encode(), "", "x").find("body"))

    press = read_press("The quay opens", blocks, "x", None)
    kept = trim(blocks, press, "The quay opens")

    assert [each.text for each in kept] == [PROSE.format(at) for at in range(6)]
    assert press is not None and press.published is not None


def test_without_a_reading_nothing_but_the_title_is_left_out():
    blocks = blocks_of(parse_tree(b"<html><body><h1>The quay opens</h1><p>Soon.</p>", "", "x").find("body"))

    assert [each.text for each in trim(blocks, None, "The quay opens")] == ["Soon."]


def test_words_are_found_across_texts_without_white_space():
    words = Words(["The quay ", "opens soon"])

    assert words.has("quay opens")
    assert not words.has("ferry")
    assert not Words([])
