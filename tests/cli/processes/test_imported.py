"""A program of the service that is forked runs the command that its words name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = ("web", "worker --lane bulk", "beat", "bounce serve", "relay check", "worker --lane fast")

# Forks each command, and prints its output, the modules that it imported itself, its title and its status.
SCRIPT = """
import os, sys
from newsletter.cli.processes.imported import runner
from newsletter.service.processes.forked import ForkedProgram
before = set(sys.modules)
def run(words):
    try:
        runner(*words.split())()
    finally:
        late = sorted(name for name in set(sys.modules) - before if name.startswith("newsletter."))
        title = open("/proc/self/cmdline").read().strip("\\0")
        print(f"late={late} title={title}")
for words in sys.argv[1:]:
    process = ForkedProgram(lambda: run(words), dict(os.environ))
    while part := os.read(process.output, 65536):
        print(part.decode(), end="")
    print(f"status={process.wait()}\x1e", end="")
"""


def test_each_command_runs_with_its_words_and_imports_nothing_of_ours_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    done = subprocess.run(
        [sys.executable, script, *COMMANDS], cwd=tmp_path, check=True, timeout=300, stdout=subprocess.PIPE,
        text=True, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip

    *told, wrong_lane, _ = done.stdout.split("\x1e")
    assert len(told) == len(COMMANDS) - 1
    for words, each in zip(COMMANDS, told, strict=False):
        # Nothing is set, so each stops at the check of the settings.
        assert "NEWSLETTER_SECRET_KEYS" in each
        assert each.endswith(f"late=[] title=newsletter {words}\nstatus=1")
    assert wrong_lane.endswith("status=2")
