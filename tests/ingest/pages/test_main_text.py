"""Tests of finding the part of a page that has the text."""

from __future__ import annotations

import copy

from newsletter.ingest.pages.blocks import blocks_of
from newsletter.ingest.pages.main_text import Words, choose_blocks, container, mark_found, trim
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


def chosen(html: str) -> list[str]:
    root = parse_tree(f"<html><body>{html}</body></html>".encode(), "", "x")
    whole, body = copy.deepcopy(root), root.find("body")
    blocks = blocks_of(body)
    mark_found(whole, blocks)
    holder = container(body, blocks)
    inside = [each for each in blocks if holder in each.element.iterancestors()]
    return [each.text for each in choose_blocks(blocks, inside, "The quay opens", "x", None)[0]]


ALL = [PROSE.format(at) for at in range(6)]
HEADING = "<h1>The quay opens</h1>"


def test_the_text_begins_and_ends_where_the_parser_of_texts_says():
    assert chosen(f"{HEADING}<p>3 March 2026</p>{TEXT}<p>###</p><p>Contact: press@port.example</p>") == ALL


def test_a_first_paragraph_in_a_field_of_its_own_belongs_to_the_text():
    lead = "The port of Halden has opened a third quay, which took four years to build and cost 40 million."

    assert chosen(f"{HEADING}<div><p>{lead}</p></div><div><i>Share</i></div><div>{TEXT}</div>") == [
        lead,
        *ALL,
    ]


def test_the_authors_of_a_text_are_no_part_of_it():
    byline = (
        f"<div class=blog-author>Ada Finch, pilot at the harbour, & Lou Marrow, {'who writes ' * 8}here</div>"
    )
    text = MAIN.replace("<h1>The quay opens</h1>", "").replace("its director", "its director Ada Finch")

    paragraphs = chosen(f"<h1>The quay opens</h1>{byline}{text.removesuffix('</div>')}<p>Ada Finch</p></div>")

    assert paragraphs[0].startswith("The harbour has opened")
    assert paragraphs[-1].endswith("said its director Ada Finch.")


def test_teasers_of_other_pages_below_the_text_are_no_part_of_it():
    link = "<a href=/1>Another story of the port</a>"
    teaser = f"<h2>{link}</h2><p>The port is larger than ever, its director says.</p>"

    assert chosen(f"{HEADING}<div>{TEXT}{teaser}</div>") == ALL


def test_a_heading_without_a_text_does_not_end_it():
    assert chosen(f"{HEADING}<div>{TEXT}<h2>Further texts</h2><ul>{LINKS}</ul></div>") == ALL


def test_without_a_reading_all_blocks_stay():
    blocks = blocks_of(parse_tree(b"<html><body><p>Soon.</p>", "", "x").find("body"))

    assert [each.text for each in trim(blocks, None)] == ["Soon."]


def test_words_are_found_across_texts_without_white_space():
    words = Words(["The quay ", "opens soon"])

    assert words.has("quay opens")
    assert not words.has("ferry")
    assert not Words([])


def test_another_wording_of_the_title_above_the_text_is_left_out():
    assert chosen(f"<div>{HEADING}</div><div><h2>Quay opens in April</h2>{TEXT}</div>") == ALL
