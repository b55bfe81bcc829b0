"""The phrase files, and their form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from newsletter.ingest import phrases
from newsletter.ingest.phrases import read_phrases

FILES = sorted(path.stem for path in Path(phrases.__file__).parent.glob("*.txt"))


def test_entries_come_by_section_without_comments_and_empty_lines(tmp_path: Path) -> None:
    text = "# Words.\n\n== en ==\nthe\n# of\n  and so \n\n== lt ==\nir\n== none ==\n"
    (tmp_path / "words.txt").write_text(text, encoding="utf-8")

    assert read_phrases("words", tmp_path) == {"en": ["the", "and so"], "lt": ["ir"], "none": []}


@pytest.mark.parametrize(("text", "line"), [("the\n== en ==\n", 1), ("== en ==\nthe\n== en ==\nof\n", 3)])
def test_a_faulty_file_is_refused_with_the_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "words.txt").write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=rf"words\.txt, line {line}:"):
        read_phrases("words", tmp_path)


@pytest.mark.parametrize("name", [name for name in FILES if name != "months"])
def test_no_entry_comes_twice_in_a_section(name: str) -> None:
    for section, entries in read_phrases(name).items():
        assert len(entries) == len(set(entries)), section


def test_each_calendar_has_twelve_months() -> None:
    assert {len(months) for months in read_phrases("months").values()} == {12}


@pytest.mark.parametrize("name", ["furniture", "labels"])
def test_each_entry_is_a_pattern_of_its_own(name: str) -> None:
    for entries in read_phrases(name).values():
        for entry in entries:
            assert re.compile(entry).groups == 0, entry
