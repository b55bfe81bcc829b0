"""`newsletter schedule`: show, set, try, start, stop, late."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result
from house import ENVIRON, House

from newsletter.cli import main
from newsletter.models import Frequency


def run(owner: House, *words: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    return CliRunner().invoke(main, ["schedule", *words], env=environ)


def test_a_schedule_is_set_tried_started_and_stopped(owner: House):
    owner.add_subscriber(owner.topic("energy"), frequency=Frequency.DAILY)
    owner.release("An energy cable")

    shown = run(owner, "show")
    changed = run(owner, "set", "--weekly", "tuesday,friday", "--hour", "7", "--daily", ",".join(_all_days()))
    tried = run(owner, "try", "--json")
    started = run(owner, "start")
    on = json.loads(run(owner, "show", "--json").output)
    again = run(owner, "start")
    stopped = run(owner, "stop")
    nothing = run(owner, "late", "send")

    assert "off" in shown.output
    assert "Monday to Friday at 8" in shown.output
    assert "Tuesdays and Fridays at 7" in changed.output
    dates = [json.loads(line) for line in tried.output.splitlines()]
    assert (len(dates), dates[0]["readers"]) == (10, 1)
    assert started.exit_code == stopped.exit_code == 0
    assert on["on"] is True
    assert (again.exit_code, nothing.exit_code) == (1, 1)
    assert "No late issue waits" in nothing.output


def test_a_wrong_value_names_its_reason(owner: House):
    answer = run(owner, "set", "--hour", "25")

    assert answer.exit_code == 1
    assert "from 0 to 23" in answer.output


def _all_days() -> list[str]:
    return ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
