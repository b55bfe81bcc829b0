"""Two other newsletter programs, measured with the same sink and the same message.

Each has its own virtual environment, which is made here. As with ours, the rate is that of the whole sending
process, without the steps before it. Neither signs its messages, and django-newsletter keeps no record of a
single subscriber.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.installations import CACHE, LARGEST, SMALLEST, Sample
from benchmarks.measure import BenchmarkFailed, Sink, fast_sink, run, smtp_sink

# Enough messages to measure their size.
FEW = 5
# Each program wraps the text in its own way.
TOLERANCE = 1.1


@dataclass(frozen=True)
class Peer:
    """A program: the packages that pip installs, and the script in this folder that runs it.

    The script gets a step ("setup" or "send"), a folder, the sink's port, the number of subscribers, and a
    file. The file is one of our messages, whose text it sends.
    """

    name: str
    requirements: tuple[str, ...]
    script: str


DJANGO_NEWSLETTER = Peer(
    "django-newsletter", ("django-newsletter==1.2.1", "sorl-thumbnail", "Pillow"), "with_django_newsletter.py"
)
MAILMAN = Peer("mailman", ("mailman==3.3.10",), "with_mailman.py")


def measure(peer: Peer, messages: int, sample: Sample) -> dict[str, Any]:
    """Let `peer` send `messages`; return its rate and costs. Raises BenchmarkFailed."""
    size = _message_bytes(peer, sample)
    with tempfile.TemporaryDirectory(prefix="newsletter-peer-") as folder, smtp_sink() as sink:
        return {**_send(peer, Path(folder), sink, messages, sample), "message_bytes": round(size)}


@lru_cache
def _message_bytes(peer: Peer, sample: Sample) -> float:
    with tempfile.TemporaryDirectory(prefix="newsletter-peer-") as folder, fast_sink() as sink:
        _send(peer, Path(folder), sink, FEW, sample)
        size = sink.counters()[1] / FEW
    if not SMALLEST / TOLERANCE <= size <= LARGEST * TOLERANCE:
        raise BenchmarkFailed(f"the messages of {peer.name} have {size:.0f} bytes")
    return size


def _send(peer: Peer, folder: Path, sink: Sink, messages: int, sample: Sample) -> dict[str, Any]:
    folder.chmod(0o755)
    python = _environment(peer)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    words = [python, Path(__file__).with_name(peer.script)]
    more = [str(folder), str(sink.port), str(messages), str(sample.file)]
    run([*words, "setup", *more], environ, folder)
    started = time.perf_counter()
    with (folder / "send.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [*words, "send", *more], cwd=folder, env=environ, stdout=log, stderr=subprocess.STDOUT
        )
        ended = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    if process.returncode:
        text = (folder / "send.log").read_text(errors="replace")[-4000:]
        raise BenchmarkFailed(f"{peer.name} ended with {process.returncode}:\n{text}")
    sink.expect(messages)
    used = ended[2]
    return {
        "messages": messages,
        "seconds": round(seconds, 3),
        "rate": round(messages / seconds, 1),
        "cpu_seconds_per_1000": round((used.ru_utime + used.ru_stime) / messages * 1000, 4),
        "peak_mib": round(used.ru_maxrss / 1024, 1),
    }


def _environment(peer: Peer) -> Path:
    folder = CACHE / f"venv-{peer.name}"
    python = folder / "bin" / "python"
    done = folder / "installed"
    wanted = "\n".join(peer.requirements)
    if not done.exists() or done.read_text() != wanted:
        sys.stderr.write(f"  installing {peer.name}\n")
        here = dict(os.environ)
        run([sys.executable, "-m", "venv", "--clear", folder], here, CACHE)
        run([python, "-m", "pip", "install", "--quiet", *peer.requirements], here, CACHE)
        done.write_text(wanted)
    return python
