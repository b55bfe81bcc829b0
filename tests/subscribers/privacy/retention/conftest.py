"""Fixtures for retention: subscribers, and an object that runs the retention steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from newsletter.settings import Settings
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.run import Purged, Purger


@dataclass
class Cleaner:
    """Runs the retention steps, with the policy of the settings or another one."""

    people: Any

    def purger(self, **days: int) -> Purger:
        runtime = self.people.house.runtime
        settings: Settings = runtime.settings
        policy = replace(Policy.of(settings, self.people.house.clock()), **days)
        return Purger(runtime.session, runtime.reading, runtime.tokens, policy)

    def clean(self, **days: int) -> dict[str, int]:
        """Run the steps; return how many rows each deleted, without steps that deleted none."""
        return told(list(self.purger(**days).run(lambda seconds: None)))

    def count(self, **days: int) -> dict[str, int]:
        return told(self.purger(**days).count())


def told(purged: list[Purged]) -> dict[str, int]:
    return {each.step.name: each.count for each in purged if each.count}


@pytest.fixture
def cleaner(people: Any) -> Cleaner:
    return Cleaner(people)


@pytest.fixture
def cleaner_everywhere(everywhere: Any) -> Cleaner:
    return Cleaner(everywhere)
