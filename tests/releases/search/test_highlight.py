"""A hit shows the part of the text around the first word of the query, with the words marked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.releases.search.highlight import LENGTH, excerpt, mark
from newsletter.releases.search.words import query_words


def marked(parts) -> str:
    return "".join(f"[{each.text}]" if each.is_hit else each.text for each in parts)


@pytest.mark.parametrize(
    ("text", "query", "shown"),
    [
        ("The Harbour opens", "HARBOUR", "The [Harbour] opens"),
        ("Harbours and harbour", "harbour", "Harbours and [harbour]"),
        ("東京都庁は開く", "東京都", "[東京都]庁は開く"),
        ("税は上がる", "税", "[税]は上がる"),
        ("Straße", "strasse", "[Straße]"),
        ("<b>sea</b>", "sea b", "<[b]>[sea]</[b]>"),
        ("nothing", "sea", "nothing"),
        ("", "sea", ""),
    ],
)
def test_the_words_of_the_query_are_marked(text, query, shown):
    assert marked(mark(text, query_words(query))) == shown


@given(st.text(max_size=300), st.text(max_size=40))
def test_marking_changes_no_character(text, query):
    assert "".join(each.text for each in mark(text, query_words(query))) == text


def test_an_excerpt_begins_shortly_before_the_first_hit():
    text = f"{'early words ' * 50} the harbour opens {'late words ' * 50}"

    shown = marked(excerpt(text, query_words("harbour")))

    assert shown.startswith("… ") and shown.endswith(" …")
    assert "the [harbour] opens" in shown
    assert len(shown) < LENGTH + 20


def test_an_excerpt_without_a_hit_is_the_beginning():
    assert marked(excerpt("One  two\nthree", ())) == "One two three"
