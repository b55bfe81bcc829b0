"""The test files of libraries, from their source distributions: fetched once, as the lock file pins them."""

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


def feedparser_files() -> Path:
    """Return the folder of feedparser's test files. The first call fetches and unpacks them."""
    return _unpacked("feedparser") / "tests"


def bounce_library_files() -> Path:
    """Return the folder of flufl.bounce's tests and texts. The first call fetches and unpacks them."""
    return _unpacked("flufl-bounce") / "tests"


def _unpacked(name: str) -> Path:
    # The lines of the lock file that pin the library, with its hashes.
    pin = rf"^{name}==(\S+) \\\n(?:    --hash=\S+(?: \\)?\n)+"
    pinned = re.search(pin, (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)
    if pinned is None:
        raise ServerFailed(f"requirements.txt does not pin {name}")
    cache = MODULES / ".cache"
    cache.mkdir(parents=True, exist_ok=True)
    target = cache / f"{name}-{pinned[1]}"
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as folder:
                _fetch(name, pinned[0], Path(folder)).rename(target)
    return target


def _fetch(name: str, pinned: str, folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(pinned)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", name]
    command += ["--require-hashes", "--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    packed = next(folder.glob("*.tar.gz"), None)
    if done.returncode or packed is None:
        raise ServerFailed(f"The source distribution of {name} cannot be fetched:\n{done.stderr}")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / packed.name.removesuffix(".tar.gz")
