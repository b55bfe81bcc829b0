"""The address of the email that confirms an erasure is deleted once that email is settled."""

from __future__ import annotations

import pytest
from house import House

from newsletter.models import Delivery, DeliveryState
from newsletter.outbox.enqueue import enqueue_notice
from newsletter.outbox.erasure_emails import LAST_EMAIL, forget_recipients


def enqueue(house: House, template: str, state: DeliveryState) -> None:
    with house.runtime.session() as session:
        enqueue_notice(
            session,
            recipient=f"{template}@example.org",
            template=template,
            context={"at": 1},
            purpose_key=f"{template}:{state}",
            language="en",
            now=house.clock(),
        )
        session.query(Delivery).order_by(Delivery.id.desc()).first().state = state
        session.commit()


def forget(house: House) -> int:
    with house.runtime.session() as session:
        count = forget_recipients(session)
        session.commit()
        return count


@pytest.mark.parametrize("state", ["accepted", "rejected", "uncertain", "skipped"])
def test_a_settled_one_loses_its_address_and_context(house: House, state):
    enqueue(house, LAST_EMAIL, DeliveryState(state))

    assert [forget(house), forget(house)] == [1, 0]
    (delivery,) = house.all(Delivery)
    assert (delivery.recipient, delivery.context, delivery.reply_text) == (None, None, None)


@pytest.mark.parametrize("state", ["queued", "leased", "deferred"])
def test_one_that_may_still_be_sent_keeps_its_address(house: House, state):
    enqueue(house, LAST_EMAIL, DeliveryState(state))

    assert forget(house) == 0
    assert house.all(Delivery)[0].recipient == "erased@example.org"


def test_other_emails_keep_their_address(house: House):
    enqueue(house, "owner", DeliveryState.ACCEPTED)

    assert forget(house) == 0
    assert house.all(Delivery)[0].recipient == "owner@example.org"
