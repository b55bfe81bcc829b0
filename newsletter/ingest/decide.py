"""What a release is to us: the same as another, and under which topics. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache

import nh3
from markupsafe import escape

from newsletter.models import RuleField, RuleMatch

# A date without a time: at noon in UTC it is the same day almost everywhere.
NOON = time(12, tzinfo=UTC)

_TAGS = {"p", "ul", "ol", "li", "a", "em", "strong", "blockquote", "h2", "h3", "br", "code", "pre"}
_BULLET = re.compile(r"^[-*•]\s+")


@dataclass(frozen=True)
class Rule:
    """One rule of a topic: `field` contains `pattern` as whole words, case aside."""

    field: RuleField
    pattern: str


@dataclass(frozen=True)
class Candidate:
    """What rules look at."""

    title: str
    publisher: str
    body: str

    def value(self, field: RuleField) -> str:
        """Return the text that a rule on `field` looks into."""
        return self.publisher if field is RuleField.PUBLISHER else f"{self.title}\n{self.body}"


def matches(candidate: Candidate, match: RuleMatch, rules: Sequence[Rule]) -> bool:
    """Return whether a release falls under a topic. A topic without rules is filled by hand."""
    if not rules:
        return False
    found = (bool(_pattern(rule.pattern).search(_fold(candidate.value(rule.field)))) for rule in rules)
    return any(found) if match is RuleMatch.ANY else all(found)


@lru_cache(maxsize=1024)
def _pattern(words: str) -> re.Pattern[str]:
    parts = [re.escape(part) for part in _fold(words).split()]
    text = r"\s+".join(parts)
    # Chinese, Japanese and Thai have no spaces between words: there, any occurrence is one.
    return re.compile(rf"(?<!\w){text}(?!\w)") if text.isascii() else re.compile(text)


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def content_hash(title: str, publisher: str, body: str) -> str:
    """Return a hash that is the same for the same release, however its white space and case came."""
    parts = (" ".join(_fold(part).split()) for part in (title, publisher, body))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def published_moment(published: date | None, now: datetime) -> datetime:
    """Return when a release was published: noon of its day, or `now` for one without a date."""
    return datetime.combine(published, NOON) if published else now


def to_html(paragraphs: Iterable[str]) -> str:
    """Return paragraphs of plain text as sanitised HTML; runs of "- " lines become lists."""
    parts: list[str] = []
    for paragraph in paragraphs:
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        bullets = [bool(_BULLET.match(line)) for line in lines]
        if lines and all(bullets):
            items = "".join(f"<li>{escape(_BULLET.sub('', line, count=1))}</li>" for line in lines)
            parts.append(f"<ul>{items}</ul>")
        elif lines:
            parts.append(f"<p>{'<br>'.join(str(escape(line)) for line in lines)}</p>")
    return nh3.clean("\n".join(parts), tags=_TAGS, link_rel="noopener nofollow")
