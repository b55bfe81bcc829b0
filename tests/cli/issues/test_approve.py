"""`newsletter digest approve`: what it shows, asks and refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, House
from scheduled import Scheduled

from newsletter.cli import main
from newsletter.clock import utcnow
from newsletter.digest.issues import open_issue
from newsletter.models import Frequency, SlotApproval


@pytest.fixture
def owner(owner: House) -> House:
    """An installation with a release, whose next date waits for an approval."""
    owner.add_subscriber(owner.topic("energy"), frequency=Frequency.DAILY)
    one, now = Scheduled(owner), f"{utcnow():%Y-%m-%d %H:%M}"
    one.start(now, approval_hours=48)
    owner.release("An energy cable")
    one.work(now)
    return owner


def run(owner: House, *words: str, **more: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    return CliRunner().invoke(main, words, env=environ, **more)


def test_the_next_date_is_shown_and_approved_after_a_question(owner: House):
    waiting = json.loads(run(owner, "schedule", "show", "--json").output)["to_approve"]
    no = run(owner, "digest", "approve", input="n\n")
    yes = run(owner, "digest", "approve", input="y\n")

    assert no.exit_code == 1
    assert "An energy cable" in yes.output
    assert "Approved." in yes.output
    rows = {str(each.slot): each.approved_by for each in owner.all(SlotApproval)}
    assert rows[waiting[0]] == "command line"


def test_a_named_date_is_approved_with_a_note(owner: House, tmp_path: Path):
    note = tmp_path / "note.md"
    note.write_text("A quiet week.", encoding="utf-8")
    last = max(each.slot for each in owner.all(SlotApproval))

    words = ["digest", "approve", "--date", str(last), "--yes", "--note", str(note), "--json"]
    answer = json.loads(run(owner, *words).output)

    assert answer["date"] == str(last)
    assert len(answer["releases"]) == 1
    assert [each.editors_note for each in owner.all(SlotApproval) if each.slot == last] == ["A quiet week."]


def test_a_date_that_does_not_wait_is_refused(owner: House):
    assert "is no date" in run(owner, "digest", "approve", "--date", "friday").output
    unknown = run(owner, "digest", "approve", "--date", "2020-01-01", "--yes")

    assert unknown.exit_code == 1


def test_an_issue_sent_by_hand_is_planned_and_approved_by_its_id(owner: House):
    run(owner, "schedule", "set", "--second-person", "yes")
    with owner.runtime.session() as session:
        issue = open_issue(session, [Frequency.DAILY], actor="ann@example.org", now=utcnow())
        session.commit()
        public_id = issue.public_id

    approved = run(owner, "digest", "approve", public_id)
    sent = run(owner, "digest", "send", "--yes", "--at", "2020-01-01T08:00")
    held = run(owner, "digest", "send", "--yes", "--json")

    assert "approved, preparing" in approved.output
    assert "This time has passed." in sent.output
    assert json.loads(held.output)["state"] == "held"
    own = run(owner, "digest", "approve", json.loads(held.output)["id"])
    assert "Another person" in own.output


def test_an_approval_is_withdrawn_by_its_date(owner: House):
    slot = json.loads(run(owner, "schedule", "show", "--json").output)["to_approve"][0]
    run(owner, "digest", "approve", "--date", slot, "--yes")

    unnamed = run(owner, "digest", "approve", "--withdraw")
    named = run(owner, "digest", "approve", "--withdraw", "--date", slot)
    again = run(owner, "digest", "approve", "--withdraw", "--date", slot)

    assert (unnamed.exit_code, named.exit_code, again.exit_code) == (1, 0, 1)
    assert "--date" in unnamed.output
    assert f"The approval for {slot} is withdrawn" in named.output
    assert "is not approved" in again.output
    assert slot in json.loads(run(owner, "schedule", "show", "--json").output)["to_approve"]
