"""Cut a message, which may be hostile, into its parts: bounded in bytes, parts and depth. Pure.

Python's `email` takes seconds for ten thousand parts, and raises on deep nesting. This takes linear time and
never raises.
"""

from __future__ import annotations

import binascii
import codecs
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from newsletter.bounces.read_header import Header, read_header

# Real reports have some kilobytes before the returned message. Bytes after this limit are ignored.
LARGEST_BYTES = 1024 * 1024
MOST_PARTS = 100
DEEPEST = 10
# The text of one part for people. A report says what happened in its first lines.
LONGEST_TEXT_BYTES = 128 * 1024

_PARAMETER = re.compile(r';\s*([a-zA-Z-]{1,40})\s*=\s*("[^"]{0,200}"|[^;\s"]{1,200})')
_GUESSED_BOUNDARY = re.compile(rb"(?:\A|\n)--([^\s-][^\n]{0,120}|-{2,}[^\n]{1,120})\n(?=[!-9;-~]{1,40}:|\n)")
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})
_HEADERS_ONLY = frozenset({"text/rfc822-headers", "text/rfc822-header", "message/global-headers"})
_NOT_IN_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
# Decoders that take linear time. Python has others, such as punycode, that do not.
_CHARSETS = frozenset({
    "utf-16", "utf-7", "big5", "big5hkscs", "gb2312", "gbk", "gb18030", "hz", "cp932", "shift_jis", "euc_jp",
    "iso2022_jp", "cp949", "euc_kr", "iso2022_kr", "koi8-r", "koi8-u", "tis-620", "mac-roman", "cp437",
    "cp850", "cp852", "cp866", "cp874", *(f"cp125{number}" for number in range(9)),
    *(f"iso8859-{number}" for number in range(1, 17) if number != 12),
})  # fmt: skip
# Some programs name a subset of the character set that they use.
_WIDER = {
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "iso8859-1": "cp1252",
}  # fmt: skip
_INVISIBLE = (("<style", "</style"), ("<script", "</script"), ("<!--", "--"))
_LINE_ENDS = re.compile(r"<\s*/?\s*(?:br|p|div|tr|li|h[1-6]|table|td|pre)\b[^<>]{0,500}>", re.IGNORECASE)
_TAG = re.compile(r"<(?=[a-zA-Z/!?])(?![^<>\s]{1,200}@)[^<>]{0,2000}>")


@dataclass(frozen=True)
class Part:
    """One part of a message: its type, its header, and its body as it was sent.

    `original` means that the part belongs to the returned message, which the report is about.
    """

    kind: str
    header: Header
    raw: bytes
    parameters: dict[str, str] = field(default_factory=dict)
    original: bool = False

    @property
    def body(self) -> bytes:
        """The body without its transfer encoding."""
        return decode_transfer(self.raw, self.header)

    @property
    def text(self) -> str:
        """The body as text for people, without HTML tags."""
        raw = self.raw[: 2 * LONGEST_TEXT_BYTES]
        text = decode_text(decode_transfer(raw, self.header)[:LONGEST_TEXT_BYTES], self.parameters)
        return without_tags(text) if self.kind == "text/html" else text


def cut(raw: bytes) -> list[Part]:
    """Return the parts of a message in their order; the first one has the header of the whole message.

    A multipart is followed by its children, and a returned message by its own parts. Never raises.
    """
    start = raw[:LARGEST_BYTES].lstrip(b"\r\n").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: list[Part] = []
    # A stack and no recursion: the depth is bounded, but not by Python's own limit.
    waiting: list[tuple[bytes, int, bool]] = [(start, 0, False)]
    while waiting and len(found) < MOST_PARTS:
        piece, depth, original = waiting.pop()
        part = _entity(piece, original)
        found.append(part)
        if depth >= DEEPEST:
            continue
        inside = [(child, depth + 1, flag) for child, flag in _children(part, MOST_PARTS - len(found))]
        waiting.extend(reversed(inside))
    return found


def _entity(piece: bytes, original: bool) -> Part:
    header = read_header(piece)
    value = next(iter(header.get("content-type", ())), "")[:2000]
    kind = value.partition(";")[0].strip().lower()
    if "/" not in kind:
        kind = "text/plain"
    parameters = {name.lower(): given.strip('"') for name, given in _PARAMETER.findall(value)}
    return Part(kind, header, _body(piece), parameters, original)


def _body(piece: bytes) -> bytes:
    if piece.startswith(b"\n"):
        return piece[1:]
    end = piece.find(b"\n\n")
    return b"" if end < 0 else piece[end + 2 :]


def _children(part: Part, most: int) -> Iterator[tuple[bytes, bool]]:
    """Yield the parts inside a part, and whether they belong to the returned message."""
    if part.kind.startswith("multipart/"):
        for child in _pieces(part, most):
            yield child, part.original
    elif part.kind in _MESSAGES:
        yield part.body.lstrip(b"\n"), True
    elif part.kind in _HEADERS_ONLY:
        yield part.body.lstrip(b"\n") + b"\n\n", True


def _pieces(part: Part, most: int) -> Iterator[bytes]:
    body = b"\n" + part.raw
    boundary = part.parameters.get("boundary", "").strip().encode("utf-8", "replace")
    if not boundary or b"\n--" + boundary not in body:
        guess = _GUESSED_BOUNDARY.search(body)
        if guess is None:
            # The message was cut off, or the program sends no parts. Its text may still tell something.
            yield b"\n" + part.raw
            return
        boundary = guess[1].rstrip()
    line = b"\n--" + boundary
    at = body.find(line)
    if body[:at].strip():
        yield b"Content-Type: text/x-preamble\n\n" + body[1:at]
    while at >= 0 and most > 0:
        if body.startswith(b"--", at + len(line)):
            return
        begin = body.find(b"\n", at + 1)
        if begin < 0:
            return
        at = body.find(line, begin)
        yield body[begin + 1 :] if at < 0 else body[begin + 1 : at]
        most -= 1


def decode_transfer(raw: bytes, header: Header) -> bytes:
    """Return a body without its base64 or quoted-printable."""
    encoding = next(iter(header.get("content-transfer-encoding", ())), "").strip().lower()
    try:
        if encoding == "base64":
            letters = _NOT_IN_BASE64.sub(b"", raw)
            letters = letters[: len(letters) - (len(letters) % 4 == 1)]
            return binascii.a2b_base64(letters + b"=" * (-len(letters) % 4))
        if encoding == "quoted-printable":
            return binascii.a2b_qp(raw)
    except (ValueError, binascii.Error):
        pass
    return raw


def decode_text(body: bytes, parameters: dict[str, str]) -> str:
    """Return a body as text by the character set that it names, or by a guess."""
    if b"\x1b$" in body:
        return body.decode("iso2022_jp", "replace")
    try:
        name = codecs.lookup(parameters.get("charset", "") or "utf-8").name
    except (LookupError, ValueError):
        name = "utf-8"
    name = _WIDER.get(name, name)
    if name in _CHARSETS:
        return body.decode(name, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def without_tags(text: str) -> str:
    """Return HTML as text. Tags that end a line become line ends. <user@host> is no tag."""
    for opening, closing in _INVISIBLE:
        text = _without(text, opening, closing)
    text = _LINE_ENDS.sub("\n", text)
    return html.unescape(_TAG.sub(" ", text)).replace("\xa0", " ")


def _without(text: str, opening: str, closing: str) -> str:
    folded = text.lower()
    if len(folded) != len(text) or opening not in folded:
        return text
    kept, at = [], 0
    while (begin := folded.find(opening, at)) >= 0:
        kept.append(text[at:begin])
        end = folded.find(closing, begin + len(opening))
        at = folded.find(">", end) + 1 if end >= 0 else 0
        if not at:
            return "".join(kept)
    kept.append(text[at:])
    return "".join(kept)
