"""Counted links: only of subscribers who agreed, without any person in them, and counted once a second."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

import pytest
from house import House, correct_release
from sqlalchemy import select

from newsletter.digest.clicks.count import clicks_of, count_agreed, count_click, read_counted
from newsletter.errors import NotFound
from newsletter.messages.counted_links import Place
from newsletter.models import (
    ClickCount,
    ClickCounting,
    ConsentEntry,
    Delivery,
    Fragment,
    Frequency,
    Issue,
    Subscriber,
)
from newsletter.newsletters.edit import edit_newsletter
from newsletter.subscribers.choices.preferences import (
    PersonalSettings,
    make_preferences_token,
    save_preferences,
)
from newsletter.tokens import Purpose

WEEKLY = Frequency.WEEKLY
COUNTED = re.compile(r"/follow/([\w.-]+)")


def turn_on(house: House, counting: ClickCounting = ClickCounting.AGREED) -> None:
    with house.runtime.session() as session:
        edit_newsletter(
            session, house.runtime.settings, {"click_counting": counting.value}, actor="ed", now=house.clock()
        )
        session.commit()


def agree(house: House, subscriber: int, clicks: bool = True) -> None:
    """Save the preferences page, with the field ticked or not."""
    with house.runtime.session() as session:
        person = session.get_one(Subscriber, subscriber)
        tokens, now = house.runtime.tokens, house.clock()
        token = make_preferences_token(tokens, person.public_id, person.email_key or "", now)
        given = PersonalSettings("en", "UTC", None, clicks=clicks, clicks_wording="The links are counted.")
        save_preferences(session, tokens, token, {"sea": WEEKLY}, now, personal_settings=given)
        session.commit()


def by_name(house: House, subtype: str = "html") -> dict[str, str]:
    sent = [message_from_bytes(each.content, policy=policy.SMTP) for each in house.transport.sent]
    return {each["To"].partition("@")[0]: each.get_body((subtype,)).get_content() for each in sent}


def two_subscribers(house: House) -> tuple[int, int]:
    sea = house.topic("sea")
    ann = house.add_subscriber(sea, name="ann")
    ben = house.add_subscriber(sea, name="ben")
    for at in range(6):
        house.release(f"A sea wave {at}")
    return ann, ben


def test_only_those_who_agreed_get_counted_links_and_they_name_no_person(either_house: House):
    house = either_house
    sea = house.topic("sea")
    ann, cid = (house.add_subscriber(sea, name=name) for name in ("ann", "cid"))
    house.add_subscriber(sea, name="ben")
    for at in range(6):
        house.release(f"A sea wave {at}")
    turn_on(house)
    agree(house, ann)
    agree(house, cid)

    issue = house.send(WEEKLY)

    pages, texts = by_name(house), by_name(house, "plain")
    assert "/follow/" not in pages["ben"] + texts["ben"]
    assert "/releases/" in pages["ben"]
    assert "/releases/" not in pages["ann"] + texts["ann"]
    tokens = set(COUNTED.findall(pages["ann"]))
    assert tokens == set(COUNTED.findall(pages["cid"]))
    assert set(COUNTED.findall(texts["ann"])) <= tokens
    places = [read_counted(house.runtime.tokens, each, house.clock()).place for each in tokens]
    assert sorted(places) == [Place.CONTENTS] * 6 + [Place.RELEASE] * 6
    with house.runtime.session() as session:
        assert count_agreed(session, issue) == 2


def test_nothing_is_made_for_counting_while_it_is_off_or_nobody_agreed(house: House):
    ann, _ = two_subscribers(house)
    agree(house, ann)

    house.send(WEEKLY)
    turn_on(house)
    agree(house, ann, clicks=False)
    house.clock.pass_(hours=1)
    house.release("A calm sea")
    house.send(WEEKLY)

    assert {each.language for each in house.all(Fragment)} == {"en"}
    assert {each.language for each in house.all(Delivery) if each.issue_id} == {"en"}
    assert not any("/follow/" in page for page in by_name(house).values())


def test_who_withdraws_gets_plain_links_in_emails_that_wait(house: House):
    ann, _ = two_subscribers(house)
    turn_on(house)
    agree(house, ann)
    house.open(WEEKLY)

    agree(house, ann, clicks=False)
    house.drain()

    assert "/follow/" not in by_name(house)["ann"]
    entries = [each.detail for each in house.all(ConsentEntry) if "counted_links" in each.detail]
    assert [each["counted_links"] for each in entries] == ["agreed", "refused"]
    assert entries[0]["words"] == "The links are counted."


def test_a_correction_reaches_both_kinds_of_emails(house: House):
    ann, _ = two_subscribers(house)
    turn_on(house)
    agree(house, ann)
    house.open(WEEKLY)
    with house.runtime.session() as session:
        release = session.scalar(select(Fragment.part).where(Fragment.part.startswith("release:")))
    number = int((release or "").partition(":")[2])

    correct_release(house, number, "A corrected wave")
    house.drain()

    pages = by_name(house)
    assert "A corrected wave" in pages["ann"]
    assert "A corrected wave" in pages["ben"]
    assert "/releases/" not in pages["ann"]
    assert "/follow/" not in pages["ben"]


def followed_of(house: House):
    page = by_name(house)["ann"]
    found = (read_counted(house.runtime.tokens, each, house.clock()) for each in COUNTED.findall(page))
    return sorted(set(found), key=lambda each: (each.place, each.release_public_id))


def sent_to_ann(house: House) -> int:
    ann, _ = two_subscribers(house)
    turn_on(house)
    agree(house, ann)
    return house.send(WEEKLY)


def test_clicks_are_summed_by_release_and_place(either_house: House):
    house = either_house
    issue = sent_to_ann(house)
    links = followed_of(house)
    contents, release = (
        links[0],
        next(each for each in links[::-1] if each.release_public_id == links[0].release_public_id),
    )

    for each in (contents, release, release):
        house.clock.pass_(seconds=5)
        with house.runtime.session() as session:
            assert count_click(session, house.runtime.tokens, each, "203.0.113.7", house.clock())
            session.commit()

    with house.runtime.session() as session:
        (row,) = clicks_of(session, issue)
    assert (row.public_id, row.from_release, row.from_contents, row.total) == (
        contents.release_public_id, 2, 1, 3,
    )  # fmt: skip


def test_a_network_that_opens_all_links_at_once_counts_little(house: House):
    sent_to_ann(house)
    links = followed_of(house)

    counted = []
    with house.runtime.session() as session:
        for at, each in enumerate(links):
            counted.append(count_click(session, house.runtime.tokens, each, f"203.0.113.{at}", house.clock()))
        other = count_click(session, house.runtime.tokens, links[0], "198.51.100.7", house.clock())
        session.commit()

    assert len(links) == 12
    assert sum(counted) == 2
    assert other


def test_a_newsletter_that_stopped_counting_counts_no_more(house: House):
    sent_to_ann(house)
    turn_on(house, ClickCounting.OFF)

    with house.runtime.session() as session:
        assert not count_click(
            session, house.runtime.tokens, followed_of(house)[0], "203.0.113.7", house.clock()
        )

    assert house.all(ClickCount) == []


def test_a_link_that_we_did_not_make_is_not_found(house: House):
    tokens, now = house.runtime.tokens, house.clock()

    for token in (
        "x",
        tokens.make(Purpose.VIEW, ["a", "b", "release"], now),
        tokens.make(Purpose.COUNTED, ["a", "b"], now),
        tokens.make(Purpose.COUNTED, ["a", "b", "elsewhere"], now),
    ):
        with pytest.raises(NotFound):
            read_counted(tokens, token, now)
    assert house.all(Issue) == []
