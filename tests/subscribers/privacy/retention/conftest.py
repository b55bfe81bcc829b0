"""People around a house, and somebody who cleans it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from newsletter.settings import Settings
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.run import Purged, Purger


@dataclass
class Cleaner:
    """Cleans the house of some people, as the settings say or otherwise."""

    people: Any

    def purger(self, **days: int) -> Purger:
        runtime = self.people.house.runtime
        settings: Settings = runtime.settings
        policy = replace(Policy.of(settings, self.people.house.clock()), **days)
        return Purger(runtime.session, runtime.reading, runtime.tokens, policy)

    def clean(self, **days: int) -> dict[str, int]:
        """Clean up; return what went, steps without anything left out."""
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
