"""Markdown becomes safe HTML and well-made plain text, whatever is in it."""

from __future__ import annotations

import re

import pytest

from newsletter.errors import InputError
from newsletter.mail.markdown import DEEPEST, MOST_BLOCKS, render_markdown

ROOM = 5_000


def html(source: str) -> str:
    return render_markdown(source, most_bytes=ROOM).html


def text(source: str) -> str:
    return render_markdown(source, most_bytes=ROOM).text


def test_lists_links_and_emphasis_become_html():
    shown = html("See **the** [quay](https://example.org/quay?a=1&b=2).\n\n- one\n- two\n\n3. three\n")

    assert '<strong>the</strong> <a href="https://example.org/quay?a=1&amp;b=2">quay</a>' in shown
    assert "<ul>\n<li>one</li>\n<li>two</li>\n</ul>" in shown
    assert '<ol start="3">' in shown


def test_the_text_has_marks_of_lists_and_the_addresses_of_links():
    shown = text(
        "# News\n\nSee the [quay](https://example.org/quay), <https://example.org/>, or [write]"
        "(mailto:port@example.org).\n\n- one\n- two\n  1. inner\n\n> said\n> they\n\nfirst\\\nsecond\n"
    )

    assert shown == (
        "News\n\nSee the quay <https://example.org/quay>, https://example.org/, or write\n"
        "<port@example.org>.\n\n  - one\n  - two\n      1. inner\n\n> said they\n\nfirst\nsecond"
    )


def test_lines_are_wrapped_within_the_marks_of_lists_and_quotes():
    shown = text("- " + "harbour " * 20 + "\n\n> " + "quay " * 30).split("\n")

    assert all(len(line) <= 72 for line in shown)
    assert shown[1].startswith("    harbour")
    assert all(line.startswith("> ") for line in shown[-2:])


def test_headings_begin_below_those_of_the_page():
    assert html("# A\n\n## B\n\n# C") == "<h3>A</h3>\n<h4>B</h4>\n<h3>C</h3>"


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](java\tscript:alert(1))",
        "[a](&#106;avascript:alert(1))",
        "<javascript:alert(1)>",
        "[a](data:text/html;base64,PHNjcmlwdD4=)",
        "[a](vbscript:x)",
        "![a](https://example.org/pixel.png)",
        '[a](https://example.org "x\\" onclick=alert(1)")',
        "[a]: javascript:alert(1)\n\n[a]",
        "<style>p { display: none }</style>",
        "```\n</code></pre><script>1</script>\n```",
    ],
)
def test_nothing_that_runs_loads_or_hides_gets_into_the_html(source: str):
    shown = html(source)

    tags = re.findall(r"<\s*/?\s*([a-z0-9]+)([^>]*)>", shown)
    assert {name for name, _ in tags} <= {"p", "a", "code", "pre"}
    for _, attributes in tags:
        assert re.fullmatch(r'( href="https?://[^"]*")?( title="[^"]*")?', attributes), shown


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("x" * (ROOM + 1), "At most 5,000"),
        ("é" * (ROOM // 2 + 1), "At most 5,000"),
        ("x" * 1_000_000, "1,000,000 bytes"),
        (">" * 4_000 + "x", "levels deep"),
        ("> " * (DEEPEST + 1) + "x", "more than 8 levels deep"),
        ("- " * (DEEPEST + 1) + "x", "more than 8 levels deep"),
        ("- " * 2_000 + "x", "levels deep"),
        ("a\n\n" * (MOST_BLOCKS + 1), "more than 200"),
    ],
)
def test_what_is_too_much_is_refused_with_a_reason(source: str, reason: str):
    with pytest.raises(InputError, match=reason):
        render_markdown(source, most_bytes=ROOM)


def test_a_quote_as_deep_as_possible_loses_no_text():
    deep = "> " * 8 + "x"

    assert text(deep) == deep
    assert "<p>x</p>" in html(deep)


@pytest.mark.parametrize("unit", ["[", "*a ", "[a](b", "&", "<", "**a", "`", "_a*", "![", "[a]: /x\n", "\\"])
def test_repeated_marks_lose_no_text_and_stay_small(unit: str):
    shown = render_markdown((unit * ROOM)[:ROOM], most_bytes=ROOM)

    assert len(shown.html) <= 6 * ROOM
    assert (unit == "[a]: /x\n") == (shown.text == "") or shown.text


def test_control_characters_and_broken_characters_are_removed():
    shown = render_markdown("a\x00b\x1b[31m\ud800\r\nc\ue001d", most_bytes=ROOM)

    assert shown.text == "ab[31m\ufffd cd"
