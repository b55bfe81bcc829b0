"""An installation whose emails come back."""

from __future__ import annotations

import pytest
from house import House


@pytest.fixture
def sent(either_house: House) -> House:
    """An installation that has sent one issue to Ada."""
    either_house.add_subscriber(either_house.topic("harbours"), name="ada")
    either_house.release("Harbours open")
    either_house.send()
    return either_house
