"""Texts that are hard to encode, and checks of encoded texts."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from newsletter.mail.transfer_encoding import Encoding, clean

BOTH = list(Encoding)
# Characters that matter to an encoding, to SMTP lines or to a parser are drawn often.
LETTERS = st.sampled_from(
    [*"aF. =\t\n\r\x00&<>\"'é漢😀\u2028\x85-_~", "From ", "\r\n.\r\n", "\n.", "--", "=_"]
)
TEXTS = st.text(max_size=120) | st.lists(LETTERS, max_size=60).map("".join)


def assert_fit_for_smtp(data: bytes, longest: int = 76) -> None:
    lines = data.split(b"\r\n")
    assert lines[-1] == b""
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
    assert max(map(len, lines)) <= longest
    assert not any(line.startswith((b".", b"From ")) for line in lines)


def ended(text: str) -> str:
    """Return a fragment's text after cleaning, as whole lines."""
    cleaned = clean(text)
    return cleaned if not cleaned or cleaned.endswith("\n") else cleaned + "\n"


def without_padding(text: str) -> str:
    """Return `text` without the spaces that base64 may add before a line break."""
    return re.sub(r" +(?=\n)", "", text)
