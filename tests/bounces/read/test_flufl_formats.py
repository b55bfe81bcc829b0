"""What flufl.bounce is asked, and what it is not given."""

from __future__ import annotations

import logging

import pytest

from newsletter.bounces.read.flufl_formats import LARGEST_BYTES, MOST_LIBRARY_PARTS, MOST_LINES, scan
from newsletter.bounces.read.parts import cut

TEXT = b"From: x@y.example\n\nInvalid final delivery userid: ada@harbour.example\n"


def test_the_library_names_an_address():
    assert scan(TEXT, cut(TEXT)) == (set(), {"ada@harbour.example"})


@pytest.mark.parametrize("more", [b" " * LARGEST_BYTES, b"\n" * MOST_LINES])
def test_a_large_message_is_not_given_to_the_library(more):
    raw = TEXT + more

    assert scan(raw, cut(raw)) == (set(), set())


def test_a_message_of_many_parts_is_not_given_to_the_library():
    parts = cut(TEXT) * (MOST_LIBRARY_PARTS + 1)

    assert scan(TEXT, parts) == (set(), set())


def test_the_library_fills_no_log(caplog: pytest.LogCaptureFixture):
    """A From that is not ASCII makes some of its detectors raise, which it logs with a traceback."""
    raw = "From: Zoë <mailer-daemon@mx.example>\nSubject: failure notice\n\nfailed\n".encode("latin-1")

    with caplog.at_level(logging.INFO):
        scan(raw, cut(raw))

    assert caplog.records == []
