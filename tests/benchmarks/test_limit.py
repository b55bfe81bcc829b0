"""The machine's limit, and the share of it that a rate reaches."""

from __future__ import annotations

import os

import pytest

from benchmarks.limit import Limit, minimal_limit, signature_seconds


def test_the_limit_is_all_cores_busy_with_signatures_the_sender_and_the_sink():
    cores = os.cpu_count() or 1
    limit = Limit(signature_seconds=0.0005, sender_seconds=0.0001, sink_seconds=0.0004)

    found = limit.figures(rate=500 * cores)

    assert found["limit"] == 1000 * cores
    assert found["share"] == 0.5
    assert found["signature_ms"] == 0.5


def test_openssl_says_what_a_signature_costs():
    assert 0.00001 < signature_seconds() < 0.1


@pytest.mark.parametrize("signed", [True, False])
def test_the_minimal_sender_sends_every_message(signed):
    limit = minimal_limit(300, 40_000, signed=signed)

    assert (limit.signature_seconds > 0) is signed
    assert 0 < limit.sender_seconds < 0.1
