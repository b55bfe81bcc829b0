"""The content hash of a release, what topic rules look at in it, and its text as HTML. Pure."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Protocol

from newsletter.models import Release, RuleField
from newsletter.releases.fold import fold

# The time of a release that has only a date. It only orders releases: pages show the date itself.
NOON = time(12, tzinfo=UTC)
# A date up to this much later than today is published at once: the publisher's zone may be ahead.
AHEAD = timedelta(days=1)
# A date further ahead than this is doubtful.
LATEST = timedelta(days=60)

_BULLET = re.compile(r"^[-*•]\s+")
_NUMBER = re.compile(r"^\(?\d{1,2}[.)]\s+")
_ADDRESS = re.compile(r"https?://[^\s<>\"'“”«»\u3000-\u9fff]{3,600}(?<![.,;:!?)\]}])")


class Markup(Protocol):
    """What the paragraphs of a text are. `ingest.press.parse.Markup` has these fields."""

    @property
    def subheads(self) -> Set[int]: ...
    @property
    def quotes(self) -> Set[int]: ...
    @property
    def links(self) -> Sequence[tuple[str, str]]: ...


@dataclass(frozen=True)
class PlainText:
    """The markup of paragraphs that are only text."""

    subheads: frozenset[int] = frozenset()
    quotes: frozenset[int] = frozenset()
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Wait:
    """What keeps a release from being sent: the doubtful fields, and the date on which a hold ends."""

    doubts: tuple[str, ...] = ()
    until: date | None = None


@dataclass(frozen=True)
class Candidate:
    """What rules look at in a release. Each text is folded once for all rules.

    `sources` has the public ids of its sources.
    """

    title: str
    publisher: str
    body: str
    language: str = "und"
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @classmethod
    def of(cls, release: Release, sources: Sequence[str] = ()) -> Candidate:
        """Return the fields of a stored release that rules look at."""
        tags = tuple(release.tags or ())
        return cls(
            release.title, release.publisher, release.body_text, release.language, tags, tuple(sources)
        )

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


def content_hash(title: str, publisher: str, body: str) -> str:
    """Return the hash that identifies a release with these texts."""
    return Candidate(title, publisher, body).content_hash


def wait_for(doubts: Sequence[str], published: date | None, today: date) -> Wait:
    """Return what keeps a release from being sent, by its doubtful fields and its date.

    `today` is the day in the newsletter's time zone. A date that is up to 60 days ahead ends the hold.
    """
    if published is None or published <= today + AHEAD:
        return Wait(tuple(doubts))
    if published > today + LATEST:
        return Wait((*doubts, "published") if "published" not in doubts else tuple(doubts))
    return Wait(tuple(doubts), published)


def published_moment(published: date | None, now: datetime) -> datetime:
    """Return when a release was published: noon UTC of its date, or `now` if it has no date."""
    return datetime.combine(published, NOON) if published else now


def to_html(paragraphs: Iterable[str], markup: Markup = PlainText()) -> str:
    """Return paragraphs of plain text as HTML: subheads, lists, tables, quotations and links.

    Every `&`, `<` and `>` of the text is escaped, so the only tags are the ones added here. A sanitiser would
    change nothing (a test compares), and nh3 takes 15 s for 1 MB of ampersands.
    """
    links = {words: url for words, url in markup.links if len(words) >= 3 and url.startswith("http")}
    parts: list[str] = []
    for at, paragraph in enumerate(paragraphs):
        lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
        if not lines:
            continue
        if at in markup.subheads and len(lines) == 1:
            parts.append(f"<h3>{_escape(lines[0])}</h3>")
        elif all(map(_BULLET.match, lines)):
            parts.append(_items("ul", _BULLET, lines, links))
        elif len(lines) > 1 and all(map(_NUMBER.match, lines)):
            parts.append(_items("ol", _NUMBER, lines, links))
        elif len(lines) > 1 and all(" | " in line for line in lines):
            parts.append(f"<table><tbody>{''.join(map(_row, lines))}</tbody></table>")
        else:
            made = f"<p>{'<br>'.join(_linked(line, links) for line in lines)}</p>"
            parts.append(f"<blockquote>{made}</blockquote>" if at in markup.quotes else made)
    return "\n".join(parts)


def _items(tag: str, mark: re.Pattern[str], lines: Sequence[str], links: dict[str, str]) -> str:
    items = "".join(f"<li>{_linked(mark.sub('', line, count=1), links)}</li>" for line in lines)
    return f"<{tag}>{items}</{tag}>"


def _row(line: str) -> str:
    return f"<tr>{''.join(f'<td>{_escape(cell.strip())}</td>' for cell in line.split(' | '))}</tr>"


def _linked(text: str, links: dict[str, str]) -> str:
    """Return a line as HTML, with a link at each address, and at the words that were a link in the source."""
    made: list[str] = []
    at = 0
    for start, end, url in _link_places(text, links):
        made.append(_escape(text[at:start]))
        href = html.escape(url, quote=True)
        made.append(f'<a href="{href}" rel="noopener noreferrer">{_escape(text[start:end])}</a>')
        at = end
    made.append(_escape(text[at:]))
    return "".join(made)


def _link_places(text: str, links: dict[str, str]) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and address of each link in a line, in their order and without overlaps."""
    places = [(hit.start(), hit.end(), hit[0]) for hit in _ADDRESS.finditer(text)] if "://" in text else []
    for words, url in links.items():
        found = text.find(words)
        if found >= 0 and text.count(words) == 1:
            places.append((found, found + len(words), url))
    last = 0
    for start, end, url in sorted(places):
        if start >= last:
            yield start, end, url
            last = end


def _escape(text: str) -> str:
    # Quotes need no escape outside attributes.
    return html.escape(text, quote=False)
