"""Run a story from text, one act a line, such as `cancel(host=0, pick=0)`."""

from __future__ import annotations

import ast
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lives.databases import Database
from lives.machine import shared_memory
from lives.world import World

STORIES = Path(__file__).resolve().parents[1] / "data" / "lives"


def tell(database: Database, lines: Iterable[str]) -> World:
    """Run a story to its end; return the world. It stops where a rule is broken."""
    acts = list(_parse(lines))
    database.begin()
    with tempfile.TemporaryDirectory(prefix="story-", dir=shared_memory()) as folder:
        (_, skews, _), *rest = acts
        world = World(database, Path(folder), (skews[0], skews[1]))
        try:
            for name, _, given in rest:
                world.story.append(f"{name}({given})")
                getattr(world, name)(**given)
                if world.oracle.fault:
                    return world
            world.story.append("to the end")
            world.live_to_the_end()
        finally:
            world.close()
    return world


def _parse(lines: Iterable[str]) -> Iterator[tuple[str, list[Any], dict[str, Any]]]:
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        call = ast.parse(line.strip(), mode="eval").body
        assert isinstance(call, ast.Call), line
        assert isinstance(call.func, ast.Name), line
        values = [ast.literal_eval(each) for each in call.args]
        yield call.func.id, values, {each.arg or "": ast.literal_eval(each.value) for each in call.keywords}
