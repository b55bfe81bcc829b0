"""Choose the title and the publisher among the lines above the text, by scores. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.ingest.press.dates.find import find_dates
from newsletter.ingest.press.lines.furniture import is_menu
from newsletter.ingest.press.lines.labels import NAME
from newsletter.ingest.press.lines.organisations import is_wire, looks_like_name, organisation_score
from newsletter.ingest.press.lines.shape import is_bullet, is_capitals, size, starts_small

LONGEST_TITLE = 300


@dataclass(frozen=True)
class Entry:
    """A line of the head that may be a title or a publisher. `named`: its label says a publisher."""

    at: int
    text: str
    gap: bool
    named: bool = False
    by_date: bool = False


def join_headlines(entries: Sequence[Entry]) -> list[Entry]:
    """Return `entries`, with the lines of a headline that was split over several lines joined."""
    made: list[Entry] = []
    last_at = -1
    for entry in entries:
        if made and entry.at == last_at + 1 and not entry.gap and _continues(made[-1], entry):
            made[-1] = Entry(made[-1].at, f"{made[-1].text} {entry.text}", made[-1].gap)
        else:
            made.append(entry)
        last_at = entry.at
    return made


def _continues(first: Entry, second: Entry) -> bool:
    if first.named or second.named or first.by_date or second.by_date or len(first.text) > 200:
        return False
    if size(first.text) < 3 or organisation_score(second.text) >= NAME or find_dates(second.text):
        return False
    if organisation_score(first.text) >= NAME and size(first.text) <= 9:
        return False
    if is_capitals(first.text) and is_capitals(second.text):
        return True
    cut = re.search(
        r"(?:[,\-–—]|\b(?:of|the|and|for|in|on|to|a|an|at|by|with|from|as|der|die|das|und|de|la"
        r"|le|et|y|in))\Z",
        first.text,
    )
    return bool(cut) or starts_small(second.text)


def best_title(entries: list[Entry], below: str) -> Entry | None:
    scored = [(_title_score(entry, entries, below), -number, entry) for number, entry in enumerate(entries)]
    return max(scored, key=lambda each: each[:2])[2] if scored else None


def _title_score(entry: Entry, entries: list[Entry], below: str) -> float:
    words = size(entry.text)
    score = 4.0 if words >= 4 else 2.0 if words >= 3 else 0.0
    score -= 1.5 * max(0, organisation_score(entry.text) - 1)
    score -= 2 if words <= 4 and len(entry.text) >= 4 and entry.text.casefold() in below else 0
    score += 1 if sum(other.text.casefold() == entry.text.casefold() for other in entries) > 1 else 0
    score -= 1 if looks_like_name(entry.text) else 0
    score -= 2 if entry.by_date else 0
    score -= 4 if is_menu(entry.text.casefold()) else 0
    score -= 3 if len(entry.text) > LONGEST_TITLE else 0
    score -= 1 if entry.text.endswith(":") else 0
    score -= 3 if is_bullet(entry.text) else 0
    return score


def best_publisher(rest: list[Entry], below: str, title: Entry | None, labelled: str) -> Entry | None:
    scored: list[tuple[float, int, Entry]] = []
    for number, entry in enumerate(rest):
        if entry.text == labelled or size(entry.text) > 16:
            continue
        score = float(organisation_score(entry.text))
        score += 3 if entry.named else 0
        score += 1 if entry.by_date else 0
        score += 2 if 4 <= len(entry.text) <= 60 and entry.text.casefold() in below else 0
        score -= 2 if is_wire(entry.text) else 0
        short = size(entry.text) <= 4 and title is not None and abs(entry.at - title.at) <= 2
        score += 1 if short and "," not in entry.text else 0
        beside = title is not None and abs(entry.at - title.at) == 1
        score += 1 if looks_like_name(entry.text) else 0
        score += 1 if beside and looks_like_name(entry.text) and len(rest) == 1 else 0
        scored.append((score, -number, entry))
    best = max(scored, key=lambda each: each[:2], default=None)
    return best[2] if best and best[0] >= (NAME if not best[2].named else 1) else None


def best_part(name: str) -> str:
    """Return the name without a motto: Ministry of Health from "Ministry of Health | Caring for Merrin"."""
    return max(name.split(" | "), key=organisation_score)
