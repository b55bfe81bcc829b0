"""Events: their keys, and what a failure means by the words of a provider."""

from __future__ import annotations

from newsletter.bounces.providers.event import NOTHING, bounce, complaint, failure, late, make_event
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind


def test_an_event_without_an_id_is_known_by_its_content():
    first = make_event({"a": "1", "b": "2"}, "", NOTHING, [])
    same = make_event({"b": "2", "a": "1"}, "", NOTHING, [])
    other = make_event({"b": "2", "a": "3"}, "", NOTHING, [])

    assert first.key == same.key != other.key
    assert make_event({}, "given", NOTHING, []).key == "given"


def test_the_words_of_the_server_decide_without_a_reason_of_the_provider():
    words = "550 5.1.1 user unknown"

    assert failure("a@b.example", words, permanent=True).hard
    assert not failure("a@b.example", words, permanent=False).hard
    assert (
        failure("a@b.example", "5.7.1 listed", permanent=True, otherwise=Reason.NO_SUCH_USER).reason
        is Reason.POLICY
    )
    assert failure("a@b.example", "gone fishing", permanent=True, otherwise=Reason.NO_SUCH_USER).hard
    assert not failure("a@b.example", "gone fishing", permanent=True).hard
    assert failure("a@b.example", words, permanent=True, reason=Reason.POLICY).reason is Reason.POLICY
    assert failure("a@b.example", "", status="4.2.2", permanent=False).status == "4.2.2"


def test_a_late_email_is_never_hard():
    (found,) = late("a@b.example", "550 5.1.1 user unknown").failures

    assert (found.hard, found.delayed) == (False, True)


def test_a_failure_without_an_address_is_no_report():
    assert failure("", "550 5.1.1", permanent=True) is None
    assert bounce(None) is NOTHING
    assert complaint("", "a@b.example").complaints == ("a@b.example",)
    assert complaint().kind is Kind.COMPLAINT
