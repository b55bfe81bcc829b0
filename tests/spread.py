"""Spread the tests over the workers of pytest-xdist: tests that share a costly fixture run on one worker.

The tests of a file run on one worker, except slow ones.

pytest-xdist 3.8 writes its groups into the ids of the tests, and pytest 9.2 ignores that. So the groups of
`--dist loadgroup` do nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# The browser tests with one set of fonts, and the tests of one wheel or of one old installation.
TOGETHER = re.compile(r"font-\w+|^tests/(?:flows/test_wheel|test_old_installation)\.py|^tests/benchmarks/")
# Each of these is a unit alone.
SLOW = ("tests/lives/", "tests/year/", "tests/flows/", "tests/outbox/", "tests/service/")


def unit_of(test: str) -> str:
    """Return the name of the unit to which the test with this id belongs."""
    if found := TOGETHER.search(test):
        return found.group()
    return test if test.startswith(SLOW) else test.partition("::")[0]


def _place(test: str) -> int:
    """Return when a test comes: long units first, so that no worker runs one when the other has finished."""
    if TOGETHER.search(test):
        return 0
    return 1 if test.startswith(SLOW) else 2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long units and slow tests first, and keep their random order otherwise."""
    items.sort(key=lambda item: _place(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return a scheduler that gives units to workers, in the order of their first tests."""
    from xdist.scheduler import LoadScopeScheduling

    class UnitScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    # Else the units with most tests come first.
    config.option.loadscopereorder = False
    return UnitScheduling(config, log)
