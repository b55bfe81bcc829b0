from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from newsletter.mail.plaintext import columns, wrap


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
