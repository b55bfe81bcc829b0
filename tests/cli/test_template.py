"""`newsletter template` shows, checks, saves and restores the templates of a newsletter."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, make_installed, make_settings

from newsletter.cli import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_installed(make_settings(tmp_path))
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(folder)}
    return CliRunner().invoke(main, ["template", *words], env=environ)


def write(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def styles(folder: Path, *words: str) -> str:
    return run(folder, "show", "style.css", *words).stdout


def test_what_is_shown_can_be_saved_and_changes_nothing(folder):
    shown = write(folder, "style.css", styles(folder))

    assert "yours" not in run(folder, "list").output
    assert run(folder, "save", shown).output == "Nothing has changed.\n"


def test_a_part_is_checked_saved_listed_compared_and_restored(folder):
    usual = styles(folder)
    mine = write(folder, "style.css", usual + "\np { margin: 3px }\n")

    checked = run(folder, "check", mine)
    before = styles(folder)
    saved = run(folder, "save", mine)
    listed = [json.loads(line) for line in run(folder, "list", "--json").output.splitlines()]
    compared = run(folder, "versions", "--diff").output
    mine_again = styles(folder)
    restored = run(folder, "restore", "usual")

    assert "Nothing is wrong." in checked.output
    assert before == usual
    assert saved.output == "Saved as version 1.\n"
    assert [each["file"] for each in listed if each["own"]] == ["style.css"]
    assert "command line" in compared
    assert "+p { margin: 3px }" in compared
    assert mine_again.endswith("p { margin: 3px }\n")
    assert restored.output == "Saved as version 2.\n"
    assert styles(folder) == usual
    assert styles(folder, "--version", "1") == mine_again
    numbers = [json.loads(line) for line in run(folder, "versions", "--json").output.splitlines()]
    assert [(each["version"], each["usual"]) for each in numbers] == [(2, True), (1, False)]
    assert run(folder, "restore", "1").output == "Saved as version 3.\n"


def test_the_other_parts_stay_as_they_are(folder):
    run(folder, "save", write(folder, "style.css", styles(folder) + "\np { margin: 3px }\n"))

    run(folder, "save", write(folder, "dark.css", run(folder, "show", "dark.css").stdout + "\n/* mine */\n"))

    assert run(folder, "list").output.count("yours") == 2


@pytest.mark.parametrize("command", ["check", "save"])
def test_what_cannot_be_used_is_named_with_its_part_and_line(folder, command):
    wrong = write(folder, "frame.txt", "{{ top_links }}\n{{ nothing_like_this( }}\n")

    told = run(folder, command, wrong)

    assert told.exit_code == 1
    assert "Frame (plain text), line 2: " in told.output
    assert run(folder, "versions").output == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("save", "other.css"), "other.css is no part. A file has one of these names: frame.html,"),
        (("save", "style.css", "style.css"), "style.css is given twice."),
        (("check", "latin.txt/frame.txt"), "is not text in UTF-8."),
        (("restore", "9"), "There is no version 9 of these templates."),
        (("restore", "all"), "all is no version. Write its number, or usual."),
    ],
)
def test_a_wrong_name_is_told(folder, words, said):
    write(folder, "other.css", "p {}")
    write(folder, "style.css", "p {}")
    (folder / "latin.txt").mkdir()
    (folder / "latin.txt" / "frame.txt").write_bytes(b"\xff\xfe\xfd")
    command, *files = words

    told = run(folder, command, *[str(folder / each) if "." in each else each for each in files])

    assert told.exit_code == 1
    assert said in told.output
