"""`newsletter release notice`: who would be told, and the emails."""

from __future__ import annotations

import json

from click.testing import CliRunner, Result
from house import ENVIRON, House, correct_release, public_id

from newsletter.cli import main
from newsletter.models import CorrectionNotice


def run(owner: House, *words: str, typed: str | None = None) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    return CliRunner().invoke(main, words, env=environ, input=typed)


def test_a_notice_prints_its_numbers_and_asks_before_it_is_sent(owner: House):
    owner.add_subscriber(owner.topic("sea"))
    wave = owner.release("A sea wave")
    owner.send()
    correct_release(owner, wave, "A sea storm")
    release = public_id(owner, wave)

    counted = run(owner, "release", "notice", release, "--dry-run", "--json")
    refused = run(owner, "release", "notice", release, typed="n\n")
    assert owner.all(CorrectionNotice) == []
    sent = run(owner, "release", "notice", release, "--sentence", "We were wrong.", "--yes")

    assert json.loads(counted.output) == {"have": 1, "sending": 0, "waiting": 0, "left_out": 0}
    assert (refused.exit_code, sent.exit_code) == (1, 0), sent.output
    (notice,) = owner.all(CorrectionNotice)
    assert notice.content["sentence"] == "We were wrong."
    assert "already" in run(owner, "release", "notice", release, "--yes").output


def test_an_urgent_release_needs_the_number_of_people_and_can_be_taken_back(owner: House):
    owner.add_subscriber(owner.topic("sea"))
    release = public_id(owner, owner.release("A sea wave"))

    counted = run(owner, "release", "urgent", release, "--dry-run", "--json")
    wrong = run(owner, "release", "urgent", release, "--yes", "2")
    right = run(owner, "release", "urgent", release, typed="1\n")
    listed = json.loads(run(owner, "release", "list", "--json").output)
    back = run(owner, "release", "not-urgent", release)

    assert json.loads(counted.output) == {"would_get": 1, "waiting": 0, "have": 0, "away": 0}
    assert (wrong.exit_code, right.exit_code, back.exit_code) == (1, 0, 0), right.output
    assert "nothing was sent" in wrong.output
    assert listed["urgent"] is True
    assert json.loads(run(owner, "release", "list", "--json").output)["urgent"] is False
