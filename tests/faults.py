"""Put each known fault back in a work tree of its own, and say which ones a search misses."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def find_faults(folder: Path, names: Sequence[str], find: Callable[[str, Path], bool]) -> int:
    """Call `find` with the name of each fault and a work tree that has it; print which it missed.

    The patches are in `folder`. `names` are the numbers of some faults; none means all. Returns the exit
    status: 1 if `find` returned false for a fault.
    """
    patches = [
        each for each in sorted(folder.glob("*.patch")) if not names or each.stem.split("-")[0] in names
    ]
    missed = []
    for patch in patches:
        with tree_with(patch) as tree:
            print(f"{patch.stem}: ", end="", flush=True)
            if not find(patch.stem, tree):
                missed.append(patch.stem)
    print(f"found {len(patches) - len(missed)} of {len(patches)}; missed: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


@contextmanager
def tree_with(patch: Path) -> Iterator[Path]:
    """Yield a work tree of the last commit to which `patch` was applied."""
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            _git("-C", str(tree), "apply", str(patch))
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)
