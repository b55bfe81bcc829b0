"""Who has an earlier text of a corrected release, and who of them is told."""

from __future__ import annotations

import pytest
from half_sent import half_sent, send_the_rest, the_wave
from house import House, correct_release, edit_release, unsubscribe_from_topic

from newsletter.models import Release, Subscriber, Suppression, SuppressionReason, Topic
from newsletter.releases.correction_notice.recipients import NoticeReach, count_reach, earlier_texts
from newsletter.releases.editing.edit import ReleaseAction


def reach(house: House) -> NoticeReach:
    with house.runtime.reading() as session:
        wave = session.query(Release).filter(Release.title.like("A sea %")).one()
        return count_reach(session, wave)


def test_people_are_counted_by_what_they_have(either_house: House):
    house = either_house
    half_sent(house)
    assert reach(house) == (0, 0, 0, 0)

    correct_release(house, the_wave(house), "A sea storm")

    assert reach(house) == NoticeReach(have=2, sending=2, waiting=2, left_out=0)


def test_who_gets_the_new_text_does_not_have_the_old_one(either_house: House):
    house = either_house
    _, leased = half_sent(house)
    correct_release(house, the_wave(house), "A sea storm")

    send_the_rest(house, leased)

    assert reach(house) == (2, 0, 0, 0)


@pytest.mark.parametrize("leave", ["unsubscribe", "pause", "suppress", "erase"])
def test_who_left_pauses_or_is_suppressed_is_not_told(either_house: House, leave: str):
    house = either_house
    half_sent(house)
    correct_release(house, the_wave(house), "A sea storm")
    with house.runtime.session() as session:
        (sea,) = session.query(Topic.id).one()
        # The third and the fourth person have the old text.
        eva = session.query(Subscriber).filter(Subscriber.email == "eva@example.org").one()
        if leave == "pause":
            eva.snoozed_until = house.clock().replace(year=2030)
        elif leave == "erase":
            eva.email = eva.email_key = None
        elif leave == "suppress":
            reason = SuppressionReason.COMPLAINT
            session.add(
                Suppression(address_hash="0" * 64, reason=reason, since=house.clock(), subscriber_id=eva.id)
            )
        number = eva.id
        session.commit()
    if leave == "unsubscribe":
        unsubscribe_from_topic(house, number, sea)

    assert reach(house) == NoticeReach(have=1, sending=2, waiting=2, left_out=1)


def test_a_correction_that_is_taken_back_leaves_nobody_with_another_text(either_house: House):
    house = either_house
    _, leased = half_sent(house)
    wave = the_wave(house)
    correct_release(house, wave, "A sea storm")
    send_the_rest(house, leased)
    correct_release(house, wave, "A sea gale")
    edit_release(house, wave, ReleaseAction.HOLD)

    # The second text, which four people have, comes back.
    correct_release(house, wave, "A sea storm")

    assert reach(house) == NoticeReach(have=2, sending=0, waiting=0, left_out=0)
    with house.runtime.reading() as session:
        assert set(earlier_texts(session.get_one(Release, wave))) == {1, 3}
