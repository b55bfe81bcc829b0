"""Make header fields, folded and encoded, in a form that DKIM's relaxed canonicalisation keeps. Pure.

A field's value has no runs of spaces and no spaces at its ends, and is folded at single spaces. So the signed
value differs from the sent one only by the folds. In text for people (a subject, a name), line breaks and
control characters become spaces. In addresses, URLs and ids they can only be a mistake or an attack, so they
raise ValueError.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

# RFC 5322, section 2.1.1: a line should have at most 78 and must have at most 998 characters.
# RFC 2047, section 2: a line with an encoded word has at most 76, and the word at most 75.
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
# Headers whose value has a form that the relay's provider defines. It gives the token back in its reports
# (docs/returned-mail.md).
_TOKEN_FORMS = {
    "x-smtpapi": '{"unique_args": {"newsletter_token": "%s"}}',
    "x-mailgun-variables": '{"newsletter_token": "%s"}',
    "x-ses-message-tags": "newsletter_token=%s",
}
_LIST_ID = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+(?:\.[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+)+")
_FEEDBACK = re.compile(r"[A-Za-z0-9._-]*(?::[A-Za-z0-9._-]*){0,2}:[A-Za-z0-9._-]{5,15}")
_BOUNDARY = re.compile(r"=_[A-Za-z0-9_]{1,60}")
# RFC 2047, section 5 (3): the bytes that need no escape in an encoded word of a phrase.
_Q_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = [chr(byte) if byte in _Q_PLAIN else "_" if byte == 0x20 else f"={byte:02X}" for byte in range(256)]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Field(NamedTuple):
    """One header field: its name, and its value as it is sent, folded, without the last CRLF."""

    name: bytes
    value: bytes


def join_fields(fields: Iterable[Field]) -> bytes:
    """Return the fields as lines of a message, each with CRLF, without the empty line after them."""
    return b"".join([b"%s: %s\r\n" % field for field in fields])


def one_line(text: str) -> str:
    """Return `text` on one line: runs of white space and control characters become one space."""
    return _SURROGATE.sub("\ufffd", _BREAKING.sub(" ", text)).strip(" ")


# Fields that are the same in all messages of an issue. They are made once.


def from_field(address: str, name: str = "") -> Field:
    """Return From, which people see as the sender."""
    return _mailbox_field("From", address, name)


def reply_to_field(address: str, name: str = "") -> Field:
    """Return Reply-To."""
    return _mailbox_field("Reply-To", address, name)


def subject_field(subject: str) -> Field:
    """Return Subject, in encoded words (RFC 2047) unless it is ASCII. Raises ValueError for an empty one."""
    text = one_line(subject)
    if not text:
        raise ValueError("a message needs a subject")
    if _fits_as_it_is(text):
        return _folded("Subject", text.split(" "))
    return _folded("Subject", _encoded_words(text, len("Subject: ")))


def list_id_field(list_id: str, name: str = "") -> Field:
    """Return List-Id (RFC 2919), such as `Press News <press.news.example.org>`."""
    if not _LIST_ID.fullmatch(list_id) or len(list_id) > 255:
        raise ValueError("a List-Id is at least two labels joined by dots")
    return _folded("List-Id", [*_phrase(name, len("List-Id: ")), f"<{list_id}>"])


def one_click_field() -> Field:
    """Return List-Unsubscribe-Post (RFC 8058): a POST to List-Unsubscribe's https link unsubscribes."""
    return Field(b"List-Unsubscribe-Post", b"List-Unsubscribe=One-Click")


def feedback_id_field(feedback_id: str) -> Field:
    """Return Feedback-ID: up to four parts joined by colons. The last is the sender (5 to 15 characters).

    Gmail's Postmaster Tools count complaints by these parts. They must not identify a subscriber.
    """
    if not _FEEDBACK.fullmatch(feedback_id):
        raise ValueError("a Feedback-ID is a:b:c:sender, and the sender has 5 to 15 characters")
    return _folded("Feedback-ID", [feedback_id])


def bulk_field() -> Field:
    """Return Precedence: bulk, for digests. Vacation programs do not reply to it."""
    return Field(b"Precedence", b"bulk")


def auto_submitted_field() -> Field:
    """Return Auto-Submitted (RFC 3834), for single emails: this program sends them in reply to a form."""
    return Field(b"Auto-Submitted", b"auto-generated")


def mime_fields(boundary: str, subtype: str = "alternative") -> tuple[Field, Field]:
    """Return MIME-Version and the Content-Type of a multipart message: `alternative` or `mixed`."""
    check_boundary(boundary)
    kind = b'multipart/%s;\r\n boundary="%s"' % (subtype.encode("ascii"), boundary.encode("ascii"))
    return Field(b"MIME-Version", b"1.0"), Field(b"Content-Type", kind)


def make_boundary(seed: str) -> str:
    """Return a boundary that no encoded part can hold: `=_` never occurs in quoted-printable or base64."""
    return "=_" + hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:24]


def check_boundary(boundary: str) -> str:
    """Return `boundary`. Raises ValueError if it could occur in an encoded part."""
    if not _BOUNDARY.fullmatch(boundary):
        raise ValueError("a boundary is =_ and then A-Z, a-z, digits and underscores")
    return boundary


# Fields of one recipient. They are made for every message, so this code is kept fast.


def to_field(address: str) -> Field:
    """Return To. An address outside ASCII stays UTF-8, and the message needs SMTPUTF8 (RFC 6532)."""
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
    """Return `<id@domain>`, the same for every attempt, so that duplicates can be recognised."""
    text = f"{delivery_id}@{domain}"
    if not _ID.fullmatch(text) or len(text) > 250:
        raise ValueError("not an id and domain for a Message-ID")
    return f"<{text}>"


def message_id_field(delivery_id: str, domain: str) -> Field:
    """Return Message-ID, which depends on the delivery's id and the domain only."""
    return Field(b"Message-ID", message_id(delivery_id, domain).encode("ascii"))


def token_field(name: str, token: str) -> Field:
    """Return our own header `name`, which identifies the delivery when an email is returned."""
    if not _HEADER_NAME.fullmatch(name) or not _TOKEN.fullmatch(token):
        raise ValueError("not a name and a token for a header field")
    form = _TOKEN_FORMS.get(name.lower(), "%s")
    return Field(name.encode("ascii"), (form % token).encode("ascii"))


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
    """Return a display name as words that may be folded: atoms, one quoted string, or encoded words."""
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
    """Whether `text` needs no encoded words: it is ASCII, has no `=?`, and no word too long for a line."""
    return (
        _PRINTABLE.fullmatch(text) is not None
        and "=?" not in text
        and all(len(word) < _LINE - 20 for word in text.split(" "))
    )


def _encoded_words(text: str, used: int) -> list[str]:
    """Return `text` as encoded words that never split a character (RFC 2047, section 5).

    `used` is the room that the field's name takes on the first line. Q encoding is used where it is shorter,
    as for Latin text with some accents, and B for other scripts.
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
    """Yield characters, each with the combining marks that follow it, in runs of at most four."""
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
    """Return the field with its words joined by spaces, folded where a line would be too long."""
    lines: list[str] = []
    line, room = "", _LINE - len(name) - 1
    for word in words:
        # The first word stays on the line of the name: a line with a name only is an obsolete form.
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
