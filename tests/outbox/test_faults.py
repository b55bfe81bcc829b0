"""Two drains at once, a slow worker, a clock set back, a full disk: no email is lost or sent twice."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from house import NOON, House, make_settings
from memory_transport import MemoryTransport
from outbox.ledger import Ledger, keep_ledger
from outbox.processes import (
    Fleet,
    address,
    count_states,
    environ_of,
    issue_for,
    open_house,
    recipients_in,
)
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError

from newsletter.models import Lane
from newsletter.outbox.drain.worker import drain, journal_folder
from newsletter.outbox.recover import recover
from newsletter.service.relay_transport import Transports
from newsletter.smtp.outcomes import Envelope, Outcome
from newsletter.smtp.replies import Reply


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A relay that records the recipients of accepted messages."""
    with keep_ledger() as kept:
        yield kept


class Interrupted(MemoryTransport):
    """Calls `meanwhile` once, in the middle of message number `at`."""

    def __init__(self, at: int, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._count, self._at, self._meanwhile = 0, at, meanwhile

    def _deliver(self, envelope: Envelope, content: bytes) -> Outcome:
        self._count += 1
        if self._count == self._at:
            self._meanwhile()
        outcome = super()._deliver(envelope, content)
        # Some relays send long replies, which need room in the journal.
        reply = Reply(250, ("2.0.0 " + 9 * "kept in the queue of this relay until it is passed on. ",))
        return replace(outcome, reply=reply)


def recover_all(house: House) -> int:
    with house.runtime.session() as session:
        return recover(session, house.runtime.messages, journal_folder(house.runtime.settings), house.clock())


def twelve_subscribers(house: House) -> int:
    energy = house.topic("energy")
    for _ in range(12):
        house.add_subscriber(energy)
    house.release("A new energy cable")
    return house.open()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_two_drains_at_once_take_each_subscriber_once(
    tmp_path: Path, ledger: Ledger, database: str, request: pytest.FixtureRequest
):
    subscribers = 2500
    url = request.getfixturevalue("upgraded_url") if database == "postgresql" else ""
    house = open_house(make_settings(tmp_path, relay=ledger.url, database_url=url))
    issue_id = issue_for(house, subscribers)

    with Fleet(environ_of(house), tmp_path / "log") as fleet:
        drains = [fleet.drain(), fleet.drain()]
        ends = [each.wait(180) for each in drains]

    assert ends == [0, 0]
    assert sorted(ledger.taken) == [address(number) for number in range(1, subscribers + 1)]
    assert count_states(house) == {"accepted": subscribers}
    assert house.issue_state(issue_id) == "finished"
    house.runtime.engine.dispose()


def test_a_lease_that_runs_out_under_a_slow_worker_is_nobody_elses(either_house: House):
    house = either_house
    issue_id = twelve_subscribers(house)
    found = []

    def others_look() -> None:
        house.clock.pass_(hours=2)
        found.append(recover_all(house))
        found.append(house.drain())

    slow = Interrupted(5, others_look)
    drain(house.runtime, lambda _: slow, lane=Lane.BULK)

    assert found == [0, 0]
    assert house.transport.sent == []
    assert len({each.envelope.recipient for each in slow.sent}) == len(slow.sent) == 12
    assert house.states() == ["accepted"] * 12
    assert house.issue_state(issue_id) == "finished"


def test_a_clock_set_back_an_hour_loses_and_repeats_nothing(either_house: House):
    house = either_house
    issue_id = twelve_subscribers(house)

    def set_back() -> None:
        house.clock.pass_(hours=-1)
        assert recover_all(house) == 0

    house.transport = Interrupted(5, set_back)
    house.drain()
    house.clock.pass_(hours=1)
    house.drain()

    assert len(set(house.recipients())) == len(house.recipients()) == 12
    assert house.states() == ["accepted"] * 12
    assert house.issue_state(issue_id) == "finished"


def test_a_delivery_waiting_when_the_clock_is_set_back_goes_in_its_time(house: House):
    twelve_subscribers(house)
    house.clock.pass_(hours=-1)

    assert house.drain() == 0

    house.clock.moment = NOON
    assert house.drain() == 12


def test_a_full_disk_under_the_journal_stops_and_goes_on(tmp_path: Path, ledger: Ledger, upgraded_url: str):
    """A limit on file size acts as a full disk. The database is a server, so only the journal meets it."""
    subscribers, log = 3000, tmp_path / "log"
    house = open_house(make_settings(tmp_path, relay=ledger.url, database_url=upgraded_url))
    issue_id = issue_for(house, subscribers)

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16 * 1024, resource.RLIM_INFINITY))

    with Fleet(environ_of(house, NEWSLETTER_SEND_WORKERS="1"), log) as fleet:
        fleet.start("worker", "--drain", before=little_room).wait(180)
        sent_before = len(ledger.taken)
        assert 0 < sent_before < subscribers
        assert "cannot write the journal" in log.read_text()

        assert fleet.drain().wait(180) == 0

    # The process still knows the relay's replies, although the journal has no room for them.
    assert recipients_in(house, "uncertain") == set()
    assert set(count_states(house)) <= {"accepted", "deferred"}
    house.clock.pass_(hours=1)
    with closing(Transports(house.runtime.settings)) as transports:
        drain(house.runtime, transports.to, lane=Lane.BULK)
    assert sorted(ledger.taken) == [address(number) for number in range(1, subscribers + 1)]
    assert house.issue_state(issue_id) == "finished"
    house.runtime.engine.dispose()


def test_a_full_disk_under_the_database_stops_and_goes_on(house: House):
    subscribers = 1200
    issue_id = issue_for(house, subscribers)
    full = False

    @event.listens_for(house.runtime.engine, "checkout")
    def limit(connection: sqlite3.Connection, *_: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0] if full else 2**31 - 2
        connection.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        nonlocal full
        full = True

    first = Interrupted(100, fill)
    with pytest.raises(DatabaseError, match="full"):
        while drain(house.runtime, lambda _: first, lane=Lane.BULK):
            pass
    assert 100 <= len(first.sent) < subscribers

    full = False
    recover_all(house)
    house.drain()

    recipients = [each.envelope.recipient for each in (*first.sent, *house.transport.sent)]
    assert sorted(recipients) == [address(number) for number in range(1, subscribers + 1)]
    assert count_states(house) == {"accepted": subscribers}
    assert house.issue_state(issue_id) == "finished"


def test_a_drain_leaves_what_the_relays_limits_keep_back_to_whoever_runs_next(tmp_path: Path, ledger: Ledger):
    house = open_house(make_settings(tmp_path, relay=ledger.url))
    issue_id = issue_for(house, 80)
    limited = {"NEWSLETTER_RELAY": f"{ledger.url}?per_hour=40"}

    with Fleet(environ_of(house, **limited), tmp_path / "log") as fleet:
        assert fleet.drain().wait(60) == 0

    # The rest is kept for single emails, and for issues that go first.
    assert len(set(ledger.taken)) == len(ledger.taken) == 34
    assert count_states(house) == {"accepted": 34, "queued": 46}
    assert house.issue_state(issue_id) == "sending"
    house.runtime.engine.dispose()


def test_a_full_disk_under_a_drain_is_told_in_a_sentence(tmp_path: Path, ledger: Ledger):
    house = open_house(make_settings(tmp_path, relay=ledger.url))
    issue_for(house, 3000)
    log, size = tmp_path / "log", (tmp_path / "newsletter.sqlite3").stat().st_size
    house.runtime.engine.dispose()

    def little_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    with Fleet(environ_of(house, NEWSLETTER_SEND_WORKERS="1"), log) as fleet:
        assert fleet.start("worker", "--drain", before=little_room).wait(60) == 1
        told = log.read_text()
        assert "free space on the disk" in told
        assert "Traceback" not in told

        assert fleet.drain().wait(120) == 0
    assert set(count_states(house)) <= {"accepted", "deferred"}
    house.runtime.engine.dispose()
