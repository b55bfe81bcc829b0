"""The content hash of a release, the topic rules it matches, and its text as HTML. Pure."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property

from newsletter.models import RuleField, RuleMatch
from newsletter.releases.fold import fold
from newsletter.releases.match_words import find

# The time of a release that has only a date. Noon in UTC is the same date in almost every time zone.
NOON = time(12, tzinfo=UTC)

_BULLET = re.compile(r"^[-*•]\s+")


@dataclass(frozen=True)
class Rule:
    """One rule of a topic: `field` contains the words of `pattern` (match_words.py says how they match)."""

    field: RuleField
    pattern: str


@dataclass(frozen=True)
class Candidate:
    """The texts of a release that rules search. Each text is folded once for all rules."""

    title: str
    publisher: str
    body: str

    def value(self, field: RuleField) -> str:
        """Return the folded text that a rule on `field` searches."""
        return self._folded_publisher if field is RuleField.PUBLISHER else self._folded_words

    @cached_property
    def content_hash(self) -> str:
        """The hash that identifies a release; white space and case make no difference."""
        title, body = self._folded_words.split("\n", 1)
        parts = (" ".join(part.split()) for part in (title, self._folded_publisher, body))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @cached_property
    def _folded_publisher(self) -> str:
        return fold(self.publisher)

    @cached_property
    def _folded_words(self) -> str:
        title = " ".join(self.title.split("\n"))
        return fold(f"{title}\n{self.body}")


def matches(candidate: Candidate, match: RuleMatch, rules: Sequence[Rule]) -> bool:
    """Return whether a release matches a topic's rules. A topic without rules matches nothing."""
    if not rules:
        return False
    found = (find(rule.pattern, candidate.value(rule.field)) for rule in rules)
    return any(found) if match is RuleMatch.ANY else all(found)


def content_hash(title: str, publisher: str, body: str) -> str:
    """Return the hash that identifies a release with these texts."""
    return Candidate(title, publisher, body).content_hash


def published_moment(published: date | None, now: datetime) -> datetime:
    """Return when a release was published: noon UTC of its date, or `now` if it has no date."""
    return datetime.combine(published, NOON) if published else now


def to_html(paragraphs: Iterable[str]) -> str:
    """Return paragraphs of plain text as HTML; runs of "- " lines become lists.

    Every `&`, `<` and `>` of the text is escaped, so the only tags are the ones added here. A sanitiser would
    change nothing (a test compares), and nh3 takes 15 s for 1 MB of ampersands.
    """
    parts: list[str] = []
    for paragraph in paragraphs:
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        bullets = [bool(_BULLET.match(line)) for line in lines]
        if lines and all(bullets):
            items = "".join(f"<li>{_escape(_BULLET.sub('', line, count=1))}</li>" for line in lines)
            parts.append(f"<ul>{items}</ul>")
        elif lines:
            parts.append(f"<p>{'<br>'.join(map(_escape, lines))}</p>")
    return "\n".join(parts)


def _escape(text: str) -> str:
    # Quotes need no escape outside attributes.
    return html.escape(text, quote=False)
