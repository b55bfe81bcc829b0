"""A date waits for its approval, has what the approver saw, and ends when the next date begins."""

from __future__ import annotations

from datetime import date

import pytest
from house import correct_release
from scheduled import Scheduled, at

from newsletter.calendar.plan import USUAL_LATE, Late, LateRule
from newsletter.calendar.rules import Rules
from newsletter.calendar.store import write_late
from newsletter.digest.schedule.approval import (
    approve,
    find_approval,
    open_approvals,
    require_next,
    stop_requiring_next,
    withdraw,
)
from newsletter.digest.schedule.approval_dates import forget_approvals
from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.models import (
    FIRST_NEWSLETTER,
    AuditEntry,
    Delivery,
    Frequency,
    Issue,
    Notice,
    SlotApproval,
    current_sequence,
)
from newsletter.outbox.owner.email import email_notices

DAILY, WEEKLY = Frequency.DAILY, Frequency.WEEKLY
TENTH, ELEVENTH = date(2026, 3, 10), date(2026, 3, 11)


def notices(one: Scheduled) -> list[str]:
    with one.house.runtime.session() as session:
        return [each.kind for each in session.query(Notice).order_by(Notice.id) if each.settled_at is None]


def approved(one: Scheduled, slot: date = TENTH, **more: str) -> None:
    """Approve what waits now, as a person does who looks at the preview at this moment."""
    now = one.house.clock()
    with one.house.runtime.session() as session:
        seen = current_sequence(session)
        approve(session, FIRST_NEWSLETTER, slot, seen, now, actor="editor", now=now, **more)
        session.commit()


def waiting(one: Scheduled) -> list[date]:
    with one.house.runtime.reading() as session:
        return [each.slot for each in open_approvals(session)]


def started(
    one: Scheduled, *readers: tuple[str, Frequency], hours: int | None = 12, **fields: object
) -> None:
    energy = one.house.topic("energy")
    for name, frequency in readers:
        one.house.add_subscriber(energy, frequency=frequency, name=name)
    one.start("2026-03-09 12:00", approval_hours=hours, **fields)


def test_a_date_waits_for_its_approval_and_is_then_sent_at_its_hour(either: Scheduled):
    started(either, ("ann", DAILY))
    either.house.release("An energy cable")

    assert either.work("2026-03-09 21:00") == []
    approved(either)
    assert either.work("2026-03-10 07:59") == []
    assert either.work("2026-03-10 08:00") == ["ann"]
    assert either.issues() == [(TENTH, "finished")]


def test_waves_whose_instant_has_passed_are_prepared_at_the_approval(either: Scheduled):
    started(either, ("ann", DAILY), ("bob", DAILY))
    either.choose_hour(2, "UTC", 18)
    either.house.release("An energy cable")

    assert either.work("2026-03-10 17:00") == []
    approved(either)
    assert either.work("2026-03-10 17:00") == ["ann"]
    assert either.work("2026-03-10 18:00") == ["bob"]


def test_an_issue_has_only_what_the_approver_saw(either: Scheduled):
    started(either, ("ann", DAILY))
    first = either.house.release("An energy cable")
    either.work("2026-03-09 21:00")
    approved(either)
    second = either.house.release("An energy mast")

    either.work("2026-03-10 08:00")
    either.work("2026-03-10 20:30")
    approved(either, ELEVENTH)
    either.work("2026-03-11 08:00")

    assert either.house.releases_sent(1) == [first, second]
    assert len(either.house.all(Delivery)) == 2


def test_a_date_that_is_due_again_after_an_outage_waits_for_its_approval(either: Scheduled):
    """The clock stopped before the approved date, and ran again after the next day's hour."""
    late = write_late({**USUAL_LATE, WEEKLY: LateRule(24, Late.SKIP)})
    tuesdays = Rules(daily=frozenset({1}), weekly=frozenset({1}), monthly_day=15)
    started(either, ("ann", WEEKLY), rules=tuesdays, late=late)
    either.house.release("An energy cable")
    either.work("2026-03-09 21:00")
    approved(either)

    assert either.work("2026-03-11 09:00") == []
    assert waiting(either) == [ELEVENTH]
    approved(either, ELEVENTH)
    assert either.work("2026-03-11 10:00") == ["ann"]


def test_the_approver_is_asked_reminded_twice_and_not_again_after_the_approval(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("An energy cable")

    seen = []
    for when in ("09 19:59", "09 20:00", "10 04:59", "10 05:00", "10 08:00"):
        one.work(f"2026-03-{when}")
        with one.house.runtime.session() as session:
            email_notices(session, "owner@example.org", one.house.clock())
            session.commit()
        seen.append((notices(one), len(one.house.all(Notice))))
    approved(one)

    assert seen == [
        ([], 0),
        (["approval_asked"], 1),
        (["approval_asked"], 1),
        (["approval_reminder"], 2),
        (["approval_reminder"], 3),
    ]
    assert notices(one) == []


def test_the_email_goes_to_the_approver_and_links_to_the_page(one: Scheduled):
    started(one, ("ann", DAILY), approver="chief@example.org")
    one.house.release("An energy cable")
    one.work("2026-03-09 20:00")

    with one.house.runtime.session() as session:
        email_notices(session, "owner@example.org", one.house.clock())
        session.commit()
    one.house.drain("single")

    (sent,) = one.house.transport.sent
    assert sent.envelope.recipient == "chief@example.org"
    assert b"/admin/newsletters/news/approve/2026-03-10" in sent.content


def test_nobody_is_asked_while_nothing_waits(one: Scheduled):
    started(one, ("ann", DAILY))

    one.work("2026-03-10 06:00")
    assert notices(one) == []
    one.house.release("An energy cable")
    one.work("2026-03-10 06:05")
    assert notices(one) == ["approval_asked"]


def test_the_next_date_closes_an_unapproved_one_and_brings_its_releases(either: Scheduled):
    started(either, ("ann", DAILY))
    release = either.house.release("An energy cable")

    assert either.work("2026-03-10 08:00") == []
    assert either.work("2026-03-11 08:00") == []
    assert notices(either) == ["approval_missed", "approval_asked"]
    with pytest.raises(StateConflict, match="not approved in time"):
        approved(either)
    approved(either, ELEVENTH)
    assert either.work("2026-03-11 09:00") == ["ann"]
    assert either.house.releases_sent(1) == [release]
    assert either.issues() == [(ELEVENTH, "finished")]


def test_a_weekly_date_that_was_closed_is_due_again_with_the_next_date(either: Scheduled):
    started(either, ("ann", WEEKLY), ("bob", DAILY))
    either.house.release("An energy cable")
    either.work("2026-03-10 08:00")  # a Tuesday, which is the weekly date

    either.work("2026-03-11 07:00")
    approved(either, ELEVENTH)

    assert either.work("2026-03-11 08:00") == ["ann", "bob"]
    assert either.work("2026-03-12 08:00") == []


def test_later_waves_of_a_closed_date_are_not_prepared(either: Scheduled):
    started(either, ("ann", DAILY), ("far", DAILY))
    either.choose_hour(2, "Pacific/Honolulu", 23)  # 09:00 in UTC on the day after
    either.house.release("An energy cable")
    either.work("2026-03-10 08:00")
    either.work("2026-03-11 08:00")
    approved(either, ELEVENTH)

    assert either.work("2026-03-11 09:00") == ["ann"]
    assert either.work("2026-03-12 08:59") == []
    assert either.work("2026-03-12 09:00") == ["far"]


def test_lateness_counts_from_the_approval(either: Scheduled):
    started(either, ("ann", DAILY))
    either.house.release("An energy cable")
    either.work("2026-03-10 07:00")
    either.house.clock.moment = at("2026-03-10 20:00")  # the clock has been down since 7
    approved(either)

    assert either.work("2026-03-11 01:59") == ["ann"]


def test_an_unapproved_date_does_not_hold_up_an_approved_one(either: Scheduled):
    started(either, ("ann", DAILY), ("bob", DAILY), hours=36)
    either.choose_hour(2, "UTC", 7)
    either.house.release("An energy cable")
    either.work("2026-03-10 07:30")
    approved(either, ELEVENTH)

    assert either.work("2026-03-10 09:00") == []
    assert either.work("2026-03-11 07:00") == ["bob"]
    assert either.work("2026-03-11 08:00") == ["ann"]


def test_the_issue_carries_the_note_of_the_approver(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("An energy cable")
    one.work("2026-03-09 21:00")

    with pytest.raises(InputError):
        approved(one, note="x" * 6000, note_language="en")
    approved(one, note="A quiet week.", note_language="en")
    one.work("2026-03-10 08:00")

    (issue,) = one.house.all(Issue)
    assert (issue.editors_note, issue.note_language) == ("A quiet week.", "en")
    assert b"A quiet week." in one.house.transport.sent[0].content


def test_a_correction_after_the_approval_goes_out_and_the_approver_is_told(either: Scheduled):
    started(either, ("ann", DAILY))
    release = either.house.release("An energy cable")
    either.work("2026-03-09 21:00")
    approved(either)
    either.work("2026-03-09 22:00")
    assert notices(either) == []
    either.house.clock.moment = at("2026-03-09 23:00")
    correct_release(either.house, release, "An energy mast")

    either.work("2026-03-09 23:05")
    assert notices(either) == ["approved_changed"]
    either.work("2026-03-10 08:00")

    assert b"An energy mast" in either.house.transport.sent[-1].content
    (told,) = [each for each in either.house.all(Notice) if each.kind == "approved_changed"]
    assert "An energy mast" in told.detail["titles"]


def test_a_correction_before_the_preview_tells_nobody(one: Scheduled):
    started(one, ("ann", DAILY))
    release = one.house.release("An energy cable")
    one.work("2026-03-09 21:00")
    correct_release(one.house, release, "An energy mast")
    one.house.clock.pass_(minutes=1)
    approved(one)

    one.work("2026-03-09 22:00")

    assert notices(one) == []


def test_a_date_is_approved_once_and_that_is_on_record(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("An energy cable")
    with pytest.raises(NotFound):
        approved(one)
    one.work("2026-03-09 21:00")
    approved(one)

    with pytest.raises(StateConflict, match="approved already"):
        approved(one)
    entries = [each for each in one.house.all(AuditEntry) if each.action == "issue.approve"]
    assert [(each.actor, each.detail["slot"]) for each in entries] == [("editor", "2026-03-10")]


def test_a_date_that_has_begun_needs_no_approval_when_the_setting_is_turned_on(one: Scheduled):
    house, energy = one.house, one.house.topic("energy")
    house.add_subscriber(energy, frequency=DAILY, name="ann")
    house.add_subscriber(energy, frequency=DAILY, name="bob")
    one.start("2026-03-09 12:00")
    one.choose_hour(2, "UTC", 18)
    house.release("An energy cable")
    assert one.work("2026-03-10 08:00") == ["ann"]

    one.change(approval_hours=12)

    assert one.work("2026-03-10 18:00") == ["bob"]


def test_a_date_that_has_not_begun_needs_none_when_the_setting_is_turned_off(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("An energy cable")
    one.work("2026-03-09 21:00")
    assert waiting(one) == [TENTH]

    one.change(approval_hours=None)

    assert one.work("2026-03-10 08:00") == ["ann"]
    assert one.house.all(SlotApproval) == []
    assert notices(one) == []


def test_a_schedule_that_is_turned_off_asks_no_more(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("An energy cable")
    one.work("2026-03-10 08:00")

    with one.house.runtime.session() as session:
        forget_approvals(session, FIRST_NEWSLETTER, one.house.clock())
        session.commit()

    assert waiting(one) == []
    assert notices(one) == []
    assert one.work("2026-03-10 09:00") == []


def test_a_changed_rule_forgets_a_date_that_is_none_any_more(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("An energy cable")
    one.work("2026-03-09 21:00")

    one.change(daily=[4], weekly=[4])
    one.work("2026-03-09 22:00")

    assert waiting(one) == []


def test_a_row_of_an_approved_date_ends_after_its_last_wave(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("An energy cable")
    one.work("2026-03-09 21:00")
    approved(one)
    one.work("2026-03-10 08:00")
    one.work("2026-03-10 08:10")

    with one.house.runtime.reading() as session:
        assert find_approval(session, FIRST_NEWSLETTER, TENTH).ended_at is not None


def require(one: Scheduled) -> bool:
    with one.house.runtime.session() as session:
        required = require_next(session, FIRST_NEWSLETTER, "returned mail", one.house.clock())
        session.commit()
    return required


def test_after_complaints_the_next_issue_waits_until_a_person_approves_one(either: Scheduled):
    started(either, ("ann", DAILY), hours=None)
    either.house.release("An energy cable")
    either.work("2026-03-09 21:00")

    assert require(either)
    assert not require(either)
    assert either.work("2026-03-09 21:01") == []
    assert waiting(either) == [TENTH]
    assert either.work("2026-03-10 08:00") == []

    approved(either)
    assert either.work("2026-03-10 08:01") == ["ann"]
    either.house.release("An energy mast")
    assert either.work("2026-03-11 08:00") == ["ann"]


def test_a_person_can_let_the_next_issue_go_without_an_approval(either: Scheduled):
    started(either, ("ann", DAILY), hours=None)
    either.house.release("An energy cable")
    require(either)
    either.work("2026-03-09 21:00")

    with either.house.runtime.session() as session:
        assert stop_requiring_next(session, FIRST_NEWSLETTER, "kim", either.house.clock())
        assert not stop_requiring_next(session, FIRST_NEWSLETTER, "kim", either.house.clock())
        session.commit()

    either.work("2026-03-09 21:01")
    assert waiting(either) == []
    assert either.work("2026-03-10 08:00") == ["ann"]


def test_issues_as_they_happen_wait_too(either: Scheduled):
    started(either, ("ann", Frequency.IMMEDIATE), hours=None)
    either.work("2026-03-09 21:00")
    require(either)
    either.house.release("An energy cable")

    assert either.work("2026-03-09 21:01") == []
    assert either.work("2026-03-09 23:00") == []
    with either.house.runtime.session() as session:
        stop_requiring_next(session, FIRST_NEWSLETTER, "kim", either.house.clock())
        session.commit()
    assert either.work("2026-03-09 23:01") == ["ann"]


def test_a_newsletter_without_a_schedule_has_no_next_issue_that_could_wait(one: Scheduled):
    assert not require(one)


def withdrawn(one: Scheduled, slot: date = TENTH) -> None:
    with one.house.runtime.session() as session:
        withdraw(session, FIRST_NEWSLETTER, slot, actor="editor", now=one.house.clock())
        session.commit()


def test_a_withdrawn_approval_lets_the_issue_wait_and_the_approver_is_asked_again(either: Scheduled):
    started(either, ("ann", DAILY))
    first = either.house.release("A new energy cable")
    either.work("2026-03-09 21:00")
    approved(either, note="Good morning", note_language="en")
    withdrawn(either)

    assert either.work("2026-03-10 08:00") == []
    assert waiting(either) == [TENTH]
    assert "approval_asked" in notices(either)

    second = either.house.release("The energy cable is late")
    either.house.clock.pass_(minutes=1)
    approved(either)
    assert either.work("2026-03-10 08:02") == ["ann"]
    with either.house.runtime.session() as session:
        (issue,) = session.query(Issue)
        assert issue.editors_note == ""
    assert set(either.house.releases_sent(1)) == {first, second}


def test_a_date_that_only_returned_mail_held_up_waits_again(one: Scheduled):
    started(one, ("ann", DAILY), hours=None)
    one.house.release("A new energy cable")
    one.work("2026-03-09 21:00")
    require(one)
    one.work("2026-03-09 21:01")
    approved(one)

    withdrawn(one)

    assert one.work("2026-03-09 21:02") == []
    assert waiting(one) == [TENTH]
    assert one.work("2026-03-10 08:00") == []


def test_an_approval_stands_once_emails_are_prepared(either: Scheduled):
    started(either, ("ann", DAILY))
    either.house.release("A new energy cable")
    either.work("2026-03-09 21:00")
    approved(either)
    assert either.work("2026-03-10 08:00") == ["ann"]

    with pytest.raises(StateConflict, match="its approval stands"):
        withdrawn(either)


def test_only_an_approved_date_has_an_approval_to_withdraw(one: Scheduled):
    started(one, ("ann", DAILY))
    one.house.release("A new energy cable")
    one.work("2026-03-09 21:00")

    with pytest.raises(NotFound, match="is not approved"):
        withdrawn(one)
