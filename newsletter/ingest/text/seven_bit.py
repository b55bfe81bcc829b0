"""Decode charsets that look like ASCII: the ISO-2022 family, HZ and UTF-7. Pure."""

from __future__ import annotations

import re

_ISO_2022 = ("iso2022_jp", "iso2022_kr", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext")
_ESCAPE = re.compile(rb"\x1b[$(&.-]|\x1bN|\x0e")
# Python has no codec for this one: two Chinese sets behind "ESC $ )" or "ESC $ *".
_ISO_2022_CN = re.compile(rb"\x1b\$(?:\)[AEG]|\*H)")
_HZ = re.compile(rb"~\{(?:[\x21-\x77][\x21-\x7e])+~\}")
_UTF_7 = re.compile(rb"\+([A-Za-z0-9+/]{3,})-?")
# Scripts of today, punctuation of texts, and emoji. Other code points are hits by chance.
_USUAL = re.compile(
    r"[\u00a0-\u024f\u0370-\u06ff\u0900-\u0eff\u10a0-\u10ff\u1e00-\u1fff\u2010-\u20cf\u2100-\u26ff"
    r"\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef\U0001f300-\U0001faff]+"
)


class CharsetUnknown(ValueError):
    """The charset of a text is known by name, and there is no codec for it."""


def decode_seven_bit(data: bytes) -> str | None:
    """Return the text of `data` if it is in such a charset, or None. Raises CharsetUnknown."""
    if _ESCAPE.search(data):
        if _ISO_2022_CN.search(data):
            raise CharsetUnknown("ISO-2022-CN")
        return next((text for codec in _ISO_2022 if (text := _strict(data, codec)) is not None), None)
    if _HZ.search(data):
        return _strict(data, "hz")
    if _UTF_7.search(data):
        return _utf_7(data)
    return None


def _utf_7(data: bytes) -> str | None:
    """Return the text, or None if what could be UTF-7 is something else, such as telephone numbers."""
    runs = [hit[0].removesuffix(b"-") + b"-" for hit in _UTF_7.finditer(data[:200_000])]
    decoded = [_strict(run, "utf-7") for run in runs]
    usual = sum(text is not None and _USUAL.fullmatch(text) is not None for text in decoded)
    return _strict(data, "utf-7") if usual * 10 > len(runs) * 9 else None


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeError:
        return None
