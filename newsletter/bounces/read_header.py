"""Parse the header of an incoming message, which may be hostile. Pure.

Python's `email` parses more than we need, sometimes in quadratic time, and raises on some real messages.
This reads any bytes in linear time and never raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from email.errors import HeaderParseError
from email.header import decode_header, make_header

# Real headers have a few kilobytes. Bytes after this limit are ignored.
LONGEST_HEADER_BYTES = 128 * 1024
# A subject or a name. Decoding it takes longer than linear time.
LONGEST_TEXT = 1000
MOST_ADDRESSES = 200
LONGEST_ADDRESS = 320

_NAME = re.compile(rb"([!-9;-~]{1,78})[ \t]*:")
_BETWEEN_WORDS = re.compile(r"[\s<>,;:\"()\[\]]+")
_ANGLE = re.compile(r"<\s*([^\s<>]{1,512})\s*>\s*$")

# The values of each field in their order, by the field's name in lower case.
Header = Mapping[str, list[str]]


def read_header(raw: bytes) -> Header:
    """Return the fields of a message, unfolded. Other lines (an mbox's "From " line) are ignored."""
    found: dict[str, list[str]] = {}
    last: list[str] | None = None
    for ended in raw[:LONGEST_HEADER_BYTES].split(b"\n"):
        line = ended.rstrip(b"\r")
        if not line:
            break
        if line[:1] in b" \t":
            if last is not None:
                last.append(line.decode("utf-8", "replace").strip())
            continue
        name = _NAME.match(line)
        if name is None:
            last = None
            continue
        last = found.setdefault(name[1].decode("ascii").lower(), [])
        # NUL separates two fields of one name, so that continuation lines join the right one.
        last.append("\0" + line[name.end() :].decode("utf-8", "replace").strip())
    return {name: _joined(pieces) for name, pieces in found.items()}


def _joined(pieces: list[str]) -> list[str]:
    return [" ".join(value.split()) for value in "\n".join(pieces).split("\0")[1:]]


def first_word(header: Header, name: str) -> str:
    """Return the first word of a field, before any parameter, in lower case; "" without one."""
    value = next(iter(header.get(name, ())), "")
    return value.partition(";")[0].strip().partition(" ")[0].lower()


def first_text(header: Header, name: str) -> str:
    """Return the first value of a field, with its encoded words decoded (RFC 2047); "" without one."""
    value = next(iter(header.get(name, ())), "")[:LONGEST_TEXT]
    if "=?" not in value:
        return value
    try:
        return str(make_header(decode_header(value)))
    except (LookupError, ValueError, HeaderParseError):
        return value


def addresses_in(header: Header, names: Iterable[str]) -> list[str]:
    """Return the words that look like an address in these fields, in their order, each once."""
    seen: dict[str, None] = {}
    for name in names:
        for value in header.get(name, ()):
            seen |= dict.fromkeys(_addresses(value))
            if len(seen) >= MOST_ADDRESSES:
                break
    return list(seen)[:MOST_ADDRESSES]


def only_author(header: Header) -> str | None:
    """Return the one address in From, or None when there is none or more than one author."""
    given = header.get("from", [])
    if len(given) != 1:
        return None
    angle = _ANGLE.search(given[0])
    if angle is not None:
        # Only the address in < > counts, although the name before it may look like an address too. A second
        # address in < > is a second author (RFC 5322, section 3.6.2).
        return angle[1] if given[0].count("<") == 1 else None
    found = set(_addresses(given[0]))
    return found.pop() if len(found) == 1 else None


def _addresses(value: str) -> list[str]:
    # Split and count, because a pattern with repetitions takes quadratic time on long words.
    words = _BETWEEN_WORDS.split(value)
    return [word for word in words if word.count("@") == 1 and len(word) <= LONGEST_ADDRESS]
