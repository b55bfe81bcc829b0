"""Write and read the key of a rendition: the releases of a digest by topic, as a short text. Pure."""

from __future__ import annotations

from dataclasses import dataclass

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
    if not key:
        return ()
    sections = []
    for part in key.split(";"):
        head, _, ids = part.partition(":")
        sections.append(
            Section(int(head[:-1]), BY_LETTER[head[-1]], tuple(int(each) for each in ids.split(",")))
        )
    return tuple(sections)


def has_frequency(key: str, frequency: Frequency) -> bool:
    """Return whether a section of the selection `key` has this frequency."""
    return f"{frequency[0]}:" in key


def release_ids(selection: Selection) -> list[int]:
    """Return the ids of all releases of a selection, in order."""
    return [each for part in selection for each in part.release_ids]
