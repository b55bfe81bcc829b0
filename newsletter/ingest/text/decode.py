"""Decode bytes to text by byte order mark, UTF-8, UTF-16 or an older charset; refuse binary files. Pure."""

from __future__ import annotations

import codecs
import re

import ftfy

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.text.charsets import decode_legacy
from newsletter.ingest.text.language import detect_language
from newsletter.ingest.text.normal import compose
from newsletter.ingest.text.seven_bit import CharsetUnknown, decode_seven_bit

MAX_RELEASE_BYTES = 2 * 1024 * 1024

_MARKS = (
    # UTF-32 comes first, because its little-endian mark begins with that of UTF-16.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zipped document (Word, LibreOffice or an archive)"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_ESCAPED = re.compile(r"[\udc80-\udcff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
# Only repairs of whole texts. The others take "Ã is a letter" for a damaged "à is a letter".
_CAUTIOUS = ftfy.TextFixerConfig(
    restore_byte_a0=False,
    replace_lossy_sequences=False,
    decode_inconsistent_utf8=False,
    fix_c1_controls=False,
)


def decode(data: bytes, name: str) -> str:
    """Return the text in `data` with \\n as line ends and no byte order mark; `name` is for messages.

    Raises ReleaseUnreadable if `data` is empty, longer than MAX_RELEASE_BYTES, or not text. The message says
    what to do.
    """
    if len(data) > MAX_RELEASE_BYTES:
        limit = MAX_RELEASE_BYTES // (1024 * 1024)
        reason = f"the file is larger than {limit} MiB; save only the text of the release and try again"
        raise ReleaseUnreadable(name, reason)
    if not data.strip():
        raise ReleaseUnreadable(name, "the file is empty; save the text of the release into it and try again")
    for magic, what in _MAGIC:
        if data.startswith(magic):
            raise ReleaseUnreadable(name, f"this is {what}, not text; save it as plain text and try again")
    try:
        text = _to_text(data)
    except CharsetUnknown as fault:
        reason = f"the file is in {fault}, which cannot be read; save it as UTF-8 and try again"
        raise ReleaseUnreadable(name, reason) from fault
    if text is None or _looks_binary(text):
        reason = "this file is not text; save the release as plain text in UTF-8 and try again"
        raise ReleaseUnreadable(name, reason)
    text = compose(repair_mojibake(text)).replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    if not text.replace("\ufeff", "").strip():
        raise ReleaseUnreadable(name, "the file has only blank lines; save the text of the release into it")
    return text


def _to_text(data: bytes) -> str | None:
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return _strict(data, codec) or (_strict(data[:-1], codec) if codec == "utf-16" else None)
    if b"\x00" in data:
        order = _guess_utf32(data) or guess_utf16(data)
        return (
            _strict(data[: len(data) // 4 * 4 if "32" in order else len(data) // 2 * 2], order)
            if order
            else None
        )
    if data.isascii() and (text := decode_seven_bit(data)) is not None:
        return text
    return _strict(data, "utf-8") or patched_utf8(data) or decode_legacy(data)


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except UnicodeDecodeError:
        return None


def _guess_utf32(data: bytes) -> str | None:
    """Return the UTF-32 codec whose byte order explains the NULs in `data`, or None."""
    nulls = [data[at::4].count(0) * 8 > len(data[at::4]) * 7 for at in range(4)]
    return "utf-32-le" if all(nulls[2:]) else "utf-32-be" if all(nulls[:2]) else None


def guess_utf16(data: bytes) -> str | None:
    """Return the UTF-16 codec whose byte order explains the NULs in `data`, or None.

    Text in any script has spaces and line ends. Their high byte is NUL, always on the same side. Random pairs
    of bytes often decode to ideographs. So a text with few NULs that seems to be Chinese, Japanese or Korean
    must also have their punctuation.
    """
    even, odd = data[0::2].count(0), data[1::2].count(0)
    codec = "utf-16-le" if odd > 10 * even else "utf-16-be" if even > 10 * odd else None
    if codec is None or (even + odd) * 6 > len(data):
        return codec
    language = detect_language(data[: len(data) // 2 * 2].decode(codec, "replace"))
    if language in ("ja", "zh", "ko"):
        return codec if any(mark.encode(codec) in data for mark in ("。", "、", "，", "다.")) else None
    return None if language == "und" else codec


def patched_utf8(data: bytes) -> str | None:
    """Decode `data` as UTF-8, and its few invalid bytes as Windows-1252. Return None if there are too many.

    One pasted quotation mark, or a file cut inside a character, must not garble the whole text.
    """
    text = data.decode("utf-8", "surrogateescape")
    stray = len(_ESCAPED.findall(text))
    sound = len(_BEYOND_ASCII.findall(text)) - stray
    if sound < 4 * stray:
        return None
    return _ESCAPED.sub(lambda hit: bytes([ord(hit[0]) - 0xDC00]).decode("cp1252", "replace"), text)


def repair_mojibake(text: str) -> str:
    """Repair a text whose UTF-8 was decoded with another charset before it came to us.

    Return other texts unchanged. If only a part of a text can be repaired, nothing is.
    """
    return ftfy.fix_encoding(text, _CAUTIOUS)


def _looks_binary(text: str) -> bool:
    return "\x00" in text or len(_CONTROLS.findall(text)) * 200 > len(text)
