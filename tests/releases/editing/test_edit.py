from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from house import empty_sqlite
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.errors import NotFound
from newsletter.models import (
    AuditEntry,
    Release,
    ReleaseState,
    ReleaseTopic,
    Topic,
    current_sequence,
    open_engine,
)
from newsletter.releases.editing.edit import ReleaseAction, change_release
from newsletter.releases.queries import count_releases, find_release, list_releases

NOON = datetime(2025, 10, 23, 12, tzinfo=UTC)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    path = tmp_path / "steer.sqlite3"
    path.write_bytes(empty_sqlite())
    engine = open_engine(f"sqlite:///{path}")
    with Session(engine) as opened:
        yield opened
    engine.dispose()


def _release(session: Session, title: str = "A new quay", state: ReleaseState = ReleaseState.HELD) -> Release:
    text = {"body_html": "", "body_text": "", "content_hash": title}
    made = Release(title=title, published_at=NOON, state=state, created_at=NOON, **text)
    session.add(made)
    session.flush()
    return made


def _under(session: Session, release: Release, *slugs: str) -> None:
    for slug in slugs:
        topic = Topic(slug=slug, name=slug, created_at=NOON)
        session.add(topic)
        session.flush()
        release.topic_links.append(ReleaseTopic(topic_id=topic.id))
    session.flush()


def _sequences(session: Session) -> list[int | None]:
    return list(session.scalars(select(ReleaseTopic.sequence).order_by(ReleaseTopic.topic_id)))


def test_a_held_release_that_becomes_ready_gets_a_sequence_for_each_topic(session: Session) -> None:
    release = _release(session)
    _under(session, release, "harbours", "trade")

    change_release(session, release.public_id, ReleaseAction.READY, "editor", NOON)

    assert release.state is ReleaseState.READY
    assert _sequences(session) == [1, 2]
    assert current_sequence(session) == 2


def test_a_release_that_is_held_and_made_ready_gets_new_sequences(session: Session) -> None:
    release = _release(session)
    _under(session, release, "harbours")
    change_release(session, release.public_id, ReleaseAction.READY, "editor", NOON)

    change_release(session, release.public_id, ReleaseAction.HOLD, "editor", NOON)
    assert _sequences(session) == [1]
    # An issue that was made meanwhile has moved beyond sequence 1.
    change_release(session, release.public_id, ReleaseAction.READY, "editor", NOON)

    assert _sequences(session) == [2]


def test_a_ready_release_gets_no_sequence_for_a_topic_it_fell_under_later(session: Session) -> None:
    release = _release(session, state=ReleaseState.READY)
    _under(session, release, "harbours")

    change_release(session, release.public_id, ReleaseAction.PIN, "editor", NOON)
    change_release(session, release.public_id, ReleaseAction.READY, "editor", NOON)

    assert _sequences(session) == [None]


@pytest.mark.parametrize(
    ("action", "pinned"),
    [(ReleaseAction.PIN, True), (ReleaseAction.UNPIN, False)],
)
def test_pins_leave_the_state_alone(session: Session, action: ReleaseAction, pinned: bool) -> None:
    release = _release(session)

    change_release(session, release.public_id, action, "editor", NOON)

    assert (release.state, release.pinned) == (ReleaseState.HELD, pinned)


def test_an_action_that_changes_nothing_has_no_audit_entry(session: Session) -> None:
    release = _release(session)

    change_release(session, release.public_id, ReleaseAction.HOLD, "editor", NOON)
    change_release(session, release.public_id, ReleaseAction.PIN, "editor", NOON)
    change_release(session, release.public_id, ReleaseAction.PIN, "editor", NOON)

    entries = session.scalars(select(AuditEntry)).all()
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("editor", "release.pin", release.public_id)
    ]


def test_a_release_that_is_not_there_cannot_be_changed(session: Session) -> None:
    with pytest.raises(NotFound):
        change_release(session, "nothing", ReleaseAction.HOLD, "editor", NOON)
    with pytest.raises(NotFound):
        find_release(session, "nothing")


def test_releases_of_one_moment_have_one_order(session: Session) -> None:
    for number in range(5):
        _release(session, f"No. {number}")

    first, second = (list_releases(session, page=page, per_page=3) for page in (1, 2))

    assert [each.title for each in first.items] == ["No. 4", "No. 3", "No. 2"]
    assert [each.title for each in second.items] == ["No. 1", "No. 0"]
    assert (first.pages, first.has_next, second.has_prev, second.has_next) == (2, True, True, False)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("QUAY", ["A new quay"]),
        ("žuvys", ["ŽUVYS ir jūra"]),
        ("JŪRA", ["ŽUVYS ir jūra"]),
        ("%", ["100% full"]),
        ("_", []),
        ("\\", []),
        ("  quay ", ["A new quay"]),
    ],
)
def test_a_search_ignores_case_and_takes_wildcards_literally(
    session: Session, search: str, found: list[str]
) -> None:
    for title in ("A new quay", "ŽUVYS ir jūra", "100% full"):
        _release(session, title)

    assert [each.title for each in list_releases(session, search=search).items] == found


def test_every_state_is_counted(session: Session) -> None:
    _release(session)

    assert count_releases(session) == {
        ReleaseState.HELD: 1,
        ReleaseState.READY: 0,
        ReleaseState.EXCLUDED: 0,
    }
