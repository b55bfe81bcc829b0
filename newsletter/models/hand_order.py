"""The manual order of an issue: named sections with releases, and how a selection follows it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from newsletter.models.rendition_key import Selection
from newsletter.models.tables.topic import of_language


@dataclass(frozen=True, slots=True)
class HandSection:
    """A section that an editor named. `title` serves every language without a title in `translations`."""

    title: str
    release_ids: tuple[int, ...]
    translations: Mapping[str, str] = field(default_factory=dict)

    def name_in(self, language: str) -> str:
        """Return the title in a language. A topic has this method too, for the template of a heading."""
        return of_language(self.translations, language) or self.title


HandOrder = tuple[HandSection, ...]


class Block(NamedTuple):
    """Releases of a digest under one heading. `part` is the name of the heading's fragment."""

    part: str
    names: tuple[str, ...]

    @property
    def is_by_hand(self) -> bool:
        """Whether it is a section that an editor made."""
        return self.part.startswith("section:")


def arrange(selection: Selection, sections: Sequence[Sequence[int]]) -> list[Block]:
    """Return a selection in the order of an email: the sections of the editor, then the topics.

    A section has those of its releases that are in the selection. A section or topic without any is left
    out. Each release comes once.
    """
    left = {
        release_id: name
        for part in selection
        for release_id, name in zip(part.release_ids, part.names, strict=True)
    }
    blocks = []
    for number, wanted in enumerate(sections):
        names = tuple(left.pop(each) for each in wanted if each in left)
        if names:
            blocks.append(Block(f"section:{number}", names))
    for part in selection:
        names = tuple(left[each] for each in part.release_ids if each in left)
        if names:
            blocks.append(Block(f"topic:{part.topic_id}", names))
    return blocks


def write_order(order: HandOrder) -> list[dict[str, Any]]:
    """Return an order as it is stored."""
    return [
        {"title": each.title, "titles": dict(each.translations), "releases": list(each.release_ids)}
        for each in order
    ]


def read_order(stored: Iterable[Mapping[str, Any]]) -> HandOrder:
    """Return the order that `write_order` wrote."""
    return tuple(HandSection(each["title"], tuple(each["releases"]), each["titles"]) for each in stored)


def write_places(order: HandOrder) -> bytes:
    """Return the releases of each section, for the fragment `order` of an issue."""
    return json.dumps([each.release_ids for each in order]).encode()


def read_places(stored: bytes) -> Sequence[Sequence[int]]:
    """Return the release ids of each section that `write_places` stored."""
    return [tuple(each) for each in json.loads(stored)]
