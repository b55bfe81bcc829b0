"""Installations to measure: each is made once, kept in a folder, and copied for every run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import BenchmarkFailed, Usage, fast_sink, run, say
from benchmarks.versions import CACHE, THIS, Version, python_path

DATABASE = "newsletter.sqlite3"
SAMPLES = 200
# 40 KB with a tolerance of 5 %: every message of an installation is between these sizes.
SMALLEST, LARGEST = 38_000, 42_000

# The files that decide what a filled and a prepared database contain. If one changes, the installation is
# made again. A version may lack some of them: editions were in outbox/ before messages/ existed.
_FILLED_BY = ("benchmarks/corpus.py", "newsletter/models", "migrations/versions")
_PREPARED_BY = (
    *_FILLED_BY, "newsletter/coverage.py", "newsletter/digest", "newsletter/mail",
    "newsletter/messages", "newsletter/outbox/edition.py", "newsletter/outbox/enqueue.py", "templates/email",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A signed message of an installation: the file of the first one, and the average size."""

    file: Path
    mean_bytes: float


def environ(
    data_dir: Path,
    *,
    port: int = 25,
    signed: bool = True,
    database_url: str = "",
    version: Version = THIS,
) -> dict[str, str]:
    """Return the environment of a process of `version`, without the caller's own settings.

    Older versions reject a setting that they do not know, so name only settings that all versions have.
    """
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    settings = {
        "PUBLIC_URL": "https://news.example.org",
        "SECRET_KEYS": "only-for-measuring-and-long-enough-for-that",
        "FROM_ADDRESS": "letter@example.org",
        "POSTAL_ADDRESS": "Harbour Road 1, 1000 Town",
        "UNSUBSCRIBE_ADDRESS": "leave@example.org",
        "RELAY": f"smtp://127.0.0.1:{port}",
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": database_url,
    }
    if signed:
        settings |= {"DKIM_SELECTOR": "bench", "DKIM_KEY_FILE": str(_dkim_key())}
    ours = {f"NEWSLETTER_{name}": value for name, value in settings.items()}
    return plain | {"PYTHONPATH": python_path(version)} | ours


def drain(data_dir: Path, *, version: Version = THIS, **settings: object) -> Usage:
    """Run `newsletter worker --drain` of `version` on an installation until it ends."""
    command = [version.python, "-m", "newsletter", "worker", "--drain"]
    return run(command, environ(data_dir, version=version, **settings), data_dir)  # type: ignore[arg-type]


def filled(kind: str, readers: int, version: Version = THIS) -> Path:
    """Return the folder of an installation of `version` whose next issue is not prepared yet."""
    return _made(version, f"{kind}-{readers}-filled", kind, readers, prepared=False)


def prepared(kind: str, readers: int, version: Version = THIS) -> Path:
    """Return the folder of an installation of `version` whose issue is ready to be sent."""
    return _made(version, f"{kind}-{readers}", kind, readers, prepared=True)


def copy(installation: Path, to: Path) -> Path:
    """Copy an installation for one run."""
    to.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(installation / DATABASE, to / DATABASE)
    # Without this, the system would write the copy to disk during the run.
    with (to / DATABASE).open("rb") as file:
        os.fsync(file.fileno())
    return to


def step(name: str, *words: str, data_dir: Path, database_url: str = "", version: Version = THIS) -> Usage:
    """Run a step of corpus.py on an installation, with the corpus.py of that version."""
    command = [version.python, "-m", "benchmarks.corpus", name, *words]
    return run(command, environ(data_dir, database_url=database_url, version=version), data_dir)


def sample(kind: str) -> Sample:
    """Return a sample of the signed messages of this kind. Raises BenchmarkFailed unless they have 40 KB."""
    source = prepared(kind, SAMPLES)
    file, facts = source / "sample.eml", source / "sample.json"
    if not facts.exists():
        work = copy(source, source / "work")
        with fast_sink(sample=file) as sink:
            drain(work, port=sink.port)
            sink.expect(SAMPLES)
            mean = sink.counters()[1] / SAMPLES
        shutil.rmtree(work)
        facts.write_text(json.dumps({"mean_bytes": mean}))
    found = Sample(file, json.loads(facts.read_text())["mean_bytes"])
    for size in (found.mean_bytes, file.stat().st_size):
        if not SMALLEST <= size <= LARGEST:
            raise BenchmarkFailed(f"a message of {kind!r} has {size:.0f} bytes, not {SMALLEST} to {LARGEST}")
    return found


def _made(version: Version, name: str, kind: str, readers: int, *, prepared: bool) -> Path:
    folder = version.cache / f"{name}-{_fingerprint(version, _PREPARED_BY if prepared else _FILLED_BY)}"
    if not (folder / DATABASE).exists():
        say(f"making the installation {name} of the version {version.name!r}")
        work = version.cache / f"{name}.new"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if prepared and readers >= 200_000:
            copy(filled(kind, readers, version), work)
        else:
            step("fill", kind, str(readers), data_dir=work, version=version)
        if prepared:
            step("prepare", data_dir=work, version=version)
        _settle(work / DATABASE)
        for old in version.cache.glob(f"{name}-????????"):
            shutil.rmtree(old)
        work.rename(folder)
    return folder


def _settle(database: Path) -> None:
    """Move everything from the write-ahead log into the one file that is copied."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _fingerprint(version: Version, sources: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for name in sources:
        place = version.root / name
        for path in [place, *sorted(place.rglob("*"))]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _dkim_key() -> Path:
    path = CACHE / "dkim.pem"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        made = "from newsletter.mail.dkim import generate_key; print(generate_key()[0])"
        command = [THIS.python, "-c", made]
        pem = subprocess.run(command, cwd=THIS.root, capture_output=True, check=True).stdout  # noqa: S603
        path.write_bytes(pem)
    return path
