"""Measure how long a hostile text takes from its bytes to a parsed release, by kind, in seconds a MB.

`PYTHONPATH=tests python -m benchmarks.hostile_text [BYTES]` prints one JSON line for each kind. The limit is
one second of CPU a MB for texts of 1 MB and more.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import date

from hostile_texts import KINDS, text_of

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.press.parse import parse_press
from newsletter.ingest.text.decode import MAX_RELEASE_BYTES, decode
from newsletter.models import RuleField, RuleMatch
from newsletter.releases.decide import Candidate, to_html
from newsletter.releases.rules.match import Rule, RuleSet


def take_in(raw: bytes) -> None:
    """Process a text as `newsletter release add` does, but without the database."""
    press = parse_press(decode(raw, "x"), "x", date(2026, 3, 3))
    candidate = Candidate(press.title, press.publisher, press.body)
    _ = candidate.content_hash
    to_html(press.paragraphs)
    _ = press.summary
    rules = tuple(Rule(RuleField.WORDS, words) for words in ("harbour", "zzz zzz"))
    RuleSet(RuleMatch.ALL, rules).matches(candidate)


def measure(size_bytes: int) -> Iterator[dict[str, str | float]]:
    """Yield the seconds a MB of each kind, and the outcome: taken, or why it was refused."""
    for kind in KINDS:
        raw = text_of(kind, size_bytes).encode()
        started, outcome = time.process_time(), "taken"
        try:
            take_in(raw)
        except ReleaseUnreadable as fault:
            outcome = fault.reason
        seconds = time.process_time() - started
        yield {
            "kind": kind,
            "bytes": len(raw),
            "seconds_a_mb": round(seconds / (len(raw) / 2**20), 3),
            "outcome": outcome,
        }


if __name__ == "__main__":
    size = int(sys.argv[1]) if len(sys.argv) > 1 else MAX_RELEASE_BYTES
    for found in measure(size):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
