"""Log lines contain ids and no address, whichever code wrote them."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from newsletter.service.logs import KeyValueFormatter


@dataclass(frozen=True)
class Log:
    """A logger for one test, and its output."""

    logger: logging.Logger
    written: io.StringIO

    def lines(self) -> str:
        return self.written.getvalue()


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log(logging.getLogger("newsletter.test"), io.StringIO())
    handler = logging.StreamHandler(made.written)
    handler.setFormatter(KeyValueFormatter())
    made.logger.addHandler(handler)
    yield made
    made.logger.removeHandler(handler)


def test_a_line_is_key_and_value(log):
    log.logger.warning("event=signups_dropped count=%d", 3)

    line = log.lines()
    assert line.startswith("time=")
    assert line.endswith("Z level=warning logger=newsletter.test event=signups_dropped count=3\n")


@pytest.mark.parametrize(
    "address",
    ["ann@example.org", "Ann.Lindqvist+news@example.org", "päivi@bücher.example", "ann%40example.org"],
)
def test_an_address_in_a_message_or_a_traceback_is_hidden(log, address):
    try:
        raise ValueError(f"Key (email_key)=({address}) already exists.")
    except ValueError:
        log.logger.exception("event=broken said=%s request_id=7", f"550 5.1.1 <{address}> unknown")

    assert address not in log.lines()
    assert "Key (email_key)=((an address)) already exists." in log.lines()
    assert "request_id=7" in log.lines()
