"""Installations to measure, made once, kept in a folder, and copied for every run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ROOT, BenchmarkFailed, Usage, fast_sink, run

CACHE = Path(__file__).with_name(".cache")
DATABASE = "newsletter.sqlite3"
SAMPLES = 200
# 40 KB, give or take 5 %: all messages of an installation lie between these.
SMALLEST, LARGEST = 38_000, 42_000

# What decides how a filled database looks, and a prepared one; when that changes it is made anew.
_FILLED_BY = ("benchmarks/corpus.py", "newsletter/models", "migrations/versions")
_PREPARED_BY = (
    *_FILLED_BY, "newsletter/digest", "newsletter/mail", "newsletter/outbox/edition.py",
    "newsletter/outbox/enqueue.py", "templates/email",
)  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """What the messages of an installation are like: the first one's file, and the average size."""

    file: Path
    mean_bytes: float


def environ(data_dir: Path, *, port: int = 25, signed: bool = True, database_url: str = "") -> dict[str, str]:
    """Return the environment of one of our processes: nothing of the caller's own settings."""
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
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return plain | {"PYTHONPATH": path} | {f"NEWSLETTER_{name}": value for name, value in settings.items()}


def drain(data_dir: Path, **settings: object) -> Usage:
    """Run `newsletter worker --drain` on an installation, to its end."""
    command = [sys.executable, "-m", "newsletter", "worker", "--drain"]
    return run(command, environ(data_dir, **settings), data_dir)  # type: ignore[arg-type]


def filled(kind: str, readers: int) -> Path:
    """Return the folder of an installation whose next issue is not prepared yet."""
    return _made(f"{kind}-{readers}-filled", kind, readers, prepared=False)


def prepared(kind: str, readers: int) -> Path:
    """Return the folder of an installation whose issue is ready to be sent."""
    return _made(f"{kind}-{readers}", kind, readers, prepared=True)


def copy(installation: Path, to: Path) -> Path:
    """Copy an installation for one run."""
    to.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(installation / DATABASE, to / DATABASE)
    # What the copy has not written yet would be written during the run.
    with (to / DATABASE).open("rb") as file:
        os.fsync(file.fileno())
    return to


def step(name: str, *words: str, data_dir: Path, database_url: str = "") -> Usage:
    """Run a step of corpus.py on an installation."""
    command = [sys.executable, "-m", "benchmarks.corpus", name, *words]
    return run(command, environ(data_dir, database_url=database_url), data_dir)


def sample(kind: str) -> Sample:
    """Return what a signed message of this kind is like. Raises BenchmarkFailed unless each has 40 KB."""
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


def _made(name: str, kind: str, readers: int, *, prepared: bool) -> Path:
    folder = CACHE / f"{name}-{_fingerprint(_PREPARED_BY if prepared else _FILLED_BY)}"
    if not (folder / DATABASE).exists():
        _log(f"making the installation {name}")
        work = CACHE / f"{name}.new"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if prepared and readers >= 200_000:
            copy(filled(kind, readers), work)
        else:
            step("fill", kind, str(readers), data_dir=work)
        if prepared:
            step("prepare", data_dir=work)
        _settle(work / DATABASE)
        for old in CACHE.glob(f"{name}-????????"):
            shutil.rmtree(old)
        work.rename(folder)
    return folder


def _settle(database: Path) -> None:
    """Bring everything into the one file that is copied."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _fingerprint(sources: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for name in sources:
        place = ROOT / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:8]


def _dkim_key() -> Path:
    path = CACHE / "dkim.pem"
    if not path.exists():
        CACHE.mkdir(exist_ok=True)
        made = "from newsletter.mail.dkim import generate_key; print(generate_key()[0])"
        pem = subprocess.run([sys.executable, "-c", made], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S603
        path.write_bytes(pem)
    return path


def _log(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
