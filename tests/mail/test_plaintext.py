from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.plaintext import columns, shorten, wrap


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


def test_an_emoji_of_several_parts_takes_two_columns() -> None:
    assert columns("👩‍👩‍👧‍👦") == 2


def test_a_line_never_ends_inside_a_cluster_of_characters() -> None:
    family, syllable = "👩‍👩‍👧‍👦", "\u1112\u1161\u11ab"

    lines = wrap(family * 9 + syllable * 9, width=5).split("\n")

    assert all(
        line.count("👩‍👩‍👧‍👦") * len(family) + line.count(syllable) * len(syllable) == len(line)
        for line in lines
    )
    assert "".join(lines) == family * 9 + syllable * 9


def test_a_short_text_is_not_shortened() -> None:
    assert shorten("An  energy\ncable", 16) == "An energy cable"


def test_a_text_is_cut_after_a_word_without_its_comma() -> None:
    assert shorten("Cables, ports and quays", 9) == "Cables…"


def test_a_single_long_word_is_cut_between_characters() -> None:
    assert shorten("Donaudampfschiff", 6) == "Donau…"
    assert shorten("👩‍👩‍👧‍👦" * 4, 5) == "👩‍👩‍👧‍👦" * 2 + "…"


@given(st.text(), st.integers(2, 40))
def test_a_shortened_text_fits(text: str, width: int) -> None:
    assert columns(shorten(text, width)) <= max(width, 2)
