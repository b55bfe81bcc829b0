"""Detect charsets older than Unicode by the frequent characters and words of a language. Pure."""

from __future__ import annotations

import re

from newsletter.ingest.text.language import detect_language

_SAMPLE_BYTES = 60_000

# For each charset: characters that are frequent in its language and rare if the charset is wrong. The number
# is their minimum share of all non-ASCII characters in prose.
_SCRIPTS: tuple[tuple[str, str, float], ...] = (
    ("shift_jis", "[\u3041-\u3096]", 0.25),
    ("euc_jp", "[\u3041-\u3096]", 0.25),
    ("euc_kr", "[이다의는을가에한고로를사기]", 0.15),
    ("gb18030", "[的是在了和有不一国年中为人上会日]", 0.06),
    ("big5", "[的是在了和有不一國年中為人上會日]", 0.06),
    ("cp1251", "[оеаинтслві]", 0.5),
    ("koi8-r", "[оеаинтсл]", 0.5),
    ("iso8859-5", "[оеаинтслві]", 0.5),
    ("cp866", "[оеаинтсл]", 0.5),
    ("cp1253", "[αειοτνσρη]", 0.4),
    ("cp1255", "[יוהלאמר]", 0.35),
    ("cp1256", "[المينرتوبی]", 0.5),
    ("cp874", "[านรอกเงม]", 0.3),
)
_BY_LANGUAGE = {
    **dict.fromkeys(("pl", "cs", "sk", "hu", "hr", "sl", "ro"), ("cp1250", "iso8859-2")),
    **dict.fromkeys(("lt", "lv", "et"), ("cp1257", "cp1257")),
    "tr": ("cp1254", "iso8859-9"),
}
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_C1 = re.compile(r"[\x80-\x9f]")
_C1_BYTES = re.compile(rb"[\x80-\x9f]")


def decode_legacy(data: bytes) -> str:
    """Decode `data` with the most likely charset older than Unicode. The default is Windows-1252."""
    high = sum(data[:_SAMPLE_BYTES].count(byte) for byte in range(0x80, 0x100))
    if high * 4 > min(len(data), _SAMPLE_BYTES):
        codec = _by_script(data)
        if codec:
            return data.decode(codec, "replace")
    words = "".join(chr(byte) if byte < 0x80 else "\u00e6" for byte in data[:_SAMPLE_BYTES])
    windows, iso = _BY_LANGUAGE.get(detect_language(words), ("cp1252", "cp1252"))
    # At 0x80 to 0x9f the Windows charsets have characters such as ś and ž; ISO charsets have unused controls.
    return data.decode(windows if _C1_BYTES.search(data) else iso, "replace")


def _by_script(data: bytes) -> str | None:
    """Return the charset with the highest share of frequent characters, or None if all are too low."""
    best, best_ratio = None, 1.0
    for codec, usual, least in _SCRIPTS:
        text = _sample(data, codec)
        if text is None:
            continue
        beyond = len(_BEYOND_ASCII.findall(text))
        ratio = len(re.findall(usual, text)) / max(beyond, 1) / least
        if ratio >= best_ratio and not _C1.search(text):
            best, best_ratio = codec, ratio
    return best


def _sample(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)[:_SAMPLE_BYTES]
    except UnicodeDecodeError:
        return None
