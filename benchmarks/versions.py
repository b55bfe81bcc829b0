"""The versions of this repository that a benchmark can run: this checkout, and another commit."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ROOT, BenchmarkFailed, say

CACHE = Path(__file__).with_name(".cache")
# The lock file that `make setup-dev` installs.
LOCK_FILE = "requirements-dev.txt"


@dataclass(frozen=True)
class Version:
    """A source tree, the Python that runs it, and the folder of the installations it has made."""

    name: str
    root: Path
    python: str
    cache: Path


THIS = Version("this", ROOT, sys.executable, CACHE)


def other_version(commit: str) -> Version:
    """Return the version of `commit`, in a git worktree that is kept for the next comparison.

    Its environment is made from the lock file of that version. If that file is the same here, our own
    environment runs both. Raises BenchmarkFailed if there is no such commit.
    """
    found = _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").strip()
    place = CACHE / "against"
    root = place / "source"
    place.mkdir(parents=True, exist_ok=True)
    if (root / LOCK_FILE).exists():
        _run(["git", "-C", str(root), "checkout", "--quiet", "--force", "--detach", found])
    else:
        # git refuses to add a worktree whose folder somebody has deleted, unless it is pruned first.
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", "--force", str(root), found)
    version = Version(found[:12], root, _python_of(root, place), place)
    for each in (THIS, version):
        _compile(each)
    _insist_on_its_own_code(version)
    return version


def python_path(version: Version) -> str:
    """Return the PYTHONPATH that makes a process run the code of `version`."""
    return f"{version.root}:{version.root / 'tests'}"


def _python_of(root: Path, place: Path) -> str:
    lock = (root / LOCK_FILE).read_bytes()
    if lock == (ROOT / LOCK_FILE).read_bytes():
        return sys.executable
    folder = place / f"venv-{hashlib.sha256(lock).hexdigest()[:8]}"
    python, installed = folder / "bin" / "python", folder / ".installed"
    if not installed.exists():
        say(f"making an environment from the {LOCK_FILE} of the other version")
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        words = ["--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
        _run([str(python), "-m", "pip", "install", *words, "-r", str(root / LOCK_FILE)])
        installed.touch()
    return str(python)


def _compile(version: Version) -> None:
    """Write the bytecode of a version, so that no measured run has to."""
    folders = [str(version.root / name) for name in ("newsletter", "migrations", "benchmarks")]
    _run([version.python, "-m", "compileall", "-q", *folders])


def _insist_on_its_own_code(version: Version) -> None:
    """Raise BenchmarkFailed unless a process of `version` imports the program from its own tree."""
    code = "import newsletter; print(newsletter.__file__)"
    imported = _run([version.python, "-c", code], python_path=python_path(version)).strip()
    if not Path(imported).is_relative_to(version.root):
        raise BenchmarkFailed(f"the version {version.name} would run {imported}")


def _git(*words: str) -> str:
    return _run(["git", "-C", str(ROOT), *words])


def _run(command: list[str], python_path: str = "") -> str:
    done = subprocess.run(  # noqa: S603
        command,
        cwd=CACHE,
        env=None if not python_path else {"PYTHONPATH": python_path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise BenchmarkFailed(f"{' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout
