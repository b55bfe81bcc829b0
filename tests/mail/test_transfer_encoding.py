"""Tests of encoding text as whole lines."""

from __future__ import annotations

import pytest
from encoded_texts import BOTH, TEXTS, assert_fit_for_smtp, ended, without_padding
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.mail.transfer_encoding import (
    Encoding,
    choose_encoding,
    decode_fragments,
    encode_fragment,
    numbered,
)


@given(TEXTS, st.sampled_from(BOTH))
@example("." * 400, Encoding.QUOTED_PRINTABLE)
@example("From " * 100, Encoding.QUOTED_PRINTABLE)
@example("a" * 75 + " \n", Encoding.QUOTED_PRINTABLE)
@example("=" * 200, Encoding.QUOTED_PRINTABLE)
@example("x" * 74 + ".\n" + "x" * 75 + ".", Encoding.QUOTED_PRINTABLE)
@example("漢字\r\n\r\n漢", Encoding.BASE64)
def test_any_fragment_has_complete_lines_and_decodes_to_its_text(text: str, encoding: Encoding) -> None:
    encoded = encode_fragment(text, encoding)

    assert_fit_for_smtp(encoded)
    decoded = decode_fragments(encoded, encoding)
    if encoding is Encoding.QUOTED_PRINTABLE:
        assert decoded == ended(text)
    else:
        # At most two spaces, before the last line break only.
        assert decoded.rstrip(" \n") == ended(text).rstrip(" \n")
        assert len(decoded) - len(ended(text)) <= 2


@given(st.lists(TEXTS, max_size=6), st.sampled_from(BOTH))
def test_fragments_joined_in_any_order_are_one_valid_encoding(texts: list[str], encoding: Encoding) -> None:
    encoded = [encode_fragment(text, encoding) for text in texts]

    joined = decode_fragments(b"".join(encoded), encoding)

    assert joined == "".join(decode_fragments(each, encoding) for each in encoded)
    assert joined == decode_fragments(encoded, encoding)


@pytest.mark.parametrize("encoding", BOTH)
def test_the_lines_of_a_list_are_numbered_while_they_are_joined(encoding: Encoding) -> None:
    lines = [encode_fragment(f"release {at}", encoding) for at in range(1, 12)]

    text = without_padding(decode_fragments(numbered(lines, encoding), encoding))

    assert text.splitlines()[0] == "  1.  release 1"
    assert text.splitlines()[10] == " 11.  release 11"
    assert len(text.splitlines()) == 11


def test_the_shorter_encoding_is_chosen() -> None:
    assert choose_encoding(["Plain words, and a café.\n" * 20]) is Encoding.QUOTED_PRINTABLE
    assert choose_encoding(["東京で会談が行われた。\n" * 20]) is Encoding.BASE64
    assert (
        choose_encoding(['<p style="margin:0 0 12px" class="release">東京</p>\n' * 20])
        is Encoding.QUOTED_PRINTABLE
    )
    assert choose_encoding([]) is Encoding.QUOTED_PRINTABLE


@given(st.lists(TEXTS, max_size=4))
def test_no_choice_is_longer_than_the_other_would_be(texts: list[str]) -> None:
    lengths = {each: sum(len(encode_fragment(text, each)) for text in texts) for each in BOTH}

    assert lengths[choose_encoding(texts)] == min(lengths.values())
