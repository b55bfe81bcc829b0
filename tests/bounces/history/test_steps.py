"""A person's history: each step with the server's words, newest first."""

from __future__ import annotations

from bounces.reports.test_receive import report, take
from house import House
from sqlalchemy import update

from newsletter import bounce_steps
from newsletter.bounce_steps import Step
from newsletter.bounces.history.steps import list_steps, list_steps_of
from newsletter.models import Delivery, StepKind, Subscriber


def test_a_history_has_each_step_with_the_words_of_the_server(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    house.release("Harbours open")
    house.send()
    take(house, report(house, "5.2.2", "mailbox is full"))
    ada = house.all(Subscriber)[0]

    with house.runtime.reading() as session:
        (step,) = list_steps_of(session, ada.email_key or "")

    assert (step.kind, step.reason, step.status) == (StepKind.SOFT, "mailbox full", "5.2.2")
    assert "mailbox is full" in step.words
    assert step.email
    assert step.sentence.startswith("An email failed")
    assert step.as_record()["kind"] == "soft"
    with house.runtime.reading() as session:
        assert list_steps(session, ada.id + 1) == []


def test_a_step_without_a_failure_has_no_words_of_the_relay(either_house: House):
    """The relay's reply to a probe email that it accepted does not explain that the probe failed."""
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    house.release("Harbours open")
    house.send()
    ada, delivery = house.all(Subscriber)[0], house.all(Delivery)[0]
    with house.runtime.session() as session:
        said = update(Delivery).where(Delivery.id == delivery.id).values(reply_text="2.0.0 kept")
        session.execute(said)
        for kind in (StepKind.PROBED, StepKind.PROBE_FAILED, StepKind.SOFT):
            bounce_steps.add(session, Step(kind, ada.id, delivery_id=delivery.id), house.clock())
        session.commit()

    with house.runtime.reading() as session:
        words = {each.kind: each.words for each in list_steps(session, ada.id)}
    assert words == {StepKind.PROBED: "", StepKind.PROBE_FAILED: "", StepKind.SOFT: "2.0.0 kept"}
