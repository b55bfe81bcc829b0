from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.plaintext import columns, html_to_text, wrap


def test_paragraphs_are_wrapped_and_runs_of_spaces_closed() -> None:
    text = wrap("one  two three\tfour\nfive", width=9)

    assert text == "one two\nthree\nfour\nfive"


def test_a_list_item_hangs_under_its_mark() -> None:
    assert wrap("one two three", width=9, indent="- ", hang="  ") == "- one two\n  three"


def test_a_long_link_is_never_broken() -> None:
    link = "https://example.org/" + "x" * 90

    assert wrap(f"see {link} there") == f"see\n{link}\nthere"


def test_scripts_without_spaces_are_broken_by_columns_and_marks_stay_with_their_words() -> None:
    lines = wrap("東京で会談が行われた。「安全」という。", width=10).split("\n")

    assert lines == ["東京で会談", "が行われ", "た。「安", "全」とい", "う。"]
    assert "".join(lines) == "東京で会談が行われた。「安全」という。"


@given(st.text(), st.integers(4, 80))
def test_wrapping_loses_no_letter_and_keeps_to_the_width(text: str, width: int) -> None:
    wrapped = wrap(text, width)

    assert "".join(wrapped.split()) == "".join(text.split())
    for line in wrapped.split("\n"):
        # Only what cannot be parted is longer.
        assert columns(line) <= width or " " not in line


CASES = {
    "<p>One</p><p>Two</p>": "One\n\nTwo\n",
    "One<br>Two<br/>Three": "One\nTwo\nThree\n",
    "<h2>Title</h2>\n<p>a\n b&nbsp;&amp; c</p>": "Title\n\na b\u00a0& c\n",
    "<ul><li>a</li><li>b<ol><li>c</li><li>d</li></ol></li></ul>": "- a\n- b\n  1. c\n  2. d\n",
    '<ol start="3"><li>c</li><li>d</li></ol><p>x</p>': "3. c\n4. d\n\nx\n",
    "<p>x</p><ul><li>a</li></ul><p>y</p>": "x\n\n- a\n\ny\n",
    "<blockquote><p>a</p><p>b</p></blockquote><p>c</p>": "> a\n>\n> b\n\nc\n",
    "<pre>a\n  b   c\n</pre>": "a\n  b   c\n",
    "<table><tr><th>a</th><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>": "a | b\nc | d\n",
    "<p>a<script>b()</script><style>c</style></p>": "a\n",
    '<p>the <img src="x" alt="harbour"> at night</p>': "the harbour at night\n",
    '<a href="https://a.example/1">one</a>': "one [1]\n\n[1] https://a.example/1\n",
    '<a href="https://a.example/">a.example</a>': "a.example\n",
    '<a href="mailto:x@a.example">x@a.example</a>': "x@a.example\n",
    '<a href="javascript:x()">x</a> <a href="#top">y</a>': "x y\n",
    '<a href="https://a.example/1">x</a>, <a href="https://a.example/1">y</a>': (
        "x [1], y [1]\n\n[1] https://a.example/1\n"
    ),
    "a<hr>b": "a\n\n" + "-" * 72 + "\n\nb\n",
    "": "",
    "  <p> </p> ": "",
    "</li></ul></blockquote></p></a></td>x": "x\n",
}


@pytest.mark.parametrize(("html", "text"), CASES.items())
def test_html_is_written_out_as_a_person_would_write_it(html: str, text: str) -> None:
    assert html_to_text(html) == text


NAMES = [
    "p",
    "ul",
    "ol",
    "li",
    "blockquote",
    "pre",
    "br",
    "hr",
    "table",
    "tr",
    "td",
    "script",
    "a",
    "h2",
    "b",
]
TAGS = st.sampled_from(
    [f"<{name}>" for name in NAMES] + [f"</{name}>" for name in NAMES] + ["&amp;", "&#x41;"]
)


@given(st.text() | st.lists(TAGS | st.text(max_size=5)).map("".join))
def test_any_html_gives_a_text(html: str) -> None:
    text = html_to_text(html)

    assert text == "" or (text.endswith("\n") and text.strip("\n") and not text.startswith("\n"))


def test_words_between_tags_are_kept() -> None:
    assert html_to_text("<div>a<p>b</p>c</div>d") == "a\n\nb\n\nc\n\nd\n"
