"""`newsletter audit` prints who changed what."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner
from house import ENVIRON, make_installed, make_settings

from newsletter.cli import main


def test_a_change_is_printed_with_who_made_it(tmp_path: Path):
    make_installed(make_settings(tmp_path))
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(tmp_path)}

    def run(*words: str) -> str:
        return CliRunner().invoke(main, words, env=environ).stdout

    run("topic", "add", "quays", "Quays")
    run("edit", "--name", "Harbour News")
    printed = run("audit")
    (entry,) = map(json.loads, run("audit", "--action", "topic", "--json").splitlines())

    assert printed.splitlines()[0].split("  ")[1:3] == ["command line", "newsletter.edit"]
    assert (entry["actor"], entry["action"], entry["subject"]) == ("command line", "topic.add", "quays")
    assert run("audit", "--subject", "nothing") == ""
