"""An event that a provider reports about one email, in the words of our own reports. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.bounces.providers.payload import Object, as_bytes
from newsletter.bounces.read.reasons import Reason, classify, status_in
from newsletter.bounces.read.report import LONGEST_WORDS, Failure, Kind, Report, clean_address

NOTHING = Report(Kind.OTHER)


@dataclass(frozen=True)
class Event:
    """One event. `key` is unique for each event of a provider, and the same each time it is sent.

    `signed` are the texts that may have a signed value of ours. `raw` is the event as JSON. `unsubscribes`:
    the person unsubscribed by a link of the provider, which sends them no more emails.
    """

    key: str
    report: Report
    signed: Sequence[str]
    raw: bytes
    unsubscribes: bool = False

    @property
    def counts(self) -> bool:
        """Whether it says that an email failed, is late or unwanted, or that a subscriber unsubscribed."""
        return self.unsubscribes or self.report.kind is not Kind.OTHER


def make_event(
    source: Object, key: str, report: Report, signed: Sequence[str], *, unsubscribes: bool = False
) -> Event:
    """Return an event. Without a key from the provider, the hash of the event is its key."""
    raw = as_bytes(source)
    return Event(key or hashlib.sha256(raw).hexdigest(), report, tuple(signed), raw, unsubscribes)


def bounce(*failures: Failure | None) -> Report:
    """Return the report of these failures; a failure without an address does not count."""
    found = tuple(each for each in failures if each is not None)
    return Report(Kind.BOUNCE, found) if found else NOTHING


def complaint(*addresses: str) -> Report:
    """Return the report of people who marked the email as spam."""
    return Report(
        Kind.COMPLAINT, complaints=tuple(found for each in addresses if (found := clean_address(each)))
    )


def failure(
    address: str,
    words: str,
    *,
    permanent: bool,
    status: str = "",
    reason: Reason | None = None,
    otherwise: Reason = Reason.UNKNOWN,
    delayed: bool = False,
) -> Failure | None:
    """Return what a provider says about a recipient; None without an address.

    The provider's `reason` counts. Without one, status and words of the server decide, and if they are
    unknown, `otherwise`.
    """
    found = clean_address(address)
    if not found:
        return None
    known = status_in(status) or status_in(words)
    if reason is None:
        reason = classify(known, words)
        reason = otherwise if reason is Reason.UNKNOWN else reason
    return Failure(found, reason, permanent and not delayed, delayed, known, words[:LONGEST_WORDS], found)


def late(address: str, words: str, status: str = "") -> Report:
    """Return the report of an email that the provider still tries to deliver."""
    return bounce(failure(address, words, permanent=False, status=status, delayed=True))
