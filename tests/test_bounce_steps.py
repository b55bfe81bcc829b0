"""Steps in a person's history: an email fails once, and a former address does not count."""

from __future__ import annotations

from house import House, suppress_people

from newsletter import bounce_steps
from newsletter.bounce_steps import Step
from newsletter.models import BounceStep, StepKind, Subscriber, SuppressionReason
from newsletter.suppression import add_by_hand, forget_subscriber, lift


def person(house: House) -> Subscriber:
    house.add_subscriber(house.topic("harbours"), name="ada")
    return house.all(Subscriber)[0]


def test_an_email_fails_once_and_other_steps_about_it_are_added(either_house: House):
    house, ada = either_house, person(either_house)
    kinds = [StepKind.SOFT, StepKind.HARD, StepKind.POLICY, StepKind.COMPLAINT, StepKind.DOUBTED]

    with house.runtime.session() as session:
        added = [
            bounce_steps.add(session, Step(kind, ada.id, delivery_id=7), house.clock()) for kind in kinds
        ]
        session.commit()

    assert [each is not None for each in added] == [True, False, False, True, True]
    assert {each.domain for each in house.all(BounceStep)} == {(ada.email_key or "").partition("@")[2]}


def test_the_steps_of_a_former_address_have_no_domain(either_house: House):
    house, ada = either_house, person(either_house)
    with house.runtime.session() as session:
        bounce_steps.add(session, Step(StepKind.SOFT, ada.id, delivery_id=7), house.clock())
        forget_subscriber(session, ada.id)
        session.commit()

    assert [each.domain for each in house.all(BounceStep)] == [""]


def test_suppressing_and_lifting_are_steps_with_their_actor(either_house: House):
    house, ada = either_house, person(either_house)
    tokens, key = house.runtime.tokens, ada.email_key or ""
    with house.runtime.session() as session:
        add_by_hand(session, tokens, key, "kim", house.clock())
        suppress_people(session, tokens, [ada.id], SuppressionReason.COMPLAINT, house.clock())
        lift(session, tokens, key, "kim", house.clock(), 3)
        session.commit()

    steps = house.all(BounceStep)
    assert [(each.kind, each.reason, each.actor) for each in steps] == [
        (StepKind.SUPPRESSED, "manual", "kim"),
        (StepKind.LIFTED, "manual", "kim"),
    ]
