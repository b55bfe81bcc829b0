"""Find where the returned message begins in the text of a report. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from newsletter.bounces.read.reasons import fold
from newsletter.bounces.read.report import addresses_in_text, clean_address
from newsletter.bounces.read.wording import says

# A report says what happened in its first lines. A list of recipients may follow.
MOST_LINES = 1500
MOST_CHARACTERS = 64 * 1024
# Between a line such as "headers follow" and the header stand empty lines, rules and a few fields.
LINES_AFTER_MARKER = 12

_START_OF_HEADER = re.compile(
    r"^[ \t>|]{0,8}(?:received:[ \t]+(?:from|by|\(|id)|return-path:|x-[a-z-]{2,40}:[ \t]|mime-version:|"
    r"dkim-signature:|message-id:[ \t]*<|content-type:[ \t]*(?:text|multipart))",
    re.IGNORECASE,
)


def cut_original(text: str, oneself: Collection[str]) -> tuple[str, str]:
    """Return the text for people, and what follows: the returned message.

    Addresses of `oneself` are no failed recipients, so the failed one is still to come.
    """
    lines = text[:MOST_CHARACTERS].split("\n")[:MOST_LINES]
    seen_failure = seen_address = False
    for at, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            continue
        folded = fold(line[:300])
        is_marker = len(stripped) < 90 and says("originals", folded) and at + 1 < len(lines)
        starts = _START_OF_HEADER.match(line) is not None
        marked = is_marker and "@" not in stripped and not says("failures", folded)
        # A report may name the original message first, in a table or a sentence, and the address after it.
        if seen_failure and (starts or (marked and (seen_address or _header_follows(lines, at + 1)))):
            after = "\n".join(lines[at if starts else at + 1 :]).lstrip("\n -=_*>|\t")
            return "\n".join(lines[:at]), after
        seen_address = seen_address or _names_other(stripped, oneself)
        seen_failure = seen_failure or "@" in stripped or says("failures", folded)
    return "\n".join(lines), ""


def _names_other(line: str, oneself: Collection[str]) -> bool:
    """Return whether a line names an address that is none of `oneself`."""
    return "@" in line and any(
        clean_address(match[0]).lower() not in oneself for match in addresses_in_text(line)
    )


def _header_follows(lines: Sequence[str], at: int) -> bool:
    """Return whether the header of a message starts a few lines after a marker."""
    return any(_START_OF_HEADER.match(line) for line in lines[at : at + LINES_AFTER_MARKER])
