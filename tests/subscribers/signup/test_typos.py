"""Typing errors in domains, and real domains that only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.subscribers.signup.typos import COMMON, REAL, suggest_domain


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("gmial.com", "gmail.com"),
        ("gmal.com", "gmail.com"),
        ("gmaill.com", "gmail.com"),
        ("gnail.com", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("hotmial.com", "hotmail.com"),
        ("outlok.com", "outlook.com"),
        ("yaho.com", "yahoo.com"),
    ],
)
def test_a_slip_is_noticed(typed, meant):
    assert suggest_domain(typed) == meant


@pytest.mark.parametrize("domain", [*COMMON, *REAL, "example.org", "a.b", "gmail.com.lt", "hot.com"])
def test_a_domain_that_may_well_be_meant_is_left_alone(domain):
    assert suggest_domain(domain) is None


@given(st.sampled_from(COMMON), st.data())
def test_any_single_slip_in_a_common_domain_is_noticed(domain, data):
    at = data.draw(st.integers(0, len(domain) - 1))
    slips = [
        domain[:at] + domain[at + 1 :],
        domain[:at] + "x" + domain[at:],
        domain[:at] + "x" + domain[at + 1 :],
        domain[:at] + domain[at : at + 2][::-1] + domain[at + 2 :],
    ]

    for slip in slips:
        assert slip in COMMON or slip in REAL or suggest_domain(slip) is not None
