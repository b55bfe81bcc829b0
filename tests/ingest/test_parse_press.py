"""Whole releases: each text in tests/data/press with what is expected of it beside it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.decode import decode
from newsletter.ingest.parse_press import PressRelease, as_json, parse_press, summarise

ROOT = Path(__file__).parents[2]
CASES = sorted((ROOT / "tests" / "data" / "press").glob("*.json"))
SAMPLES = sorted((ROOT / "newsletter" / "service" / "samples").glob("*.txt"))
TODAY = date(2026, 1, 15)


def read(path: Path, today: date = TODAY) -> PressRelease:
    return parse_press(decode(path.read_bytes(), path.name), path.name, today)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_a_release_is_read_as_the_file_beside_it_says(case: Path) -> None:
    expected: dict[str, Any] = json.loads(case.read_text(encoding="utf-8"))
    today = date.fromisoformat(expected.get("today", TODAY.isoformat()))

    release = read(case.with_suffix(".txt"), today)

    assert release.title == expected["title"]
    assert release.publisher == expected["publisher"]
    assert (release.published and release.published.isoformat()) == expected["published"]
    assert release.language == expected["language"]
    assert release.body.startswith(expected["begins"])
    assert release.body.endswith(expected["ends"])
    assert len(release.paragraphs) == expected["paragraphs"], release.paragraphs
    assert [each for each in expected.get("has", []) if each not in release.body] == []
    assert [each for each in expected.get("has_not", []) if each in release.body] == []
