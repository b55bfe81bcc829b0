"""Simulate faulty relays against the real recording and judging; `make relay-faults` prints a table.

The real code prepares, claims, records, judges and finishes issues, on a real database. Simulated are the
processes (16 of them, each recording a batch a second), the time, and the relay's replies. `wrongly` counts
suppressed addresses that exist.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

from house import House, make_house, make_settings
from sqlalchemy import insert, select

from newsletter.messages.claimed import Claimed, load_claimed
from newsletter.messages.digests.recompose import recompose
from newsletter.models import (
    Delivery,
    Frequency,
    Issue,
    IssueState,
    Lane,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
)
from newsletter.outbox.drain.held import suppressed_among
from newsletter.outbox.lease import claim, give_back
from newsletter.outbox.record import Attempt, finish, record
from newsletter.outbox.refused.held_domains import hold_domains
from newsletter.outbox.refused.judge import judge_all, pause_if_wrong
from newsletter.outbox.refused.outcome_keys import relay_number
from newsletter.outbox.refused.owner_decisions import questions, really_gone, send_again
from newsletter.outbox.refused.verdict import IN_A_ROW, STRETCH
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.replies import Reply
from newsletter.suppression import suppression_hash

PROCESSES = 16
RATE = 300.0
ROUND_SECONDS = 0.25
SWEEP_SECONDS = 15.0
ACCEPTED = Outcome(Fate.REPLIED, Step.CONTENT, Reply(250, ("2.0.0 ok",)))
REFUSED = Outcome(Fate.REPLIED, Step.RCPT, Reply(550, ("5.1.1 no such user",)))

# Whether the relay refuses an address: the place in the issue (0 to 1), the address, a random number.
Fault = Callable[[float, str, float], bool]


def healthy(_place: float, _address: str, _drawn: float) -> bool:
    return False


@dataclass
class Process:
    """One sending process: its leases, its outcomes, and its last refusals."""

    name: str
    held: deque[Claimed] = field(default_factory=deque)
    answered: list[Attempt] = field(default_factory=list)
    refusals: deque[bool] = field(default_factory=lambda: deque(maxlen=STRETCH))
    recorded_at: float = 0.0


class Town:
    """The subscribers of one list, some with dead mailboxes, and a relay."""

    def __init__(
        self, house: House, people: int, *, dead: float = 0.0, domains: int = 10, seed: int = 1
    ) -> None:
        self.house = house
        self.random = Random(seed)
        self.topic = house.topic("energy")
        self.addresses = [self._address(number, domains) for number in range(people)]
        self.random.shuffle(self.addresses)
        self.dead = set(self.random.sample(self.addresses, round(dead * people)))
        self._add(self.addresses)
        self.paused = 0
        self.asked = 0

    def _address(self, number: int, domains: int) -> str:
        # One large domain with 3 of 10 people, a small one with four people, and others of about equal size.
        if number < 4:
            return f"p{number}@four.example"
        return f"p{number}@large.example" if number % 10 < 3 else f"p{number}@d{number % domains}.example"

    def _add(self, addresses: Sequence[str]) -> None:
        now = self.house.clock()
        with self.house.runtime.session() as session:
            rows = [
                {"id": at + 1, "public_id": f"s{at}", "email": each, "email_key": each, "created_at": now,
                 "confirmed_at": now}
                for at, each in enumerate(addresses)
            ]  # fmt: skip
            session.execute(insert(Subscriber), rows)
            subscriptions = [
                {"subscriber_id": at + 1, "topic_id": self.topic, "frequency": Frequency.WEEKLY,
                 "state": SubscriptionState.ACTIVE, "started_sequence": 0, "covered_to": 0,
                 "created_at": now, "confirmed_at": now}
                for at in range(len(addresses))
            ]  # fmt: skip
            session.execute(insert(Subscription), subscriptions)
            session.commit()

    def issue(self, fault: Fault = healthy) -> int:
        """Send one issue a week after the last over a relay with this fault; return its id."""
        self.house.clock.pass_(days=7)
        self.house.release(f"Energy number {self.random.random()}")
        issue_id = self.house.open()
        self.send(issue_id, fault)
        return issue_id

    def send(self, issue_id: int, fault: Fault) -> None:
        """Send an issue until no delivery waits, or it is paused."""
        processes = [Process(f"host-{number}-sim") for number in range(PROCESSES)]
        total, done, began = self._waiting(issue_id), 0, self.house.clock()
        swept = seconds = 0.0
        each_round = max(1, round(RATE * ROUND_SECONDS))
        while True:
            seconds += ROUND_SECONDS
            busy = False
            for at, process in enumerate(processes):
                if not process.held and self._state(issue_id) is IssueState.SENDING:
                    self._claim(process, issue_id, max(1, min(1000, total // PROCESSES)))
                busy = busy or bool(process.held)
                for turn in range(min(each_round, len(process.held))):
                    claimed = process.held.popleft()
                    refused = self._refuses(claimed, done / max(1, total), fault)
                    offset = (turn + at / PROCESSES) / each_round * ROUND_SECONDS
                    answered_at = began + timedelta(seconds=seconds + offset)
                    process.refusals.append(refused)
                    process.answered.append(
                        Attempt(
                            claimed.id, claimed.attempt, claimed.lane, claimed.created_at,
                            claimed.subscriber_id, REFUSED if refused else ACCEPTED, claimed.email_key,
                            answered_at,
                        )
                    )  # fmt: skip
                    done += 1
                # Each process records at a different moment of the second.
                if process.answered and (
                    not process.held or seconds - process.recorded_at >= 1.0 - at / PROCESSES / 4
                ):
                    process.recorded_at = seconds
                    self.house.clock.moment = began + timedelta(seconds=seconds + ROUND_SECONDS)
                    self._record(process, issue_id)
                busy = busy or bool(process.held or process.answered)
            self.house.clock.moment = began + timedelta(seconds=seconds + ROUND_SECONDS)
            if seconds - swept >= SWEEP_SECONDS or not busy:
                swept = seconds
                self._sweep()
            if not busy:
                break
        self.house.clock.pass_(minutes=3)
        self._sweep()

    def _waiting(self, issue_id: int) -> int:
        with self.house.runtime.reading() as session:
            return session.query(Delivery).filter_by(issue_id=issue_id, state="queued").count()

    def _state(self, issue_id: int) -> IssueState:
        with self.house.runtime.reading() as session:
            return session.get_one(Issue, issue_id).state

    def _refuses(self, claimed: Claimed, place: float, fault: Fault) -> bool:
        address = claimed.address or ""
        return address in self.dead or fault(place, address, self.random.random())

    def _claim(self, process: Process, issue_id: int, limit: int) -> None:
        maker, now = self.house.runtime.messages, self.house.clock()
        with self.house.runtime.session() as session:
            ids = claim(session, Lane.BULK, issue_id, process.name, limit, now)
            if not ids:
                session.commit()
                return
            claimed = load_claimed(session, ids)
            suppressed = suppressed_among(session, maker, claimed)
            renderer = self.house.runtime.renderer
            skipped = recompose(session, suppressed, suppressed, process.name, now, renderer)
            waiting = hold_domains(session, claimed, process.name, now)
            session.commit()
        process.held.extend(each for each in claimed if each.id not in skipped | waiting)

    def _record(self, process: Process, issue_id: int) -> None:
        maker, now = self.house.runtime.messages, self.house.clock()
        with self.house.runtime.session() as session:
            record(session, maker, process.name, process.answered, now)
            session.commit()
        process.answered.clear()
        if sum(process.refusals) >= IN_A_ROW:
            process.refusals.clear()
            with self.house.runtime.session() as session:
                relay = relay_number(self.house.runtime.sender(1).relay.key)
                pause_if_wrong(session, maker, relay, now)
                session.commit()
        if process.held and self._state(issue_id) is not IssueState.SENDING:
            with self.house.runtime.session() as session:
                give_back(session, [each.id for each in process.held], process.name, now)
                session.commit()
            process.held.clear()

    def _sweep(self) -> None:
        with self.house.runtime.session() as session:
            judge_all(session, self.house.runtime.messages, self.house.clock())
        with self.house.runtime.session() as session:
            finish(session, self.house.clock())
            session.commit()

    def answer(self, *, gone: bool = False) -> int:
        """Answer the owner's questions; return how many refusals they were about."""
        asked = 0
        with self.house.runtime.session() as session:
            for question in questions(session):
                number, notice_id = question.number, question.notice.id
                now = self.house.clock()
                asked += number
                if gone:
                    really_gone(session, self.house.runtime.tokens, notice_id, number, "owner", now)
                else:
                    send_again(session, notice_id, number, "owner", now)
            session.commit()
        self.asked += asked
        return asked

    def suppressed(self) -> set[str]:
        """Return the addresses that are suppressed."""
        with self.house.runtime.reading() as session:
            marks = set(session.scalars(select(Suppression.address_hash)))
        tokens = self.house.runtime.tokens
        return {each for each in self.addresses if marks and suppression_hash(tokens, each) in marks}

    def wrongly(self) -> set[str]:
        """Return the suppressed addresses that exist."""
        return self.suppressed() - self.dead

    def accepted(self, issue_id: int) -> int:
        with self.house.runtime.reading() as session:
            return session.query(Delivery).filter_by(issue_id=issue_id, state="accepted").count()


def is_in(domain: str) -> Fault:
    return lambda _place, address, _drawn: address.endswith(f"@{domain}")


FAULTS: dict[str, Fault] = {
    "wrong from the start": lambda _place, _address, _drawn: True,
    "wrong midway": lambda place, _address, _drawn: place >= 0.5,
    "wrong for the last 3 %": lambda place, _address, _drawn: place >= 0.97,
    "one of four back ends wrong": lambda _place, _address, drawn: drawn < 0.25,
    "wrong for one large domain": is_in("large.example"),
    "a domain of 4 refused for a day": is_in("four.example"),
}


@dataclass
class Told:
    """The result of one set-up."""

    name: str
    people: int
    dead: int
    wrongly_at_once: int
    wrongly_later: int
    gone: int
    asked: int
    state: str
    reached: int
    seconds: float


def play(house: House, name: str, people: int, *, known: bool = True, dead: float = 0.01) -> Told:
    """Run a set-up: a healthy issue if the list is `known`, the faulty one, a repair, and the next issue."""
    began = time.monotonic()
    town = Town(house, people, dead=dead)
    if known:
        town.issue()
        town.answer(gone=True)
    fault = FAULTS.get(name, healthy)
    issue_id = town.issue(fault)
    state = str(town._state(issue_id))
    at_once = len(town.wrongly())
    # The relay is repaired: the owner sends it again, and the next issue follows.
    town.answer()
    house.clock.pass_(minutes=11)
    town.send(issue_id, healthy)
    following = town.issue()
    town.answer(gone=True)
    return Told(
        name, people, len(town.dead), at_once, len(town.wrongly()), len(town.suppressed() & town.dead),
        town.asked, state, town.accepted(following), time.monotonic() - began,
    )  # fmt: skip


def main(sizes: Sequence[int]) -> int:
    """Print the result of every set-up; return how many addresses were wrongly suppressed."""
    print(
        f"{'set-up':34} {'list':>7} {'dead':>6} {'issue':>9} {'asked':>7} {'gone':>6} "
        f"{'next issue':>10} {'wrongly':>7} {'seconds':>7}"
    )
    wrongly = 0
    setups = [(name, True, 0.01) for name in FAULTS] + [
        ("wrong from the start", False, 0.01),
        ("one of four back ends wrong", False, 0.01),
        ("imported, 20 % dead", False, 0.2),
        ("healthy", True, 0.01),
    ]
    for size in sizes:
        for name, known, dead in setups:
            with tempfile.TemporaryDirectory() as folder:
                house = make_house(make_settings(Path(folder)))
                told = play(house, name, size, known=known, dead=dead)
                house.runtime.engine.dispose()
            wrong = max(told.wrongly_at_once, told.wrongly_later)
            wrongly += wrong
            label = name if known else f"{name}, new list"
            print(
                f"{label:34} {told.people:7} {told.dead:6} {told.state:>9} {told.asked:7} {told.gone:6} "
                f"{told.reached:10} {wrong:7} {told.seconds:7.1f}",
                flush=True,
            )
    print(f"Wrongly suppressed: {wrongly or 'none'}")
    return wrongly


if __name__ == "__main__":
    sys.exit(1 if main([int(each) for each in sys.argv[1:]] or [1, 3, 9, 60, 5000]) else 0)
