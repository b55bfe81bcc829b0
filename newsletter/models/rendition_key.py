"""Write and read the key of a rendition: the releases of a digest by topic, as a short text. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from newsletter.models.tables.subscription import Frequency

# Frequencies by their first character, which stands for them in a key.
BY_LETTER = {frequency[0]: frequency for frequency in Frequency}


@dataclass(frozen=True, slots=True)
class Section:
    """The releases that one subscriber gets under one topic, in order."""

    topic_id: int
    frequency: Frequency
    release_ids: tuple[int, ...]


Selection = tuple[Section, ...]


def write_key(selection: Selection) -> str:
    """Return the key of a selection, such as `3w:12,15;5d:18`; "" for an empty one."""
    return ";".join(
        f"{part.topic_id}{part.frequency[0]}:{','.join(map(str, part.release_ids))}" for part in selection
    )


def read_key(key: str) -> Selection:
    """Return the selection that `write_key` wrote."""
    return tuple([read_section(part) for part in key.split(";")]) if key else ()


# In an issue, most subscribers of a topic get the same releases under it.
@lru_cache(maxsize=4096)
def read_section(part: str) -> Section:
    """Return one section of a key, such as `3w:12,15`."""
    head, _, ids = part.partition(":")
    return Section(int(head[:-1]), BY_LETTER[head[-1]], tuple(map(int, ids.split(","))))


def has_frequency(key: str, frequency: Frequency) -> bool:
    """Return whether a section of the selection `key` has this frequency."""
    return f"{frequency[0]}:" in key


def release_ids(selection: Selection) -> list[int]:
    """Return the ids of all releases of a selection, in order."""
    return [each for part in selection for each in part.release_ids]
