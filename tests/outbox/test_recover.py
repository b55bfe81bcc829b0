"""Deliveries of dead workers are decided under any host name, and those of live workers are not changed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from house import NOON, House, make_settings
from outbox.ledger import Ledger, keep_ledger
from outbox.processes import Fleet, below, count_states, environ_of, issue_for, open_house, until
from sqlalchemy import update

from newsletter.digest.issues import open_issue
from newsletter.models import Delivery, Frequency, Lane
from newsletter.outbox.drain.worker import journal_folder
from newsletter.outbox.journals.holders import lease_holders
from newsletter.outbox.journals.journal import (
    LONGEST_HOST,
    Journal,
    abandoned,
    host_label,
    host_name,
    worker_host,
)
from newsletter.outbox.lease import claim, give_back
from newsletter.outbox.recover import GivenUp, give_up_host, recover
from newsletter.outbox.reports.progress import overdue_leases
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply

OK = Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 ok",)))


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """A relay that records the recipients of accepted messages."""
    with keep_ledger() as kept:
        yield kept


def folder_of(house: House) -> Path:
    return journal_folder(house.runtime.settings)


def subscribers(house: House, count: int) -> int:
    energy = house.topic("energy")
    for _ in range(count):
        house.add_subscriber(energy)
    house.release("A new energy cable")
    return house.open()


def take(house: House, issue_id: int, journal: Journal, count: int) -> list[int]:
    with house.runtime.session() as session:
        ids = claim(session, Lane.BULK, issue_id, journal.name, count, house.clock())
        session.commit()
    return ids


def recover_all(house: House) -> int:
    with house.runtime.session() as session:
        return recover(session, house.runtime.messages, folder_of(house), house.clock())


def give_up(house: House, host: str, *, lapsed_only: bool = False) -> GivenUp:
    with house.runtime.session() as session:
        found = give_up_host(
            session, house.runtime.messages, folder_of(house), host, house.clock(), lapsed_only=lapsed_only
        )
        session.commit()
        return found


def died_as(house: House, issue_id: int, host: str) -> Path:
    """Claim three as a worker on `host` that is killed: one got a reply, one none, one was not offered."""
    journal = Journal(folder_of(house), host)
    heard, unheard, _ = take(house, issue_id, journal, 3)
    journal.start(heard)
    journal.reply(heard, OK)
    journal.start(unheard)
    journal.abandon()
    return journal.path


# Journals are found under any host name.


@pytest.mark.parametrize("name", ["3f2a9c1b7d4e", "web", host_label("n" * 200), "renamed-and-" * 5])
def test_a_container_made_anew_clears_up_after_the_one_before(either_house: House, name: str):
    house = either_house
    issue_id = subscribers(house, 3)
    path = died_as(house, issue_id, host_label(name))

    assert recover_all(house) == 3

    assert house.states() == ["accepted", "uncertain", "queued"]
    assert not path.exists()


def test_a_living_worker_with_another_host_name_is_left_alone(house: House):
    issue_id = subscribers(house, 3)
    journal = Journal(folder_of(house), "another")
    take(house, issue_id, journal, 3)

    assert recover_all(house) == 0

    assert house.states() == ["leased"] * 3
    journal.close()


def test_a_folder_from_another_machine_makes_what_has_no_answer_uncertain(house: House):
    issue_id = subscribers(house, 3)
    path = died_as(house, issue_id, "another")
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["boot 00000000-another-kernel", *lines[1:], ""]))

    assert recover_all(house) == 3

    assert house.states() == ["accepted", "uncertain", "uncertain"]


def test_a_container_killed_in_the_middle_of_an_issue_is_made_anew(tmp_path: Path, ledger: Ledger):
    """Of two real drains, one is killed with all its processes. Its leases get another host's name."""
    count = 1500
    house = open_house(make_settings(tmp_path, relay=ledger.url))
    issue_id = issue_for(house, count)
    with Fleet(environ_of(house), tmp_path / "log") as fleet:
        first = fleet.drain()
        until(lambda: len(ledger.taken) > 300)
        for pid in [*below(first.pid), first.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        first.wait()
        renamed = rename_host(house, "3f2a9c1b7d4e")
        assert fleet.drain().wait(180) == 0

    states = count_states(house)
    assert renamed > 0
    assert states.pop("accepted") + states.pop("uncertain", 0) == count
    assert states == {}
    assert max(ledger.counts.values()) == 1
    assert house.issue_state(issue_id) in {"finished", "sending"}
    house.runtime.engine.dispose()


def rename_host(house: House, name: str) -> int:
    """Change the host name in dead workers' journals and leases; return how many journals."""
    renamed = 0
    for path in folder_of(house).glob("*.journal"):
        other = path.stem.replace(worker_host(path.stem), name)
        with house.runtime.session() as session:
            session.execute(update(Delivery).where(Delivery.leased_by == path.stem).values(leased_by=other))
            session.commit()
        path.rename(path.with_name(f"{other}.journal"))
        renamed += 1
    return renamed


def test_on_a_network_file_system_only_journals_of_this_host_are_read(tmp_path: Path):
    for host in ("web", "web-1", "mars"):
        Journal(tmp_path, host).abandon()

    def found(host: str, network: str | None) -> set[str]:
        return {worker_host(record.name) for record, _ in abandoned(tmp_path, host, network)}

    assert found("web", "nfs4") == {"web"}
    assert found("mars", "cifs") == {"mars"}
    assert found("venus", "nfs4") == set()
    assert found("venus", None) == {"web", "web-1", "mars"}


def test_a_host_name_keeps_63_characters_and_the_name_of_a_worker_fits_its_column(tmp_path: Path):
    one, other = (host_label(f"{'n' * 61}{end}") for end in ("-a", "-b"))
    journal = Journal(tmp_path, one)

    assert LONGEST_HOST == 63
    assert one != other
    assert worker_host(journal.name) == one
    assert len(f"{one}-4194304-01234567") <= Delivery.leased_by.type.length
    journal.close()


# A host that is lost.


def test_the_journal_of_a_lost_host_is_read_and_only_leases_without_one_are_uncertain(either_house: House):
    house = either_house
    issue_id = subscribers(house, 5)
    died_as(house, issue_id, "mars")
    with house.runtime.session() as session:
        claim(session, Lane.BULK, issue_id, "mars-12-abcdef01", 1, NOON)
        claim(session, Lane.BULK, issue_id, "mars-two-7-abcdef02", 1, NOON)
        session.commit()

    found = give_up(house, "mars")

    assert found == GivenUp(decided=4, by_journal=3, alive=0)
    assert house.states() == ["accepted", "uncertain", "queued", "uncertain", "leased"]
    assert list(folder_of(house).iterdir()) == []


def test_giving_up_a_name_leaves_its_living_workers_alone(either_house: House):
    house = either_house
    issue_id = subscribers(house, 3)
    journal = Journal(folder_of(house), host_name())
    take(house, issue_id, journal, 3)
    house.clock.pass_(hours=1)

    assert give_up(house, host_name(), lapsed_only=True) == GivenUp(decided=0, by_journal=0, alive=1)

    assert house.states() == ["leased"] * 3
    journal.close()


def test_a_host_that_lost_its_data_folder_gets_its_leases_back_once_they_have_run_out(either_house: House):
    house = either_house
    issue_id = subscribers(house, 2)
    with house.runtime.session() as session:
        claim(session, Lane.BULK, issue_id, f"{host_name()}-7-abcdef01", 2, NOON)
        session.commit()

    assert give_up(house, host_name(), lapsed_only=True).decided == 0
    house.clock.pass_(hours=1)
    assert give_up(house, host_name(), lapsed_only=True).decided == 2

    assert house.states() == ["uncertain"] * 2


# Who holds leases.


def test_leases_are_told_apart_by_whether_their_journal_is_here(house: House):
    issue_id = subscribers(house, 3)
    journal = Journal(folder_of(house), "any-name")
    here = take(house, issue_id, journal, 1)
    with house.runtime.session() as session:
        claim(session, Lane.BULK, issue_id, "mars-12-abcdef01", 2, NOON)
        session.commit()

    both = lease_holders(house.runtime.reading, folder_of(house))
    with house.runtime.session() as session:
        give_back(session, here, journal.name, NOON)
        session.commit()
    journal.close()
    one = lease_holders(house.runtime.reading, folder_of(house))

    assert (both.here, both.elsewhere) == (True, {"mars": 2})
    assert (one.here, one.elsewhere) == (False, {"mars": 2})
    with house.runtime.reading() as session:
        assert overdue_leases(session, NOON + timedelta(hours=1)) == {"mars": 2}


# Drains.


def open_unprepared(house: House, count: int) -> int:
    """Open an issue for `count` subscribers without preparing it, as `newsletter digest send` does."""
    energy = house.topic("energy")
    for _ in range(count):
        house.add_subscriber(energy)
    house.release("A new energy cable")
    with house.runtime.session() as session:
        issue_id = open_issue(session, [Frequency.WEEKLY], actor="test", now=house.clock()).id
        session.commit()
        return issue_id


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_drain_prepares_the_issues_that_are_open(
    tmp_path: Path, ledger: Ledger, database: str, request: pytest.FixtureRequest
):
    url = request.getfixturevalue("upgraded_url") if database == "postgresql" else ""
    house = open_house(make_settings(tmp_path, relay=ledger.url, database_url=url))
    issue_id = open_unprepared(house, 40)

    with Fleet(environ_of(house), tmp_path / "log") as fleet:
        assert fleet.drain().wait(120) == 0

    assert len(ledger.taken) == len(ledger.counts) == 40
    assert house.issue_state(issue_id) == "finished"
    house.runtime.engine.dispose()


def test_a_drain_names_the_host_that_still_holds_deliveries_and_ends_with_1(tmp_path: Path, ledger: Ledger):
    house = open_house(make_settings(tmp_path, relay=ledger.url))
    issue_id = issue_for(house, 20)
    with house.runtime.session() as session:
        claim(session, Lane.BULK, issue_id, "mars-12-abcdef01", 3, house.clock())
        session.commit()
    log = tmp_path / "log"

    with Fleet(environ_of(house), log) as fleet:
        assert fleet.drain().wait(120) == 1

    assert len(ledger.taken) == 17
    assert "3 deliveries are held by the host mars" in log.read_text()
    assert count_states(house) == {"accepted": 17, "leased": 3}
    house.runtime.engine.dispose()


def test_a_drain_waits_for_a_living_worker_of_its_folder_and_sends_what_that_gives_back(
    tmp_path: Path, ledger: Ledger
):
    house = open_house(make_settings(tmp_path, relay=ledger.url))
    issue_id = issue_for(house, 20)
    journal = Journal(folder_of(house), "another-name")
    held = take(house, issue_id, journal, 5)

    with Fleet(environ_of(house), tmp_path / "log") as fleet:
        drain = fleet.drain()
        until(lambda: len(ledger.taken) == 15)
        assert drain.poll() is None
        with house.runtime.session() as session:
            give_back(session, held, journal.name, house.clock())
            session.commit()
        journal.close()
        assert drain.wait(120) == 0

    assert len(ledger.taken) == len(ledger.counts) == 20
    house.runtime.engine.dispose()


def test_a_drain_goes_on_when_the_worker_it_waits_for_dies(tmp_path: Path, ledger: Ledger):
    house = open_house(make_settings(tmp_path, relay=ledger.url))
    issue_id = issue_for(house, 20)
    journal = Journal(folder_of(house), "another-name")
    take(house, issue_id, journal, 5)

    with Fleet(environ_of(house), tmp_path / "log") as fleet:
        drain = fleet.drain()
        until(lambda: len(ledger.taken) == 15)
        journal.abandon()
        assert drain.wait(120) == 0

    assert len(ledger.taken) == len(ledger.counts) == 20
    assert count_states(house) == {"accepted": 20}
    house.runtime.engine.dispose()
