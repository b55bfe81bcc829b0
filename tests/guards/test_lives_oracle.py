"""Guards: the oracle of the random lives imports no code of the program, and its faults fit today's code."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIVES = ROOT / "tests" / "lives"
FAULTS = sorted((LIVES / "faults").glob("*.patch"))
JUDGED = (
    "newsletter.bounces", "newsletter.coverage", "newsletter.digest", "newsletter.messages",
    "newsletter.outbox", "newsletter.suppression",
)  # fmt: skip


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{each.name}" for each in node.names}
    return found


def test_the_oracle_imports_nothing_of_the_program():
    assert {
        each for each in imported(LIVES / "oracle.py") if each.startswith(("newsletter", "lives"))
    } == set()


def test_only_the_module_that_asks_the_program_knows_the_packages_that_are_judged():
    knowing = {
        path.name for path in LIVES.glob("*.py") if any(each.startswith(JUDGED) for each in imported(path))
    }

    assert knowing == {"world.py"}


@pytest.mark.parametrize("patch", FAULTS, ids=lambda patch: patch.stem)
def test_each_fault_can_be_put_back(patch: Path):
    """If a patch no longer applies, make it again from the present code (tests/lives/README.md)."""
    tried = subprocess.run(
        ["git", "apply", "--check", patch], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert tried.stderr == ""
