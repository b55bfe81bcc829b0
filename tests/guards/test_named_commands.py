"""Each command that a message, a page or a document names exists."""

from __future__ import annotations

import re
from pathlib import Path

import click

from newsletter.cli import COMMANDS, main

ROOT = Path(__file__).parents[2]
# A command of two words, as people would type it: `newsletter dkim new`.
_NAMED = re.compile(r"(?<![\w./-])newsletter ([a-z]+) ([a-z]+(?:-[a-z]+)*)(?=[\s`.,:;\"')]|$)")
# A command of one word or more, after a backtick or a colon.
_QUOTED = re.compile(r"(?:`|: )newsletter ([a-z]+)(?=[ `.,;:\"']|$)")
# Not a command: it is a record of consent.
NO_COMMAND = {"consent record"}


def texts() -> list[Path]:
    code = [*(ROOT / "newsletter").rglob("*.py"), *(ROOT / "templates").rglob("*.*")]
    return [*code, *(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]


def is_missing(noun: str, verb: str) -> bool:
    found = main.get_command(click.Context(main), noun) if noun in COMMANDS else None
    if not isinstance(found, click.Group) or f"{noun} {verb}" in NO_COMMAND:
        return False
    return verb not in found.list_commands(click.Context(found))


def test_each_named_command_exists():
    named = [(path, match) for path in texts() for match in _NAMED.finditer(path.read_text(encoding="utf-8"))]

    missing = {f"{path.name}: {match[0]}" for path, match in named if is_missing(match[1], match[2])}

    assert len(named) > 100
    assert missing == set()


def test_each_quoted_command_exists():
    quoted = [(path, each) for path in texts() for each in _QUOTED.finditer(path.read_text(encoding="utf-8"))]

    missing = {f"{path.name}: {each[0]}" for path, each in quoted if each[1] not in COMMANDS}

    assert len(quoted) > 100
    assert missing == set()
