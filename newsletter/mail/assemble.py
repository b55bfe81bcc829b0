"""Assemble a message's MIME body from parts encoded once per issue and each subscriber's values. Pure.

A *frame* is the digest's template, rendered once per issue and language, with marks (placeholders) in it. A
*field* is the mark of a subscriber's own value, a *slot* the mark of a place for fragments. A *fragment* is
text encoded as whole lines, so that fragments joined in any order are a valid encoding. The work for each
subscriber is one list copy, a few values set in it, and one join.

A quoted-printable fragment ends in a hard or soft line break. A base64 fragment encodes a multiple of three
bytes, so that no `=` is inside the body. To get there, up to two spaces are put before its last line break.
Lines have at most 76 characters, end in CRLF, and never start with a dot or with "From ". So no line needs
dot-stuffing (RFC 5321, section 4.5.2), and a CR or LF in a value is never sent bare.
"""

from __future__ import annotations

import base64
import binascii
import enum
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

from markupsafe import Markup

from newsletter.mail.headers import check_boundary

# Private-use characters, which have no meaning in other texts. `clean` removes them there.
_FIELD, _SLOT, _END = "\ue000", "\ue001", "\ue002"
MARK_CHARACTERS = _FIELD + _SLOT + _END
_MARKS = re.compile(f"{_FIELD}([a-z_]+){_END}|[ \\t]*{_SLOT}([a-z_]+){_END}[ \\t]*\\n?")

_LINE_BREAKS = re.compile("\r\n?|[\u2028\u2029]")
_UNWANTED = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{MARK_CHARACTERS}]")
_SURROGATE = re.compile("[\ud800-\udfff]")

# RFC 2045, section 6.7 (5): 76 characters, one of them for the = of a soft line break.
_QP_ROOM = 75
_QP_UNSAFE = re.compile(rb"[^\t -<>-~]")
_QP_ESCAPE = {bytes([byte]): b"=%02X" % byte for byte in range(256)}
_SOFT = b"=\r\n"
# A value that needs no escaping in text, in HTML or in quoted-printable, such as a link.
_PLAIN_VALUE = re.compile(r"(?!\.)[!#-%(-;?-~]+")


class Encoding(enum.StrEnum):
    """A Content-Transfer-Encoding (RFC 2045, section 6)."""

    QUOTED_PRINTABLE = "quoted-printable"
    BASE64 = "base64"


# The names that the digest's templates use for a subscriber's values and for the places of fragments.
DIGEST_FIELDS = ("browser_url", "preferences_url", "unsubscribe_url")
DIGEST_SLOTS = ("preheader", "contents", "releases", "more", "reason")


class Mark(Markup):
    """A placeholder for a template. Use it without filters, macros or `trans`: these lose it."""

    __slots__ = ()


def field(name: str) -> Mark:
    """Return the mark of a subscriber's own value, for a template's context."""
    return Mark(f"{_FIELD}{name}{_END}")


def slot(name: str) -> Mark:
    """Return the mark of a place for fragments; it must be on a line of its own."""
    return Mark(f"{_SLOT}{name}{_END}")


def digest_marks() -> dict[str, Mark]:
    """Return the marks of every field and slot of a digest, to merge into its frame's context."""
    return {name: field(name) for name in DIGEST_FIELDS} | {name: slot(name) for name in DIGEST_SLOTS}


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
    return _quoted(lines) if encoding is Encoding.QUOTED_PRINTABLE else _base64(lines)


def numbered(fragments: Iterable[bytes], encoding: Encoding) -> bytes:
    """Return fragments joined, each with its number before its first line, for the table of contents."""
    return b"".join([_number(at, encoding) + each for at, each in enumerate(fragments, start=1)])


@lru_cache(maxsize=512)
def _number(at: int, encoding: Encoding) -> bytes:
    text = f"{at:>3}.  " if at < 1000 else f"{at}. "
    if encoding is Encoding.QUOTED_PRINTABLE:
        return _quoted(text)
    return _base64_lines(text.encode("ascii").ljust(-(-len(text) // 3) * 3))


def decode_fragments(encoded: bytes | Iterable[bytes], encoding: Encoding) -> str:
    """Return the text of one fragment or of several joined ones, with LF line breaks."""
    joined = encoded if isinstance(encoded, bytes) else b"".join(encoded)
    data = binascii.a2b_base64(joined) if encoding is Encoding.BASE64 else binascii.a2b_qp(joined)
    return data.replace(b"\r\n", b"\n").decode("utf-8")


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines with fields, which must be base64-encoded for each subscriber. Literals and names alternate."""

    literals: tuple[str, ...]
    names: tuple[str, ...]


# A frame is split into segments: encoded bytes, a field, a slot, or lines to encode.
@dataclass(frozen=True, slots=True)
class _Field:
    name: str


@dataclass(frozen=True, slots=True)
class _Slot:
    name: str


_Segment = bytes | _Field | _Slot | _Lines


@dataclass(frozen=True, slots=True)
class FramePart:
    """One part of a frame, text or HTML: the rendered template with its marks, and its encoding."""

    text: str
    encoding: Encoding

    @classmethod
    def load(cls, stored: bytes) -> Self:
        """Return the part that `dump` stored."""
        encoding, _, text = stored.decode("utf-8").partition("\n")
        return cls(text, Encoding(encoding))

    def dump(self) -> bytes:
        """Return the part as bytes to store: the encoding's name on the first line, then the text."""
        return f"{self.encoding}\n{self.text}".encode()

    def names(self) -> tuple[set[str], set[str]]:
        """Return the names of its fields (a recipient's values) and of its slots (places for fragments)."""
        found = [match.groups() for match in _MARKS.finditer(self.text)]
        return {name for name, _ in found if name}, {name for _, name in found if name}

    def fill(self, fields: Mapping[str, str], slots: Mapping[str, str], *, is_html: bool) -> str:
        """Return the text with its fields and slots filled in, for the browser view and for previews."""

        def value(match: re.Match[str]) -> str:
            name, place = match.groups()
            if name is None:
                inserted = slots.get(place, "")
                return inserted if not inserted or inserted.endswith("\n") else inserted + "\n"
            return html.escape(fields[name]) if is_html else fields[name]

        return _MARKS.sub(value, self.text)

    def _segments(self) -> list[_Segment]:
        """Return the part split at its marks, with the literals encoded."""
        quoted = self.encoding is Encoding.QUOTED_PRINTABLE
        segments: list[_Segment] = []
        pieces = _MARKS.split(self.text)
        run: list[str] = [clean(pieces[0])]
        names: list[str] = []
        for name, place, literal in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
            if name is not None:
                names.append(name)
                run.append(clean(literal))
                continue
            segments += _quoted_run(run, names) if quoted else _base64_run(run, names)
            segments.append(_Slot(place))
            run, names = [clean(literal)], []
        segments += _quoted_run(run, names) if quoted else _base64_run(run, names)
        return segments


def _quoted_run(literals: list[str], names: list[str]) -> list[_Segment]:
    """Encode the text between two slots; soft line breaks put each literal and field on its own lines."""
    if names or literals[0]:
        _end_line(literals)
    segments: list[_Segment] = [_quoted(literals[0])]
    for name, literal in zip(names, literals[1:], strict=True):
        segments += [_Field(name), _quoted(literal)]
    return segments


def _base64_run(literals: list[str], names: list[str]) -> list[_Segment]:
    """Encode the text between two slots: lines without fields now, neighbouring lines with fields later."""
    if names or literals[0]:
        _end_line(literals)
    segments: list[_Segment] = []
    open_literals, open_names = [""], list[str]()
    for at, literal in enumerate(literals):
        if at:
            open_names.append(names[at - 1])
            open_literals.append("")
        if open_names:
            # The rest of a field's line must be encoded together with the field.
            tail, line_break, literal = literal.partition("\n")  # noqa: PLW2901
            open_literals[-1] += tail + line_break
            if not line_break:
                continue
        whole, line_break, begun = literal.rpartition("\n")
        if whole + line_break:
            if open_names:
                segments.append(_Lines(tuple(open_literals), tuple(open_names)))
                open_literals, open_names = [""], []
            segments.append(encode_fragment(whole + line_break, Encoding.BASE64))
        open_literals[-1] += begun
    if open_names:
        segments.append(_Lines(tuple(open_literals), tuple(open_names)))
    return segments


def _end_line(literals: list[str]) -> None:
    if not literals[-1].endswith("\n"):
        literals[-1] += "\n"


class Frame:
    """The text and HTML frames of an issue in one language; makes the body of each message."""

    def __init__(self, text: FramePart, html_part: FramePart, boundary: str) -> None:
        self.text = text
        self.html = html_part
        self.boundary = check_boundary(boundary)
        self._literals: list[bytes] = [b""]
        self._fields: list[tuple[int, str, bool]] = []
        self._slots: list[tuple[int, str, bool]] = []
        self._lines: list[tuple[int, _Lines, bool]] = []
        self._append(_part_head(boundary, "plain", text.encoding))
        for segment in text._segments():
            self._append(segment, is_html=False)
        self._append(b"\r\n" + _part_head(boundary, "html", html_part.encoding))
        for segment in html_part._segments():
            self._append(segment, is_html=True)
        self._append(b"\r\n--%s--\r\n" % boundary.encode("ascii"))
        self._quoted_names = sorted({name for _, name, _ in self._fields})

    def _append(self, segment: _Segment, *, is_html: bool = False) -> None:
        at = len(self._literals)
        if isinstance(segment, bytes):
            self._literals[-1] += segment
            return
        if isinstance(segment, _Field):
            self._fields.append((at, segment.name, is_html))
        elif isinstance(segment, _Slot):
            self._slots.append((at, segment.name, is_html))
        else:
            self._lines.append((at, segment, is_html))
        # An empty place for the value, and the literal after it.
        self._literals += (b"", b"")

    def body(self, fields: Mapping[str, str], slots: Mapping[str, tuple[bytes, bytes]]) -> bytes:
        """Return a message's body, starting with its first boundary.

        `fields` has a value for every field; this escapes it for HTML. `slots` has the joined fragments of
        a slot as (text, HTML), in the encodings of the two parts. A missing slot stays empty. Raises
        KeyError for a missing field.
        """
        segments = self._literals.copy()
        in_text: dict[str, bytes] = {}
        in_html: dict[str, bytes] = {}
        for name in self._quoted_names:
            value = fields[name]
            if _PLAIN_VALUE.fullmatch(value):
                in_text[name] = in_html[name] = _quoted_plain(value)
            else:
                in_text[name] = _quoted(clean(value))
                in_html[name] = _quoted(clean(html.escape(value)))
        for at, name, is_html in self._fields:
            segments[at] = in_html[name] if is_html else in_text[name]
        for at, lines, is_html in self._lines:
            segments[at] = _encode_lines(lines, fields, is_html)
        for at, name, is_html in self._slots:
            if name in slots:
                segments[at] = slots[name][is_html]
        return b"".join(segments)


def single_body(text: str, html_text: str, boundary: str) -> bytes:
    """Return the body of an email that is made for one person only, such as a confirmation."""
    parts = []
    for subtype, content in (("plain", text), ("html", html_text)):
        encoding = choose_encoding([content])
        parts.append(_part_head(check_boundary(boundary), subtype, encoding))
        parts.append(encode_fragment(content, encoding) + b"\r\n")
    return b"".join([*parts, b"--%s--\r\n" % boundary.encode("ascii")])


def with_attachment(body: bytes, boundary: str, outer: str, name: str, data: bytes) -> bytes:
    """Return the body of a multipart/mixed message: `body`, whose parts `boundary` separates, and a file.

    The file is application/octet-stream, so mail programs offer to save it and do not show it.
    """
    mark = b"--" + check_boundary(outer).encode("ascii")
    head = b'Content-Type: multipart/alternative;\r\n boundary="%s"\r\n\r\n' % boundary.encode("ascii")
    named = name.encode("ascii")
    file_head = (
        b'Content-Type: application/octet-stream;\r\n name="%s"\r\n'
        b'Content-Disposition: attachment;\r\n filename="%s"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n" % (named, named)
    )
    encoded = base64.encodebytes(data).replace(b"\n", b"\r\n")
    return b"".join([mark, b"\r\n", head, body, mark, b"\r\n", file_head, encoded, mark, b"--\r\n"])


def build_message(headers: bytes, body: bytes) -> bytes:
    """Return the message: `headers` (whole lines, as `join_fields` returns), an empty line, `body`."""
    return b"%s\r\n%s" % (headers, body)


def _part_head(boundary: str, subtype: str, encoding: Encoding) -> bytes:
    return (
        f"--{boundary}\r\nContent-Type: text/{subtype}; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode("ascii")


def _encode_lines(lines: _Lines, fields: Mapping[str, str], is_html: bool) -> bytes:
    filled = [lines.literals[0]]
    for name, literal in zip(lines.names, lines.literals[1:], strict=True):
        value = fields[name]
        if not _PLAIN_VALUE.fullmatch(value):
            value = clean(html.escape(value) if is_html else value)
        filled += (value, literal)
    return _base64("".join(filled))


def _base64(lines: str) -> bytes:
    """Encode whole lines; spaces before the last line break make them a multiple of three bytes.

    Line breaks in the encoded text are CRLF, the canonical form of text (RFC 2045, section 6.8).
    """
    data = lines.replace("\n", "\r\n").encode("utf-8")
    short = -len(data) % 3
    return _base64_lines(data[:-2] + b" " * short + b"\r\n" if short else data)


def _base64_lines(data: bytes) -> bytes:
    encoded = binascii.b2a_base64(data, newline=False)
    return b"".join([encoded[at : at + 76] + b"\r\n" for at in range(0, len(encoded), 76)])


def _quoted_plain(value: str) -> bytes:
    """Encode a value that needs no escaping; it ends in a soft line break."""
    data = value.encode("ascii")
    if len(data) <= _QP_ROOM:
        return data + _SOFT
    lines = _SOFT.join([data[at : at + _QP_ROOM] for at in range(0, len(data), _QP_ROOM)])
    return (lines if b"\n." not in lines else _wrapped(data)) + _SOFT


def _quoted(text: str) -> bytes:
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
