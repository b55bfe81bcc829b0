"""`newsletter digest check` prints what to fix, and its status says whether something must be fixed."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result
from house import ENVIRON, House, make_house, make_settings

from newsletter.cli import main
from newsletter.service.database.schema import upgrade


def run(owner: House, *words: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    return CliRunner().invoke(main, ["digest", "check", *words], env=environ)


def test_the_command_names_each_fault_and_fails_if_one_is_grave(tmp_path: Path):
    settings = make_settings(tmp_path / "data")
    upgrade(settings.database)
    owner = make_house(settings)

    empty = run(owner)
    owner.topic("energy")
    owner.release("An energy cable")
    said = run(owner, "--links")
    faults = [json.loads(line) for line in run(owner, "--json").output.splitlines()]

    assert (empty.exit_code, said.exit_code) == (1, 1)
    assert "fix   Emails are not signed" in said.output
    assert "look  The relay was not checked" in said.output
    assert [each["name"] for each in faults] == ["no_dkim", "relay_unchecked"]
