"""Every module of the command line imports at its top; late imports go through one function."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The callers of `late_import`: how many times each may call it, and why.
LATE = {
    "__init__.py": (3, "a command, the text check of its arguments, and database errors"),
    "runtime.py": (1, "Celery, if a command wakes the workers"),
    "worker.py": (3, "Celery and the other programs, which `worker --drain` does not need"),
    "demo.py": (1, "the programs of the service, which `demo --check` does not need"),
    "imported.py": (1, "the command line itself, which imports this module"),
    "bounce.py": (1, "aiosmtpd, which `bounce ingest` does not need"),
}


def test_no_function_of_the_command_line_imports_anything():
    found = [
        f"{path.name}:{node.lineno}"
        for path, tree in _modules()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]

    assert found == []


def test_late_imports_are_those_of_the_list():
    found = Counter(
        path.name
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "late_import"
    )

    assert found == {name: count for name, (count, _) in LATE.items()}


def test_only_late_import_uses_importlib():
    found = [path.name for path, tree in _modules() if "importlib" in ast.dump(tree)]

    assert found == ["late_import.py"]


def _modules() -> list[tuple[Path, ast.Module]]:
    paths = sorted((ROOT / "newsletter" / "cli").rglob("*.py"))
    return [(path, ast.parse(path.read_text("utf-8"))) for path in paths]
