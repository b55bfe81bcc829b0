"""Import a name from another module at its first use, so that a command starts quickly."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def late_import(target: str) -> Any:
    """Import "module:name" and return the named object.

    The command line has no other late imports: tests/guards/test_imports.py lists the callers.
    """
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
