"""Score the release parser on a folder of pairs: NN.txt or NN.html, and NN.json with the right values.

`PYTHONPATH=tests python -m reader_score FOLDER...` prints each wrong value and a table by field. The JSON has
any of the keys in FIELDS. `also` gives other right values by key; `kind` and `source` are for people.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.pages.read import read_page
from newsletter.ingest.press.parse import PressRelease, parse_press
from newsletter.ingest.text.decode import decode


@dataclass(frozen=True)
class Check:
    """One value of one text: what is right, what came out, and whether they agree."""

    name: str
    field: str
    right: bool
    expected: object
    found: object


def _even(text: str) -> str:
    return " ".join(text.split()).casefold()


def _same(expected: Any, found: Any) -> bool:
    return (
        _even(expected) == _even(found)
        if isinstance(expected, str) and found is not None
        else expected == found
    )


# For each key of the JSON: what the release has, and how the two are compared.
FIELDS: Mapping[str, tuple[Callable[[PressRelease | Item], Any], Callable[[Any, Any], bool]]] = {
    "title": (lambda press: press.title, _same),
    "published": (lambda press: press.published.isoformat() if press.published else None, _same),
    "publisher": (lambda press: press.publisher, _same),
    "language": (lambda press: press.language, _same),
    "body_first_words": (
        lambda press: _even(press.body).removeprefix("- ")[:120],
        lambda words, body: bool(body.startswith(_even(words).removeprefix("- "))),
    ),
    "body_last_words": (
        lambda press: _even(press.body)[-120:],
        lambda words, body: bool(body.endswith(_even(words))),
    ),
    "body_has": (lambda press: press.body, lambda parts, body: all(part in body for part in parts)),
    "body_has_not": (lambda press: press.body, lambda parts, body: not any(part in body for part in parts)),
    "paragraphs": (lambda press: len(press.paragraphs), _same),
}


def read(path: Path) -> PressRelease | Item | None:
    """Return the release in the file, or None if it is refused."""
    try:
        if path.suffix == ".html":
            return read_page(path.read_bytes(), "", path.name)
        return parse_press(decode(path.read_bytes(), path.name), path.name)
    except ReleaseUnreadable:
        return None


def score(folder: Path) -> Iterator[Check]:
    """Yield the checks of all pairs in `folder`. Every check of a refused text is wrong."""
    for path in sorted(folder.glob("*.json")):
        pair: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        # A name may have dots of its own.
        page = path.parent / f"{path.name.removesuffix('.json')}.html"
        press = read(page if page.exists() else path.with_suffix(".txt"))
        for field, (value, agrees) in FIELDS.items():
            if field not in pair:
                continue
            found = None if press is None else value(press)
            accepted = [pair[field], *pair.get("also", {}).get(field, ())]
            right = press is not None and any(agrees(each, found) for each in accepted)
            yield Check(path.stem, field, right, pair[field], found)


def main(folders: list[str]) -> None:
    for folder in folders:
        checks = list(score(Path(folder)))
        for check in checks:
            if not check.right:
                shown = str(check.found)[:160] if check.field != "body_has" else "missing"
                sys.stdout.write(f"{check.name}: {check.field}\n   {check.expected}\n   {shown}\n")
        counts = Counter(check.field for check in checks)
        good = Counter(check.field for check in checks if check.right)
        for field, count in counts.items():
            sys.stdout.write(f"{field:18}{good[field]:5} of {count}\n")
        share = 100 * good.total() / max(1, counts.total())
        sys.stdout.write(f"{'all':18}{good.total():5} of {counts.total()} ({share:.1f} %)  {folder}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
