"""The limit of this machine for sending messages, and the share of it that a rate reaches.

The limit is cores / (one RSA-2048 signature + the CPU of a minimal sender and of the sink for a message). It
assumes that every core does only this work. The ratio to a sender that does not sign depends on
how fast the host signs. The share does not.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import BenchmarkFailed, Sink, cpu_seconds, fast_sink, run, tool

_SIGNATURE = re.compile(r"^rsa\s+2048 bits\s+([0-9.]+)s", re.MULTILINE)
SPEED_SECONDS = 2


@dataclass(frozen=True)
class Limit:
    """CPU seconds that one message costs at least: its signature (0 if unsigned), sender and sink."""

    signature_seconds: float
    sender_seconds: float
    sink_seconds: float

    @property
    def rate(self) -> float:
        """Return how many messages a second all cores could send."""
        cores = os.cpu_count() or 1
        return cores / (self.signature_seconds + self.sender_seconds + self.sink_seconds)

    def figures(self, rate: float) -> dict[str, float]:
        """Return the figures of a JSON line: the limit, the share that `rate` reaches, and the parts."""
        return {
            "share": round(rate / self.rate, 4),
            "limit": round(self.rate, 1),
            "signature_ms": round(self.signature_seconds * 1000, 4),
            "sender_ms": round(self.sender_seconds * 1000, 4),
            "sink_ms": round(self.sink_seconds * 1000, 4),
        }


def signature_seconds() -> float:
    """Return the CPU seconds of one RSA-2048 signature, as `openssl speed` measures them."""
    command = [tool("openssl"), "speed", "-seconds", str(SPEED_SECONDS), "rsa2048"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = _SIGNATURE.search(done.stdout)
    if found is None:
        raise BenchmarkFailed(f"openssl speed printed no RSA-2048 signature: {done.stdout[-500:]}")
    return float(found[1])


def minimal_limit(messages: int, size: int, *, signed: bool) -> Limit:
    """Measure the limit with our own minimal sender and our own sink, for messages of `size` bytes."""
    script = Path(__file__).with_name("minimal_sender.py")
    with tempfile.TemporaryDirectory() as folder, fast_sink() as sink:
        words = [sys.executable, script, str(sink.port), str(messages), str(size)]
        used = run(words, os.environ, Path(folder))
        sink.expect(messages)
        return limit_of(used.cpu_seconds / messages, sink, messages, signed=signed)


def limit_of(sender_seconds: float, sink: Sink, messages: int, *, signed: bool) -> Limit:
    """Return the limit after a sender has sent `messages` into `sink`, at `sender_seconds` of CPU each."""
    signature = signature_seconds() if signed else 0.0
    return Limit(signature, sender_seconds, cpu_seconds(sink.pid) / messages)
