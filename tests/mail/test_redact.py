"""Email addresses are replaced in every form in which relays and databases quote them."""

from __future__ import annotations

import pytest

from newsletter.mail.redact import HIDDEN, without_addresses


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 <ann@example.org> unknown", f"550 <{HIDDEN}> unknown"),
        ("550 5.1.1 ann@example.org: no such user", f"550 5.1.1 {HIDDEN}: no such user"),
        (
            "see https://relay.example/why?mail=ann%40example.org&x=1",
            f"see https://relay.example/why?{HIDDEN}&x=1",
        ),
        ('550 "ann smith"@example.org is unknown', f"550 {HIDDEN} is unknown"),
        ("Key (email)=(ann@example.org) already exists", f"Key (email)=({HIDDEN}) already exists"),
        ("ann@example.org;bob@example.org", f"{HIDDEN};{HIDDEN}"),
    ],
)
def test_each_address_is_replaced(text, expected):
    assert without_addresses(text) == expected


@pytest.mark.parametrize("text", ["", "250 2.0.0 Ok: queued as 4F1", "554 100% of your quota is used"])
def test_text_without_an_address_stays_the_same(text):
    assert without_addresses(text) == text
