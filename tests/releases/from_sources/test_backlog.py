"""Tests of what a source had before it was added: public, not mailed, until an editor says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON, House
from press_site import Desk, News, Site, desk_of
from servers.web import serving

from newsletter.errors import StateConflict
from newsletter.ingest.press.parse import PressRelease
from newsletter.models import Frequency, RuleField
from newsletter.releases.editing.edit import ReleaseAction, change_release
from newsletter.releases.from_sources.backlog import send_after_all
from newsletter.releases.store import add_release
from newsletter.releases.topics.manage import change_rules


@pytest.fixture
def desk(either_house: House):
    return desk_of(either_house)


@pytest.fixture
def site():
    with serving() as server:
        made = Site(server)
        made.show(
            *(
                News(
                    f"Quay {days} days ago",
                    f"q{days}",
                    f"Text of day {days}.",
                    date=NOON - timedelta(days=days),
                )
                for days in (0, 3, 10, 400)
            )
        )
        yield made


def sequences(desk: Desk) -> dict[str, list[int | None]]:
    return {title: [link.sequence for link in desk.release(title).topic_links] for title in desk.releases()}


def test_old_items_are_public_at_their_own_date_and_have_no_sequence(desk: Desk, site: Site):
    desk.house.topic("quay")
    source = desk.add(site, backlog="none")
    desk.poll()

    assert set(desk.releases().values()) == {"ready"}
    assert set(map(tuple, sequences(desk).values())) == {(None,)}
    for days in (0, 3, 10, 400):
        release = desk.release(f"Quay {days} days ago")
        assert release.made_public_at == NOON - timedelta(days=days)
        assert release.is_kept_back
    assert desk.source(source).backlog_done_at == NOON


@pytest.mark.parametrize(("backlog", "mailed"), [("all", {0, 3, 10, 400}), ("1", {0}), ("7d", {0, 3})])
def test_the_editor_chooses_which_old_items_are_mailed(
    desk: Desk, site: Site, backlog: str, mailed: set[int]
):
    desk.house.topic("quay")
    desk.add(site, backlog=backlog, settle_minutes=0)
    desk.poll()

    found = {title: made != [None] for title, made in sequences(desk).items()}
    assert found == {f"Quay {days} days ago": days in mailed for days in (0, 3, 10, 400)}


def test_an_item_that_comes_later_is_mailed(desk: Desk, site: Site):
    desk.house.topic("quay")
    desk.add(site, backlog="none", settle_minutes=0)
    desk.poll()
    site.show(News("Quay today", "new", "A new text.", date=NOON - timedelta(days=30)), *site.items)
    desk.house.clock.pass_(minutes=20)
    desk.poll()

    assert sequences(desk)["Quay today"] == [1]


def test_hold_ready_a_named_topic_and_a_changed_rule_give_no_sequence(desk: Desk, site: Site):
    desk.house.topic("quay")
    desk.house.topic("other")
    desk.add(site, backlog="none")
    desk.poll()
    title = "Quay 3 days ago"
    release = desk.release(title)
    press = PressRelease(title, release.publisher, release.published_on, "en", (release.body_text,))

    with desk.house.runtime.session() as session:
        for action in (ReleaseAction.HOLD, ReleaseAction.READY, ReleaseAction.EXCLUDE, ReleaseAction.READY):
            change_release(session, release.public_id, action, "ann", NOON)
        change_rules(session, "other", [(RuleField.WORDS, "day")], actor="test", now=NOON)
        add_release(session, press, now=NOON, topics=["other"])
        session.commit()

    assert sequences(desk)[title] == [None, None]
    assert desk.releases()[title] == "ready"


def test_send_it_after_all_gives_each_pair_its_first_sequence_once(desk: Desk, site: Site):
    topic = desk.house.topic("quay")
    ann = desk.house.add_subscriber(topic, frequency=Frequency.WEEKLY)
    desk.add(site, backlog="none")
    desk.poll()
    release = desk.release("Quay 400 days ago")

    with desk.house.runtime.session() as session:
        send_after_all(session, release.public_id, "ann", NOON)
        session.commit()
    with desk.house.runtime.session() as session, pytest.raises(StateConflict):
        send_after_all(session, release.public_id, "ann", NOON)
    desk.house.send(Frequency.WEEKLY)

    assert sequences(desk)["Quay 400 days ago"] == [1]
    assert desk.release("Quay 400 days ago").made_public_at == NOON - timedelta(days=400)
    assert desk.house.releases_sent(ann) == [release.id]


def test_a_held_release_that_is_sent_after_all_gets_its_sequence_when_it_is_ready(desk: Desk, site: Site):
    desk.house.topic("quay")
    desk.add(site, backlog="none")
    desk.poll()
    title = "Quay 3 days ago"
    public_id = desk.release(title).public_id
    with desk.house.runtime.session() as session:
        change_release(session, public_id, ReleaseAction.HOLD, "ann", NOON)
        send_after_all(session, public_id, "ann", NOON)
        session.commit()
    assert sequences(desk)[title] == [None]

    with desk.house.runtime.session() as session:
        change_release(session, public_id, ReleaseAction.READY, "ann", NOON)
        session.commit()

    assert sequences(desk)[title] == [1]


def test_a_poll_that_was_killed_goes_on_with_the_backlog(desk: Desk, site: Site):
    """Its items stay part of the backlog until the first fetch was stored to its end."""
    desk.house.topic("quay")
    source = desk.add(site, backlog="none")
    whole, site.items = site.items, site.items[2:]
    desk.poll()
    with desk.house.runtime.session() as session:
        from newsletter.ingest.sources.manage import find_source

        row = find_source(session, source)
        row.backlog_done_at, row.next_at, row.etag, row.body_hash = None, NOON, "", ""
        session.commit()
    site.items = whole

    desk.poll()

    assert set(map(tuple, sequences(desk).values())) == {(None,)}
    assert len(sequences(desk)) == 4
