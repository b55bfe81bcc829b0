"""`newsletter release`: its commands, and what they do not offer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from house import ENVIRON, House, public_id

from newsletter.cli import main
from newsletter.models import Issue, IssueState, Release, ReleaseState

OLD_IDS = ("-h3Xk9_aQwZr", "--json3aQwZr", "-Y__________")


def run(owner: House, *words: str) -> Result:
    environ = {**ENVIRON, "NEWSLETTER_DATA_DIR": str(owner.runtime.settings.data_dir)}
    return CliRunner().invoke(main, words, env=environ)


@pytest.mark.parametrize("public_id", OLD_IDS)
def test_an_old_id_that_begins_with_a_hyphen_is_taken_for_an_id(owner: House, public_id: str):
    release = owner.release("A new quay")
    with owner.runtime.session() as session:
        session.get_one(Release, release).public_id = public_id
        session.add(
            Issue(
                public_id=public_id,
                title="Old",
                state=IssueState.FINISHED,
                frequencies=["daily"],
                created_at=owner.clock(),
                to_sequence=1,
            )
        )
        session.commit()

    shown = run(owner, "release", "show", public_id)
    pinned = run(owner, "release", "pin", public_id, "--json")
    guarded = run(owner, "release", "unpin", "--json", "--", public_id)
    status = run(owner, "digest", "status", public_id, "--json")

    assert shown.output.startswith("A new quay"), shown.output
    assert (json.loads(pinned.output)["id"], json.loads(pinned.output)["pinned"]) == (public_id, True)
    assert json.loads(guarded.output)["pinned"] is False
    assert json.loads(status.output)["id"] == public_id


def test_add_says_why_a_release_is_held_and_ready_accepts_it(owner: House, tmp_path: Path):
    text = tmp_path / "lost-headline.txt"
    text.write_text(
        "News\n\nThe port opened a quay for the winter ferries on Monday.\n\n"
        "It said that the work had taken a year.\n"
    )

    added = run(owner, "release", "add", str(text))
    public_id = added.output.split()[0]
    ready = json.loads(run(owner, "release", "ready", public_id, "--json").output)

    assert "held: the title may be wrong" in added.output
    assert f"newsletter release ready {public_id}" in added.output
    assert (ready["state"], ready["holds"]) == ("ready", [])


def test_add_says_until_when_a_release_with_a_date_in_the_future_is_held(owner: House, tmp_path: Path):
    later = datetime.now(UTC).date() + timedelta(days=30)
    text = tmp_path / "later.txt"
    text.write_text(
        f"Port opens a quay for the winter\n\n{later:%d %B %Y}\n\n"
        "The port opens a quay for the winter, its owner said.\n"
    )

    added = run(owner, "release", "add", str(text))

    assert f"held until {later:%Y-%m-%d}" in added.output


def test_a_release_is_put_under_embargo_and_freed(owner: House):
    quay = public_id(owner, owner.release("A new quay"))

    held = json.loads(
        run(owner, "release", "embargo", quay, "2040-12-01T09:00", "--zone", "Europe/Berlin", "--json").stdout
    )
    told = run(owner, "release", "list").output
    still = json.loads(run(owner, "release", "ready", quay, "--json").output)
    free = json.loads(run(owner, "release", "free", quay, "--json").output)

    assert (held["state"], held["embargo_until"]) == ("held", "2040-12-01T08:00:00+00:00")
    assert f"under embargo until 2040-12-01 08:00 UTC; end it now by: newsletter release free {quay}" in told
    assert still["state"] == "held"
    assert (free["state"], free["embargo_until"]) == ("ready", None)


def test_a_wrong_time_or_zone_of_an_embargo_is_told(owner: House):
    quay = public_id(owner, owner.release("A new quay"))

    soon = run(owner, "release", "embargo", quay, "soon")
    nowhere = run(owner, "release", "embargo", quay, "2040-12-01T09:00", "--zone", "Atlantis")

    assert (soon.exit_code, nowhere.exit_code) == (1, 1)
    assert "Write the end of the embargo as 2026-12-01T09:00." in soon.output
    assert "There is no such time zone" in nowhere.output


def test_a_release_is_deleted_and_comes_back(owner: House):
    quay = public_id(owner, owner.release("A new quay"))

    deleted = json.loads(run(owner, "release", "delete", quay, "--json").stdout)
    listed = run(owner, "release", "list").output
    back = json.loads(run(owner, "release", "undo", quay, "--json").output)

    assert (deleted["state"], deleted["deleted"], listed) == ("excluded", True, "")
    assert (back["state"], back["deleted"]) == ("ready", False)


def test_a_search_finds_releases_in_every_state(owner: House):
    owner.topic("harbour")
    for title in ("Harbour opens", "Harbour closes"):
        owner.release(title)
    owner.release("Harbour in secret", state=ReleaseState.HELD)
    owner.release("A new quay")

    found = run(owner, "release", "search", "HARBOUR", "--topic", "harbour", "--json")
    one = run(owner, "release", "search", "harbour", "closes", "--by", "relevance")
    later = run(owner, "release", "search", "harbour", "--since", "2030-01-01")

    titles = {json.loads(line)["title"] for line in found.output.splitlines()}
    assert titles == {"Harbour opens", "Harbour closes", "Harbour in secret"}
    assert "Harbour closes" in one.output and "1 found" in one.output
    assert "0 found" in later.output
    assert run(owner, "release", "search", "harbour", "--topic", "gone").exit_code == 1


def test_html_files_are_parsed_and_added_with_their_links(owner: House, tmp_path: Path):
    page = tmp_path / "quay.html"
    text = "The harbour has opened its <a href='https://port.example/plan'>new quay</a> for all ferries."
    head = "<!doctype html><title>The quay opens</title><meta property=og:site_name content='Port of Halden'>"
    page.write_text(f"{head}<nav>Home</nav><h1>The quay opens</h1><p>3 March 2026</p><p>{text}</p>")

    parsed = run(owner, "release", "parse", str(page))
    added = run(owner, "release", "add", "--json", str(page))

    line = json.loads(parsed.stdout)
    assert (line["title"], line["publisher"], line["published"]) == (
        "The quay opens",
        "Port of Halden",
        "2026-03-03",
    )
    assert line["body"] == "The harbour has opened its new quay for all ferries."
    with owner.runtime.reading() as session:
        stored = session.query(Release).filter_by(public_id=json.loads(added.stdout)["id"]).one()
        assert 'href="https://port.example/plan"' in stored.body_html


def test_a_url_that_may_not_be_fetched_is_an_error_of_its_own_line(owner: House):
    result = run(owner, "release", "parse", "http://127.0.0.1/quay.html")

    assert result.exit_code == 1
    assert "cannot be fetched" in json.loads(result.stdout)["error"]


def test_holding_a_release_that_people_have_prints_how_many(owner: House):
    owner.add_subscriber(owner.topic("sea"))
    sent, fresh = owner.release("A sea wave"), owner.release("A river", state=ReleaseState.HELD)
    owner.send()

    told = run(owner, "release", "hold", public_id(owner, sent))
    silent = run(owner, "release", "exclude", public_id(owner, fresh))

    assert "1 have it by email, 0 are being sent it at this moment, and 0 waiting emails" in told.stderr
    assert "by email" not in silent.stderr


@pytest.mark.parametrize(
    ("command", "more", "words"),
    [
        ("delete", (), "it was withdrawn."),
        ("embargo", ("2040-12-01T09:00",), "no such page until then."),
    ],
)
def test_deleting_or_embargoing_what_people_have_prints_how_many(owner: House, command, more, words):
    owner.add_subscriber(owner.topic("sea"))
    sent = owner.release("A sea wave")
    owner.send()

    told = run(owner, "release", command, public_id(owner, sent), *more)

    assert "1 have it by email, 0 are being sent it at this moment, and 0 waiting emails" in told.stderr
    assert words in told.stderr
