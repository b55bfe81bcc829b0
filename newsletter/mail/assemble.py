"""Assemble a message's MIME body from parts encoded once per issue and each subscriber's values. Pure.

A *frame* is the digest's template, rendered once per issue and language, with marks (placeholders) in it. A
*field* is the mark of a subscriber's own value, a *slot* the mark of a place for fragments. A *fragment* is
text encoded as whole lines, so that fragments joined in any order are a valid encoding
(transfer_encoding.py). The work for each subscriber is one list copy, a few values set in it, and one join.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from markupsafe import Markup

from newsletter.mail.headers import check_boundary
from newsletter.mail.transfer_encoding import (
    END,
    FIELD,
    SLOT,
    Encoding,
    choose_encoding,
    clean,
    encode_base64,
    encode_fragment,
    encode_plain_value,
    encode_quoted,
)

_MARKS = re.compile(f"{FIELD}([a-z_]+){END}|[ \\t]*{SLOT}([a-z_]+){END}[ \\t]*\\n?")

# A value that needs no escaping in text, in HTML or in quoted-printable, such as a link.
_PLAIN_VALUE = re.compile(r"(?!\.)[!#-%(-;?-~]+")
# The names that the digest's templates use for a subscriber's values and for the places of fragments.
DIGEST_FIELDS = ("browser_url", "preferences_url", "unsubscribe_url")
DIGEST_SLOTS = ("preheader", "contents", "releases", "more", "reason")


class Mark(Markup):
    """A placeholder for a template. Use it without filters, macros or `trans`: these lose it."""

    __slots__ = ()


def field(name: str) -> Mark:
    """Return the mark of a subscriber's own value, for a template's context."""
    return Mark(f"{FIELD}{name}{END}")


def slot(name: str) -> Mark:
    """Return the mark of a place for fragments; it must be on a line of its own."""
    return Mark(f"{SLOT}{name}{END}")


def digest_marks() -> dict[str, Mark]:
    """Return the marks of every field and slot of a digest, to merge into its frame's context."""
    return {name: field(name) for name in DIGEST_FIELDS} | {name: slot(name) for name in DIGEST_SLOTS}


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
    segments: list[_Segment] = [encode_quoted(literals[0])]
    for name, literal in zip(names, literals[1:], strict=True):
        segments += [_Field(name), encode_quoted(literal)]
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
                in_text[name] = in_html[name] = encode_plain_value(value)
            else:
                in_text[name] = encode_quoted(clean(value))
                in_html[name] = encode_quoted(clean(html.escape(value)))
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
    return encode_base64("".join(filled))
