"""Some simulated days of a schedule on both databases; `make year` runs many more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from house import House

from year.world import World

ROOT = Path(__file__).resolve().parents[2]
FAULTS = sorted((ROOT / "tests" / "year" / "faults").glob("*.patch"))
DAYS = 5


# Measuring coverage makes this three times as slow.
@pytest.mark.no_cover
@pytest.mark.parametrize("seed", [1, 2])
def test_each_release_comes_once_and_on_time(either_house: House, seed: int):
    world = World(either_house, seed)

    world.run(DAYS)

    assert world.items
    assert either_house.transport.sent


@pytest.mark.parametrize("patch", FAULTS, ids=lambda patch: patch.stem)
def test_each_fault_can_be_put_back(patch: Path):
    """If a patch no longer applies, make it again from the present code."""
    tried = subprocess.run(
        ["git", "apply", "--check", patch], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert tried.stderr == ""
