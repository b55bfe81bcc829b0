"""Hold a release for a doubtful field or until its date, and make it ready."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from house import empty_sqlite
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import InputError, NotFound
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import (
    AuditEntry,
    HoldReason,
    Newsletter,
    Release,
    ReleaseState,
    ReleaseTopic,
    RuleField,
    Topic,
    TopicRule,
    open_engine,
)
from newsletter.releases.due_holds import end_due_holds
from newsletter.releases.editing.edit import ReleaseAction, change_release, correct_release
from newsletter.releases.holds import doubtful_fields, say_doubts
from newsletter.releases.store import add_release

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
CUT = "is not complete: its end was left out after 1,000,000 characters"
PRESS_DAY = NOON.date()
PRESS = PressRelease("A cable to Lund", "Northern Grid", NOON.date(), "en", ("The cable opens today.",))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    path = tmp_path / "holds.sqlite3"
    path.write_bytes(empty_sqlite())
    engine = open_engine(f"sqlite:///{path}")
    with Session(engine) as opened:
        for slug, word in (("energy", "cable"), ("ports", "quay")):
            topic = Topic(slug=slug, name=slug, created_at=NOON)
            topic.rules = [TopicRule(field=RuleField.WORDS, pattern=word)]
            opened.add(topic)
        opened.flush()
        yield opened
    engine.dispose()


def add(session: Session, **changed: object) -> Release:
    return add_release(session, replace(PRESS, **changed), now=NOON)[0]  # type: ignore[arg-type]


def sequences(session: Session) -> list[int | None]:
    return list(session.scalars(select(ReleaseTopic.sequence).order_by(ReleaseTopic.topic_id)))


def test_a_release_with_a_doubtful_title_is_held_and_has_no_sequence(session: Session) -> None:
    release = add(session, doubts=("title",))

    assert release.state is ReleaseState.HELD
    assert doubtful_fields(release) == ["title"]
    assert release.made_public_at is None
    assert sequences(session) == [None]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (["title", "published"], "the title and the date may be wrong"),
        (["title", "text"], f"the title may be wrong; the text {CUT}"),
    ],
)
def test_doubtful_fields_are_said_with_what_is_wrong(fields: list[str], words: str) -> None:
    assert say_doubts(fields) == words


def test_accepting_a_doubtful_release_gives_it_a_sequence(session: Session) -> None:
    release = add(session, doubts=("title",))

    change_release(session, release.public_id, ReleaseAction.READY, "editor", NOON)

    assert release.state is ReleaseState.READY
    assert release.holds == []
    assert release.made_public_at == NOON
    assert sequences(session) == [1]


def test_correcting_a_doubtful_release_makes_it_ready_with_the_topics_of_its_new_title(
    session: Session,
) -> None:
    release = add(session, title="Menu", doubts=("title",))

    correct_release(
        session,
        release.public_id,
        title="A new  quay",
        publisher="Port of Lund",
        published=date(2026, 3, 4),
        actor="editor",
        now=NOON,
    )

    assert (release.title, release.publisher, release.published_on) == (
        "A new quay",
        "Port of Lund",
        date(2026, 3, 4),
    )
    assert release.state is ReleaseState.READY
    assert {link.topic.slug for link in release.topic_links} == {"energy", "ports"}
    assert None not in sequences(session)
    assert session.scalars(select(AuditEntry.action)).all() == ["release.correct"]
    assert add_release(session, replace(PRESS, title="A new quay", publisher="Port of Lund"), now=NOON) == (
        release,
        False,
    )


@pytest.mark.parametrize("title", ["", "  ", "…"])
def test_a_title_without_a_word_is_refused(session: Session, title: str) -> None:
    release = add(session, doubts=("title",))

    with pytest.raises(InputError):
        correct(session, release, title)
    assert release.state is ReleaseState.HELD


def correct(session: Session, release: Release, title: str, published: date = PRESS_DAY) -> Release:
    who = {"publisher": "Northern Grid", "actor": "editor", "now": NOON}
    return correct_release(session, release.public_id, title=title, published=published, **who)  # type: ignore[arg-type]


def test_a_correction_to_a_stored_text_is_refused(session: Session) -> None:
    add(session)
    doubtful = add(session, title="Menu", doubts=("title",))

    with pytest.raises(InputError, match="stored already"):
        correct(session, doubtful, PRESS.title)


def test_only_a_doubtful_release_is_corrected(session: Session) -> None:
    with pytest.raises(NotFound):
        correct(session, add(session), "Another title")


def test_an_editor_s_own_hold_stays_after_a_correction(session: Session) -> None:
    release = add(session, doubts=("title",))
    change_release(session, release.public_id, ReleaseAction.HOLD, "editor", NOON)

    correct(session, release, "A cable to Lund and Ness")

    assert release.state is ReleaseState.HELD
    assert [each.reason for each in release.holds] == [HoldReason.EDITOR]


@pytest.mark.parametrize(
    ("days", "state", "reasons"),
    [
        (-400, ReleaseState.READY, []),
        (1, ReleaseState.READY, []),
        (2, ReleaseState.HELD, [HoldReason.DATE]),
        (60, ReleaseState.HELD, [HoldReason.DATE]),
        (61, ReleaseState.HELD, [HoldReason.DOUBT]),
    ],
)
def test_a_date_in_the_future_holds_a_release(
    session: Session, days: int, state: ReleaseState, reasons: list[HoldReason]
) -> None:
    release = add(session, published=NOON.date() + timedelta(days=days))

    assert release.state is state
    assert [each.reason for each in release.holds] == reasons


def test_today_is_the_day_in_the_newsletter_s_time_zone(session: Session) -> None:
    session.execute(
        select(Newsletter)
    ).scalars().first().time_zone = "Pacific/Auckland"  # already 6 March there
    session.flush()

    assert add(session, published=date(2026, 3, 7)).state is ReleaseState.READY
    assert add(session, title="A later one", published=date(2026, 3, 8)).state is ReleaseState.HELD


def test_a_release_without_a_date_gets_the_day_in_the_newsletter_s_time_zone(session: Session) -> None:
    session.execute(select(Newsletter)).scalars().first().time_zone = "Pacific/Auckland"
    session.flush()

    assert add(session, published=None).published_on == date(2026, 3, 6)


def test_a_hold_until_a_date_ends_at_midnight_in_the_newsletter_s_time_zone(session: Session) -> None:
    session.execute(select(Newsletter)).scalars().first().time_zone = "Pacific/Auckland"
    session.flush()
    release = add(session, published=date(2026, 3, 20))
    midnight = datetime(2026, 3, 19, 11, tzinfo=UTC)

    assert end_due_holds(session, midnight - timedelta(seconds=1)) == 0
    assert release.state is ReleaseState.HELD
    assert end_due_holds(session, midnight) == 1
    assert release.state is ReleaseState.READY
    assert release.made_public_at == midnight
    assert sequences(session) == [1]
    assert end_due_holds(session, midnight) == 0


def test_a_doubtful_release_stays_held_when_its_date_comes(session: Session) -> None:
    release = add(session, published=date(2026, 3, 20), doubts=("title",))

    assert end_due_holds(session, NOON + timedelta(days=30)) == 1
    assert release.state is ReleaseState.HELD
    assert sequences(session) == [None]


def test_an_excluded_release_stays_excluded_when_its_date_comes(session: Session) -> None:
    release = add(session, published=date(2026, 3, 20))
    change_release(session, release.public_id, ReleaseAction.EXCLUDE, "editor", NOON)

    end_due_holds(session, NOON + timedelta(days=30))

    assert release.state is ReleaseState.EXCLUDED
