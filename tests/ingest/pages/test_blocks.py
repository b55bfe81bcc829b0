"""Tests of bringing a page into blocks of text."""

from __future__ import annotations

from newsletter.ingest.pages.blocks import blocks_of, compact, even_out
from newsletter.ingest.pages.tree import parse_tree


def blocks(html: str) -> list[str]:
    body = parse_tree(f"<html><body>{html}</body></html>".encode(), "", "x").find("body")
    even_out(body)
    return [f"{each.element.tag}: {each.text}" for each in blocks_of(body)]


def test_loose_text_becomes_paragraphs_at_empty_lines():
    assert blocks("<div>One <b>line</b><br>of two<br> <br>Another</div>Loose") == [
        "p: One lineof two",
        "p: Another",
        "p: Loose",
    ]


def test_a_paragraph_with_empty_lines_is_several():
    assert blocks("<p>One<br><br>Two</p><p>Three<br>lines</p>") == ["p: One", "p: Two", "p: Threelines"]


def test_lists_headings_and_rows_of_tables_are_blocks():
    html = (
        "<h2>Facts</h2><ul><li>300 m</li><li><p>12 m</p></li></ul><table><tr><td>a<td>b<tr><td>c<td>d</table>"
    )

    assert blocks(html) == ["h2: Facts", "li: 300 m", "p: 12 m", "tr: ab", "tr: cd"]


def test_a_table_that_only_lays_out_is_undone():
    assert blocks("<table><tr><td>Menu</td></tr><tr><td><h1>Title</h1><p>Text</p></td></tr></table>") == [
        "p: Menu",
        "h1: Title",
        "p: Text",
    ]


def test_the_share_of_links_is_known():
    body = parse_tree(b"<html><body><p><a href=x>half</a>half</p>", "", "x").find("body")

    (only,) = blocks_of(body)

    assert only.link_share == 0.5
    assert compact(" a  b\n") == "ab"
    assert compact("sta\u200btion\ue80b") == "station"


def test_a_character_of_han_or_kana_counts_twice():
    blocks = blocks_of(parse_tree("<p>港の灯台</p><p>quay</p>".encode(), "", "x").find("body"))

    assert [each.length for each in blocks] == [8, 4]
