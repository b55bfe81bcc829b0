"""A person takes a step back: what it did ends, once, and the audit log says who did it."""

from __future__ import annotations

import pytest
from bounces.reports.test_receive import COMPLAINT, keys, report, take
from bounces.rules.test_probes import ada, send_probe, steps
from bounces.rules.test_probes import house as _house
from house import House

from newsletter.bounces.history.undo import undo
from newsletter.errors import NotFound, StateConflict
from newsletter.mail.verp import delivery_token
from newsletter.models import (
    AuditEntry,
    BounceStep,
    Delivery,
    Probe,
    ProbeResult,
    StepKind,
    Suppression,
)
from newsletter.service.returned_mail import follow_up

house = _house


def take_back(house: House, kind: StepKind) -> None:
    """Undo the newest step of this kind."""
    number = max(each.id for each in house.all(BounceStep) if each.kind is kind)
    with house.runtime.session() as session:
        undo(session, house.runtime.tokens, number, "kim", house.clock(), 3)
        session.commit()


def test_an_undone_failure_does_not_count(house: House):
    take_back(house, StepKind.SOFT)

    follow_up(house.runtime)

    assert house.all(Probe) == []
    assert steps(house)[-1] is StepKind.UNDONE
    assert [each.actor for each in house.all(AuditEntry) if each.action == "bounce.undo"] == ["kim"]


def test_an_undone_probe_ends_and_is_not_sent(house: House):
    follow_up(house.runtime)

    take_back(house, StepKind.PROBED)

    assert [each.result for each in house.all(Probe)] == [ProbeResult.ENDED]
    assert house.drain("single") == 0


@pytest.mark.parametrize("kind", [StepKind.SUPPRESSED, StepKind.PROBE_FAILED])
def test_an_undone_suppression_is_lifted(house: House, kind: StepKind):
    probe = send_probe(house)
    take(house, report(house, delivery=probe.id))
    follow_up(house.runtime)
    assert len(house.all(Suppression)) == 1

    take_back(house, kind)

    assert house.all(Suppression) == []
    assert steps(house)[-2:] == [StepKind.LIFTED, StepKind.UNDONE]


def test_an_undone_complaint_is_lifted_and_leaves_the_rates(house: House):
    first = min(each.id for each in house.all(Delivery))
    token = delivery_token(str(first), keys(house).return_path)
    house.clock.pass_(days=-20)
    take(house, COMPLAINT % token.encode())
    assert len(house.all(Suppression)) == 1

    take_back(house, StepKind.COMPLAINT)

    assert house.all(Suppression) == []
    assert {each.complained_at for each in house.all(Delivery)} == {None}


def test_an_undone_hard_bounce_is_not_judged(either_house: House):
    house = either_house
    house.add_subscriber(house.topic("harbours"), name="ada")
    house.release("Harbours open")
    house.send()
    take(house, report(house))

    take_back(house, StepKind.HARD)

    (delivery,) = house.all(Delivery)
    assert (delivery.bounced_at, delivery.verdict) == (None, None)
    assert ada(house).email


def test_a_step_is_undone_once_and_a_note_never(house: House):
    take_back(house, StepKind.SOFT)
    steps_there = {each.kind: each.id for each in house.all(BounceStep) if not each.undone_at}
    undone = next(each.id for each in house.all(BounceStep) if each.undone_at)

    with house.runtime.session() as session:
        for number, fault in (
            (undone, StateConflict),
            (steps_there[StepKind.UNDONE], StateConflict),
            (987_654, NotFound),
        ):
            with pytest.raises(fault):
                undo(session, house.runtime.tokens, number, "kim", house.clock(), 3)
