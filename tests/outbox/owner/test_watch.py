"""What nothing else reports is told once, and settled when it is over."""

from __future__ import annotations

from datetime import timedelta

from house import House

from newsletter.calendar.store import start, usual_calendar
from newsletter.models import (
    FIRST_NEWSLETTER,
    Heartbeat,
    Issue,
    IssueState,
    Notice,
    Wave,
    WaveState,
)
from newsletter.notices import NoticeKind, words
from newsletter.outbox import control
from newsletter.outbox.owner.watch import SILENT_DATES, tell_about_pause, watch


def watch_in(house: House) -> list[tuple[str, str]]:
    """Watch once; return the kind and subject of the open notices."""
    with house.runtime.session() as session:
        watch(session, house.clock())
        session.commit()
        there = session.query(Notice).filter(Notice.settled_at.is_(None)).order_by(Notice.id)
        return [(each.kind, each.subject) for each in there]


def test_an_issue_that_paused_is_told_until_it_goes_on(either_house: House):
    either_house.add_subscriber(either_house.topic("ferry"))
    either_house.release("A ferry")
    issue_id = either_house.open()
    with either_house.runtime.session() as session:
        issue = session.get_one(Issue, issue_id)
        issue.state, issue.note = IssueState.PAUSED, "Paused by itself: no relay."
        tell_about_pause(session, issue, either_house.clock())
        public_id = issue.public_id
        session.commit()

    assert watch_in(either_house) == [("issue_paused", public_id)]
    (notice,) = either_house.all(Notice)
    assert "no relay" in words(notice).sentence

    with either_house.runtime.session() as session:
        control.resume(session, session.get_one(Issue, issue_id), "test", either_house.clock())
        session.commit()
    assert watch_in(either_house) == []


def test_a_worker_that_is_gone_is_told_once_until_one_is_seen(either_house: House):
    now = either_house.clock()
    with either_house.runtime.session() as session:
        for kind, seen in (("worker bulk", now - timedelta(minutes=3)), ("worker single", now)):
            session.add(Heartbeat(name=f"host {kind} 1", kind=kind, started_at=seen, seen_at=seen))
        session.commit()

    assert watch_in(either_house) == [("process_gone", "worker bulk")]
    assert watch_in(either_house) == [("process_gone", "worker bulk")]

    with either_house.runtime.session() as session:
        session.add(Heartbeat(name="host worker bulk 2", kind="worker bulk", started_at=now, seen_at=now))
        session.commit()
    assert watch_in(either_house) == []
    assert len(either_house.all(Notice)) == 1


def test_a_schedule_that_sent_nothing_for_long_is_told(either_house: House):
    house = either_house
    with house.runtime.session() as session:
        row = usual_calendar(FIRST_NEWSLETTER, "UTC")
        session.add(row)
        start(session, row, house.clock())
        for day in range(SILENT_DATES):
            at = house.clock() - timedelta(days=day)
            session.add(
                Wave(
                    newsletter_id=FIRST_NEWSLETTER, slot=at.date(), instant=at, parts=[], last_at=at,
                    state=WaveState.DONE, prepared_to=0,
                )
            )  # fmt: skip
        session.commit()

    assert watch_in(house) == []  # nobody subscribes

    house.add_subscriber(house.topic("ferry"))
    assert watch_in(house) == [("schedule_silent", "news")]
    (notice,) = house.all(Notice)
    assert f"{SILENT_DATES} dates" in words(notice).sentence

    house.release("A ferry")
    issue_id = house.open()
    with house.runtime.session() as session:
        session.query(Wave).order_by(Wave.slot.desc()).first().issue_id = issue_id
        session.commit()
    assert watch_in(house) == []
    assert NoticeKind.SCHEDULE_SILENT.urgent is False
