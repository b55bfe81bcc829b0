"""Read the part message/delivery-status of a delivery report (RFC 3464). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from newsletter.bounces.read.reasons import Reason, classify, code_in, status_in
from newsletter.bounces.read.report import LONGEST_WORDS, Failure, clean_address
from newsletter.bounces.read_header import read_header

# A report about more recipients is cut here: one email of ours has one recipient.
MOST_RECIPIENTS = 200
_BLOCKS = re.compile(r"\n[ \t]*\n")
_NAMES = (
    "final-recipient", "original-recipient", "action", "status", "diagnostic-code", "remote-mta",
    "reporting-mta", "last-attempt-date", "arrival-date", "received-from-mta", "will-retry-until",
    "x-actual-recipient", "x-display-name", "x-supplementary-info",
)  # fmt: skip
_FIELD = re.compile(rf"[ \t>|*]{{0,8}}(?:{'|'.join(_NAMES)})[ \t]*:", re.IGNORECASE)
_RECIPIENTS = ("original-recipient", "final-recipient", "x-actual-recipient")
_DELIVERED = ("delivered", "relayed", "expanded")
_TYPE = re.compile(r"\A\s*(?:smtp|x-[a-z0-9-]{1,40}|dns|unix|lmtp)\s*;\s*", re.IGNORECASE)
_FOLDED_PLUS = {"+2B": "+", "+3D": "=", "+40": "@"}

Fields = Mapping[str, str]


def read_delivery_status(text: str) -> list[Failure]:
    """Return a failure for each recipient of this part that did not get the email."""
    recipients = list(_recipients(text))[:MOST_RECIPIENTS]
    found = (_failure(fields) for fields in recipients)
    return [each for each in found if each is not None]


def fields_in_text(text: str, *, quoted: bool = True) -> str:
    """Return the fields of a delivery status that a program put into a text; "" without any.

    With `quoted`, lines that are quoted with ">" count too.
    """
    if "-recipient" not in text.lower():
        return ""
    lines = []
    inside = False
    for line in text.split("\n"):
        if _FIELD.match(line) and (quoted or not line.lstrip().startswith(">")):
            inside = True
            lines.append(line.lstrip(" \t>|*"))
        elif inside and line[:1] in (" ", "\t") and line.strip():
            lines.append(" " + line.strip())
        else:
            inside = False
            lines.append("")
    return "\n".join(lines)


def _recipients(text: str) -> Iterator[Fields]:
    """Yield the fields about each recipient. Some programs leave out the blank lines between them."""
    pending: dict[str, str] = {}
    for block in _BLOCKS.split(text):
        header = read_header(block.strip("\n").encode("utf-8", "replace"))
        finals = header.get("final-recipient", [])
        if not finals and not header.get("original-recipient"):
            if header.get("action") or header.get("status"):
                # A blank line stands inside the fields of one recipient.
                pending |= {name: values[0] for name, values in header.items() if values}
            continue
        count = max(1, len(finals))
        for at in range(min(count, MOST_RECIPIENTS)):
            fields = {
                name: values[at] if len(values) > at else values[-1]
                for name, values in header.items()
                if values and (len(values) > at or name in {"action", "status"} or count == 1)
            }
            yield {**pending, **fields} if count == 1 else fields
        pending = {}


def _failure(fields: Fields) -> Failure | None:
    final = clean_address(fields.get("final-recipient", "")) or clean_address(
        fields.get("x-actual-recipient", "")
    )
    original = _decoded(clean_address(fields.get("original-recipient", "")))
    address = original or final
    if not address:
        return None
    action = fields.get("action", "").strip().lower()
    words = _TYPE.sub("", fields.get("diagnostic-code", "")) or fields.get("x-supplementary-info", "")
    status = status_in(fields.get("status", ""))
    if action.startswith(_DELIVERED):
        return None
    if not action and fields.get("status", "").strip().startswith("2."):
        return None
    in_words = status_in(words)
    code = code_in(words)
    if in_words and (not status or status.endswith(".0.0") or _is_about_queue(status)):
        status = in_words
    permanent = _is_permanent(action, status, code)
    if code and not in_words and code < 500 and not status.startswith("5"):
        permanent = False
    reason = classify(status, words)
    unexplained = reason is Reason.UNKNOWN and _is_bare(words, code)
    delayed = action.startswith("delay")
    return Failure(
        address, reason, permanent and not delayed, delayed, status, words[:LONGEST_WORDS], final or address,
        unexplained=unexplained,
    )  # fmt: skip


def _is_permanent(action: str, status: str, code: int | None) -> bool:
    if action.startswith("delay"):
        return False
    if status:
        return status.startswith("5")
    if code is not None:
        return code >= 500
    return action.startswith("fail")


def _is_about_queue(status: str) -> bool:
    """Whether a status only says that the server gave up after a time."""
    return status in {"4.4.7", "5.4.7"}


def _is_bare(words: str, code: int | None) -> bool:
    """Whether the words explain nothing, or are the refusal of the recipient itself."""
    letters = re.sub(r"[^a-z]+", " ", words.lower()).split()
    return len(letters) <= 1 or (code in {550, 551, 553} and "rcpt to" in words.lower())


def _decoded(address: str) -> str:
    """Return an Original-Recipient without its xtext encoding (RFC 3461, section 4)."""
    for coded, plain in _FOLDED_PLUS.items():
        address = address.replace(coded, plain)
    return address
