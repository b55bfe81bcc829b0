"""Find out which delivery a report is about, by the signed values in it. Pure.

Anybody can write a report that names an address. So a report counts only if it has a value that we signed:
the return path, our header, the Message-ID or the unsubscribe address. They prove which delivery it is about,
and not who reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from newsletter.bounces.read.parts import Part, decode_text
from newsletter.mail.verp import delivery_ids_in, parse_return_path

# Our values stand in the header of the returned message, so near the start of a part.
SEARCHED_BYTES = 256 * 1024


@dataclass(frozen=True)
class SigningKeys:
    """The keys of our two kinds of signed values."""

    return_path: bytes
    leave: bytes


def find_delivery(parts: Sequence[Part], recipients: Iterable[str], keys: SigningKeys) -> int | None:
    """Return the id of the delivery that a report is about, or None."""
    return as_delivery(find_signed_id(parts, recipients, keys))


def as_delivery(signed_id: str | None) -> int | None:
    """Return the id of a delivery from a signed id, or None if that is not a delivery's."""
    is_one = signed_id is not None and signed_id.isdigit() and len(signed_id) < 19
    return int(signed_id) if is_one and signed_id else None


def find_signed_id(parts: Sequence[Part], recipients: Iterable[str], keys: SigningKeys) -> str | None:
    """Return the signed id in a report, of a delivery or of a check, or None.

    The address that the report was sent to decides. Without a signed one, the report itself must name one
    email, and no second one.
    """
    sent_to = {found for each in recipients if (found := parse_return_path(each, [keys.return_path]))}
    named = sent_to if sent_to else _named_in(parts, keys)
    return named.pop() if len(named) == 1 else None


def find_named(values: Iterable[str], keys: SigningKeys) -> str | None:
    """Return the signed id of the one email whose signed values are among `values`, or None."""
    text = "\n".join(each[:SEARCHED_BYTES] for each in values)
    named = delivery_ids_in(text[:SEARCHED_BYTES], keys.return_path, keys.leave)
    return named.pop() if len(named) == 1 else None


def _named_in(parts: Sequence[Part], keys: SigningKeys) -> set[str]:
    found: set[str] = set()
    left = SEARCHED_BYTES
    for part in parts:
        body = b"" if part.kind.startswith(("multipart/", "message/rfc822")) else part.body[:left]
        left -= len(body)
        lines = [value for values in part.header.values() for value in values]
        text = "\n".join([*lines, decode_text(body, part.parameters)])
        found |= delivery_ids_in(text, keys.return_path, keys.leave)
    return found
