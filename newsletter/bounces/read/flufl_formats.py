"""Ask flufl.bounce about formats that our own rules do not know. It gets small messages only. Pure."""

from __future__ import annotations

import logging
from email import message_from_bytes
from email.policy import compat32

from flufl.bounce import all_failures

from newsletter.bounces.read.parts import MOST_PARTS, Part
from newsletter.bounces.read.report import clean_address

LARGEST_BYTES = 256 * 1024
# A report says what happened at its start. The library compares each line with fifty patterns.
KEPT_BYTES = 16 * 1024
# Its patterns take a second for 60,000 short lines.
MOST_LINES = 2500
# The library takes five seconds for ten thousand parts, and raises on deep nesting.
MOST_LIBRARY_PARTS = 50
# The library logs some 20 lines for each message, and a traceback for a broken header that anybody can send.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)


def scan(raw: bytes, parts: list[Part]) -> tuple[set[str], set[str]]:
    """Return the addresses that failed for now, and those that failed for good, by flufl.bounce."""
    too_large = len(raw) > LARGEST_BYTES or raw.count(b"\n", 0, KEPT_BYTES) > MOST_LINES
    if too_large or len(parts) > min(MOST_LIBRARY_PARTS, MOST_PARTS - 1):
        return set(), set()
    try:
        temporary, permanent = all_failures(message_from_bytes(raw[:KEPT_BYTES], policy=compat32))
    except Exception:
        # Python's email package and the library's patterns raise many kinds of errors on broken messages.
        return set(), set()
    return _as_text(temporary), _as_text(permanent)


def _as_text(addresses: frozenset[bytes] | set[bytes]) -> set[str]:
    return {found for each in addresses if (found := clean_address(each.decode("utf-8", "replace")))}
