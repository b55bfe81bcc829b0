"""`newsletter digest explain`."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from click.testing import CliRunner, Result
from house import ENVIRON, House, make_house, make_settings

from newsletter.cli import main
from newsletter.clock import utcnow
from newsletter.models import Frequency
from newsletter.service.database.schema import upgrade


def test_it_says_what_comes_and_why(tmp_path: Path):
    settings = make_settings(tmp_path / "data")
    upgrade(settings.database)
    owner = make_house(settings)
    owner.clock.moment = utcnow()
    later = f"{utcnow() + timedelta(days=7):%Y-%m-%d}"
    owner.add_subscriber(owner.topic("energy"), frequency=Frequency.DAILY, name="anna")
    owner.release("An energy cable")
    owner.release("A concert")

    said = run(owner, "anna@example.org", "--at", f"{later}T08:00")
    data = json.loads(run(owner, "Anna@Example.org", "--json").output)
    unknown = run(owner, "nobody@example.org")
    wrong = run(owner, "anna@example.org", "--at", "friday")

    assert "The schedule is off." in said.output
    assert f"{later} 08:00 (UTC)" in said.output
    assert "It is new under Energy (daily)." in said.output
    assert [(each["title"], each["in"], each["why"]) for each in data["verdicts"]] == [
        ("An energy cable", True, "in"), ("A concert", False, "no_topic"),
    ]  # fmt: skip
    assert (data["releases"], data["before"]) == (1, [])
    assert (unknown.exit_code, wrong.exit_code) == (1, 1)
    assert "Write the time as 2026-12-01T08:00." in wrong.output


def run(owner: House, *words: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    return CliRunner().invoke(main, ["digest", "explain", *words], env=environ)
