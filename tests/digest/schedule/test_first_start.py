"""What an owner should have seen before a schedule starts."""

from __future__ import annotations

from datetime import timedelta

from house import House

from newsletter.digest.issues import send_test
from newsletter.digest.preview import preview
from newsletter.digest.schedule.first_start import steps_before_start
from newsletter.models import FIRST_NEWSLETTER, Frequency


def done(house: House) -> list[bool]:
    with house.runtime.reading() as session:
        return [each.is_done for each in steps_before_start(session, house.runtime.sender(FIRST_NEWSLETTER))]


def test_a_test_digest_completes_its_step(house: House):
    house.topic("energy")
    house.release("An energy cable")
    assert done(house) == [True, False, False]

    with house.runtime.session() as session:
        shown = preview(session, house.runtime.renderer, frequencies=[Frequency.WEEKLY], now=house.clock())
        send_test(
            session, house.runtime.renderer, shown.selection,
            recipient="me@example.org", actor="test", now=house.clock() + timedelta(minutes=1),
        )  # fmt: skip
        session.commit()

    assert done(house) == [True, False, True]
