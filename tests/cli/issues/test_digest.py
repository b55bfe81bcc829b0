"""`newsletter digest`: what its commands print, as text and as JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from sqlalchemy.orm import Session

from newsletter.cli import main
from newsletter.clock import utcnow
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import (
    Frequency,
    Issue,
    IssueState,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
    open_engine,
)
from newsletter.outbox.journals.journal import host_name
from newsletter.releases.store import add_release
from newsletter.service.heartbeat import beat

NOBODY = {"readers": 0, "would_reach_now": 0, "due": 0, "subscribers": 0}


def _run(env_file: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--env-file", str(env_file), "digest", *words])


@pytest.mark.parametrize("words", [("status",), ("status", "--watch")])
def test_the_status_of_nothing_says_so(env_file: Path, words: tuple[str, ...]) -> None:
    told = _run(env_file, *words)

    assert told.exit_code == 0, told.output
    assert told.stdout == ""
    assert "no issue yet" in told.stderr


def test_a_dry_run_is_a_sentence_and_json_only_when_asked_for(env_file: Path) -> None:
    assert _run(env_file, "send", "--dry-run", "--frequency", "daily").output == (
        "daily: would reach now 0, due 0, subscribers 0.\n"
    )
    asked = _run(env_file, "send", "--dry-run", "--json", "--frequency", "daily")
    assert json.loads(asked.output) == {**NOBODY, "frequencies": ["daily"]}


@pytest.mark.parametrize("name", ["as-it-happens", "immediate"])
def test_the_frequency_as_it_happens_has_two_names_in_commands(env_file: Path, name: str) -> None:
    said = _run(env_file, "send", "--dry-run", "--frequency", name)
    asked = _run(env_file, "send", "--dry-run", "--json", "--frequency", name, "--frequency", "immediate")

    assert said.output == "as it happens: would reach now 0, due 0, subscribers 0.\n"
    assert json.loads(asked.output) == {**NOBODY, "frequencies": ["immediate"]}


def test_the_status_of_an_issue_says_why_it_was_paused(env_file: Path, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    with Session(engine) as session:
        session.add(
            Issue(
                public_id="abc",
                title="Letter",
                frequencies=["daily"],
                state=IssueState.PAUSED,
                to_sequence=0,
                note="Paused by itself: the relay is down.",
                created_at=datetime(2026, 3, 10, tzinfo=UTC),
            )
        )
        session.commit()
    engine.dispose()

    told = _run(env_file, "status", "abc")
    asked = json.loads(_run(env_file, "status", "abc", "--json").output)

    assert told.output == (
        "abc  Letter  paused: nothing yet\n  Paused by itself: the relay is down.\n"
        "  To go on: newsletter digest resume abc\n"
    )
    assert (asked["note"], asked["waits"]) == ("Paused by itself: the relay is down.", [])


def test_a_settings_file_that_is_no_text_is_a_message(tmp_path: Path) -> None:
    broken = tmp_path / "broken.env"
    broken.write_bytes(b"\xd8\xff\x00\xfe")

    told = _run(broken, "status")

    assert told.exit_code == 1
    assert "broken.env is not text in UTF-8" in told.stderr


def test_a_host_that_is_alive_is_not_given_up(env_file: Path, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    with Session(engine) as session:
        beat(session, "Venus.example worker 7", "worker", utcnow(), utcnow())
        session.commit()
    engine.dispose()

    told = _run(env_file, "lost-host", "venus-example")

    assert told.exit_code == 1
    assert "is alive" in told.output
    for host in ("mars", host_name()):
        done = _run(env_file, "lost-host", host)
        assert done.output.startswith("0 deliveries were decided, 0 of them by a journal.")
        assert "No other host holds a delivery." in done.output


def test_a_database_that_fails_is_one_sentence_with_advice(env_file: Path, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'newsletter.sqlite3'}")
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE issue"))
    engine.dispose()

    told = _run(env_file, "status")

    assert told.exit_code == 1
    assert "no such table" in told.output
    assert "newsletter db upgrade" in told.output
    assert "Traceback" not in told.output


@pytest.fixture
def two_newsletters(env_file: Path) -> Path:
    """Two newsletters, each with a topic, a release and a subscriber who gets it weekly."""
    words = ["add", "sea", "--name", "Sea News", "--from-address", "sea@example.org"]
    added = CliRunner().invoke(main, ["--env-file", str(env_file), *words])
    assert added.exit_code == 0, added.output
    now = utcnow()
    engine = open_engine(f"sqlite:///{env_file.parent / 'newsletter.sqlite3'}")
    with Session(engine) as session:
        for at, slug in enumerate(("harbours", "ships"), start=1):
            topic = Topic(id=at, slug=slug, name=slug.title(), newsletter_id=at, created_at=now)
            subscriber = Subscriber(
                id=at, email=f"{slug}@example.org", email_key=f"{slug}@example.org", created_at=now
            )
            session.add_all([topic, subscriber])
            session.flush()
            press = PressRelease(f"News of {slug}", "Port", now.date(), "en", (f"About {slug}.",))
            session.add(
                Subscription(
                    subscriber_id=at,
                    topic_id=at,
                    newsletter_id=at,
                    frequency=Frequency.WEEKLY,
                    state=SubscriptionState.ACTIVE,
                    created_at=now,
                )
            )
            add_release(session, press, now=now, topics=[slug])
            session.commit()
    engine.dispose()
    return env_file


@pytest.mark.parametrize("words", [("preview",), ("send", "--dry-run"), ("send", "--test", "me@example.org")])
def test_with_several_newsletters_a_command_asks_which_one(two_newsletters: Path, words: tuple[str, ...]):
    told = _run(two_newsletters, *words)

    assert told.exit_code != 0
    assert "There are several newsletters. Say which one, by --newsletter: news, sea." in told.output


def test_the_issue_of_the_named_newsletter_is_previewed_and_sent(two_newsletters: Path) -> None:
    shown = _run(two_newsletters, "preview", "--newsletter", "sea")
    sent = _run(two_newsletters, "send", "--newsletter", "sea", "--yes", "--json")

    assert "News of ships" in shown.output
    assert "News of harbours" not in shown.output
    assert json.loads(sent.output)["readers"] == 1
    listed = _run(two_newsletters, "status").output
    assert "  sea  No. 1  preparing" in listed
    assert _run(two_newsletters, "status", "--newsletter", "sea").output == listed
    assert _run(two_newsletters, "status", "--newsletter", "news").stdout == ""
    assert json.loads(_run(two_newsletters, "status", "--json").output)["newsletter"] == "sea"


def test_a_test_is_made_from_the_named_newsletter(two_newsletters: Path) -> None:
    told = _run(two_newsletters, "send", "--newsletter", "sea", "--test", "me@example.org")

    assert told.exit_code == 0, told.output
    with Session(open_engine(f"sqlite:///{two_newsletters.parent / 'newsletter.sqlite3'}")) as session:
        assert session.query(Issue.newsletter_id).all() == [(2,)]


@pytest.mark.parametrize(("option", "said"), [((), "come with the next issue"), (("--drop",), "are dropped")])
def test_cancelling_drops_the_releases_only_if_told_to(
    two_newsletters: Path, option: tuple[str, ...], said: str
) -> None:
    sent = _run(two_newsletters, "send", "--newsletter", "sea", "--yes", "--json")
    issue = json.loads(sent.output)["id"]

    told = _run(two_newsletters, "cancel", issue, *option)

    assert told.output == f"{issue}  cancel: 0 emails that were not sent; their releases {said}\n"
    with Session(open_engine(f"sqlite:///{two_newsletters.parent / 'newsletter.sqlite3'}")) as session:
        assert session.query(Issue.state, Issue.drops_unsent).all() == [(IssueState.CANCELLED, bool(option))]


def test_the_three_numbers_are_named_by_the_preview_and_the_dry_run(two_newsletters: Path) -> None:
    with Session(open_engine(f"sqlite:///{two_newsletters.parent / 'newsletter.sqlite3'}")) as session:
        for at, address in enumerate(("paused@example.org", "served@example.org"), start=7):
            person = Subscriber(id=at, email=address, email_key=address, created_at=utcnow())
            person.snoozed_until = utcnow() + timedelta(days=9) if at == 7 else None
            session.add(person)
            session.flush()
            session.add(
                Subscription(
                    subscriber_id=at, topic_id=2, newsletter_id=2, frequency=Frequency.WEEKLY,
                    state=SubscriptionState.ACTIVE, started_sequence=99, covered_to=99, created_at=utcnow(),
                )
            )  # fmt: skip
        session.commit()
    numbers = {"readers": 1, "would_reach_now": 1, "due": 2, "subscribers": 3}

    shown = _run(two_newsletters, "preview", "--newsletter", "sea", "--frequency", "weekly")
    asked = _run(two_newsletters, "preview", "--newsletter", "sea", "--frequency", "weekly", "--json")
    dry = _run(two_newsletters, "send", "--newsletter", "sea", "--frequency", "weekly", "--dry-run", "--json")

    assert shown.stderr.splitlines()[0] == "Would reach now 1, due 2, subscribers 3."
    assert json.loads(asked.stdout).items() >= numbers.items()
    assert json.loads(dry.stdout) == {**numbers, "frequencies": ["weekly"]}


def test_an_empty_topic_is_not_the_same_as_no_release_at_all(two_newsletters: Path) -> None:
    with Session(open_engine(f"sqlite:///{two_newsletters.parent / 'newsletter.sqlite3'}")) as session:
        session.add(Topic(id=3, slug="tides", name="Tides", newsletter_id=2, created_at=utcnow()))
        session.commit()

    told = _run(two_newsletters, "preview", "--newsletter", "sea", "--topic", "tides")
    none = _run(two_newsletters, "preview", "--newsletter", "sea", "--reader", "harbours@example.org")

    assert "No release on the topic tides is ready yet. Add one: " in told.stderr
    assert "No release on this subscriber's topics is ready yet." in none.stderr


def test_without_any_release_the_preview_says_so(env_file: Path) -> None:
    assert "No release of this newsletter is ready yet. Add one: " in _run(env_file, "preview").stderr


def test_a_note_is_sent_from_a_file_in_the_newsletters_first_language(
    two_newsletters: Path, tmp_path: Path
) -> None:
    (tmp_path / "note.md").write_text("The **quay** opens.\n", "utf-8")
    words = ("send", "--newsletter", "sea", "--yes", "--json", "--note", str(tmp_path / "note.md"))

    sent = _run(two_newsletters, *words)

    assert sent.exit_code == 0, sent.output
    with Session(open_engine(f"sqlite:///{two_newsletters.parent / 'newsletter.sqlite3'}")) as session:
        assert session.query(Issue.editors_note, Issue.note_language).all() == [("The **quay** opens.", "en")]


@pytest.mark.parametrize(
    ("content", "option", "said"),
    [
        (b"x" * 1_000_000, (), "At most 5,000 are possible."),
        (b">" * 10_000, (), "At most 5,000 are possible."),
        (b"\xff\xfe\x00", (), "is not text in UTF-8."),
        (b"quay", ("--note-language", "not a tag"), "is not a language tag"),
    ],
)
def test_a_note_that_cannot_be_used_sends_nothing(
    two_newsletters: Path, tmp_path: Path, content: bytes, option: tuple[str, ...], said: str
) -> None:
    (tmp_path / "note.md").write_bytes(content)

    told = _run(
        two_newsletters, "send", "--newsletter", "sea", "--yes", "--note", str(tmp_path / "note.md"), *option
    )

    assert told.exit_code == 1
    assert said in told.stderr
    with Session(open_engine(f"sqlite:///{two_newsletters.parent / 'newsletter.sqlite3'}")) as session:
        assert session.query(Issue.id).all() == []
