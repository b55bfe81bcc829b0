"""What a relay has answered is in the database within two seconds, though one message keeps it waiting."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from house import House, make_settings
from outbox.processes import open_house, until
from servers.smtp import SMTPSink

from newsletter.models import DeliveryState, Lane
from newsletter.outbox.drain.worker import drain
from newsletter.outbox.reports.progress import progress
from newsletter.smtp.endpoint import Endpoint
from newsletter.smtp.transport import SMTPTransport

SUBSCRIBERS = 12


@contextmanager
def draining(house: House, connections: int) -> Iterator[None]:
    """Drain in a thread of its own, over this many connections at most; wait for its end after the block."""
    endpoint = Endpoint(house.runtime.settings.relay, max_connections=connections)
    with closing(SMTPTransport(endpoint)) as transport:
        thread = threading.Thread(
            target=drain, args=(house.runtime, lambda _: transport), kwargs={"lane": Lane.BULK}
        )
        thread.start()
        try:
            yield
        finally:
            thread.join(60)
        assert not thread.is_alive()


def accepted(house: House, issue_id: int) -> int:
    with house.runtime.reading() as session:
        found = progress(session, issue_id, house.clock())
    return found.by_state.get(DeliveryState.ACCEPTED, 0)


def open_for_subscribers(tmp_path: Path, sink: SMTPSink, database_url: str = "") -> tuple[House, int]:
    house = open_house(make_settings(tmp_path, relay=sink.url, database_url=database_url))
    energy = house.topic("energy")
    for number in range(1, SUBSCRIBERS + 1):
        house.add_subscriber(energy, name=f"reader{number}")
    house.release("A new energy cable")
    return house, house.open()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_one_message_that_is_not_answered_hides_no_other_outcome(
    tmp_path: Path, smtp_sink: SMTPSink, database: str, request: pytest.FixtureRequest
):
    url = request.getfixturevalue("upgraded_url") if database == "postgresql" else ""
    house, issue_id = open_for_subscribers(tmp_path, smtp_sink, url)
    smtp_sink.slow_data.add("reader4@example.org")

    with draining(house, connections=2):
        try:
            # Two more may wait behind it in its connection; all others are with the relay.
            until(lambda: accepted(house, issue_id) == len(smtp_sink.mails) >= SUBSCRIBERS - 3, 60)
            assert house.issue_state(issue_id) == "sending"
        finally:
            smtp_sink.slow_data.clear()

    assert accepted(house, issue_id) == SUBSCRIBERS
    assert house.issue_state(issue_id) == "finished"
    house.runtime.engine.dispose()


def test_a_recipient_that_is_not_answered_does_not_hide_the_message_before(
    tmp_path: Path, smtp_sink: SMTPSink
):
    house, issue_id = open_for_subscribers(tmp_path, smtp_sink)
    smtp_sink.slow_rcpt.add("reader6@example.org")

    with draining(house, connections=1):
        try:
            until(lambda: accepted(house, issue_id) == 5, 60)
        finally:
            smtp_sink.slow_rcpt.clear()

    assert accepted(house, issue_id) == SUBSCRIBERS
    house.runtime.engine.dispose()
