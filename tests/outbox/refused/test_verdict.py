"""Test the rule that judges refused addresses, on sequences of delivery outcomes. No database."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.outbox.refused.verdict import (
    AROUND,
    NEAREST,
    DigestOutcome,
    Verdict,
    is_alive,
    is_wrong,
    judge,
)

_ids = count(1)


def outcomes(text: str, *, witness: bool = True) -> list[DigestOutcome]:
    """Return outcomes: a accepted, r refused, o another rejection, t refused and handled."""
    return [
        DigestOutcome(next(_ids), next(_ids), each == "a", each in "rt", witness, handled=each == "t")
        for each in text
    ]


def verdict(before: str, after: str, *, witness: bool = True, others: str = "aaaa") -> Verdict:
    (refusal,) = outcomes("r", witness=witness)
    return judge(
        outcomes(before, witness=witness),
        refusal,
        outcomes(after, witness=witness),
        outcomes(others),
        outcomes(others),
    )


def test_a_rare_refusal_among_acceptances_is_gone():
    assert verdict("a" * 100, "a" * 100) is Verdict.GONE


def test_twenty_acceptances_on_each_side_are_enough():
    assert verdict("a" * 20, "a" * 20) is Verdict.GONE


@pytest.mark.parametrize(("before", "after"), [("a" * 19, "a" * 100), ("a" * 100, "a" * 19), ("", "")])
def test_with_too_few_outcomes_on_one_side_the_address_is_emailed_as_before(before, after):
    assert verdict(before, after) is Verdict.WAIT


def test_addresses_that_never_accepted_anything_bear_no_witness():
    assert verdict("a" * 100, "a" * 100, witness=False) is Verdict.WAIT


def test_three_refusals_in_a_row_are_not_believed():
    assert verdict("a" * 99 + "r", "r" + "a" * 99) is Verdict.WAIT
    assert verdict("a" * 99 + "r", "a" * 100) is Verdict.GONE


def test_a_relay_that_turns_wrong_right_after_is_wrong():
    assert verdict("a" * 100, "a" * 20 + "r" * 80) is Verdict.WRONG


def test_one_refusal_in_four_is_wrong():
    assert verdict("aaar" * 25, "aaar" * 25) is Verdict.WRONG


def test_six_refused_witnesses_on_one_side_are_too_many_to_believe():
    assert verdict("a" * 100, ("a" * 15 + "r") * 6 + "aaaa") is not Verdict.GONE


def test_ten_refusals_of_forty_new_addresses_are_wrong_only_without_a_majority_accepted():
    assert is_wrong(outcomes("r" * 10 + "o" * 12 + "a" * 18, witness=False))
    assert not is_wrong(outcomes("r" * 10 + "a" * 30, witness=False))


@given(st.text("aro", max_size=120))
def test_forty_outcomes_in_a_row_are_looked_at_wherever_they_begin(letters):
    # Of addresses that never accepted anything, so that only the rule about forty in a row counts.
    stretches = [letters[at : at + 40] for at in range(max(1, len(letters) - 39))]
    bad = [each for each in stretches if each.count("r") >= 10 and 2 * each.count("a") <= len(each)]

    assert is_wrong(outcomes(letters, witness=False)) is bool(bad)


def test_what_the_owner_was_asked_about_is_not_wrong_again():
    assert is_wrong(outcomes("a" * 50 + "r" * 50))
    assert not is_wrong(outcomes("a" * 50 + "t" * 50))


def test_but_nothing_near_it_is_believed():
    assert verdict("a" * 80 + "t" * 20, "a" * 100) is Verdict.WAIT


def test_an_imported_list_with_one_address_in_five_dead_is_not_wrong():
    assert not is_wrong(outcomes("aaaar" * 40, witness=False))


@pytest.mark.parametrize(
    ("before", "after", "alive"),
    [
        ("", "a", True),
        ("aaaa", "", False),  # the first refusals of a domain that refuses everybody from now on
        ("", "", False),  # an address that is alone in its domain
        ("r", "a", False),
        ("aaaar", "aaaa", True),
        ("aaaa", "ar", False),
    ],
)
def test_a_domain_is_alive_if_it_accepts_others_afterwards(before, after, alive):
    assert is_alive(outcomes(before), outcomes(after)) is alive


def test_a_domain_that_is_not_alive_leaves_the_address_on_the_list():
    assert verdict("a" * 100, "a" * 100, others="rr") is Verdict.WAIT


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_relay_that_turns_wrong_for_everybody_is_never_believed(good, bad):
    sequence = outcomes("a" * good + "r" * bad)

    for at in range(good, good + bad):
        found = judge(
            sequence[max(0, at - AROUND) : at], sequence[at], sequence[at + 1 : at + 1 + AROUND],
            outcomes("aaaa"), outcomes("aaaa"),
        )  # fmt: skip
        assert found is not Verdict.GONE


@given(st.lists(st.sampled_from("aro"), max_size=2 * AROUND), st.integers(0, 2 * AROUND))
def test_nothing_is_believed_unless_most_of_the_nearest_were_accepted(letters, at):
    at = min(at, len(letters))
    before, after = outcomes("".join(letters[:at])), outcomes("".join(letters[at:]))
    (refusal,) = outcomes("r")

    if judge(before, refusal, after, outcomes("aaaa"), outcomes("aaaa")) is Verdict.GONE:
        for side in (before[-NEAREST:], after[:NEAREST]):
            assert sum(each.accepted for each in side) > NEAREST / 2
