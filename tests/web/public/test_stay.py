"""The button of a probe email: it says that the emails arrive, and a visit alone changes nothing."""

from __future__ import annotations

import pytest
from house import suppress_people

from newsletter import suppression
from newsletter.bounces.history.steps import list_steps_of
from newsletter.models import Delivery, Probe, ProbeResult, StepKind, SuppressionReason
from newsletter.subscribers.choices.stay import read_stay
from newsletter.tokens import Purpose

ANN = "ann@example.org"


@pytest.fixture
def probed(visitor):
    """Somebody whose emails came back, and who was sent a probe email."""
    visitor.sign_up()
    visitor.resolve()
    visitor.fill(visitor.confirm_path())
    with visitor.house.runtime.session() as session:
        session.add(Probe(subscriber_id=visitor.person().id, delivery_id=99, begun_at=visitor.house.clock()))
        session.commit()
    return visitor


def path_of(visitor, number=1):
    proof = visitor.house.runtime.tokens.fingerprint(ANN)
    return "/stay/" + visitor.token(Purpose.STAY, visitor.person().public_id, proof, number)


def suppress(visitor, reason):
    tokens = visitor.house.runtime.tokens
    with visitor.house.runtime.session() as session:
        suppress_people(session, tokens, [visitor.person().id], reason, visitor.house.clock())
        session.commit()


def is_suppressed(visitor):
    with visitor.house.runtime.session() as session:
        return suppression.is_suppressed(session, visitor.house.runtime.tokens, ANN)


def steps(visitor):
    with visitor.house.runtime.reading() as session:
        return [each.kind for each in list_steps_of(session, ANN)][::-1]


def test_a_visit_changes_nothing_and_the_button_passes_the_probe(probed):
    path = path_of(probed)
    for _ in range(3):
        assert "keep sending me emails" in probed.get(path).text
    assert steps(probed) == []

    answer = probed.fill(path)

    assert answer.status_code == 303
    assert "our emails reach you" in probed.get(answer.location).text
    assert steps(probed) == [StepKind.PROBE_PASSED, StepKind.RESET]
    assert [each.result for each in probed.house.all(Probe)] == [ProbeResult.PASSED]
    probed.fill(path)
    assert len(steps(probed)) == 2


def test_the_button_lifts_what_a_failed_probe_did(probed):
    suppress(probed, SuppressionReason.SOFT_BOUNCE)

    probed.fill(path_of(probed))

    assert not is_suppressed(probed)
    assert steps(probed) == [
        StepKind.SUPPRESSED,
        StepKind.PROBE_PASSED,
        StepKind.LIFTED,
        StepKind.RESET,
    ]


@pytest.mark.parametrize("reason", [SuppressionReason.COMPLAINT, SuppressionReason.HARD_BOUNCE])
def test_the_button_lifts_no_other_suppression_and_says_whom_to_ask(probed, reason):
    suppress(probed, reason)
    path = path_of(probed)

    assert "write to us" in probed.get(path).text
    probed.fill(path)

    assert is_suppressed(probed)
    assert "write to us" in probed.get(path).text


@pytest.mark.parametrize("number", [2, 99])
def test_a_link_of_another_probe_is_damaged(probed, number):
    assert probed.get(path_of(probed, number)).status_code == 404


def test_the_email_leads_to_the_page_and_has_the_headers_of_a_list(probed):
    house = probed.house
    with house.runtime.session() as session:
        session.add(
            Delivery(
                lane="single", subscriber_id=probed.person().id, template="probe", context={"probe": 1},
                purpose_key="probe:1", state="queued", due_at=house.clock(), created_at=house.clock(),
            )
        )  # fmt: skip
        session.commit()
    house.drain("single")

    content = house.transport.sent[-1].content

    assert b"/stay/" in content
    assert b"List-Unsubscribe-Post" in content
    assert b"Auto-Submitted" in content


def test_a_forged_link_reads_nothing(probed):
    with probed.house.runtime.reading() as session:
        found = read_stay(session, probed.house.runtime.tokens, "a.b", probed.house.clock())

    assert not hasattr(found, "done")


def test_the_page_after_a_sign_up_says_whom_to_ask_if_no_email_comes(visitor):
    page = visitor.get(visitor.sign_up().location)

    assert "addresses that returned our emails or reported them as unwanted" in page.text
