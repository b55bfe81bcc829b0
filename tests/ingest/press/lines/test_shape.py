"""Recognise forms of lines: sentences and bullets."""

from __future__ import annotations

from newsletter.ingest.press.lines.shape import (
    ends_sentence,
    even_bullet,
    is_bullet,
    is_cut_off,
    is_sentence,
    size,
)


def test_forms_of_lines_are_recognised() -> None:
    assert ends_sentence("He said “yes.”")
    assert not ends_sentence("Ministry of Roads")
    assert is_sentence("The harbour of Ness was closed on Monday because of the storm.")
    assert not is_sentence("How many bees does an orchard need?")
    assert is_cut_off("The harbour of Ness was closed on.. ")
    assert not is_cut_off("The harbour of Ness was closed.")
    assert is_bullet("• item")
    assert is_bullet("1. item")
    assert not is_bullet("– Tiltas yra kelias, – sakė ministras.")
    assert even_bullet("• item") == "- item"
    assert size("大臣は本日") == 3.0 or size("大臣は本日") == 3.5
