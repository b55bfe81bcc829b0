"""Processes are killed at random, twenty times in one issue: no email is lost, and none is sent twice."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from house import House, make_settings
from outbox.ledger import Ledger, keep_ledger
from outbox.processes import (
    Fleet,
    address,
    below,
    count_states,
    environ_of,
    gone,
    issue_for,
    open_house,
    recipients_in,
    resend,
    until,
)
from servers.processes import free_port as unused_port
from servers.redis import redis_on

SUBSCRIBERS = 10_000
KILLS = 20


def kill(*pids: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def draining_under_fire(fleet: Fleet, ledger: Ledger, chance: random.Random, instants: list[int]) -> None:
    """Send everything; when the ledger reaches each of `instants`, kill one process or all of them."""
    drain: subprocess.Popen[bytes] = fleet.drain()
    for instant in instants:
        while len(ledger.taken) < instant:
            if drain.poll() is not None:  # all that drained were killed
                drain = fleet.drain()
            with suppress(subprocess.TimeoutExpired):
                drain.wait(0.002)
        # It may be in the middle of a message, a commit or a claim.
        with suppress(subprocess.TimeoutExpired):
            drain.wait(chance.uniform(0, 0.1))
        children = below(drain.pid)
        if chance.random() < 0.4 or not children:
            kill(drain.pid)  # its children end with it, at an instant of their own
            drain.wait()
            until(lambda children=children: all(map(gone, children)))
        else:
            kill(chance.choice(children))
    while drain.wait(180):
        drain = fleet.drain()
    assert fleet.drain().wait(180) == 0


def check_before_and_after_resending(house: House, ledger: Ledger, issue_id: int, subscribers: int) -> str:
    """Compare the ledger with the states of deliveries; resend uncertain ones, and compare again."""
    everybody = {address(number) for number in range(1, subscribers + 1)}
    uncertain = recipients_in(house, "uncertain")
    once, missing = ledger.counts, everybody - set(ledger.taken)
    figures = (
        f"cut={ledger.cut} uncertain={len(uncertain)} of these taken={len(uncertain & set(once))}"
        f" duplicates={len(ledger.taken) - len(once)} missing={len(missing)}"
    )
    assert len(ledger.taken) == len(once), figures
    assert missing <= uncertain, figures
    assert len(uncertain) <= ledger.cut, figures
    assert count_states(house) == {
        state: count
        for state, count in (("accepted", subscribers - len(uncertain)), ("uncertain", len(uncertain)))
        if count
    }

    assert resend(house, issue_id) == len(uncertain)
    with Fleet(environ_of(house), house.runtime.settings.data_dir / "log") as fleet:
        assert fleet.drain().wait(180) == 0

    twice = {recipient for recipient, count in ledger.counts.items() if count > 1}
    assert set(ledger.taken) == everybody
    assert twice == uncertain - missing
    assert max(ledger.counts.values()) <= 2
    assert count_states(house) == {"accepted": subscribers}
    assert house.issue_state(issue_id) == "finished"
    return figures


def test_twenty_kills_in_one_issue_lose_nobody_and_repeat_nobody(tmp_path: Path, record_property):
    chance = random.Random(20)
    with keep_ledger() as ledger:
        house = open_house(make_settings(tmp_path, relay=ledger.url))
        issue_id = issue_for(house, SUBSCRIBERS)
        instants = sorted(chance.randrange(SUBSCRIBERS - 1500) for _ in range(KILLS))

        with Fleet(environ_of(house), tmp_path / "log") as fleet:
            draining_under_fire(fleet, ledger, chance, instants)

        figures = check_before_and_after_resending(house, ledger, issue_id, SUBSCRIBERS)
        assert house.issue_state(issue_id) == "finished"
        house.runtime.engine.dispose()
    record_property("figures", f"killed={KILLS} {figures}")
    print(f"killed={KILLS} {figures}")


def test_on_postgresql_kills_lose_nobody_and_repeat_nobody(tmp_path: Path, upgraded_url: str):
    subscribers, chance = 2500, random.Random(4)
    with keep_ledger() as ledger:
        house = open_house(make_settings(tmp_path, relay=ledger.url, database_url=upgraded_url))
        issue_id = issue_for(house, subscribers)

        with Fleet(environ_of(house), tmp_path / "log") as fleet:
            draining_under_fire(fleet, ledger, chance, [200, 700, 1200, 1700])

        print(check_before_and_after_resending(house, ledger, issue_id, subscribers))
        assert house.issue_state(issue_id) == "finished"
        house.runtime.engine.dispose()


def test_a_killed_service_that_lost_its_queue_sends_each_delivery_once(tmp_path: Path, free_port: int):
    subscribers, chance = 3000, random.Random(6)
    with keep_ledger() as ledger:
        house = open_house(make_settings(tmp_path, relay=ledger.url))
        issue_id = issue_for(house, subscribers)
        environ = environ_of(house, NEWSLETTER_BIND=f"127.0.0.1:{free_port}", NEWSLETTER_WEB_WORKERS="1")

        with Fleet(environ, tmp_path / "log") as fleet:
            for instant in (300, 1200):
                service = fleet.start("run")
                until(lambda instant=instant: len(ledger.taken) >= instant)
                with suppress(subprocess.TimeoutExpired):
                    service.wait(chance.uniform(0, 0.05))
                family = [service.pid, *below(service.pid)]
                kill(*family)
                service.wait()
                until(lambda family=family: all(map(gone, family)))
                shutil.rmtree(tmp_path / "queue")
            service = fleet.start("run")
            until(lambda: not {"queued", "leased"} & set(count_states(house)))

        print(check_before_and_after_resending(house, ledger, issue_id, subscribers))
        assert house.issue_state(issue_id) == "finished"
        house.runtime.engine.dispose()


def test_the_supervisor_alone_is_killed_and_nothing_goes_on_without_it(tmp_path: Path, free_port: int):
    subscribers, chance = 3000, random.Random(8)
    with keep_ledger() as ledger:
        house = open_house(make_settings(tmp_path, relay=ledger.url))
        issue_id = issue_for(house, subscribers)
        environ = environ_of(house, NEWSLETTER_BIND=f"127.0.0.1:{free_port}", NEWSLETTER_WEB_WORKERS="1")

        with Fleet(environ, tmp_path / "log") as fleet:
            for instant in (300, 1200):
                service = fleet.start("run")
                until(lambda instant=instant: len(ledger.taken) >= instant)
                with suppress(subprocess.TimeoutExpired):
                    service.wait(chance.uniform(0, 0.05))
                children = below(service.pid)
                assert children
                kill(service.pid)  # it alone: the kernel tells the others
                service.wait()
                until(lambda children=children: all(map(gone, children)), seconds=30)
            fleet.start("run")
            until(lambda: not {"queued", "leased"} & set(count_states(house)))

        print(check_before_and_after_resending(house, ledger, issue_id, subscribers))
        assert house.issue_state(issue_id) == "finished"
        house.runtime.engine.dispose()


def test_the_broker_alone_is_killed_and_the_database_brings_the_work_back(tmp_path: Path, free_port: int):
    subscribers = 3000
    broker_port = unused_port()
    with keep_ledger() as ledger:
        house = open_house(make_settings(tmp_path, relay=ledger.url))
        issue_id = issue_for(house, subscribers)
        environ = environ_of(
            house,
            NEWSLETTER_BIND=f"127.0.0.1:{free_port}",
            NEWSLETTER_WEB_WORKERS="1",
            NEWSLETTER_BROKER_URL=f"redis://127.0.0.1:{broker_port}/0",
        )

        with Fleet(environ, tmp_path / "log") as fleet:
            for instant in (300, 1200):
                with redis_on(broker_port) as broker:
                    if instant == 300:
                        fleet.start("run")
                    until(lambda instant=instant: len(ledger.taken) >= instant)
                    broker.kill()  # and with it every message it held
                    broker.wait()
            with redis_on(broker_port):
                until(lambda: not {"queued", "leased"} & set(count_states(house)))
                fleet.stop()

        print(check_before_and_after_resending(house, ledger, issue_id, subscribers))
        assert house.issue_state(issue_id) == "finished"
        house.runtime.engine.dispose()
