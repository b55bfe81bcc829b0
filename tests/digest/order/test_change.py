"""An editor orders an issue. The emails follow, and what cannot be used is refused with a sentence."""

from __future__ import annotations

import pytest
from digest.order.ordering import headings_and_titles, last_mails, part, set_order, targets
from house import House, correct_release, edit_release, public_id
from scheduled import Scheduled
from sqlalchemy import func, select

from newsletter.digest.order.change import LONGEST_TITLE, GivenSection
from newsletter.digest.schedule.approval import approve, withdraw
from newsletter.errors import FieldsInvalid, NotFound, OrderChanged, StateConflict
from newsletter.models import (
    FIRST_NEWSLETTER,
    AuditEntry,
    Frequency,
    Rendition,
    Subscriber,
    current_sequence,
)
from newsletter.releases.editing.edit import ReleaseAction
from newsletter.service.sending.prepare_issues import prepare_issues

TUESDAY = "2026-03-10"


@pytest.fixture
def ordered(either: Scheduled) -> dict[str, int]:
    """The issue for Tuesday at 8, with releases in two topics, for three subscribers."""
    return _furnish(either)


def _furnish(one: Scheduled) -> dict[str, int]:
    house = one.house
    energy, ferries = house.topic("energy"), house.topic("ferry")
    house.add_subscriber(energy, ferries, name="both")
    house.add_subscriber(energy, name="energy")
    house.add_subscriber(ferries, name="ferry")
    one.start("2026-03-09 12:00")
    titles = ("energy mast", "energy cable", "ferry timetable", "ferry strike")
    return {title: house.release(f"A {title}") for title in titles}


def test_sections_come_first_and_everybody_sees_only_their_own(either: Scheduled, ordered: dict[str, int]):
    sections = {
        "Top stories": [ordered["ferry strike"], ordered["energy mast"]],
        "Energy only": [ordered["energy cable"]],
    }
    set_order(either.house, TUESDAY, sections)

    assert either.work("2026-03-10 08:00") == ["both", "energy", "ferry"]

    mails = {name: headings_and_titles(mail) for name, mail in last_mails(either.house).items()}
    assert mails == {
        "both": [
            "Top stories", "A ferry strike", "A energy mast", "Energy only", "A energy cable", "Ferry",
            "A ferry timetable",
        ],
        "energy": ["Top stories", "A energy mast", "Energy only", "A energy cable"],
        "ferry": ["Top stories", "A ferry strike", "Ferry", "A ferry timetable"],
    }  # fmt: skip


def test_subject_and_plain_text_and_reason_follow(one: Scheduled):
    releases = _furnish(one)
    set_order(one.house, TUESDAY, {"Top stories": [releases["ferry timetable"]]})

    one.work("2026-03-10 08:00")

    mail = last_mails(one.house)["both"]
    text = part(mail, "plain")
    assert mail["Subject"].startswith("A ferry timetable")
    places = [text.index(each) for each in ("TOP STORIES", "A ferry timetable", "ENERGY", "A ferry strike")]
    assert places == sorted(places)
    assert "Energy" in text.partition("You get this")[2]


def test_the_order_costs_no_renditions(one: Scheduled):
    releases = _furnish(one)
    for number in range(20):
        one.house.add_subscriber(1, 2, name=f"more{number}")
    # They confirmed after the releases, so these wait for the first three only. New ones wait for all.
    one.house.release("A new energy and ferry plan")
    set_order(one.house, TUESDAY, {"A": [releases["energy mast"]], "B": [releases["ferry strike"]]})

    one.work("2026-03-10 08:00")

    with one.house.runtime.reading() as session:
        assert session.scalar(select(func.count(Rendition.id))) == 4


def test_a_release_that_is_held_or_corrected_after_preparing(either: Scheduled, ordered: dict[str, int]):
    house = either.house
    set_order(
        house,
        TUESDAY,
        {"Top": [ordered["ferry strike"], ordered["energy mast"]], "B": [ordered["energy cable"]]},
    )
    house.clock.moment = house.clock.moment.replace(day=10, hour=8)
    prepare_issues(house.runtime, lambda: False)
    edit_release(house, ordered["energy cable"], ReleaseAction.HOLD)
    correct_release(house, ordered["ferry strike"], "A ferry strike is over")

    house.drain()

    mails = {name: headings_and_titles(mail) for name, mail in last_mails(house).items()}
    assert mails["both"] == [
        "Top", "A ferry strike is over", "A energy mast", "Ferry", "A ferry timetable",
    ]  # fmt: skip
    assert mails["energy"] == ["Top", "A energy mast"]


def test_releases_that_come_later_follow_the_sections(one: Scheduled):
    releases = _furnish(one)
    set_order(one.house, TUESDAY, {"Top": [releases["energy cable"]]})
    one.house.release("A new energy law")

    one.work("2026-03-10 08:00")

    assert headings_and_titles(last_mails(one.house)["energy"])[:3] == ["Top", "A energy cable", "Energy"]
    assert "A new energy law" in headings_and_titles(last_mails(one.house)["energy"])


def test_titles_are_in_the_language_of_the_subscriber_and_markup_is_text(one: Scheduled):
    house, releases = one.house, _furnish(one)
    with house.runtime.session() as session:
        session.scalars(
            select(Subscriber).where(Subscriber.email_key == "energy@example.org")
        ).one().language = "de"
        session.commit()
    cable = public_id(house, releases["energy cable"])
    set_order(house, TUESDAY, [GivenSection("<b>Top</b> & {{ 7 * 7 }}", [cable], {"de": "Das Wichtigste"})])

    one.work("2026-03-10 08:00")

    mails = last_mails(house)
    assert headings_and_titles(mails["energy"])[0] == "Das Wichtigste"
    assert "&lt;b&gt;Top&lt;/b&gt; &amp; {{ 7 * 7 }}" in part(mails["both"], "html")
    assert "<B>TOP</B> & {{ 7 * 7 }}" in part(mails["both"], "plain")


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (GivenSection("Top", ["abcdefghijkl"]), "There is no release abcdefghijkl"),
        (GivenSection("Top", ["'; --\0"]), "There is no release '; --"),
        (GivenSection("x" * 10_000, []), "at most 120 characters. This one has 10,000."),
        (GivenSection("Top", [], {"de": "x" * (LONGEST_TITLE + 1)}), "at most 120 characters"),
        (GivenSection("Top\nBcc: x", []), "A title is one line"),
        (GivenSection("Top", [], {"xx": "Top"}), "The newsletter has no language xx. It has: en, de."),
        (GivenSection("  ", ["abcdefghijkl"]), "Give this section a title (en)"),
    ],
)
def test_a_section_that_cannot_be_used_is_refused(one: Scheduled, section: GivenSection, words: str):
    _furnish(one)

    with pytest.raises(FieldsInvalid) as refused:
        set_order(one.house, TUESDAY, [GivenSection("Fine", []), section])

    assert list(refused.value.faults) == ["section-2"]
    assert words in str(refused.value)
    assert targets(one.house) == {}


def test_a_release_cannot_stand_in_two_sections(one: Scheduled):
    releases = _furnish(one)

    with pytest.raises(FieldsInvalid, match="It can stand in one place only"):
        set_order(one.house, TUESDAY, {"A": [releases["ferry strike"]], "B": [releases["ferry strike"]]})


def test_too_many_sections_or_releases_are_refused(one: Scheduled):
    releases = _furnish(one)

    with pytest.raises(FieldsInvalid, match="at most 20 sections"):
        set_order(one.house, TUESDAY, [GivenSection(f"Part {number}", []) for number in range(21)])
    with pytest.raises(FieldsInvalid, match="200 releases"):
        set_order(one.house, TUESDAY, {"A": [releases["ferry strike"]] * 201})


def test_a_release_without_a_topic_of_the_newsletter_is_unknown(one: Scheduled):
    _furnish(one)
    other = one.house.newsletter("harbour")
    one.house.topic("quay", newsletter=other)
    quay = one.house.release("A new quay")

    with pytest.raises(FieldsInvalid, match="under a topic of this newsletter"):
        set_order(one.house, TUESDAY, {"A": [quay]})


def test_of_two_editors_at_once_the_second_is_told_and_nothing_is_lost(
    either: Scheduled, ordered: dict[str, int]
):
    set_order(either.house, TUESDAY, {"A": [ordered["ferry strike"]]}, actor="ann")

    for seen in (0, 7):
        with pytest.raises(OrderChanged, match="ann changed this order meanwhile, so nothing was saved"):
            set_order(either.house, TUESDAY, {"B": [ordered["energy mast"]]}, seen, actor="bob")

    assert targets(either.house) == {TUESDAY: 1}
    assert set_order(either.house, TUESDAY, {}, 1, actor="bob") == 2
    with pytest.raises(OrderChanged, match="bob changed"):
        set_order(either.house, TUESDAY, {"A": []}, 1, actor="ann")


def test_after_preparation_began_the_order_stays(either: Scheduled, ordered: dict[str, int]):
    either.work("2026-03-10 08:00")

    with pytest.raises(StateConflict, match="are prepared already, so its order stays as it is"):
        set_order(either.house, TUESDAY, {"A": [ordered["ferry strike"]]})


def test_an_approved_order_stays_until_the_approval_is_withdrawn(one: Scheduled):
    house = one.house
    house.add_subscriber(house.topic("energy"), name="energy")
    one.start("2026-03-09 12:00", approval_hours=24)
    cable = house.release("An energy cable")
    one.work("2026-03-09 12:10")
    set_order(house, TUESDAY, {"Top": [cable]})
    slot = house.clock().replace(day=10).date()

    def decide(version: int) -> None:
        with house.runtime.session() as session:
            approve(
                session, FIRST_NEWSLETTER, slot, current_sequence(session), house.clock(),
                actor="chief", now=house.clock(), order_version=version,
            )  # fmt: skip
            session.commit()

    with pytest.raises(StateConflict, match="order of this issue has changed since you saw it"):
        decide(0)
    decide(1)
    with pytest.raises(StateConflict, match="Withdraw the approval to change its order"):
        set_order(house, TUESDAY, {"Other": [cable]}, 1)
    with house.runtime.session() as session:
        withdraw(session, FIRST_NEWSLETTER, slot, actor="chief", now=house.clock())
        session.commit()
    set_order(house, TUESDAY, {"Other": [cable]}, 1)
    decide(2)
    one.work("2026-03-10 08:00")

    assert headings_and_titles(last_mails(house)["energy"]) == ["Other", "An energy cable"]


def test_every_wave_of_a_date_has_the_order(one: Scheduled):
    house = one.house
    topic = house.topic("energy")
    house.add_subscriber(topic, name="early")
    one.choose_hour(house.add_subscriber(topic, name="late"), "UTC", 20)
    one.start("2026-03-09 12:00")
    mast, cable = house.release("An energy mast"), house.release("An energy cable")
    set_order(house, TUESDAY, {"Top": [mast]})

    one.work("2026-03-10 08:00")
    house.release("A new energy law")
    one.work("2026-03-10 20:00")

    mails = {name: headings_and_titles(mail) for name, mail in last_mails(house).items()}
    assert mails["early"] == ["Top", "An energy mast", "Energy", "An energy cable"]
    assert mails["late"][:3] == ["Top", "An energy mast", "Energy"]
    assert set(mails["late"][3:]) == {"A new energy law", "An energy cable"}
    assert cable


def test_an_unknown_issue_has_no_order(one: Scheduled):
    _furnish(one)

    for target in ("2026-03-99", "abcdefghijkl", "", "next"):
        with pytest.raises(NotFound):
            set_order(one.house, target, {})


def test_a_change_is_in_the_audit_log(house: House):
    house.add_subscriber(house.topic("energy"), frequency=Frequency.WEEKLY)
    cable = house.release("An energy cable")

    set_order(house, "by-hand", {"Top": [cable]})

    entry = next(each for each in house.all(AuditEntry) if each.action == "issue.order")
    assert (entry.actor, entry.subject, entry.detail["sections"]) == ("ann", "by-hand", 1)
