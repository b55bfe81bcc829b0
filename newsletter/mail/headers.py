"""Header fields, folded and encoded, in the one form that DKIM's relaxed rule leaves alone. Pure.

Every field is `Name: value`, its value without runs of white space or blanks at its ends, folded
at a single space, so that what is signed is what is sent but for the folds. Human text (a subject,
a name) is made one line: line breaks and control characters become spaces. Machine text (addresses,
URLs, ids) is refused with ValueError when it holds any: there they can only be a mistake or an attack.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

# RFC 5322, section 2.1.1: lines should have at most 78 and must have at most 998 characters;
# RFC 2047, section 2: at most 76 in a line with an encoded word, at most 75 in the word.
_LINE = 76
_LONGEST_LINE = 998
_WORD_FRAME = len("=?utf-8?q??=")

_BREAKING = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_PRINTABLE = re.compile(r"[\x21-\x7e]+(?: [\x21-\x7e]+)*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?: [A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)*")
_ADDRESS = re.compile(r"[^\s\x00-\x20\x7f-\x9f<>(),:;\"\\\[\]@]+@[A-Za-z0-9.-]+")
_URL = re.compile(r"(?:https?://|mailto:)[!#-;=?-\[\]_a-z~%]+")
_ID = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]+@[A-Za-z0-9.-]+")
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,70}")
_TOKEN = re.compile(r"[A-Za-z0-9._-]{1,250}")
_LIST_ID = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)+")
_FEEDBACK = re.compile(r"[A-Za-z0-9._-]*(?::[A-Za-z0-9._-]*){0,2}:[A-Za-z0-9._-]{5,15}")
_BOUNDARY = re.compile(r"=_[A-Za-z0-9_]{1,60}")
# RFC 2047, section 5 (3): what an encoded word in a phrase may leave as it is.
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = [chr(byte) if byte in _Q_PLAIN else "_" if byte == 0x20 else f"={byte:02X}" for byte in range(256)]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Field(NamedTuple):
    """One header field: its name, and its value as it goes out, folded, without the last CRLF."""

    name: bytes
    value: bytes


def join_fields(fields: Iterable[Field]) -> bytes:
    """Return the fields as they stand in a message, each line ending in CRLF, no empty line after."""
    return b"".join([b"%s: %s\r\n" % field for field in fields])


def one_line(text: str) -> str:
    """Return `text` on one line: runs of white space and control characters become one space."""
    return _SURROGATE.sub("\ufffd", _BREAKING.sub(" ", text)).strip(" ")


# Fields that are the same for every reader of an issue: made once.


def from_field(address: str, name: str = "") -> Field:
    """Return From: what people see as the sender."""
    return _mailbox_field("From", address, name)


def reply_to_field(address: str, name: str = "") -> Field:
    """Return Reply-To."""
    return _mailbox_field("Reply-To", address, name)


def subject_field(subject: str) -> Field:
    """Return Subject, in encoded words (RFC 2047) unless it is plain ASCII. Raises on an empty one."""
    text = one_line(subject)
    if not text:
        raise ValueError("a message needs a subject")
    if _fits_as_it_is(text):
        return _folded("Subject", text.split(" "))
    return _folded("Subject", _encoded_words(text, len("Subject: ")))


def list_id_field(list_id: str, name: str = "") -> Field:
    """Return List-Id (RFC 2919), such as `The Letter <letter.news.example.org>`."""
    if not _LIST_ID.fullmatch(list_id) or len(list_id) > 255:
        raise ValueError("a List-Id is at least two labels joined by dots")
    return _folded("List-Id", [*_phrase(name, len("List-Id: ")), f"<{list_id}>"])


def one_click_field() -> Field:
    """Return List-Unsubscribe-Post (RFC 8058): the https link of List-Unsubscribe takes a bare POST."""
    return Field(b"List-Unsubscribe-Post", b"List-Unsubscribe=One-Click")


def feedback_id_field(feedback_id: str) -> Field:
    """Return Feedback-ID: up to four parts joined by colons, the last names the sender (5 to 15 letters).

    Gmail's Postmaster Tools count complaints by these; nothing in it may tell readers apart.
    """
    if not _FEEDBACK.fullmatch(feedback_id):
        raise ValueError("a Feedback-ID is a:b:c:sender, the last of 5 to 15 letters and digits")
    return _folded("Feedback-ID", [feedback_id])


def bulk_field() -> Field:
    """Return Precedence: bulk, for digests: holiday notices are not sent in answer to it."""
    return Field(b"Precedence", b"bulk")


def auto_submitted_field() -> Field:
    """Return Auto-Submitted (RFC 3834), for mails a program sends in answer to a form."""
    return Field(b"Auto-Submitted", b"auto-generated")


def mime_fields(boundary: str, subtype: str = "alternative") -> tuple[Field, Field]:
    """Return MIME-Version and the Content-Type of a message in parts: text and HTML, or `mixed`."""
    check_boundary(boundary)
    kind = b'multipart/%s;\r\n boundary="%s"' % (subtype.encode("ascii"), boundary.encode("ascii"))
    return Field(b"MIME-Version", b"1.0"), Field(b"Content-Type", kind)


def make_boundary(seed: str) -> str:
    """Return a boundary that no encoded part can hold: `=_` is in neither quoted-printable nor base64."""
    return "=_" + hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:24]


def check_boundary(boundary: str) -> str:
    """Return `boundary`. Raises ValueError unless it is one that cannot be in an encoded part."""
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError("a boundary starts with =_ and goes on with letters, digits and underscores")
    return boundary


# Fields of one reader: made for every message, and so without detours.


def to_field(address: str) -> Field:
    """Return To; an address outside ASCII stays UTF-8, and the message then needs SMTPUTF8 (RFC 6532)."""
    if not _ADDRESS.fullmatch(address):
        raise ValueError("not an address for a header field")
    return Field(b"To", _line_of(address, len("To: ")))


def date_field(moment: datetime) -> Field:
    """Return Date in UTC (RFC 5322, 3.3). `moment` is aware."""
    at = moment.astimezone(UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1]
    text = f"{day}, {at.day} {month} {at.year:04} {at.hour:02}:{at.minute:02}:{at.second:02} +0000"
    return Field(b"Date", text.encode("ascii"))


def message_id(delivery_id: str, domain: str) -> str:
    """Return `<id@domain>`: the same for every attempt, so that a repeat can be told by it."""
    text = f"{delivery_id}@{domain}"
    if not _ID.fullmatch(text) or len(text) > 250:
        raise ValueError("not an id and domain for a Message-ID")
    return f"<{text}>"


def message_id_field(delivery_id: str, domain: str) -> Field:
    """Return Message-ID, a function of the delivery's id and the domain alone."""
    return Field(b"Message-ID", message_id(delivery_id, domain).encode("ascii"))


def token_field(name: str, token: str) -> Field:
    """Return the header of ours, called `name`, that tells the delivery of a returned email."""
    if not _HEADER_NAME.fullmatch(name) or not _TOKEN.fullmatch(token):
        raise ValueError("not a name and a token for a header field")
    return Field(name.encode("ascii"), token.encode("ascii"))


def list_unsubscribe_field(url: str, mailto: str | None = None) -> Field:
    """Return List-Unsubscribe (RFC 2369): the link, then the mailto: URL if there is one."""
    value = b"<%s>" % _url(url)
    if mailto is not None:
        value += b",\r\n <%s>" % _url(mailto)
    return Field(b"List-Unsubscribe", value)


def _url(url: str) -> bytes:
    if not _URL.fullmatch(url) or len(url) > _LONGEST_LINE - 30:
        raise ValueError("not a URL for a header field")
    return url.encode("ascii")


def _mailbox_field(name: str, address: str, display_name: str) -> Field:
    if not _ADDRESS.fullmatch(address):
        raise ValueError("not an address for a header field")
    words = _phrase(display_name, len(name) + 2)
    return _folded(name, [*words, f"<{address}>"] if words else [address])


def _phrase(text: str, used: int) -> list[str]:
    """Return a display name as words to fold between: atoms, one quoted string, or encoded words."""
    line = one_line(text)
    if not line:
        return []
    if _fits_as_it_is(line):
        if _ATOMS.fullmatch(line):
            return line.split(" ")
        quoted = '"' + line.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if len(quoted) <= _LINE - used:
            return [quoted]
    return _encoded_words(line, used)


def _fits_as_it_is(text: str) -> bool:
    """Whether `text` needs no encoded words: ASCII, nothing that looks like one, no endless word."""
    return (
        _PRINTABLE.fullmatch(text) is not None
        and "=?" not in text
        and all(len(word) < _LINE - 20 for word in text.split(" "))
    )


def _encoded_words(text: str, used: int) -> list[str]:
    """Return `text` as encoded words, none parting a character (RFC 2047, section 5).

    `used` is the room the field's name takes on the first line. Q where it is the shorter, as
    for Latin letters with some accents; B for other scripts.
    """
    data = text.encode("utf-8")
    q_length = sum(len(_Q[byte]) for byte in data)
    as_q = q_length <= 4 * len(data) / 3
    room = _LINE - _WORD_FRAME - used
    words: list[str] = []
    taken: list[str] = []
    size = 0
    for cluster in _clusters(text):
        cost = sum(len(_Q[byte]) for byte in cluster) if as_q else len(cluster)
        limit = room if as_q else room // 4 * 3
        if taken and size + cost > limit:
            words.append(_encoded_word("".join(taken), as_q))
            taken, size = [], 0
            room = _LINE - _WORD_FRAME - 1
        taken.append(cluster.decode("utf-8"))
        size += cost
    words.append(_encoded_word("".join(taken), as_q))
    return words


def _clusters(text: str) -> Iterable[bytes]:
    """Yield characters, a short run of combining marks with the letter they stand on."""
    run = ""
    for char in text:
        if run and (not unicodedata.combining(char) or len(run) == 4):
            yield run.encode("utf-8")
            run = ""
        run += char
    if run:
        yield run.encode("utf-8")


def _encoded_word(text: str, as_q: bool) -> str:
    data = text.encode("utf-8")
    if as_q:
        return "=?utf-8?q?" + "".join([_Q[byte] for byte in data]) + "?="
    return "=?utf-8?b?" + base64.b64encode(data).decode("ascii") + "?="


def _folded(name: str, words: Iterable[str]) -> Field:
    """Return the field with its words joined by spaces, a fold instead where a line would be too long."""
    lines: list[str] = []
    line, room = "", _LINE - len(name) - 1
    for word in words:
        # The first word stays beside the name: a line with a name only is an obsolete form.
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = "", _LINE
        line += f" {word}"
    lines.append(line)
    if any(len(each.encode("utf-8")) > _LONGEST_LINE - 20 for each in lines):
        raise ValueError(f"{name} is too long for a line of a message")
    return Field(name.encode("ascii"), "\r\n".join(lines)[1:].encode("utf-8"))


def _line_of(text: str, used: int) -> bytes:
    data = text.encode("utf-8")
    if len(data) + used > _LONGEST_LINE:
        raise ValueError("too long for a line of a message")
    return data
