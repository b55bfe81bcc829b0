"""Change the pairs of a folder as pages are changed, and count the wrong and right titles that are held.

`PYTHONPATH=tests python -m reader_variants [--list] FOLDER...` makes eight variants of each pair. Its form is
in reader_score. The headline is removed, or a menu, a caption, coming events or contacts stand above.
`--list` prints each wrong title that is not held and each right one that is. A pair with `no_title` has no
headline at all.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.press.parse import PressRelease, parse_press
from newsletter.ingest.text.decode import decode

_MENUS = (
    ("Home", "About us", "Departments", "Harbour", "Careers", "Publications", "Contact"),
    ("Startseite", "Themen", "Der Hafen", "Presse", "Termine", "Kontakt", "Leichte Sprache"),
    ("Accueil", "Le port", "Nos métiers", "Espace presse", "Agenda", "Nous contacter"),
    ("Главная", "Новости", "О порте", "Документы", "Контакты"),
    ("ホーム", "港について", "お知らせ", "採用情報", "交通案内"),
    ("الرئيسية", "عن الميناء", "الأخبار", "الخدمات", "اتصل بنا"),
    ("Inicio", "El puerto", "Servicios", "Sala de prensa", "Empleo"),
)
_CAPTIONS = (
    "The new pier of Brinehaven seen from the north tower. Photo: Ada Finch",
    "Das neue Becken am Westufer. Foto: Jona Falke",
    "Le nouveau quai vu de la tour nord. (Photo : Lise Marin)",
    "Новый причал северной гавани. Фото: Л. Марин",
    "Ada Finch, head of the harbour office, opens the new pier.",
)
_EVENTS = (
    """Coming events
- 4 March 2031 Lantern night on the north pier
- 9 March 2031 Council of the outer islands
- 2 April 2031 Open day of the pilot school""",
    "Nächste Termine\n• 04.03.2031 Laternenabend am Nordufer\n• 09.03.2031 Rat der äußeren Inseln",
)
_CONTACTS = (
    "Media contact:\nLou Marrow\nHarbour Office, Brinehaven\n+1 555 010 0144\nlou.marrow@harbour.example",
    "Ansel Marrow\nHead Office, Brinehaven\n555-010-0144\nansel.marrow@harbour.example",
    "Pressestelle\nJona Falke\nUferweg 3\n12999 Brinsee\nTelefon: 0555 / 010 - 0101",
)
_OTHERS = (
    """Storm warning for the outer islands lifted
Pilots train on the new simulator
Ferry fares stay the same next year""",
    "Sturmwarnung für die äußeren Inseln aufgehoben\nLotsen üben am neuen Simulator",
)


@dataclass(frozen=True)
class Outcome:
    """One variant: whether the title is right, whether the release is held, and the title that was read."""

    name: str
    kind: str
    right: bool
    held: bool
    title: str


def _same(one: str, other: str) -> bool:
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()


def without_title(text: str, titles: list[str]) -> str:
    """Return `text` without the lines that are, contain or end one of `titles`."""
    keys = [" ".join(title.split()).casefold() for title in titles]
    kept = []
    for line in text.split("\n"):
        low = " ".join(line.split()).casefold()
        begins = len(low) >= 12 and any(key.startswith(low) or key.endswith(low) for key in keys)
        if not begins and not any(key in low and len(low) < len(key) + 120 for key in keys):
            kept.append(line)
    return "\n".join(kept)


def variants(text: str, titles: list[str], chance: random.Random) -> Iterator[tuple[str, str, bool]]:
    """Yield the kind, the text and whether its headline is left, for each variant of a text."""
    menu = chance.choice(_MENUS)
    bare = without_title(text, titles)
    yield "headline removed", bare, False
    yield "headline removed, menu above", "\n".join(menu) + "\n\n" + bare, False
    yield "headline removed, other headlines above", chance.choice(_OTHERS) + "\n\n" + bare, False
    yield "menu above", "\n".join(chance.choice(_MENUS)) + "\n\n" + text, True
    yield "menu with bars above", " | ".join(chance.choice(_MENUS)) + "\n\n" + text, True
    yield "caption above", chance.choice(_CAPTIONS) + "\n\n" + text, True
    yield "coming events above", chance.choice(_EVENTS) + "\n\n" + text, True
    yield "contacts above", chance.choice(_CONTACTS) + "\n\n" + text, True


def read(text: str, name: str) -> PressRelease | None:
    """Return the release, or None if it is refused, so that nobody gets it."""
    try:
        return parse_press(text, name)
    except ReleaseUnreadable:
        return None


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Yield the outcome of each pair and of its variants. The same folder always gives the same ones."""
    for path in sorted(folder.glob("*.json")):
        pair: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        try:
            text = decode(path.with_suffix(".txt").read_bytes(), path.name)
        except ReleaseUnreadable:
            continue
        titles = [pair["title"], *pair.get("also", {}).get("title", ())] if pair.get("title") else []
        made = [("as it is", text, bool(titles))]
        if titles:
            made.extend(variants(text, titles, random.Random(path.stem)))
        elif not pair.get("no_title"):
            continue
        for kind, changed, has_title in made:
            press = read(changed, path.name)
            title = press.title if press else ""
            right = has_title and any(_same(each, title) for each in titles)
            yield Outcome(path.stem, kind, right, press is None or "title" in press.doubts, title)


def main(arguments: list[str]) -> None:
    listed = "--list" in arguments
    found = [each for name in arguments if name != "--list" for each in outcomes(Path(name))]
    for each in found if listed else ():
        if each.right == each.held:
            fault = "held, but right" if each.right else "wrong, not held"
            sys.stdout.write(f"{each.name}: {each.kind}: {fault}\n   {each.title[:150]}\n")
    for right in (False, True):
        asked = [each for each in found if each.right == right]
        all_of, held = Counter(each.kind for each in asked), Counter(each.kind for each in asked if each.held)
        word = "right" if right else "wrong"
        for kind, count in all_of.items():
            sys.stdout.write(f"{word}, {kind:42}{held[kind]:5} of {count:4} held\n")
        share = 100 * held.total() / max(1, all_of.total())
        sys.stdout.write(f"{word} titles{'':39}{held.total():5} of {all_of.total():4} held ({share:.1f} %)\n")


if __name__ == "__main__":
    main(sys.argv[1:])
