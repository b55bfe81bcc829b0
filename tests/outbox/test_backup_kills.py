"""Processes are killed while a backup relay takes over: nobody is left out, and no email goes to both."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from house import House, make_settings
from outbox.ledger import Ledger, keep_ledger
from outbox.processes import (
    Fleet,
    address,
    below,
    count_states,
    environ_of,
    issue_for,
    open_house,
    recipients_in,
    resend,
    until,
)

SUBSCRIBERS = 1500
# An email that could not be offered waits for half a minute. Each drain costs the start of two processes.
BETWEEN_DRAINS_SECONDS = 3.0


def kill_one(pid: int, chance: random.Random) -> None:
    """Kill a drain, or one of its processes."""
    family = [pid, *below(pid)]
    with suppress(ProcessLookupError):
        os.kill(chance.choice(family), signal.SIGKILL)


def drain_until(fleet: Fleet, ledger: Ledger, count: int) -> subprocess.Popen[bytes]:
    """Drain, again and again, until a relay has taken this many emails; return the drain that runs then."""
    drain = fleet.drain()
    deadline = time.monotonic() + 180
    while len(ledger.taken) < count:
        assert time.monotonic() < deadline
        if drain.poll() is not None:
            drain = fleet.drain()
        with suppress(subprocess.TimeoutExpired):
            drain.wait(0.005)
    return drain


def drained(house: House, fleet: Fleet) -> bool:
    """Drain once, and wait if that was not enough; return whether nothing waits for a relay any more."""
    fleet.drain().wait(180)
    if not {"queued", "deferred", "leased"} & set(count_states(house)):
        return True
    time.sleep(BETWEEN_DRAINS_SECONDS)
    return False


def test_kills_between_two_relays_lose_nobody_and_send_nothing_to_both(tmp_path: Path, record_property):
    everybody = {address(number) for number in range(1, SUBSCRIBERS + 1)}
    chance = random.Random(14)
    with ExitStack() as stack, keep_ledger() as backup:
        first_life = stack.enter_context(ExitStack())
        usual = first_life.enter_context(keep_ledger())
        house = open_house(make_settings(tmp_path, relay=usual.url))
        stack.callback(house.runtime.engine.dispose)
        issue = issue_for(house, SUBSCRIBERS)
        environ = environ_of(
            house, NEWSLETTER_BACKUP_RELAYS=f"*={backup.url}", NEWSLETTER_BACKUP_AFTER_MINUTES="0"
        )
        fleet = stack.enter_context(Fleet(environ, tmp_path / "log"))

        # The usual relay dies while it takes an issue, and processes are killed before and after that.
        kill_one(drain_until(fleet, usual, 150).pid, chance)
        drain_until(fleet, usual, 300)
        first_life.close()
        for instant in (100, 350):
            kill_one(drain_until(fleet, backup, instant).pid, chance)
        until(lambda: drained(house, fleet))

        uncertain = recipients_in(house, "uncertain")
        both = set(usual.taken) & set(backup.taken)
        missing = everybody - set(usual.taken) - set(backup.taken)
        figures = (
            f"usual={len(usual.taken)} backup={len(backup.taken)} uncertain={len(uncertain)} "
            f"missing={len(missing)} both={len(both)}"
        )
        assert not both, figures
        assert len(usual.taken) == len(set(usual.taken)), figures
        assert len(backup.taken) == len(set(backup.taken)), figures
        assert missing <= uncertain, figures
        assert len(backup.taken) > 350, figures

        # Uncertain emails go again only through the relay that may have them, when it is back.
        assert resend(house, issue) == len(uncertain)
        fleet.drain().wait(180)
        assert not set(usual.taken) & set(backup.taken), figures
        again = stack.enter_context(keep_ledger(usual.port))
        until(lambda: drained(house, fleet), seconds=240)

        got = [*set(usual.taken), *set(backup.taken), *again.taken]
        assert set(got) == everybody, figures
        assert not set(again.taken) & set(backup.taken), figures
        assert set(usual.taken) & set(again.taken) <= uncertain, figures
        assert count_states(house) == {"accepted": SUBSCRIBERS}
        assert house.issue_state(issue) == "finished"
    record_property("figures", figures)
    print(figures)


def test_a_relay_that_refuses_connections_is_left_for_its_backup(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with ExitStack() as stack, keep_ledger() as backup:
        house = open_house(make_settings(tmp_path, relay=f"smtp://127.0.0.1:{port}"))
        stack.callback(house.runtime.engine.dispose)
        issue_for(house, 50)
        environ = environ_of(
            house, NEWSLETTER_BACKUP_RELAYS=f"*={backup.url}", NEWSLETTER_BACKUP_AFTER_MINUTES="0"
        )
        fleet = stack.enter_context(Fleet(environ, tmp_path / "log"))

        until(lambda: drained(house, fleet))

        assert len(backup.taken) == 50
        assert count_states(house) == {"accepted": 50}
