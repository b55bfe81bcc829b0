"""The note of a command is read from a file, and checked before anything is asked."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from house import House

from newsletter.cli.issues.editors_note import read_note_file
from newsletter.errors import InputError
from newsletter.models import FIRST_NEWSLETTER


def test_a_note_has_the_first_language_of_the_newsletter_by_default(house: House):
    note = read_note_file(house.runtime, FIRST_NEWSLETTER, io.StringIO("A quiet week."), None)

    assert note == {"note": "A quiet week.", "note_language": "en"}
    assert read_note_file(house.runtime, FIRST_NEWSLETTER, None, None) == {}


def test_a_file_that_is_no_text_is_refused(house: House, tmp_path: Path):
    path = tmp_path / "note"
    path.write_bytes(b"\xff\xfe")

    with path.open(encoding="utf-8") as file, pytest.raises(InputError, match="UTF-8"):
        read_note_file(house.runtime, FIRST_NEWSLETTER, file, None)
