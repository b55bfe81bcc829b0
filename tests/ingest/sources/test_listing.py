"""Tests of what follows from a source's list: settling, removed items, repeated items, changed items."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import NOON, House
from press_site import Desk, News, Site, desk_of
from servers.web import serving

from newsletter.models import ReleaseState
from newsletter.notices import open_notices
from newsletter.releases.due_holds import end_due_holds
from newsletter.releases.editing.edit import ReleaseAction, change_release

OLD = News("The oldest news", "0", "An older text about the harbour.", date=NOON - timedelta(days=2))
QUAY = News("The quay opens", "1", date=NOON)
EDITED = News("The quay opens", "1", "The harbour opens its new quay on Monday at nine.", date=NOON)
FERRY = News("The ferry is late", "2", "Fog keeps the ferry from sailing today.", date=NOON)


@pytest.fixture
def desk(either_house: House):
    return desk_of(either_house)


@pytest.fixture
def site():
    with serving() as server:
        yield Site(server)


def later(desk: Desk, minutes: float, source: str | None = None) -> None:
    """Let time pass, end the holds whose time has come, and poll."""
    desk.house.clock.pass_(minutes=minutes)
    with desk.house.runtime.session() as session:
        end_due_holds(session, desk.house.clock())
        session.commit()
    desk.poll(source)


def notices(desk: Desk) -> list[str]:
    with desk.house.runtime.reading() as session:
        return [each.kind for each in open_notices(session)]


def test_an_item_is_held_until_two_fetches_ten_minutes_apart_show_the_same_text(desk: Desk, site: Site):
    desk.house.topic("quay")
    site.show(QUAY)
    source = desk.add(site)

    desk.poll()
    assert desk.releases() == {"The quay opens": "held settling"}
    assert desk.release("The quay opens").made_public_at is None
    assert desk.source(source).next_at - desk.house.clock() <= timedelta(minutes=11)
    later(desk, 5, source)
    assert desk.releases() == {"The quay opens": "held settling"}
    later(desk, 6)

    assert desk.releases() == {"The quay opens": "ready"}
    assert [link.sequence for link in desk.release("The quay opens").topic_links] == [1]


def test_an_item_that_changes_while_it_settles_starts_again_with_its_new_text(desk: Desk, site: Site):
    desk.house.topic("monday")
    site.show(QUAY)
    source = desk.add(site)
    desk.poll()
    site.show(EDITED)
    later(desk, 12)

    assert desk.releases() == {"The quay opens": "held settling"}
    release = desk.release("The quay opens")
    assert release.body_text == EDITED.text
    assert [link.sequence for link in release.topic_links] == [None]
    assert desk.history(source)[-1].changed == 1
    later(desk, 12)
    assert desk.releases() == {"The quay opens": "ready"}


def test_an_item_that_changes_at_every_fetch_goes_out_after_an_hour(desk: Desk, site: Site):
    site.show(QUAY)
    source = desk.add(site)
    desk.poll()
    for minute in range(1, 6):
        site.show(News("The quay opens", "1", f"It is {minute} past nine in the harbour."))
        later(desk, 11, source)
        assert desk.releases() == {"The quay opens": "held settling"}

    later(desk, 11, source)

    assert desk.releases() == {"The quay opens": "ready"}


def test_the_hold_of_an_editor_stays_when_an_item_has_settled(desk: Desk, site: Site):
    site.show(QUAY)
    desk.add(site)
    desk.poll()
    with desk.house.runtime.session() as session:
        public_id = desk.release("The quay opens").public_id
        change_release(session, public_id, ReleaseAction.HOLD, "ann", desk.house.clock())
        session.commit()

    later(desk, 11)

    assert desk.releases() == {"The quay opens": "held editor"}


def test_an_item_with_a_date_in_the_future_waits_for_it_after_settling(desk: Desk, site: Site):
    site.show(News("The quay opens", "1", date=NOON + timedelta(days=5)))
    desk.add(site)
    desk.poll()

    later(desk, 11)

    assert desk.releases() == {"The quay opens": "held date"}


def test_an_item_that_two_lists_leave_out_while_it_settles_is_gone_and_held(desk: Desk, site: Site):
    site.show(FERRY, QUAY, OLD)
    desk.add(site)
    desk.poll()
    site.show(QUAY, OLD)
    later(desk, 3, _only(desk))
    assert desk.releases()["The ferry is late"] == "held settling"

    later(desk, 4, _only(desk))

    assert desk.releases()["The ferry is late"] == "held gone"
    assert notices(desk) == ["items_gone"]
    later(desk, 120)
    assert desk.releases() == {
        "The oldest news": "ready", "The quay opens": "ready", "The ferry is late": "held gone",
    }  # fmt: skip


def test_an_item_that_is_listed_again_settles_again(desk: Desk, site: Site):
    site.show(FERRY, QUAY, OLD)
    desk.add(site)
    desk.poll()
    site.show(QUAY, OLD)
    for _ in range(2):
        later(desk, 3, _only(desk))
    site.show(FERRY, QUAY, OLD)

    later(desk, 3, _only(desk))
    assert desk.releases()["The ferry is late"] == "held settling"
    later(desk, 11)

    assert desk.releases()["The ferry is late"] == "ready"


def test_the_editor_is_told_of_an_item_that_was_removed_when_it_was_public(desk: Desk, site: Site):
    site.show(FERRY, QUAY, OLD)
    desk.add(site, settle_minutes=0)
    desk.poll()
    site.show(QUAY, OLD)
    later(desk, 20)
    site.show(News("More news", "3", "There is more news about ships."), QUAY, OLD)

    later(desk, 20)

    assert desk.releases()["The ferry is late"] == "ready"
    assert notices(desk) == ["items_removed"]


def test_the_oldest_items_leave_a_list_without_a_word(desk: Desk, site: Site):
    site.show(QUAY, OLD)
    desk.add(site, settle_minutes=0)
    desk.poll()
    for at in range(4):
        site.show(News(f"News {at}", f"n{at}", f"Text number {at} about ships.", date=NOON), QUAY)
        later(desk, 20)

    assert notices(desk) == []


def test_the_same_guid_in_two_sources_is_one_release_with_two_places(desk: Desk, site: Site):
    other = Site(site.server)
    guid = "tag:press.example,2026:quay"
    site.show(News("The quay opens", guid, date=NOON))
    other.show(News("Quay opens (agency)", guid, "The agency's words about it.", date=NOON))
    desk.add(site, settle_minutes=0)
    desk.poll()
    desk.add(other, settle_minutes=0)
    desk.poll()

    assert desk.releases() == {"The quay opens": "ready"}
    assert len({each.source_id for each in desk.items()}) == 2


def test_the_same_address_in_two_sources_is_one_release(desk: Desk, site: Site):
    other = Site(site.server)
    site.show(News("The quay opens", "1", link="https://press.example/quay"))
    other.show(News("Quay opens", "77", "Other words.", link="http://www.press.example/quay/?utm_source=rss"))
    desk.add(site, settle_minutes=0)
    desk.add(other, settle_minutes=0)
    desk.poll()

    assert len(desk.releases()) == 1
    assert len(desk.items()) == 2


def test_unrelated_items_with_the_same_number_as_guid_stay_apart(desk: Desk, site: Site):
    other = Site(site.server)
    site.show(QUAY)
    other.show(News("The rails are mended", "1", "Trains run again."))
    desk.add(site, settle_minutes=0)
    desk.add(other, settle_minutes=0)
    desk.poll()

    assert sorted(desk.releases()) == ["The quay opens", "The rails are mended"]


def test_a_notice_that_recurs_with_a_new_guid_is_a_new_release(desk: Desk, site: Site):
    warning = "Storm expected. Ships stay in the harbour."
    site.show(News("Storm warning", "w1", warning, date=NOON - timedelta(days=7)))
    desk.add(site, settle_minutes=0)
    desk.poll()
    site.show(
        News("Storm warning", "w2", warning, date=NOON),
        News("Storm warning", "w1", warning, date=NOON - timedelta(days=7)),
    )

    later(desk, 20)

    states = [each.release_id for each in desk.items()]
    assert len(states) == len(set(states)) == 2


def test_a_notice_without_guid_recurs_if_its_date_is_more_than_a_day_later(desk: Desk, site: Site):
    warning = "Storm expected. Ships stay in the harbour."

    def show(day: int, link: str) -> None:
        site.show(
            News("Storm warning", "", warning, f"https://press.example/{link}", NOON + timedelta(days=day))
        )

    show(-7, "a")
    desk.add(site, settle_minutes=0)
    desk.poll()
    show(-7, "b")  # it only has another address
    later(desk, 20)
    assert len({each.release_id for each in desk.items()}) == 1
    show(-5, "c")
    later(desk, 20)

    assert len({each.release_id for each in desk.items()}) == 2


def test_a_site_that_lists_old_texts_under_new_guids_is_held_and_the_editor_is_told(desk: Desk, site: Site):
    texts = [f"Text number {at} about ships." for at in range(5)]
    site.show(*(News(f"News {at}", f"old-{at}", text) for at, text in enumerate(texts)))
    desk.add(site, settle_minutes=0)
    desk.poll()
    site.show(
        News("Truly new", "new-9", "Nobody has read this before."),
        *(News(f"News {at}", f"new-{at}", text) for at, text in enumerate(texts)),
    )

    later(desk, 20)

    with desk.house.runtime.reading() as session:
        from sqlalchemy import select

        from newsletter.models import Release

        states = [each.state for each in session.scalars(select(Release).order_by(Release.id))]
    assert states.count(ReleaseState.HELD) == 5
    assert states.count(ReleaseState.READY) == 6
    assert notices(desk) == ["source_moved"]


def test_a_public_release_is_corrected_when_its_source_changes_it(desk: Desk, site: Site):
    site.show(QUAY)
    source = desk.add(site, settle_minutes=0)
    desk.poll()
    site.show(EDITED)

    later(desk, 20)

    (item,) = desk.items()
    assert desk.release("The quay opens").body_text == EDITED.text
    assert item.text_hash == item.stored_hash
    assert desk.history(source)[-1].changed == 1


def test_items_with_the_guid_of_another_item_are_left_out_with_a_word_in_the_history(desk: Desk, site: Site):
    site.show(QUAY, News("Another", "1", "With the same guid."))
    source = desk.add(site, settle_minutes=0)
    desk.poll()

    assert list(desk.releases()) == ["The quay opens"]
    assert desk.history(source)[-1].message == "Left out: 1 with the identifier of another item."


def _only(desk: Desk) -> str:
    with desk.house.runtime.reading() as session:
        from sqlalchemy import select

        from newsletter.models import Source

        return session.scalars(select(Source.public_id)).one()
