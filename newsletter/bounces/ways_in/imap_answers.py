"""Read the answers of an IMAP server (RFC 3501, RFC 9051): status, search, fetch. Pure."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass

_LITERAL = re.compile(rb"\{(\d{1,12})\}\Z")
_UID = re.compile(rb"[ (]UID (\d{1,10})\b")
_SIZE = re.compile(rb"[ (]RFC822\.SIZE (\d{1,18})\b")
_QUOTED_BODY = re.compile(rb'BODY\[[^\]]*\](?:<\d+>)? "((?:[^"\\]|\\.)*)"')
_NOT_ASCII = re.compile(r"[^ -~]+")
_CODE = re.compile(rb"\[([A-Za-z-]+)(?: ([^\]]*))?\]")


@dataclass(frozen=True)
class Untagged:
    """An answer without a tag: its text without the blocks of bytes, and these blocks."""

    text: bytes
    blocks: tuple[bytes, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What a server answered to a command: OK, NO or BAD, its words, and what it sent before that."""

    status: str
    words: bytes
    untagged: tuple[Untagged, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the command was done."""
        return self.status == "OK"

    @property
    def code(self) -> str:
        """The code in brackets of the answer, in capitals."""
        found = _CODE.match(self.words)
        return found[1].decode("ascii").upper() if found else ""

    def value(self, code: str) -> bytes | None:
        """Return the value of a code that stands in brackets in any OK answer, or None."""
        for text in (*(each.text[3:] for each in self.untagged if _is_ok(each.text)), self.words):
            found = _CODE.match(text)
            if found and found[1].decode("ascii").upper() == code:
                return found[2] or b""
        return None

    def numbers(self, kind: str) -> list[int]:
        """Return the numbers of all answers of one kind, such as SEARCH."""
        found: list[int] = []
        for each in self.untagged:
            word, _, rest = each.text.partition(b" ")
            if word.upper() == kind.encode():
                found += [int(number) for number in rest.split() if number.isdigit() and len(number) < 11]
        return found


@dataclass(frozen=True)
class Fetched:
    """A message as far as it was fetched, and its whole size as the server names it."""

    uid: int
    raw: bytes
    size: int


def literal_size(line: bytes) -> int | None:
    """Return the size of the block of bytes that follows a line, or None if none follows."""
    found = _LITERAL.search(line)
    return int(found[1]) if found else None


def without_literal(line: bytes) -> bytes:
    """Return a line without the announcement of the block that follows it."""
    return _LITERAL.sub(b"", line)


def fetched(answer: Untagged) -> Fetched | None:
    """Return the message of a FETCH answer; None if it is something else, such as a change of flags."""
    words = answer.text.split(b" ", 2)
    if len(words) < 3 or not words[0].isdigit() or words[1].upper() != b"FETCH":
        return None
    uid = _UID.search(answer.text)
    if uid is None:
        return None
    quoted = _QUOTED_BODY.search(answer.text)
    if answer.blocks:
        raw = answer.blocks[0]
    elif quoted:
        raw = re.sub(rb"\\(.)", rb"\1", quoted[1])
    elif b"BODY[" in answer.text.upper():
        raw = b""
    else:
        return None
    size = _SIZE.search(answer.text)
    return Fetched(int(uid[1]), raw, int(size[1]) if size else len(raw))


def exists(answer: Untagged) -> int | None:
    """Return the number of messages that an EXISTS answer names, or None if it is something else."""
    words = answer.text.split()
    is_one = len(words) == 2 and words[1].upper() == b"EXISTS" and words[0].isdigit()
    return int(words[0]) if is_one and len(words[0]) < 11 else None


def uid_set(uids: list[int]) -> str:
    """Return uids as IMAP writes them, with ranges: 3:5,9."""
    parts: list[list[int]] = []
    for uid in sorted(set(uids)):
        if parts and parts[-1][1] == uid - 1:
            parts[-1][1] = uid
        else:
            parts.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in parts)


def folder_name(folder: str) -> bytes:
    """Return the quoted name of a folder in the modified UTF-7 of RFC 3501, section 5.1.3."""
    name = _NOT_ASCII.sub(_modified_base64, folder.replace("&", "&-")).encode("ascii")
    return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def _modified_base64(found: re.Match[str]) -> str:
    letters = binascii.b2a_base64(found[0].encode("utf-16-be"), newline=False).decode("ascii")
    return f"&{letters.rstrip('=').replace('/', ',')}-"


def _is_ok(text: bytes) -> bool:
    return text[:3].upper() == b"OK "
