"""Pairs of releases: copies as other sites show them, changed texts, and notices that recur.

They are made from the texts in tests/data/duplicates, the same ones each time. Run this file to see how they
are judged:

    PYTHONPATH=tests python -m releases.duplicates.pairs
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from newsletter.releases.duplicates.compare import Sample, compare
from newsletter.releases.duplicates.decide import Side, Verdict, decide

DATA = Path(__file__).resolve().parents[2] / "data" / "duplicates"
DAY = date(2026, 3, 10)
_SLOT = re.compile(r"\{([^{}]*)\}")
_LONG_WORD = re.compile(r"(?<![\w’'])[a-zäöüáéíóúñàâçèêëîïôûąčęėįšųūž]{7,}(?![\w’'])")
# A word to put in place of another one, for each language that has capitals.
_OTHER_WORD = {"en": "entirely", "de": "durchaus", "es": "siempre", "fr": "souvent", "lt": "dažnai"}


class Pair(NamedTuple):
    """Two releases. `is_copy` says whether the second one is the same release as the first one."""

    name: str
    kind: str
    known: Sample
    new: Sample
    is_copy: bool


def make_pairs() -> list[Pair]:
    """Return all pairs."""
    return [*_copies(), *_changed(), *_notices()]


def judge(pair: Pair) -> Verdict:
    """Return what the program decides about a pair from two sources, with nothing held."""
    likeness = compare(pair.known, pair.new)
    return decide(likeness, Side(pair.known.day), Side(pair.new.day), same_source=False)


def read(path: Path, version: int = 0) -> Sample:
    """Return the sample in a file. A slot such as `{a|b}` gets the alternative with the number `version`."""
    text = _SLOT.sub(lambda slot: slot[1].split("|")[version], path.read_text("utf-8"))
    head, body = text.split("\n\n", 1)
    title, publisher = head.split("\n")
    return Sample(title, publisher, body.strip(), DAY)


def _copies() -> Iterator[Pair]:
    for path in sorted((DATA / "releases").glob("*.txt")):
        known, language = read(path), path.name[:2]
        for number, make in enumerate(_COPIES):
            new = make(known, language)._replace(day=DAY + timedelta(days=number % 4))
            yield Pair(path.stem, make.__name__, known, new, is_copy=True)


def _changed() -> Iterator[Pair]:
    for path in sorted((DATA / "releases").glob("*.txt")):
        known = read(path)
        for make in _CHANGES:
            yield Pair(path.stem, make.__name__, known, make(known), is_copy=False)


def _notices() -> Iterator[Pair]:
    for path in sorted((DATA / "notices").glob("*.txt")):
        for one, other in combinations(range(4), 2):
            new = read(path, other)._replace(day=DAY + timedelta(days=1))
            yield Pair(path.stem, f"{one} and {other}", read(path, one), new, is_copy=False)


# Copies.


def dateline(known: Sample, _language: str) -> Sample:
    place = known.publisher.split()[-1]
    return known._replace(body=f"{place}, {DAY:%d.%m.%Y} – {known.body}")


def ending(known: Sample, _language: str) -> Sample:
    about = (
        f"{known.publisher}, press office, Harbour Road 12, telephone 040 5550 192 or 5550 193, "
        "press@example.org, www.example.org. Pictures are free of charge if you name the source."
    )
    return known._replace(body=f"{known.body}\n\n{about}")


def cut_off(known: Sample, _language: str) -> Sample:
    return known._replace(body=known.body.rsplit("\n\n", 1)[0])


def typography(known: Sample, _language: str) -> Sample:
    body = re.sub('[“”„«»"]', "'", known.body).replace(" – ", " - ")
    paragraphs = [textwrap.fill(each, 60, break_long_words=False) for each in body.split("\n\n")]
    return known._replace(title=known.title.upper(), body="\n\n".join(paragraphs).replace(" – ", "\u00a0– "))


def publisher_first(known: Sample, _language: str) -> Sample:
    return known._replace(title=f"{known.publisher}: {known.title}", publisher="Pressefach")


def headline_twice(known: Sample, _language: str) -> Sample:
    return known._replace(body=f"{known.title}\n\n{known.body}")


def mistake(known: Sample, _language: str) -> Sample:
    *start, last = known.body.split("\n\n")
    return known._replace(
        body="\n\n".join([*start, _LONG_WORD.sub(lambda word: _swapped(word[0]), last, count=1)])
    )


def one_word(known: Sample, language: str) -> Sample:
    *start, last = known.body.split("\n\n")
    changed = _LONG_WORD.sub(_OTHER_WORD.get(language, ""), last, count=1)
    return known._replace(body="\n\n".join([*start, changed]))


def _swapped(word: str) -> str:
    return word[:3] + word[4] + word[3] + word[5:]


_COPIES: tuple[Callable[[Sample, str], Sample], ...] = (
    dateline, ending, cut_off, typography, publisher_first, headline_twice, mistake, one_word,
)  # fmt: skip

# Changed texts, which a person should look at.


def other_figure(known: Sample) -> Sample:
    """Change the last figure."""
    *_, last = re.finditer(r"\d+|[〇一二三四五六七八九十]+(?=[千万億時年])", known.body)
    other = str(int(last[0]) + 1) if last[0].isdecimal() else ("九" if last[0] != "九" else "十")
    return known._replace(body=known.body[: last.start()] + other + known.body[last.end() :])


def other_name(known: Sample) -> Sample:
    """Change a place in the title and in the text."""
    name = next(each for each in _PLACES if each in known.title or each in known.body)
    return known._replace(
        title=known.title.replace(name, _PLACES[name]), body=known.body.replace(name, _PLACES[name])
    )


def called_off(known: Sample) -> Sample:
    """Put a word before the title that takes the release back."""
    return known._replace(title=f"{'中止：' if known.title[0] == '南' else 'Cancelled: '}{known.title}")


_PLACES = {
    "Halmstrand": "Tarnholm", "Monday": "Friday", "Vendel": "Arnby", "Klinikum": "Bahnhof",
    "Lindburg": "Rosenau", "Valdeflor": "Monteclaro", "Sarmiento": "Aldeanueva", "Brévanne": "Cormery",
    "Haut-Mesnil": "Bas-Mesnil", "Ežerynėje": "Kalnynėje", "南浜": "東浜", "บางนาวา": "บางทะเล",
}  # fmt: skip
_CHANGES: tuple[Callable[[Sample], Sample], ...] = (other_figure, other_name, called_off)


def main() -> None:
    """Print how each pair is judged, if it is judged wrongly, and the sums."""
    sums: Counter[tuple[bool, Verdict]] = Counter()
    for pair in make_pairs():
        verdict = judge(pair)
        sums[pair.is_copy, verdict] += 1
        if pair.is_copy != (verdict is Verdict.MERGE):
            likeness = compare(pair.known, pair.new)
            if pair.is_copy or verdict is not Verdict.SUGGEST:
                print(f"{pair.name}, {pair.kind}: {verdict.value}, {likeness}")
    for (is_copy, verdict), count in sorted(sums.items(), key=str):
        print(f"{'copies' if is_copy else 'others'}: {verdict.value} {count}")


if __name__ == "__main__":
    main()
