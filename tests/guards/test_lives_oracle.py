"""Guard: the oracle of the random lives imports no code of the program that it checks."""

from __future__ import annotations

import ast
from pathlib import Path

LIVES = Path(__file__).resolve().parents[1] / "lives"
JUDGED = ("newsletter.coverage", "newsletter.digest", "newsletter.messages", "newsletter.outbox")


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


def test_only_the_module_that_asks_the_program_knows_coverage_digest_messages_and_outbox():
    knowing = {
        path.name for path in LIVES.glob("*.py") if any(each.startswith(JUDGED) for each in imported(path))
    }

    assert knowing == {"world.py"}
