"""Guard the files: lengths, module docstrings, TODOs, local paths, lock files, email templates."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "newsletter"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 400
# Longer files, each with the reason why it is not split.
LONG_FILES = {
    "newsletter/coverage.py": "the two marks of subscriptions, which no other module may change",
    "newsletter/settings/fields.py": "a table: one entry a setting",
    "newsletter/notices.py": "a table: one entry a kind of notice, and the few functions on it",
    "newsletter/mail/assemble.py": "one walk from a template to signed bytes, and the tables it needs",
}


def tracked() -> list[Path]:
    """Return every tracked file; in a tree without git, the files of the known folders."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        folders = ("newsletter", "templates", "migrations", "tests", "docs")
        found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
        return [path for path in found if path.is_file() and "__pycache__" not in path.parts]
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    """Return the name and content of each tracked text file."""
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content[:4096]:
            found.append((path.relative_to(ROOT).as_posix(), content.decode("utf-8", "replace")))
    return found


def inside(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_a_file_is_short_enough_to_read_in_one_sitting():
    lengths = {inside(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}

    long_files = {name for name, lines in lengths.items() if lines > LONGEST}

    assert long_files - LONG_FILES.keys() == set()


def test_every_module_opens_with_a_sentence():
    silent = []
    for path in MODULES:
        opening = ast.get_docstring(ast.parse(path.read_text("utf-8")))
        if not opening or not opening.split("\n\n")[0].rstrip().endswith((".", "?", "!")):
            silent.append(inside(path))

    assert silent == []


def test_modules_postpone_the_evaluation_of_annotations():
    bare = [
        inside(path)
        for path in MODULES
        if len(ast.parse(path.read_text("utf-8")).body) > 2
        and "from __future__ import annotations" not in path.read_text("utf-8")
    ]

    assert bare == []


def test_what_is_left_to_do_has_a_number():
    # The words are split, so that this file does not find itself.
    promise = re.compile(r"\b(" + "TO" + "DO|FIX" + r"ME|XX" + r"X)\b(?!\(?\s*#\d+)")

    found = [
        f"{name}:{number}"
        for name, text in texts()
        if name.endswith((".py", ".html", ".txt", ".css", ".toml", ".md", "Makefile"))
        and not name.startswith(("tests/data/", "newsletter/static/vendor/"))
        for number, line in enumerate(text.splitlines(), 1)
        if promise.search(line)
    ]

    assert found == []


def test_no_file_names_a_place_on_one_machine():
    place = re.compile(r"(?<![\w.:/-])/(?:work|home|root|Users|workspace)/[\w.]")

    found = [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts()
        if not name.startswith(("tests/data/", "newsletter/demo/samples/"))
        for number, line in enumerate(text.splitlines(), 1)
        if place.search(line)
    ]

    assert found == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "package-lock.json", ".npmrc"])
def test_lock_files_name_no_registry(name):
    text = (ROOT / name).read_text("utf-8")

    fetching = r"^.*(?:https?://|--(?:extra-)?index-url|--find-links|\"resolved\").*$"
    addresses = re.findall(fetching, text, re.M)

    # A package may have a funding URL, from which nothing is downloaded.
    assert [line for line in addresses if '"url": "' not in line] == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_pinned_package_has_its_hashes(name):
    lines = (ROOT / name).read_text("utf-8").splitlines()
    pins = [(line, after) for line, after in zip(lines, [*lines[1:], ""], strict=True) if line[:1].isalnum()]

    assert len(pins) > 20
    assert [
        line for line, after in pins if "==" not in line or not after.startswith("    --hash=sha256:")
    ] == []


def test_every_email_has_a_subject_a_text_and_a_page():
    kinds = [folder for folder in (ROOT / "templates" / "email").iterdir() if folder.is_dir()]

    missing = [
        inside(folder / name)
        for folder in kinds
        for name in ("subject.txt", "body.txt", "body.html")
        if not (folder / name).is_file()
    ]

    assert kinds != []
    assert missing == []
