"""Tests of cleaning HTML from outside."""

from __future__ import annotations

import pytest

from newsletter.mail.clean_html import absolute, clean_html

BASE = "https://press.example/news/1"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("<p>Text <script>alert(1)</script>here</p>", "<p>Text here</p>"),
        ("<style>p{}</style><p onclick=go()>Text</p>", "<p>Text</p>"),
        ('<p><a href="javascript:alert(1)">now</a></p>', '<p><a rel="noopener noreferrer">now</a></p>'),
        ('<p><a href=" java\nscript:alert(1)">now</a></p>', '<p><a rel="noopener noreferrer">now</a></p>'),
        ('<p><a href="data:text/html,x">now</a></p>', '<p><a rel="noopener noreferrer">now</a></p>'),
        (
            '<p><a href="/more" style="x" target=_top>more</a></p>',
            '<p><a href="https://press.example/more" rel="noopener noreferrer">more</a></p>',
        ),
        ('<img src="https://other.example/pixel.gif" width=1><p>Text</p>', "<p>Text</p>"),
        ('<iframe src="https://other.example"></iframe><form><input name=a></form><p>x</p>', "<p>x</p>"),
        ("<h1>Head</h1><p>x</p><p> &nbsp;</p>", "<h2>Head</h2><p>x</p>"),
        ("<svg><a xlink:href='javascript:x'>x</a></svg><p>y</p>", "<p>y</p>"),
        ("<p>one <b>two<p>three", "<p>one <b>two</b></p><p><b>three</b></p>"),
        ("<p>5 < 6 & 7 &amp; 8</p>", "<p>5 &lt; 6 &amp; 7 &amp; 8</p>"),
        ("<!-- secret --><p>x</p>", "<p>x</p>"),
        ("<noscript><p title='</noscript><script>alert(1)</script>'></noscript><p>x</p>", "'&gt;<p>x</p>"),
    ],
)
def test_only_what_the_allow_list_has_stays(given: str, kept: str):
    assert clean_html(given, BASE) == kept


def test_a_link_leads_to_the_web_or_nowhere():
    assert absolute("../2", BASE) == "https://press.example/2"
    assert absolute("//other.example/x", BASE) == "https://other.example/x"
    assert absolute("file:///etc/passwd", BASE) is None
    assert absolute("http://[broken", BASE) is None
    assert absolute("/more", "") is None
