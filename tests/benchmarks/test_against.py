"""Comparing two versions: round by round, with ratios inside a round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.against import Pair, Run, figures, spread

ROOT = Path(__file__).resolve().parents[2]


def test_the_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians():
    pairs = [
        Pair(Run(100, 1.0, 0.5), Run(100, 2.0, 1.0)),
        Pair(Run(100, 10.0, 0.5), Run(100, 10.0, 1.0)),
        Pair(Run(100, 4.0, 0.8), Run(100, 2.0, 1.6)),
    ]

    found = figures(pairs)

    assert found["ratio"] == {
        "min": 0.5,
        "lower_quartile": 0.75,
        "median": 1.0,
        "upper_quartile": 1.5,
        "max": 2.0,
    }
    assert found["cpu_ratio"]["median"] == 0.5
    assert found["cpu_seconds_per_message"] == {"this": 0.005, "other": 0.01}


def test_one_round_has_a_spread_too():
    assert set(spread([0.97]).values()) == {0.97}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of this repository, so that its cache and its second worktree are deleted after the test."""
    place = tmp_path_factory.mktemp("bench") / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(place)], check=True)
    return place


def bench(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(checkout), str(checkout / "tests")])
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.run", *words],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_commit_is_compared_with_itself(checkout: Path):
    """The other version runs from a git worktree. With equal lock files, our own environment runs both."""
    done = bench(checkout, "signed", "--against", "HEAD", "--rounds", "1", "--size", "50")

    line = json.loads(done.stdout)
    assert line["row"] == "signed", done.stderr
    assert line["size"] == 50
    run = line["runs"][0]
    assert line["ratio"]["median"] == pytest.approx(run["this"]["rate"] / run["other"]["rate"], rel=0.05)


def test_an_unknown_commit_is_one_sentence_and_status_1(checkout: Path):
    done = bench(checkout, "--against", "no-such-commit")

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no-such-commit" in done.stderr
