"""Read a feedback report (ARF, RFC 5965): a recipient marked our email as spam. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from newsletter.bounces.read.report import clean_address
from newsletter.bounces.read_header import Header, addresses_in, first_word, read_header

# Types that are no complaint of a person (RFC 5965, section 7.3; RFC 6591).
_NO_COMPLAINT = frozenset({"not-spam", "auth-failure", "dmarc", "virus", "auth-failure-report"})
_FIELDS = ("original-rcpt-to", "removal-recipient", "original-recipient", "x-original-rcpt-to")
# Fields of the returned message that name its recipient.
_RECIPIENT = ("x-hmxmroriginalrecipient", "x-original-to", "x-rcpt-to", "delivered-to", "to")


def is_complaint(fields: Header) -> bool:
    """Return whether a feedback report is a complaint, and not about authentication."""
    return first_word(fields, "feedback-type") not in _NO_COMPLAINT


def read_feedback(body: str) -> Header:
    """Return the fields of the part message/feedback-report."""
    return read_header(body.lstrip("\n").encode("utf-8", "replace"))


def complainers(fields: Header, originals: Iterable[Header]) -> tuple[str, ...]:
    """Return the addresses whose owners complain: those of the report, else the returned message's recipient.

    Some providers hide the address in their fields. Then only the returned message names it.
    """
    named = [clean_address(value) for name in _FIELDS for value in fields.get(name, ())]
    found = [each for each in named if each]
    if not found:
        for header in originals:
            for name in _RECIPIENT:
                found = addresses_in(header, (name,))
                if found:
                    return tuple(found[:1])
    return tuple(dict.fromkeys(found))
