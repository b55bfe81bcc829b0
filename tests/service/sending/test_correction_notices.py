"""Correction notices are enqueued a few at a time, so that confirmations do not wait behind them."""

from __future__ import annotations

from house import House, correct_release, public_id

from newsletter.models import CorrectionNotice, Delivery
from newsletter.releases.correction_notice import send
from newsletter.releases.correction_notice.send import ask_notice
from newsletter.service.sending.correction_notices import enqueue_notices


def test_no_more_notices_wait_than_the_limit_and_all_are_sent(house: House):
    sea = house.topic("sea")
    many = send.MOST_WAITING + 30
    with house.runtime.session() as session:
        people = [house.subscriber() for _ in range(many)]
        session.add_all(people)
        session.flush()
        session.add_all(house.subscription(each.id, sea) for each in people)
        session.commit()
    wave = house.release("A sea wave")
    house.send()
    correct_release(house, wave, "A sea storm")
    with house.runtime.session() as session:
        ask_notice(session, public_id(house, wave), actor="test", now=house.clock())
        session.commit()

    assert enqueue_notices(house.runtime)
    assert not enqueue_notices(house.runtime)
    with house.runtime.reading() as session:
        notices = session.query(Delivery).filter(Delivery.correction_notice_id.is_not(None))
        assert notices.count() == send.MOST_WAITING

    house.drain("single")
    while enqueue_notices(house.runtime):
        house.drain("single")

    assert len(house.transport.sent) == 2 * many
    (notice,) = house.all(CorrectionNotice)
    assert notice.finished_at is not None
