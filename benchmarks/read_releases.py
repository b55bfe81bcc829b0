"""Measure how many press releases one core reads in a second, from their bytes to a parsed release.

`python -m benchmarks.read_releases [FOLDER]` prints one JSON line. The texts are those of tests/data/press
and of the demo, or the .txt files of FOLDER. The target is 200 releases a second. CPU seconds are counted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from newsletter.errors import ReleaseUnreadable
from newsletter.ingest.press.parse import parse_press
from newsletter.ingest.text.decode import decode

ROOT = Path(__file__).parents[1]
FOLDERS = (ROOT / "tests" / "data" / "press", ROOT / "newsletter" / "demo" / "samples")
ROUNDS = 5


def measure(folders: Sequence[Path]) -> dict[str, float]:
    """Return the number of texts, their mean size, and the releases a second in the fastest round."""
    texts = [path.read_bytes() for folder in folders for path in sorted(folder.glob("*.txt"))]
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for data in texts:
            with suppress(ReleaseUnreadable):
                parse_press(decode(data, "x"), "x")
        rounds.append(time.process_time() - started)
    return {
        "texts": len(texts),
        "mean_bytes": round(sum(map(len, texts)) / len(texts)),
        "releases_a_second": round(len(texts) / min(rounds)),
    }


if __name__ == "__main__":
    given = [Path(name) for name in sys.argv[1:]]
    sys.stdout.write(json.dumps(measure(given or FOLDERS)) + "\n")
