"""The test files of feedparser, from its source distribution: fetched once, as the lock file pins it."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from servers.chromium import MODULES, ROOT
from servers.processes import ServerFailed

# The lines of the lock file that pin feedparser, with its hashes.
_PIN = re.compile(r"^feedparser==(\S+) \\\n(?:    --hash=\S+(?: \\)?\n)+", re.MULTILINE)


def feedparser_files() -> Path:
    """Return the folder of the test files. The first call fetches and unpacks them."""
    pinned = _PIN.search((ROOT / "requirements.txt").read_text("utf-8"))
    if pinned is None:
        raise ServerFailed("requirements.txt does not pin feedparser")
    cache = MODULES / ".cache"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"feedparser-{pinned[1]}"
    with (cache / "feedparser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                _fetch(pinned[0], Path(folder)).rename(target)
    return target / "tests"


def _fetch(pinned: str, folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(pinned)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", "feedparser"]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    packed = next(folder.glob("feedparser-*.tar.gz"), None)
    if done.returncode or packed is None:
        raise ServerFailed(f"feedparser's source distribution cannot be fetched:\n{done.stderr}")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / packed.name.removesuffix(".tar.gz")
