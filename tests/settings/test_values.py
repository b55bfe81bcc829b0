"""The key of a relay's counters, and what a relay shows of its password."""

from __future__ import annotations

from dataclasses import replace

from newsletter.settings.values import Relay, RelaySecurity

RELAY = Relay("Relay.example.org", 587, RelaySecurity.STARTTLS, "ann", "secret")


def test_two_accounts_at_one_relay_have_separate_counters():
    keys = {RELAY.key, replace(RELAY, username="bob").key, replace(RELAY, username=None).key}

    assert len(keys) == 3
    assert replace(RELAY, username=None).key == "relay.example.org:587"


def test_the_password_and_the_spelling_of_the_host_do_not_change_the_counters():
    assert replace(RELAY, password="other", host="relay.EXAMPLE.org").key == RELAY.key


def test_neither_the_key_nor_the_printed_form_shows_a_secret():
    assert "secret" not in repr(RELAY)
    assert "ann" not in RELAY.key
