"""Load the fragments of an issue in one language, and join them into the body for any selection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import InputError
from newsletter.mail.assemble import Frame, FramePart
from newsletter.mail.headers import Field, make_boundary, subject_field
from newsletter.mail.transfer_encoding import decode_fragments, encode_fragment, numbered
from newsletter.models import Fragment
from newsletter.models.hand_order import Block, arrange, read_places
from newsletter.models.rendition_key import read_key, read_section

# Gmail cuts off HTML that is larger, and with it the unsubscribe link.
HTML_BUDGET_BYTES = 102_400
# What the frame's fields may add to one message: three links and their encoding.
FIELDS_BYTES = 4_096
# A digest with fewer releases has no list of contents, and the list names no more of them than this.
CONTENTS_FROM = 5
MOST_CONTENTS = 10
# The headlines after the one in the subject that email programs show beside it.
PREHEADER_HEADLINES = 3
# The place of the lead headline in a pattern of the subject.
LEAD = "\ue003"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A fragment as text and as HTML, in the encodings of the frame's two parts."""

    text: bytes
    html: bytes


class _Parts(NamedTuple):
    """The joined fragments of each slot as (text, HTML), and whether releases were left out of them."""

    slots: dict[str, tuple[bytes, bytes]]
    is_cut: bool


class _JoinedSection(NamedTuple):
    """The releases of one topic as they are in a digest with room for all: heading, releases and reason.

    `html_bytes` counts the heading, and each release with its line in the contents.
    """

    names: tuple[str, ...]
    releases: tuple[bytes, bytes]
    reason: Encoded
    html_bytes: int


class Edition:
    """The fragments of one issue and language. Makes bodies; holds no database session."""

    def __init__(self, issue_public_id: str, fragments: Mapping[str, Encoded]) -> None:
        self.boundary = make_boundary(issue_public_id)
        self._fragments = fragments
        self._frame = self._load_frame("frame")
        # The frame of a digest that leaves out releases. Issues of an earlier version have none.
        self._cut_frame = self._load_frame("frame_cut" if "frame_cut" in fragments else "frame")
        self._frame_bytes = len(self._frame.html.text.encode())
        # The bytes of each release by its name, to sum up quickly for each different selection.
        self._bytes_by_release = {
            part.removeprefix("release:"): len(fragment.html) + len(fragments[f"contents:{part[8:]}"].html)
            for part, fragment in fragments.items()
            if part.startswith("release:")
        }
        order = fragments.get("order")
        # The releases of each section that an editor made (models/hand_order.py).
        self._places = read_places(order.text) if order is not None else ()
        self._room = HTML_BUDGET_BYTES - FIELDS_BYTES - self._frame_bytes * 2
        self._sections = lru_cache(maxsize=256)(self._join_section)
        self._subjects = lru_cache(maxsize=1024)(self._make_subject)
        self._covered = lru_cache(maxsize=1024)(self._has_section)
        self._blocks = lru_cache(maxsize=64)(self._arrange)
        # Many subscribers share a selection. Rare selections need not stay in the cache.
        self._parts = lru_cache(maxsize=64)(self._make_parts)

    @classmethod
    def load(cls, session: Session, issue_id: int, issue_public_id: str, language: str) -> Edition:
        """Load the edition from the fragments that were rendered when the issue was prepared."""
        query = select(Fragment.part, Fragment.text, Fragment.html).where(
            Fragment.issue_id == issue_id, Fragment.language == language
        )
        fragments = {part: Encoded(text, html) for part, text, html in session.execute(query)}
        if "frame" not in fragments:
            raise InputError("the fragment frame is missing")
        return cls(issue_public_id, fragments)

    def has_all(self, key: str) -> bool:
        """Return whether every release and topic of the selection `key` has its fragments here."""
        return all(self._covered(part) for part in key.split(";"))

    def subject_field(self, key: str) -> Field:
        """Return the Subject of the message to a subscriber with the selection `key`."""
        return self._subjects(*self._lead_and_more(key))[1]

    def subject(self, key: str) -> str:
        """Return the subject of that message: the first headline of the selection, and how many more."""
        return self._subjects(*self._lead_and_more(key))[0]

    def body(self, key: str, fields: Mapping[str, str]) -> bytes:
        """Return the body of the message to a subscriber with the selection `key` and these fields."""
        parts = self._parts(key)
        return (self._cut_frame if parts.is_cut else self._frame).body(fields, parts.slots)

    def html(self, key: str, fields: Mapping[str, str], *, complete: bool = False) -> str:
        """Return the HTML of that message, decoded, for the browser view.

        With `complete`, it has all releases. The first one that the message leaves out has the id `rest`,
        which the link in the message leads to.
        """
        parts = self._make_parts(key, complete=True) if complete else self._parts(key)
        frame = self._cut_frame if parts.is_cut else self._frame
        slots = {
            name: decode_fragments(encoded, frame.html.encoding) for name, (_, encoded) in parts.slots.items()
        }
        return frame.html.fill(fields, slots, is_html=True)

    def text(self, key: str, fields: Mapping[str, str]) -> str:
        """Return the plain text of that message."""
        parts = self._parts(key)
        frame = self._cut_frame if parts.is_cut else self._frame
        slots = {
            name: decode_fragments(encoded, frame.text.encoding) for name, (encoded, _) in parts.slots.items()
        }
        return frame.text.fill(fields, slots, is_html=False)

    def html_bytes(self, key: str) -> int:
        """Return the size of the HTML part as it is sent, without the values of its fields."""
        slots = self._parts(key).slots
        return self._frame_bytes + sum(len(encoded) for _, encoded in slots.values())

    def is_cut(self, key: str) -> bool:
        """Return whether some releases stand behind a link, because the HTML would be too large."""
        return self._parts(key).is_cut

    def _has_section(self, part: str) -> bool:
        section = read_section(part)
        has_heading = f"topic:{section.topic_id}" in self._fragments
        return has_heading and all(each in self._bytes_by_release for each in section.names)

    def _arrange(self, key: str) -> list[Block]:
        return arrange(read_key(key), self._places)

    def _lead_and_more(self, key: str) -> tuple[str, int]:
        """Return the name of the first release in the email, and the number of the others."""
        lead, more = _lead_and_more(key)
        return (self._blocks(key)[0].names[0] if self._places else lead), more

    def _load_frame(self, part: str) -> Frame:
        stored = self._fragments[part]
        return Frame(FramePart.load(stored.text), FramePart.load(stored.html), self.boundary)

    def _make_subject(self, lead: str, more: int) -> tuple[str, Field]:
        pattern = self._fragments.get(f"subject:{more}")
        headline = self._fragments.get(f"headline:{lead}")
        if pattern is None or headline is None:
            # An earlier version prepared the issue. All its emails have one subject.
            text = self._fragments["subject"].text.decode("utf-8")
        else:
            text = pattern.text.decode("utf-8").replace(LEAD, headline.text.decode("utf-8"))
        return text, subject_field(text)

    def _make_parts(self, key: str, *, complete: bool = False) -> _Parts:
        """Return the joined fragments, with as many releases as fit into the budget, or with all."""
        if not self._places:
            sections = [self._sections(part) for part in key.split(";")]
            if sum([each.html_bytes for each in sections]) <= self._room:  # the usual case
                return self._whole(sections)
        blocks = self._blocks(key)
        listed = [each for block in blocks for each in block.names]
        self._require(listed)
        chosen, kind = self._within_budget(blocks, listed)
        left_out = len(listed) - len(chosen)
        if complete:
            kind = "release"
        releases: list[Encoded] = []
        marked = False
        for block in blocks:
            shown = [each for each in block.names if complete or each in chosen]
            if shown:
                releases.append(self._fragments[block.part])
            for each in shown:
                if complete and not marked and each not in chosen:
                    releases.append(self._rest())
                    marked = True
                releases.append(self._fragments[f"{kind}:{each}"])
        is_cut = left_out > 0 and not complete
        if is_cut and "frame_cut" not in self._fragments:
            # An earlier version prepared the issue. Its frame has no place for this line.
            releases.append(self._fragments[f"more:{left_out}"])
        shown_names = [each for each in listed if complete or each in chosen]
        reason = [self._fragments["reason"]]
        reason += [self._fragments[f"reason:{part.topic_id}:{part.frequency}"] for part in read_key(key)]
        slots = {"releases": _join(releases), "reason": _join(reason), "preheader": self._preheader(listed)}
        if is_cut and "frame_cut" in self._fragments:
            slots["more"] = _join([self._fragments[f"more:{left_out}"]])
        if len(shown_names) >= CONTENTS_FROM:
            slots["contents"] = self._contents(shown_names)
        return _Parts(slots, is_cut)

    def _require(self, names: Iterable[str]) -> None:
        """Raise InputError if a release has no fragments here."""
        missing = [each for each in names if each not in self._bytes_by_release]
        if missing:
            raise InputError(f"the fragment release:{missing[0]} is missing")

    def _join_section(self, part: str) -> _JoinedSection:
        section = read_section(part)
        names = section.names
        self._require(names)
        heading = self._fragments[f"topic:{section.topic_id}"]
        releases = [self._fragments[f"release:{each}"] for each in names]
        return _JoinedSection(
            names,
            _join([heading, *releases]),
            self._fragments[f"reason:{section.topic_id}:{section.frequency}"],
            len(heading.html) + sum([self._bytes_by_release[each] for each in names]),
        )

    def _whole(self, sections: list[_JoinedSection]) -> _Parts:
        """Return the parts of a digest with room for all its releases."""
        listed = [each for section in sections for each in section.names]
        slots = {
            "releases": (
                b"".join([each.releases[0] for each in sections]),
                b"".join([each.releases[1] for each in sections]),
            ),
            "reason": _join([self._fragments["reason"], *[each.reason for each in sections]]),
            "preheader": self._preheader(listed),
        }
        if len(listed) >= CONTENTS_FROM:
            slots["contents"] = self._contents(listed)
        return _Parts(slots, is_cut=False)

    def _rest(self) -> Encoded:
        """Return the mark before the first release that an email leaves out."""
        return Encoded(b"", encode_fragment('<a id="rest"></a>', self._frame.html.encoding))

    def _preheader(self, listed: list[str]) -> tuple[bytes, bytes]:
        """Return the headlines after the first, which is in the subject; or what the only release says."""
        following = listed[1 : 1 + PREHEADER_HEADLINES]
        if not following and f"opening:{listed[0]}" in self._fragments:
            return _join([self._fragments[f"opening:{listed[0]}"]])
        return _join([self._fragments[f"preheader:{each}"] for each in following or listed])

    def _contents(self, shown: list[str]) -> tuple[bytes, bytes]:
        heading = self._fragments["contents"]
        lines = [self._fragments[f"contents:{each}"] for each in shown]
        more = self._fragments.get(f"contents_more:{len(shown) - MOST_CONTENTS}")
        # An issue of an earlier version has no line for the others, so all are listed.
        ends = [] if more is None else [more]
        if ends:
            lines = lines[:MOST_CONTENTS]
        text = numbered([line.text for line in lines], self._frame.text.encoding)
        end_text, end_html = _join(ends)
        return heading.text + text + end_text, heading.html + b"".join(
            [line.html for line in lines]
        ) + end_html

    def _within_budget(self, blocks: list[Block], listed: list[str]) -> tuple[Set[str], str]:
        """Return the releases that fit, and the kind of their fragments: `release`, or `brief` to save space.

        The releases of an editor's sections are kept first, in their order. Then come pinned ones, then the
        newest. One is always kept: no digest is sent without any.
        """
        left = self._room - sum(len(self._fragments[block.part].html) for block in blocks)
        if sum(self._bytes_by_release[each] for each in listed) <= left:
            return set(listed), "release"
        by_hand = [each for block in blocks if block.is_by_hand for each in block.names]
        by_topic = [each for block in blocks if not block.is_by_hand for each in block.names]
        others = sorted(by_topic, key=self._importance, reverse=True)
        # In an issue of an earlier version, only releases that were corrected since have brief summaries.
        kind = "brief" if all(f"brief:{each}" in self._fragments for each in listed) else "release"
        chosen: set[str] = set()
        for each in [*by_hand, *others]:
            left -= len(self._fragments[f"{kind}:{each}"].html) + len(
                self._fragments[f"contents:{each}"].html
            )
            if left < 0 and chosen:
                break
            chosen.add(each)
        return chosen, kind

    def _importance(self, name: str) -> bytes:
        """Return what orders releases: whether it is pinned, then its date."""
        headline = self._fragments.get(f"headline:{name}")
        return headline.html if headline is not None else b""


def _lead_and_more(key: str) -> tuple[str, int]:
    """Return the name of a selection's first release, and the number of the others."""
    first = key.partition(":")[2].partition(";")[0].partition(",")[0]
    return first, key.count(",") + key.count(";")


def _join(fragments: list[Encoded]) -> tuple[bytes, bytes]:
    return b"".join([each.text for each in fragments]), b"".join([each.html for each in fragments])
