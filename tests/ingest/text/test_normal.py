"""Compose decomposed text, as PDF viewers and macOS give it."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.ingest.text.normal import compose


@given(st.text(max_size=400))
def test_text_without_long_runs_is_in_nfc(text: str) -> None:
    assert compose(text) == unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("piece", ["がぎぐげご港の灯台", "été à la rentrée ", "ūgžėį ", "각지의항구"])
def test_long_texts_in_any_script_are_in_nfc(piece: str) -> None:
    text = piece * 200

    assert compose(unicodedata.normalize("NFD", text)) == text


def test_a_megabyte_of_marks_on_one_character_takes_seconds_at_most() -> None:
    started = time.process_time()

    made = compose("e" + "\u0301\u0323" * 300_000)

    assert time.process_time() - started < 5
    assert len(made) >= 590_000
