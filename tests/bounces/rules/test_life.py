"""Signs of life: a later email that did not come back, and what only the owner of the mailbox can do."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from house import House

from newsletter import bounce_steps
from newsletter.bounce_steps import STAYED, Step
from newsletter.bounces.rules.life import has_later, has_used, last_used
from newsletter.models import ConsentAct, ConsentEntry, Delivery, StepKind, Subscriber


@pytest.fixture
def twice(either_house: House) -> House:
    """An installation that has sent two issues to Ada."""
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    for title in ("Harbours open", "Harbours close"):
        house.release(title)
        house.send()
        house.clock.pass_(days=1)
    return house


def test_a_later_email_that_came_back_is_no_sign_of_life(twice: House):
    first, second = twice.all(Delivery)
    ada = twice.all(Subscriber)[0].id
    with twice.runtime.session() as session:
        assert has_later(session, first.id, ada)
        assert not has_later(session, second.id, ada)
        bounce_steps.add(session, Step(StepKind.SOFT, ada, delivery_id=second.id), twice.clock())
        assert not has_later(session, first.id, ada)


@pytest.mark.parametrize(
    ("act", "how", "counts"),
    [
        (ConsentAct.CHANGED, "preferences", True),
        (ConsentAct.RESUMED, "time", False),
        (ConsentAct.ASKED, "form", False),
        (ConsentAct.CONFIRMED, "import", False),
    ],
)
def test_only_what_the_owner_of_the_mailbox_did_counts_as_used(
    twice: House, act: ConsentAct, how: str, counts: bool
):
    ada = twice.all(Subscriber)[0].id
    start: datetime = twice.clock()
    with twice.runtime.session() as session:
        at = start + timedelta(seconds=1)
        session.add(ConsentEntry(subscriber_id=ada, at=at, act=act, how=how, detail={}))
        session.flush()

        assert has_used(session, ada, start) is counts
        assert not has_used(session, ada, at)


def test_the_button_of_a_probe_email_counts_as_used(twice: House):
    ada = twice.all(Subscriber)[0].id
    with twice.runtime.session() as session:
        bounce_steps.add(session, Step(StepKind.RESET, ada, STAYED), twice.clock())

        assert last_used(session, ada) == twice.clock()
