"""An embargo hides and holds a release until its end, and nothing else ends it by accident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from house import NOON, House, edit_release, public_id

from newsletter.errors import InputError, StateConflict
from newsletter.models import Release, ReleaseState
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.releases.editing.embargo import embargo_moment, lift_embargo, read_zone, set_embargo
from newsletter.releases.publishing.public import is_public
from newsletter.service.sending.prepare_issues import end_all_holds, prepare_issues

BERLIN = ZoneInfo("Europe/Berlin")


def embargo(house: House, release: int, until: datetime) -> None:
    name = public_id(house, release)
    with house.runtime.session() as session:
        set_embargo(session, name, until, "test", house.clock())
        session.commit()


def lift(house: House, release: int) -> None:
    name = public_id(house, release)
    with house.runtime.session() as session:
        lift_embargo(session, name, "test", house.clock())
        session.commit()


def shown(house: House, release: int) -> tuple[ReleaseState, bool]:
    with house.runtime.reading() as session:
        found = session.get_one(Release, release)
        return found.state, is_public(found, house.clock())


def test_a_release_under_embargo_is_held_and_hidden_until_its_end(either_house: House):
    house = either_house
    quay = house.release("A new quay")

    embargo(house, quay, NOON + timedelta(hours=2))
    before = shown(house, quay)
    house.clock.pass_(hours=2)
    end_all_holds(house.runtime)

    assert before == (ReleaseState.HELD, False)
    assert shown(house, quay) == (ReleaseState.READY, True)


def test_an_embargo_that_ends_at_the_instant_of_an_issue_ends_before_it_is_prepared(either_house: House):
    house = either_house
    sea = house.topic("sea")
    ann = house.add_subscriber(sea)
    house.release("A calm sea")
    wave = house.release("A sea wave")
    embargo(house, wave, NOON + timedelta(hours=2))
    issue_id = house.open_unprepared()
    house.clock.pass_(hours=2)

    prepare_issues(house.runtime, lambda: False)
    house.drain()
    house.send()

    assert house.issue_state(issue_id) == "finished"
    assert sorted(house.releases_sent(ann)) == [wave - 1, wave]


def test_an_earlier_or_later_end_replaces_the_first(house: House):
    quay = house.release("A new quay")
    embargo(house, quay, NOON + timedelta(hours=5))
    embargo(house, quay, NOON + timedelta(hours=1))
    house.clock.pass_(hours=1)

    end_all_holds(house.runtime)

    assert shown(house, quay) == (ReleaseState.READY, True)


def test_making_a_release_ready_does_not_break_its_embargo(either_house: House):
    house = either_house
    quay = house.release("A new quay")
    embargo(house, quay, NOON + timedelta(hours=2))
    edit_release(house, quay, ReleaseAction.HOLD)
    edit_release(house, quay, ReleaseAction.READY)
    edit_release(house, quay, ReleaseAction.EXCLUDE)
    edit_release(house, quay, ReleaseAction.READY)
    before = shown(house, quay)

    lift(house, quay)

    assert before == (ReleaseState.HELD, False)
    assert shown(house, quay) == (ReleaseState.READY, True)


def test_a_hold_of_an_editor_outlasts_the_embargo(house: House):
    quay = house.release("A new quay")
    edit_release(house, quay, ReleaseAction.HOLD)
    embargo(house, quay, NOON + timedelta(hours=2))
    house.clock.pass_(hours=2)

    end_all_holds(house.runtime)

    assert shown(house, quay) == (ReleaseState.HELD, False)


def test_an_end_in_the_past_and_an_embargo_that_is_not_there_are_refused(house: House):
    quay = house.release("A new quay")

    with pytest.raises(InputError, match="in the future"):
        embargo(house, quay, NOON)
    with pytest.raises(StateConflict, match="not under embargo"):
        lift(house, quay)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01T09:00", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("2026-12-01 09:00", datetime(2026, 12, 1, 8, tzinfo=UTC)),
        ("2026-12-01T09:00+00:00", datetime(2026, 12, 1, 9, tzinfo=UTC)),
        ("2026-10-25T02:30", datetime(2026, 10, 25, 1, 30, tzinfo=UTC)),  # the second 02:30 of that night
    ],
)
def test_a_local_time_is_read_in_its_zone(text: str, expected: datetime):
    assert embargo_moment(text, BERLIN) == expected


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01T09:00"])
def test_what_is_no_time_is_refused(text: str):
    with pytest.raises(InputError):
        embargo_moment(text, BERLIN)


@pytest.mark.parametrize("name", ["", "Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "a\0b"])
def test_what_is_no_zone_is_refused(name: str):
    with pytest.raises(InputError):
        read_zone(name)
