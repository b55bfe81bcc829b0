"""Fixtures: a schedule on SQLite, then on PostgreSQL."""

from __future__ import annotations

import pytest
from house import House
from scheduled import Scheduled


@pytest.fixture
def either(either_house: House) -> Scheduled:
    return Scheduled(either_house)


@pytest.fixture
def one(house: House) -> Scheduled:
    return Scheduled(house)
