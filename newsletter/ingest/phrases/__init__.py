"""Phrase files: what a person edits so that releases in another language are read. One entry a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

_FOLDER = Path(__file__).parent


def read_phrases(name: str, folder: Path = _FOLDER) -> Mapping[str, Sequence[str]]:
    """Return the entries of the file `name`.txt by section, in the order of the file.

    Raises ValueError, with file and line, for an entry before the first section and for a section that comes
    twice.
    """
    sections: dict[str, list[str]] = {}
    entries: list[str] | None = None
    text = (folder / f"{name}.txt").read_text(encoding="utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        entry = line.strip()
        if not entry or entry.startswith("#"):
            continue
        if entry.startswith("== ") and entry.endswith(" =="):
            entries = None if entry in sections else sections.setdefault(entry, [])
        elif entries is not None:
            entries.append(entry)
            continue
        if entries is None:
            raise ValueError(f"{name}.txt, line {number}: {entry!r} is outside a section, or repeats one")
    return {title[3:-3]: found for title, found in sections.items()}
