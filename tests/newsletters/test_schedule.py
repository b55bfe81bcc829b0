"""A newsletter's schedule is shown, changed, started and stopped."""

from __future__ import annotations

import pytest
from house import House

from newsletter.errors import FieldsInvalid, StateConflict
from newsletter.identity import Identity
from newsletter.models import FIRST_NEWSLETTER, AuditEntry, Gathering, WaitsAgain
from newsletter.newsletters.schedule import (
    FIELDS,
    as_text,
    in_words,
    read_schedule,
    set_schedule,
    start_schedule,
    stop_schedule,
)


def identity(house: House) -> Identity:
    return house.runtime.identities.recent(house.runtime.reading, FIRST_NEWSLETTER)


def change(house: House, **given: str) -> list[str]:
    with house.runtime.session() as session:
        changed = set_schedule(session, identity(house), given, actor="ed", now=house.clock())
        session.commit()
        return changed


def texts(house: House) -> dict[str, str]:
    with house.runtime.reading() as session:
        return as_text(read_schedule(session, identity(house)))


def test_without_a_stored_schedule_it_is_off_and_has_default_rules(house: House):
    with house.runtime.reading() as session:
        row = read_schedule(session, identity(house))

        assert not row.is_on
        assert in_words(row) == {
            "daily": "Monday to Friday at 8",
            "weekly": "Tuesdays at 8",
            "monthly": "The 1st of each month at 8",
            "as it happens": "30 minutes after the first release",
        }


def test_each_field_can_be_changed_and_the_rest_stays(either_house: House):
    given = {
        "time_zone": "Europe/Vilnius", "hour": "7", "daily": "monday", "weekly": "tue,fri",
        "weekly_every": "2",
        "weekly_from": "2026-03-05", "monthly_day": "31", "holidays": "lt", "late_daily": "4 ask",
        "late_weekly": "30 skip", "late_monthly": "50 send", "gather_minutes": "0", "gather_releases": "3",
        "approval_hours": "4", "approver": "chief@example.org", "second_person": "yes",
    }  # fmt: skip
    assert given.keys() == FIELDS.keys()
    for name, text in given.items():
        before = texts(either_house)

        assert change(either_house, **{name: text}) == [name]

        after = texts(either_house)
        assert {each for each in FIELDS if before[each] != after[each]} == {name}
    assert change(either_house, hour="7") == []
    assert texts(either_house)["weekly"] == "tuesday,friday"
    entries = either_house.all(AuditEntry)
    assert len(entries) == len(given)
    assert not any("@" in str(each.detail) for each in entries)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("time_zone", "Mars/Olympus"), ("hour", "24"), ("hour", "noon"), ("daily", ""), ("weekly", "someday"),
        ("weekly_every", "3"), ("weekly_from", "March"), ("monthly_day", "32"), ("holidays", "XX"),
        ("late_daily", "soon"), ("late_daily", "6 never"), ("late_weekly", "0 send"),
        ("gather_minutes", "-1"),
        ("gather_releases", "1"), ("monthly_day", "9" * 5000),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_used_is_refused_with_a_reason(house: House, name: str, text: str):
    with pytest.raises(FieldsInvalid) as caught:
        change(house, **{name: text})

    assert list(caught.value.faults) == [name]
    assert texts(house) == texts(house) | {name: texts(house)[name]}


def test_it_is_started_and_stopped_once(house: House):
    now = house.clock()
    with house.runtime.session() as session:
        start_schedule(session, identity(house), actor="ed", now=now)
        session.add(Gathering(newsletter_id=FIRST_NEWSLETTER, from_sequence=0, opens_at=now))
        session.commit()
        assert read_schedule(session, identity(house)).opened_to == now
        assert session.query(WaitsAgain).count() == 1
        with pytest.raises(StateConflict):
            start_schedule(session, identity(house), actor="ed", now=now)

        stop_schedule(session, identity(house), actor="ed", now=now)
        session.commit()

        assert session.query(Gathering).count() == 0
        with pytest.raises(StateConflict):
            stop_schedule(session, identity(house), actor="ed", now=now)
