"""Each kind of single email has an entry in the registry and its three templates."""

from __future__ import annotations

from pathlib import Path

from newsletter.messages.kinds import KINDS

TEMPLATES = Path(__file__).resolve().parents[2] / "templates" / "email"
# Its parts are made in advance, so it is no single email (messages/digests/edition.py).
DIGEST = "digest"


def test_each_folder_of_templates_has_an_entry():
    folders = {each.name for each in TEMPLATES.iterdir() if each.is_dir()} - {DIGEST}

    assert folders == set(KINDS)


def test_each_entry_has_its_three_templates():
    needed = {"subject.txt", "body.txt", "body.html"}

    lacking = {name: needed - {each.name for each in (TEMPLATES / name).iterdir()} for name in KINDS}

    assert not any(lacking.values()), lacking
