"""Load the fragments of an issue in one language, and join them into the body for any selection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import InputError
from newsletter.mail.assemble import Frame, FramePart, decode_fragments, numbered
from newsletter.mail.headers import make_boundary
from newsletter.models import Fragment
from newsletter.models.rendition_key import Selection, read_key, release_ids

# Gmail cuts off HTML that is larger, and with it the unsubscribe link.
HTML_BUDGET_BYTES = 102_400
# What the frame's fields may add to one message: three links and their encoding.
FIELDS_BYTES = 4_096
# A digest with fewer releases has no list of contents.
CONTENTS_FROM = 5


@dataclass(frozen=True, slots=True)
class Encoded:
    """A fragment as text and as HTML, in the encodings of the frame's two parts."""

    text: bytes
    html: bytes


class Edition:
    """The fragments of one issue and language. Makes bodies; holds no database session."""

    def __init__(self, issue_public_id: str, fragments: Mapping[str, Encoded]) -> None:
        frame = fragments["frame"]
        self.subject = fragments["subject"].text.decode("utf-8")
        self.boundary = make_boundary(issue_public_id)
        self._fragments = fragments
        self._frame = Frame(FramePart.load(frame.text), FramePart.load(frame.html), self.boundary)
        self._frame_bytes = len(self._frame.html.text.encode())
        # The bytes of each release, to sum up quickly for each different selection.
        self._bytes_by_release = {
            int(part.removeprefix("release:")): len(fragment.html)
            + len(fragments[f"contents:{part[8:]}"].html)
            for part, fragment in fragments.items()
            if part.startswith("release:")
        }
        # Many subscribers share a selection. Rare selections need not stay in the cache.
        self._slots = lru_cache(maxsize=64)(self._make_slots)

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

    def body(self, key: str, fields: Mapping[str, str]) -> bytes:
        """Return the body of the message to a subscriber with the selection `key` and these fields."""
        return self._frame.body(fields, self._slots(key))

    def html(self, key: str, fields: Mapping[str, str]) -> str:
        """Return the HTML of that message, decoded, for the browser view."""
        slots = {
            name: decode_fragments(encoded, self._frame.html.encoding)
            for name, (_, encoded) in self._slots(key).items()
        }
        return self._frame.html.fill(fields, slots, is_html=True)

    def text(self, key: str, fields: Mapping[str, str]) -> str:
        """Return the plain text of that message."""
        slots = {
            name: decode_fragments(encoded, self._frame.text.encoding)
            for name, (encoded, _) in self._slots(key).items()
        }
        return self._frame.text.fill(fields, slots, is_html=False)

    def html_bytes(self, key: str) -> int:
        """Return the size of the HTML part as it is sent, without the values of its fields."""
        slots = self._slots(key)
        return self._frame_bytes + sum(len(encoded) for _, encoded in slots.values())

    def _make_slots(self, key: str) -> dict[str, tuple[bytes, bytes]]:
        """Return the joined fragments of each slot, with as many releases as fit into the budget."""
        selection = read_key(key)
        listed = release_ids(selection)
        missing = [each for each in listed if each not in self._bytes_by_release]
        if missing:
            raise InputError(f"the fragment release:{missing[0]} is missing")
        chosen = self._within_budget(selection, listed)
        releases: list[Encoded] = []
        left_out = len(listed) - len(chosen)
        for part in selection:
            shown = [each for each in part.release_ids if each in chosen] if left_out else part.release_ids
            if shown:
                releases.append(self._fragments[f"topic:{part.topic_id}"])
                releases += [self._fragments[f"release:{each}"] for each in shown]
        if left_out:
            releases.append(self._fragments[f"more:{left_out}"])
        shown_ids = [each for each in listed if each in chosen] if left_out else listed
        reason = [self._fragments["reason"]]
        reason += [self._fragments[f"reason:{part.topic_id}:{part.frequency}"] for part in selection]
        slots = {
            "preheader": _join([self._fragments[f"preheader:{each}"] for each in shown_ids[:3]]),
            "releases": _join(releases),
            "reason": _join(reason),
        }
        if len(shown_ids) >= CONTENTS_FROM:
            slots["contents"] = self._contents(shown_ids)
        return slots

    def _contents(self, shown: list[int]) -> tuple[bytes, bytes]:
        heading = self._fragments["contents"]
        lines = [self._fragments[f"contents:{each}"] for each in shown]
        text = numbered([line.text for line in lines], self._frame.text.encoding)
        return heading.text + text, heading.html + b"".join([line.html for line in lines])

    def _within_budget(self, selection: Selection, listed: list[int]) -> set[int]:
        """Return the releases that fit. The first always counts as fitting: no digest is sent without one."""
        left = HTML_BUDGET_BYTES - FIELDS_BYTES - self._frame_bytes * 2
        left -= sum(len(self._fragments[f"topic:{part.topic_id}"].html) for part in selection)
        sizes = self._bytes_by_release
        if sum([sizes[each] for each in listed]) <= left:  # the usual case
            return set(listed)
        chosen: set[int] = set()
        for each in listed:
            left -= sizes[each]
            if left < 0 and chosen:
                break
            chosen.add(each)
        return chosen


def _join(fragments: list[Encoded]) -> tuple[bytes, bytes]:
    return b"".join([each.text for each in fragments]), b"".join([each.html for each in fragments])
