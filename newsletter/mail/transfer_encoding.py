"""Encode text as whole lines, in quoted-printable or base64 (RFC 2045). Pure.

Encoded texts can be joined in any order, and are a valid encoding again.

A quoted-printable fragment ends in a hard or soft line break. A base64 fragment encodes a multiple of three
bytes, so that no `=` is inside the body. To get there, up to two spaces are put before its last line break.
Lines have at most 76 characters, end in CRLF, and never start with a dot or with "From ". So no line needs
dot-stuffing (RFC 5321, section 4.5.2), and a CR or LF in a value is never sent bare.
"""

from __future__ import annotations

import binascii
import enum
import re
from collections.abc import Iterable
from functools import lru_cache

# Private-use characters, which have no meaning in texts. They are kept for the marks of templates
# (assemble.py), so `clean` removes them.
FIELD, SLOT, END = "\ue000", "\ue001", "\ue002"
MARK_CHARACTERS = FIELD + SLOT + END
_LINE_BREAKS = re.compile("\r\n?|[\u2028\u2029]")
_UNWANTED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{MARK_CHARACTERS}]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# RFC 2045, section 6.7 (5): 76 characters, one of them for the = of a soft line break.
_QP_ROOM = 75
_QP_UNSAFE = re.compile(rb"[^\t -<>-~]")
_QP_ESCAPE = {bytes([byte]): b"=%02X" % byte for byte in range(256)}
_SOFT = b"=\r\n"


class Encoding(enum.StrEnum):
    """A Content-Transfer-Encoding (RFC 2045, section 6)."""

    QUOTED_PRINTABLE = "quoted-printable"
    BASE64 = "base64"


def clean(text: str) -> str:
    """Return `text` with LF line breaks and without control characters and marks."""
    return _SURROGATE.sub("\ufffd", _UNWANTED.sub("", _LINE_BREAKS.sub("\n", text)))


def choose_encoding(texts: Iterable[str]) -> Encoding:
    """Return the encoding that makes `texts` shorter. They are all texts of one part of an issue."""
    quoted = encoded = 0
    for text in texts:
        quoted += len(encode_fragment(text, Encoding.QUOTED_PRINTABLE))
        encoded += len(encode_fragment(text, Encoding.BASE64))
    return Encoding.BASE64 if encoded < quoted else Encoding.QUOTED_PRINTABLE


def encode_fragment(text: str, encoding: Encoding) -> bytes:
    """Return `text` as whole encoded lines. If its last line has no line break, one is added."""
    lines = clean(text)
    if not lines:
        return b""
    if not lines.endswith("\n"):
        lines += "\n"
    return encode_quoted(lines) if encoding is Encoding.QUOTED_PRINTABLE else encode_base64(lines)


def numbered(fragments: Iterable[bytes], encoding: Encoding) -> bytes:
    """Return fragments joined, each with its number before its first line, for the table of contents."""
    return b"".join([_number(at, encoding) + each for at, each in enumerate(fragments, start=1)])


@lru_cache(maxsize=512)
def _number(at: int, encoding: Encoding) -> bytes:
    text = f"{at:>3}.  " if at < 1000 else f"{at}. "
    if encoding is Encoding.QUOTED_PRINTABLE:
        return encode_quoted(text)
    return _base64_lines(text.encode("ascii").ljust(-(-len(text) // 3) * 3))


def decode_fragments(encoded: bytes | Iterable[bytes], encoding: Encoding) -> str:
    """Return the text of one fragment or of several joined ones, with LF line breaks."""
    joined = encoded if isinstance(encoded, bytes) else b"".join(encoded)
    data = binascii.a2b_base64(joined) if encoding is Encoding.BASE64 else binascii.a2b_qp(joined)
    return data.replace(b"\r\n", b"\n").decode("utf-8")


def encode_base64(lines: str) -> bytes:
    """Encode whole lines; spaces before the last line break make them a multiple of three bytes.

    Line breaks in the encoded text are CRLF, the canonical form of text (RFC 2045, section 6.8).
    """
    data = lines.replace("\n", "\r\n").encode("utf-8")
    short = -len(data) % 3
    return _base64_lines(data[:-2] + b" " * short + b"\r\n" if short else data)


def _base64_lines(data: bytes) -> bytes:
    encoded = binascii.b2a_base64(data, newline=False)
    return b"".join([encoded[at : at + 76] + b"\r\n" for at in range(0, len(encoded), 76)])


def encode_plain_value(value: str) -> bytes:
    """Encode a value that needs no escaping; it ends in a soft line break."""
    data = value.encode("ascii")
    if len(data) <= _QP_ROOM:
        return data + _SOFT
    lines = _SOFT.join([data[at : at + _QP_ROOM] for at in range(0, len(data), _QP_ROOM)])
    return (lines if b"\n." not in lines else _wrapped(data)) + _SOFT


def encode_quoted(text: str) -> bytes:
    """Encode clean text. If the last line has no line break, it ends in a soft one."""
    *whole, rest = text.encode("utf-8").split(b"\n")
    lines = [_quoted_line(line) + b"\r\n" for line in whole]
    if rest:
        lines.append(_wrapped(_QP_UNSAFE.sub(_escape, rest)) + _SOFT)
    return b"".join(lines)


def _quoted_line(line: bytes) -> bytes:
    escaped = _QP_UNSAFE.sub(_escape, line)
    # Mail servers may remove white space at the end of a line (RFC 2045, section 6.7 (3)).
    if escaped.endswith((b" ", b"\t")):
        escaped = escaped[:-1] + _QP_ESCAPE[escaped[-1:]]
    return _wrapped(escaped)


def _escape(match: re.Match[bytes]) -> bytes:
    return _QP_ESCAPE[match[0]]


def _wrapped(escaped: bytes) -> bytes:
    """Break a line that is too long by soft line breaks, never inside =XX.

    A dot and "From " at the start of a line are escaped, so that they arrive as they were signed. SMTP would
    double the dot, and programs that use mbox files change "From ".
    """
    if len(escaped) <= _QP_ROOM and not escaped.startswith((b".", b"From ")):
        return escaped
    lines = []
    at = 0
    while at < len(escaped):
        start = b""
        if escaped[at] == 0x2E or escaped.startswith(b"From ", at):
            start = _QP_ESCAPE[escaped[at : at + 1]]
            at += 1
        end = at + _QP_ROOM - len(start)
        if end < len(escaped):
            if escaped[end - 1] == 0x3D:
                end -= 1
            elif escaped[end - 2] == 0x3D:
                end -= 2
        lines.append(start + escaped[at:end])
        at = end
    return _SOFT.join(lines)
