"""Write and read the key of a rendition: the releases of a digest by topic, as a short text. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from newsletter.models.tables.subscription import Frequency

# Frequencies by their first character, which stands for them in a key.
BY_LETTER = {frequency[0]: frequency for frequency in Frequency}
# The number of a release's text before its first correction.
FIRST_REVISION = 1


@dataclass(frozen=True, slots=True)
class Section:
    """The releases that one subscriber gets under one topic, in order.

    `revisions` has pairs of release id and revision, for releases that were corrected. The others have their
    first revision.
    """

    topic_id: int
    frequency: Frequency
    release_ids: tuple[int, ...]
    revisions: tuple[tuple[int, int], ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its releases, in order (`name_of`)."""
        if not self.revisions:
            return tuple(map(str, self.release_ids))
        numbers = dict(self.revisions)
        return tuple(name_of(each, numbers.get(each, FIRST_REVISION)) for each in self.release_ids)


Selection = tuple[Section, ...]


def name_of(release_id: int, revision: int) -> str:
    """Return the name of a revision in keys and in fragments: `15`, or `15.2` for the second revision."""
    return str(release_id) if revision == FIRST_REVISION else f"{release_id}.{revision}"


def read_name(name: str) -> tuple[int, int]:
    """Return release id and revision of a name that `name_of` made."""
    release_id, _, revision = name.partition(".")
    return int(release_id), int(revision or FIRST_REVISION)


def write_key(selection: Selection) -> str:
    """Return the key of a selection, such as `3w:12,15.2;5d:18`; "" for an empty one."""
    return ";".join(f"{part.topic_id}{part.frequency[0]}:{','.join(part.names)}" for part in selection)


def read_key(key: str) -> Selection:
    """Return the selection that `write_key` wrote."""
    return tuple([read_section(part) for part in key.split(";")]) if key else ()


# In an issue, most subscribers of a topic get the same releases under it.
@lru_cache(maxsize=4096)
def read_section(part: str) -> Section:
    """Return one section of a key, such as `3w:12,15.2`."""
    head, _, listed = part.partition(":")
    topic_id, frequency, names = int(head[:-1]), BY_LETTER[head[-1]], listed.split(",")
    if "." not in listed:
        return Section(topic_id, frequency, tuple(map(int, names)))
    found = [read_name(each) for each in names]
    revisions = tuple(each for each in found if each[1] != FIRST_REVISION)
    return Section(topic_id, frequency, tuple(each for each, _ in found), revisions)


def has_frequency(key: str, frequency: Frequency) -> bool:
    """Return whether a section of the selection `key` has this frequency."""
    return f"{frequency[0]}:" in key


def release_ids(selection: Selection) -> list[int]:
    """Return the ids of all releases of a selection, in order."""
    return [each for part in selection for each in part.release_ids]


def release_names(selection: Selection) -> list[str]:
    """Return the names of all releases of a selection, in order (`name_of`)."""
    return [each for part in selection for each in part.names]


def without(key: str, taken: Collection[int]) -> str:
    """Return a key without the releases in `taken`; "" when nothing is left."""
    if not taken:
        return key
    parts = [
        replace(part, release_ids=tuple(each for each in part.release_ids if each not in taken))
        for part in read_key(key)
    ]
    return write_key(tuple(part for part in parts if part.release_ids))


def with_revisions(section: Section, numbers: Mapping[int, int]) -> Section:
    """Return a section with these revisions of its releases, by release id."""
    listed = [(each, numbers.get(each, FIRST_REVISION)) for each in section.release_ids]
    revisions = tuple(each for each in listed if each[1] != FIRST_REVISION)
    return Section(section.topic_id, section.frequency, section.release_ids, revisions)
