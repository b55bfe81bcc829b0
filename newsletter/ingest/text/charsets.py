"""Detect charsets older than Unicode by the characters and words of a language. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from newsletter.ingest.text.language import detect_language

_SAMPLE_BYTES = 60_000
_LOOK_AT = 4_000  # characters of the decoded sample

_CYRILLIC = ("cp1251", "koi8-r", "koi8-u", "iso8859-5", "cp866", "cp1125", "mac_cyrillic", "cp855")
# For each script: its charsets, and characters that are rare if the charset is wrong. The number is their
# least share of all characters beyond ASCII.
_SCRIPTS: tuple[tuple[Sequence[str], str, float], ...] = (
    (
        ("shift_jis", "cp932", "shift_jis_2004", "euc_jp", "euc_jis_2004"),
        "".join(map(chr, range(0x3041, 0x3097))),
        0.25,
    ),
    (("euc_kr", "cp949", "johab"), "이다의는을가에한고로를사기", 0.15),
    (("gb18030",), "的是在了和有不一国年中为人上会日", 0.06),
    (("big5", "cp950", "big5hkscs"), "的是在了和有不一國年中為人上會日", 0.06),
    (_CYRILLIC, "оеаинтслвіј", 0.5),
    (("cp1253", "iso8859-7", "mac_greek", "cp737", "cp869"), "αειοτνσρη", 0.4),
    (("cp1255", "iso8859-8", "cp862"), "יוהלאמר", 0.35),
    (("cp1256", "iso8859-6", "cp720"), "المينرتوبی", 0.5),
    (("cp874", "iso8859-11"), "านรอกเงม", 0.3),
)
_WESTERN = ("cp1252", "iso8859-15", "mac_roman", "cp850", "cp437")
_CENTRAL = ("cp1250", "iso8859-2", "mac_latin2", "cp852", "iso8859-16")
_BALTIC = ("cp1257", "iso8859-13", "cp775", "iso8859-4")
# For each language: its characters beyond a to z, and the charsets that have them.
_LATIN: dict[str, tuple[str, Sequence[str]]] = {
    "de": ("äöüß", _WESTERN),
    "fr": ("àâçéèêëîïôùûüœæ", _WESTERN),
    "es": ("áéíñóúü", _WESTERN),
    "pt": ("ãõáéíóúâêôàç", (*_WESTERN, "cp860")),
    "it": ("àèéìòù", _WESTERN),
    "nl": ("ëïéèöü", _WESTERN),
    "ca": ("àçèéíïòóúü", _WESTERN),
    "sv": ("åäöé", _WESTERN),
    "fi": ("äöå", _WESTERN),
    "da": ("æøåé", (*_WESTERN, "cp865")),
    "no": ("æøåé", (*_WESTERN, "cp865")),
    "is": ("áðéíóúýþæö", ("cp1252", "mac_iceland", "cp861", "cp850")),
    "pl": ("ąćęłńóśźż", _CENTRAL),
    "cs": ("áčďéěíňóřšťúůýž", _CENTRAL),
    "sk": ("áäčďéíĺľňóôŕšťúýž", _CENTRAL),
    "hu": ("áéíóöőúüű", _CENTRAL),
    "hr": ("čćđšž", _CENTRAL),
    "sl": ("čšž", _CENTRAL),
    "ro": ("ăâîșşțţ", ("iso8859-16", "cp1250", "iso8859-2", "cp852")),
    "lt": ("ąčęėįšųūž", _BALTIC),
    "lv": ("āčēģīķļņšūž", _BALTIC),
    "et": ("äõöüšž", (*_BALTIC, "iso8859-15")),
    "tr": ("çğıöşüâî", ("cp1254", "iso8859-9", "mac_turkish", "cp857")),
    "vi": ("àâăđêôơưèéíìòóùúýạảấầậếềệốồộớờợứừự", ("cp1258",)),
}
_MARKS = frozenset("“”„‚‘’–—…«»°§€£©®™·•¿¡\u00a0\u0300\u0301\u0303\u0309\u0323")

_INSIDE = frozenset("’·\u00a0\u0300\u0301\u0303\u0309\u0323")  # marks that words may have inside


def decode_legacy(data: bytes) -> str:
    """Decode `data` with the most likely charset older than Unicode. The default is Windows-1252."""
    sample = data[:_SAMPLE_BYTES]
    high = sum(byte >= 0x80 for byte in sample)
    codec = _by_script(sample) if high * 4 > len(sample) else None
    return data.decode(codec or _by_letters(sample), "replace")


def _by_script(data: bytes) -> str | None:
    """Return the charset with the highest share of frequent characters, or None if all are too low."""
    best, best_ratio = None, 1.0
    for codecs, usual, least in _SCRIPTS:
        frequent = frozenset(usual)
        for codec in codecs:
            text = _sample(data, codec)
            if text is None:
                continue
            beyond = [char for char in text if char > "\x7f"]
            ratio = sum(char in frequent for char in beyond) / max(1, len(beyond)) / least
            ratio *= 1 - 4 * min(0.25, _odd(text) / max(1, len(beyond)))
            if ratio > best_ratio:
                best, best_ratio = codec, ratio
    return best


def _by_letters(data: bytes) -> str:
    """Return the charset that gives the characters of the language, which its words in ASCII tell."""
    words = "".join(chr(byte) if byte < 0x80 else "\u00e6" for byte in data)
    letters, codecs = _LATIN.get(detect_language(words), ("", ()))
    # Almost every word of Vietnamese has a mark, so its ASCII words do not tell.
    vietnamese = unicodedata.normalize("NFC", _sample(data, "cp1258") or "")
    if not codecs and detect_language(vietnamese) == "vi":
        return "cp1258"
    usual = frozenset(letters + letters.upper()) | _MARKS
    best, best_ratio = "cp1252", 0.0
    for codec in codecs:
        text = _sample(data, codec)
        beyond = [char for char in text or "" if char > "\x7f"]
        ratio = (sum(char in usual for char in beyond) - _odd(text or "")) / max(1, len(beyond))
        if text is not None and ratio > best_ratio:
            best, best_ratio = codec, ratio
    return best


def _odd(text: str) -> int:
    """Return how often a capital follows a small character, or a sign that no word has stands inside one."""
    count = 0
    for before, char, after in zip(text, text[1:], text[2:], strict=False):
        if char <= "\x7f" or char in _INSIDE:
            continue
        if char.isupper():
            count += before.islower()
        elif char in _MARKS or unicodedata.category(char)[0] in "SC":
            count += before.isalpha() and after.isalpha()
    return count


def _sample(data: bytes, codec: str) -> str | None:
    """Return the beginning of the text, or None if `data` is not in this charset."""
    try:
        return data.decode(codec)[:_LOOK_AT]
    except UnicodeDecodeError as fault:
        # The sample may end inside a character.
        ended = fault.start >= len(data) - 3 and len(data) == _SAMPLE_BYTES
        return data[: fault.start].decode(codec)[:_LOOK_AT] if ended else None
