"""Spread the tests over the workers of pytest-xdist: tests that share a costly fixture run on one worker.

pytest-xdist 3.8 writes its groups into the ids of the tests, and pytest 9.2 ignores that. So the groups of
`--dist loadgroup` do nothing, and each worker starts its own browser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# The browser tests with one set of fonts, and the tests of one wheel or of one old installation.
TOGETHER = re.compile(r"font-\w+|^tests/(?:flows/test_wheel|test_old_installation)\.py|^tests/benchmarks/")
# These come first, so that no worker still runs a slow test when the other has finished.
SLOW = ("tests/lives/", "tests/year/", "tests/flows/", "tests/outbox/test_c", "tests/service/")


def unit_of(test: str) -> str:
    """Return the name of the unit to which the test with this id belongs; most tests are a unit alone."""
    found = TOGETHER.search(test)
    return found.group() if found else test


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow tests first, and keep their random order otherwise."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return a scheduler that gives units to workers. The units with most tests come first."""
    from xdist.scheduler import LoadScopeScheduling

    class UnitScheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit_of(nodeid)

    return UnitScheduling(config, log)
