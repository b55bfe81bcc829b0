"""Modules of the web pages and the command line make no SQL: they call queries of the stages."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EDGES = ("web", "cli")
MAKES_SQL = {"select", "update", "delete", "insert", "insert_new", "exists", "text", "func", "case"}
PACKAGES = {"sqlalchemy", "newsletter"}


def test_edges_import_nothing_that_makes_sql():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno} {name.name}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES
        for name in node.names
        if name.name in MAKES_SQL
    ]

    assert found == []


def test_edges_use_no_query_of_sqlalchemy():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and (node.attr == "query" or _is_sql_of_db(node))
    ]

    assert found == []


def test_edges_do_not_import_sqlalchemy_as_a_module():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Import) and any(name.name.startswith("sqlalchemy") for name in node.names)
    ]

    assert found == []


def _is_sql_of_db(node: ast.Attribute) -> bool:
    """Whether `node` is `db.select` or another that makes SQL."""
    return isinstance(node.value, ast.Name) and node.value.id in {"db", "sa"} and node.attr in MAKES_SQL


def _modules() -> list[tuple[Path, ast.Module]]:
    paths = [path for edge in EDGES for path in sorted((ROOT / "newsletter" / edge).rglob("*.py"))]
    return [(path, ast.parse(path.read_text("utf-8"))) for path in paths]
