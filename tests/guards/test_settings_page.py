"""Guard: the documentation of the settings names every setting and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from newsletter.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_is_documented():
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")

    headed = set(re.findall(rf"^### `({PREFIX}\w+)`$", page, re.M))

    assert headed == {PREFIX + field.name.upper() for field in fields(Settings)}


def test_no_page_names_a_setting_that_is_not_there():
    known = {PREFIX + field.name.upper() for field in fields(Settings)}
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]

    unknown = {
        f"{page.name}: {name}"
        for page in pages
        for name in re.findall(rf"{PREFIX}[A-Z][A-Z_]*[A-Z]", page.read_text("utf-8"))
        if name not in known
    }

    assert unknown == set()
