"""The link to unsubscribe can pause instead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from newsletter.models import Frequency, Subscriber
from newsletter.subscribers.leaving.pause_instead import Paused, pause_instead
from newsletter.subscribers.link import LinkFault
from newsletter.tokens import Purpose

ANN = "ann@example.org"


@pytest.fixture
def ann(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": Frequency.DAILY})
    return people


def press(people, token, weeks=1):
    with people.house.runtime.session() as session:
        done = pause_instead(session, people.house.runtime.tokens, token, weeks, people.house.clock())
        session.commit()
        return done


def link(people):
    payload = [people.person(ANN).public_id, people.mails(ANN)[-1].id]
    return people.house.runtime.tokens.make(Purpose.UNSUBSCRIBE, payload, people.house.clock())


def test_the_subscriber_is_paused_and_keeps_every_topic(ann):
    done = press(ann, link(ann))

    until = ann.house.clock() + timedelta(weeks=1)
    assert isinstance(done, Paused)
    assert (done.email, done.trusted) == (ANN, True)
    assert done.until == ann.house.all(Subscriber)[0].snoozed_until
    assert abs(done.until - until) <= timedelta(days=1)
    assert len(ann.reads(ANN)) == 1


def test_nobody_is_paused_who_gets_nothing(ann):
    token = link(ann)
    ann.leave(ANN)

    done = press(ann, token)

    assert isinstance(done, Paused)
    assert done.until is None
    assert ann.house.all(Subscriber)[0].snoozed_until is None


def test_a_damaged_link_pauses_nobody(ann):
    assert press(ann, "damaged.link") is LinkFault.DAMAGED
    assert ann.house.all(Subscriber)[0].snoozed_until is None
