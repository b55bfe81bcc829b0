"""Import a name from another module at its first use, so that a command starts quickly."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any


def late_import(target: str) -> Any:
    """Import "module:name" and return the named object.

    The command line has no other late imports: tests/guards/test_imports.py lists the callers.

    Nothing is collected as garbage meanwhile. Nearly all objects that an import makes live until the end, and
    to visit them again and again would take a sixth of the time.
    """
    module, _, name = target.partition(":")
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return getattr(import_module(module), name)
    finally:
        if was_enabled:
            gc.enable()
