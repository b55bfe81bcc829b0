"""Markdown of an editor becomes clean HTML, and the HTML of a release becomes Markdown again."""

from __future__ import annotations

import re

import pytest

from newsletter.errors import InputError
from newsletter.mail.markdown import DEEPEST
from newsletter.releases.decide import to_html
from newsletter.releases.editing.body import LONGEST_BYTES, from_markdown, to_markdown, to_text

MARKDOWN = """## A quay opens

The port opened *a quay* and **a pier** today,
see [the plan](https://example.org/a_b).

- one
- two *three*

1. first
2. second

> It is large.

| Day | Ships |
| --- | --- |
| Monday | 3 |

Last line."""


def test_markdown_becomes_html_and_text():
    body = from_markdown(MARKDOWN)

    for part in (
        "<h3>A quay opens</h3>", "<em>a quay</em>", "<strong>a pier</strong>", "<li>one</li>",
        "<blockquote>", "<td>Monday</td>", 'href="https://example.org/a_b"',
    ):  # fmt: skip
        assert part in body.html.replace("<h2>", "<h3>").replace("</h2>", "</h3>")
    assert body.text.split("\n\n")[:2] == [
        "A quay opens",
        "The port opened a quay and a pier today, see the plan.",
    ]
    assert "- one\n- two three" in body.text
    assert "1. first\n2. second" in body.text
    assert "Monday | 3" in body.text


@pytest.mark.parametrize(
    "html",
    [
        from_markdown(MARKDOWN).html,
        to_html(["The port * opened_a_quay.", "- one\n- two", "1) first\n2) second", "a | b\nc | d"]),
        to_html(["# 1. not a heading", "Two lines\nof one [text](x) <b>"]),
    ],
)
def test_a_text_that_is_edited_and_left_alone_stays(html: str):
    again = from_markdown(to_markdown(html))

    assert to_text(again.html) == to_text(html)
    assert to_markdown(again.html) == to_markdown(html)


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script> text",
        "[click](javascript:alert(1))",
        "[click](data:text/html,x)",
        "![pixel](https://example.org/p.gif)",
        '<img src=x onerror="alert(1)"> text',
        '[a](<https://example.org/"onmouseover="x>)',
        "<https://example.org/<script>>",
        "text <!-- --> <svg onload=alert(1)>",
    ],
)
def test_nothing_dangerous_stays(source: str):
    html = from_markdown(source).html.lower()

    for part in ("<script", "<img", "<svg", 'href="javascript', 'href="data'):
        assert part not in html
    for tag in re.findall(r"<[^>]*>", html):
        assert not re.search(r"\son\w+=", re.sub(r'"[^"]*"', "", tag))


@pytest.mark.parametrize("source", ["", "  \n ", "---", "\0", "[a]: b"])
def test_an_empty_text_is_refused(source: str):
    with pytest.raises(InputError, match="empty"):
        from_markdown(source)


def test_lists_that_are_too_deep_are_refused_and_others_keep_their_text():
    assert "quay" in from_markdown("- " * DEEPEST + "quay").text
    with pytest.raises(InputError, match="levels deep"):
        from_markdown("quay\n\n" + "- " * (DEEPEST + 1) + "pier")


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(InputError, match="shorter"):
        from_markdown("a" * (LONGEST_BYTES + 1))


def test_a_text_whose_html_is_too_long_is_refused_and_never_cut():
    quotes = '"' * (LONGEST_BYTES - 1)  # each is &quot; as HTML

    with pytest.raises(InputError, match="as HTML"):
        from_markdown(f"{quotes}A")
