"""Text is cut into the same words for the index and for queries, in every script, however hostile it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.releases.search.words import (
    INDEXED_BYTES,
    LONGEST_WORD,
    MOST_WORDS,
    cut,
    index_words,
    publisher_mark,
    query_words,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Harbour opens, in March-April 2026!", ["harbour", "opens", "in", "march", "april", "2026"]),
        ("STRASSE Straße ﬁnance", ["strasse", "strasse", "finance"]),
        ("東京都", ["東", "東京", "京", "京都", "都"]),
        ("CO2が減る", ["co2", "が", "が減", "減", "減る", "る"]),
        ("น้ำ", ["น", "น้", "้", "้ํ", "ํ", "ํา", "า"]),
        ("서울시", ["서", "서울", "울", "울시", "시"]),
        ("हिन्दी समाचार", ["हिन्दी", "समाचार"]),
        ("कि", ["कि"]),
        ("الطاقة", ["الطاقة"]),
        ("___ --- ''", []),
        ("", []),
    ],
)
def test_text_is_cut_into_folded_words_and_pairs(text, words):
    assert list(cut(text)) == words


def test_a_query_searches_only_pairs_where_characters_stand_together():
    assert query_words("東京都 税 Harbour harbour") == ("東京", "京都", "税", "harbour")


@given(st.text(max_size=200))
def test_every_query_made_of_a_text_finds_the_text(text):
    indexed = index_words("", "", text)

    assert set(query_words(text)) <= indexed


@given(st.text(max_size=400))
def test_no_word_has_a_character_with_a_meaning_in_a_query_language(text):
    for word in (*cut(text), *query_words(text)):
        assert word
        assert not set(word) & set("\"'\\ \t\n\0()*:&|!<>-+^=@")


def test_what_is_too_long_is_cut():
    assert query_words("a" * 200) == ("a" * LONGEST_WORD,)
    assert len(query_words(" ".join(f"w{number}" for number in range(100)))) == MOST_WORDS


def test_only_the_first_200_kilobytes_are_indexed():
    body = "early " + "x" * INDEXED_BYTES + " late"

    words = index_words("Title", "", body)

    assert "early" in words and "late" not in words


def test_title_words_are_indexed_a_second_time():
    assert index_words("Harbour", "Port", "It opens") == {"harbour", "=harbour", "port", "it", "opens"}


def test_the_mark_of_a_publisher_ignores_case_and_white_space():
    assert publisher_mark("Port of  Halmstrand ") == publisher_mark("PORT OF HALMSTRAND")
    assert publisher_mark("Port of Halmstrand") != publisher_mark("Port of Halmstad")
