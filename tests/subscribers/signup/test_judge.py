"""Judging a sign-up: plain values in, faults out."""

from __future__ import annotations

import pytest

from newsletter.address_rules.pattern import Pattern
from newsletter.subscribers.signup.judge import (
    MOST_TOPICS,
    SignupFault,
    SignupFields,
    SignupRules,
    judge_signup,
)

RULES = SignupRules({"solar", "wind"}, {"thrown.example"}, refuse_role=True)


def judged(email="joe@example.org", topics=("solar",), frequency="weekly", **more):
    return judge_signup(SignupFields(email=email, topics=topics, frequency=frequency, **more), RULES)


def test_a_sign_up_without_faults_has_its_address():
    found = judged(" Joe@Example.org ")

    assert (found.topics, found.frequency, found.email.fault) == (None, None, None)
    assert found.email.address.canonical == "joe@example.org"


@pytest.mark.parametrize(
    ("topics", "fault"),
    [
        ((), SignupFault.NO_TOPIC),
        (("solar",) * (MOST_TOPICS + 1), SignupFault.TOO_MANY_TOPICS),
        (("solar", "coal"), SignupFault.UNKNOWN_TOPIC),
    ],
)
def test_topics_that_cannot_be_chosen_are_a_fault(topics, fault):
    assert judged(topics=topics).topics is fault


@pytest.mark.parametrize(("frequency", "more"), [(None, {}), ("hourly", {}), ("daily", {"solar": "hourly"})])
def test_a_frequency_that_does_not_exist_is_a_fault(frequency, more):
    assert judged(frequency=frequency, topic_frequencies=more).frequency is SignupFault.UNKNOWN_FREQUENCY


def test_a_topic_without_a_frequency_of_its_own_has_the_one_for_all():
    assert judged(topic_frequencies={"solar": "", "wind": "daily"}).frequency is None


@pytest.mark.parametrize(
    ("email", "fault"),
    [
        ("joe", SignupFault.INVALID_ADDRESS),
        ("joe@mx.thrown.example", SignupFault.DISPOSABLE_ADDRESS),
        ("postmaster@example.org", SignupFault.ROLE_ADDRESS),
        ("joe@gmial.com", SignupFault.LIKELY_TYPO),
    ],
)
def test_an_address_that_is_not_taken_is_a_fault(email, fault):
    assert judged(email).email.fault is fault


def test_a_likely_typo_is_asked_about_once():
    asked = {"asked_about": "joe@gmial.com"}

    first, kept = judged("joe@gmial.com").email, judged("joe@gmial.com", **asked).email
    changed = judged("joe@gmial.com", **asked, use=first.suggestion).email

    assert first.suggestion == "joe@gmail.com"
    assert (kept.fault, kept.address.text) == (None, "joe@gmial.com")
    assert (changed.fault, changed.address.text) == (None, "joe@gmail.com")


@pytest.mark.parametrize(
    ("pattern", "address", "fault"),
    [
        ("thrown.example", "joe@thrown.example", None),
        ("thrown.example", "joe@mx.thrown.example", SignupFault.DISPOSABLE_ADDRESS),
        ("*.thrown.example", "joe@mx.thrown.example", None),
        ("jo*@thrown.example", "ann@thrown.example", SignupFault.DISPOSABLE_ADDRESS),
        ("thrown.example", "abuse@thrown.example", SignupFault.ROLE_ADDRESS),
    ],
)
def test_an_allowed_pattern_is_not_refused_as_disposable(pattern, address, fault):
    local, _, host = pattern.rpartition("@")
    allowed = [Pattern(host, local or "*")]
    rules = SignupRules({"solar"}, {"thrown.example"}, lambda: allowed, refuse_role=True)

    found = judge_signup(SignupFields(email=address, topics=("solar",), frequency="weekly"), rules)

    assert found.email.fault is fault


@pytest.mark.parametrize(
    ("address", "times"), [("joe@example.org", 0), ("joe", 0), ("joe@mx.thrown.example", 1)]
)
def test_the_allowed_patterns_are_read_for_a_disposable_domain_only(address, times):
    reads = []
    rules = SignupRules({"solar"}, {"thrown.example"}, lambda: reads.append("read") or [])

    judge_signup(SignupFields(email=address, topics=("solar",), frequency="weekly"), rules)

    assert len(reads) == times
