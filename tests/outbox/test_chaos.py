"""A relay with random faults from a seed: every delivery ends in the right state, and none arrives twice."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

import pytest
from house import Clock, House
from outbox.processes import count_states, issue_for, recipients_in, resend
from smtp.certificates import Authority
from smtp.relay_script import QUICK, Drop, ScriptedRelay, Session, scripted_relay

from newsletter.models import Issue
from newsletter.outbox.control import find_issue, resume
from newsletter.outbox.pacing.pace import Limits, pace_of
from newsletter.outbox.pacing.standings import read_standing
from newsletter.settings import RelaySecurity
from newsletter.smtp.endpoint import Timeouts
from newsletter.smtp.outcomes import Hooks, Outgoing, Result
from newsletter.smtp.transport import SMTPTransport

# So long that only a stalling relay reaches it, even on a busy machine.
STALLED_SECONDS = 2.0
PATIENT = replace(QUICK, **{each.name: STALLED_SECONDS for each in fields(Timeouts)})
OK = "250 2.0.0 ok"


@dataclass
class Chaos:
    """The relay's replies with random faults, and the ledger of accepted messages.

    A fault may be drawn for each step of each attempt. `taken` counts a message when the relay has accepted
    it, even if its reply is lost.
    """

    seed: int
    often: float = 0.06
    greylist: bool = False
    taken: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    # The relay hung up after 354. A small message may have left completely by then, so it is uncertain.
    cut: set[str] = field(default_factory=set)
    # By connection: whether the last MAIL failed.
    sender_failed: dict[int, bool] = field(default_factory=dict)
    tried: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    calm: bool = False

    def replies(self) -> dict[str, object]:
        return {
            "greeting": self.greeting,
            "STARTTLS": self.starttls,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "DATA": self.data,
            ".": self.dot,
        }

    def draw(self, about: str, *faults: str) -> str:
        """Return a fault or "". It is the same for the same attempt at the same step, in any order."""
        self.tried[about] += 1
        chance = random.Random(f"{self.seed} {about} {self.tried[about]}")
        fault = chance.choice(faults) if not self.calm and chance.random() < self.often else ""
        step = about.split(maxsplit=1)[0]
        if fault.endswith("stall") and self.happened[f"{step} {fault}"]:
            fault = fault.replace("stall", "drop")  # each stall takes time: one at each step is enough
        self.happened[f"{step} {fault}"] += bool(fault)
        return fault

    def greeting(self, _: Session) -> object:
        fault = self.draw("greeting", "drop", "stall", "garbage", "421 4.3.2 closing", "554 5.3.2 no")
        return {"": "220 chaos.test", "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n"}.get(fault, fault)

    def starttls(self, _: Session) -> object:
        fault = self.draw("starttls", "drop", "454 4.7.0 no TLS now", "no TLS", "plain text")
        if fault == "plain text":
            return b"220 2.0.0 ready\r\n250 injected\r\n"
        if fault == "no TLS":
            return no_handshake
        return fault or "220 2.0.0 ready"

    def mail(self, session: Session) -> object:
        about = f"mail {session.transcript.commands[-1]}"
        fault = self.draw(about, "drop", "reset", "stall", "451 4.3.0 later", "421 4.3.2 bye", "garbage")
        self.sender_failed[id(session)] = bool(fault)
        return b"%%%\r\n" if fault == "garbage" else fault or OK

    def rcpt(self, session: Session) -> object:
        who = recipient(session)
        if self.greylist and self.tried[f"rcpt {who}"] == 0:
            self.tried[f"rcpt {who}"] += 1
            return "450 4.2.0 greylisted, come again"
        fault = self.draw(
            f"rcpt {who}", "half", "drop", "stall", "452 4.2.2 full", "550 5.7.1 no", "250-ok\r\n251 no"
        )
        if fault == "half":
            session.socket.sendall(b"250 2.1")
            raise Drop
        # RCPT is pipelined: if MAIL failed, nothing depends on this reply.
        if fault.startswith("550") and not self.sender_failed[id(session)]:
            self.refused.add(who)
        return fault or OK

    def data(self, session: Session) -> object:
        who = recipient(session)
        fault = self.draw(f"data {who}", "drop", "stall", "451 4.3.0 later", "354 then drop", "in content")
        if fault in {"354 then drop", "in content"}:
            self.cut.add(who)
            session.socket.sendall(b"354 go on\r\n")
            if fault == "in content":
                session.line(raw=True)
            session.reset()
        return fault or "354 go on"

    def dot(self, session: Session) -> object:
        if not session.transcript.contents[-1]:
            return "554 5.5.1 nobody to give this to"  # its only recipient was refused
        who = recipient_of(session.transcript.contents[-1])
        fault = self.draw(
            f"dot {who}", "drop", "kept, drop", "kept, half", "kept, stall", "garbage", "451 4.3.0 later",
            "554 5.6.0 no",
        )  # fmt: skip
        if fault.startswith("kept") or not fault:
            self.taken[who] += 1
        if fault.startswith("554"):
            self.refused.add(who)
        if fault in {"drop", "kept, drop", "kept, half", "kept, stall", "garbage"}:
            self.unanswered.add(who)
        if fault == "kept, half":
            session.socket.sendall(b"250 2.0.0 ke")
            raise Drop
        if fault == "garbage":
            return b"\x00\xff oh\r\n"
        return fault.removeprefix("kept, ") or OK


def no_handshake(session: Session) -> object:
    """Accept STARTTLS, and then send no TLS."""
    session.socket.sendall(b"220 2.0.0 ready\r\n")
    session.line(raw=True) if b"\r\n" in session.buffer else session.socket.recv(4096)
    session.socket.sendall(b"this is no handshake\r\n")
    raise Drop


def recipient(session: Session) -> str:
    line = next(each for each in reversed(session.transcript.commands) if each.upper().startswith("RCPT"))
    return line.partition("<")[2].rpartition(">")[0]


def recipient_of(content: bytes) -> str:
    """Return the recipient of a message, from its content."""
    field_ = content.partition(b"\r\nTo: ")[2].partition(b"\r\n")[0]
    return field_.decode().strip("<> ")


def send_to_the_end(house: House, relay: ScriptedRelay, issue_id: int, **endpoint: object) -> int:
    """Send in rounds, hours apart, until no delivery waits; return the number of rounds.

    An issue that was paused because the relay failed for nearly all messages is resumed, as an editor would.
    """
    for round_ in range(1, 90):
        transport = SMTPTransport(
            relay.endpoint(timeouts=PATIENT, max_connections=3, **endpoint)  # type: ignore[arg-type]
        )
        house.transport = transport  # type: ignore[assignment]
        house.drain()
        transport.close()
        assert not count_states(house).get("leased")
        if house.issue_state(issue_id) == "paused":
            with house.runtime.session() as session:
                public_id = session.get_one(Issue, issue_id).public_id
                resume(session, find_issue(session, public_id), "ed", house.clock())
                session.commit()
        elif not {"queued", "deferred"} & set(count_states(house)):
            return round_
        house.clock.pass_(minutes=30)
    raise AssertionError(f"still waiting: {count_states(house)}")


def check(
    house: House, relay: ScriptedRelay, chaos: Chaos, issue_id: int, subscribers: int, **how: object
) -> None:
    """Send through `chaos` to the end, then uncertain deliveries without faults; compare with the ledger."""
    send_to_the_end(house, relay, issue_id, **how)

    accepted, rejected, uncertain = (
        recipients_in(house, state) for state in ("accepted", "rejected", "uncertain")
    )
    assert len(accepted) + len(rejected) + len(uncertain) == subscribers
    assert max(chaos.taken.values()) == 1  # nobody twice
    assert accepted <= set(chaos.taken)  # "accepted" only if it arrived
    assert set(chaos.taken) <= accepted | uncertain  # nobody got it and is recorded without it
    assert rejected == chaos.refused
    assert chaos.unanswered <= uncertain <= chaos.unanswered | chaos.cut

    chaos.calm = True
    assert resend(house, issue_id) == len(uncertain)
    send_to_the_end(house, relay, issue_id, **how)

    assert recipients_in(house, "accepted") == accepted | uncertain == set(chaos.taken)
    assert {who for who, count in chaos.taken.items() if count > 1} <= uncertain
    assert house.issue_state(issue_id) == "finished"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_whatever_the_relay_does_each_delivery_ends_in_its_state(house: House, seed: int):
    subscribers = 150
    issue_id = issue_for(house, subscribers)
    chaos = Chaos(seed)
    with scripted_relay(answers=chaos.replies()) as relay:
        check(house, relay, chaos, issue_id, subscribers)
    assert len([what for what, count in chaos.happened.items() if count]) > 15


def test_without_pipelining_it_is_the_same(house: House):
    issue_id = issue_for(house, 100)
    chaos = Chaos(7)
    with scripted_relay(answers=chaos.replies(), ehlo=("chaos.test", "8BITMIME")) as relay:
        check(house, relay, chaos, issue_id, 100)
    assert len(chaos.taken) <= 100 and chaos.happened.total() > 5


def test_greylisting_costs_a_round_and_nobody(house: House):
    issue_id = issue_for(house, 100)
    chaos = Chaos(0, often=0, greylist=True)
    with scripted_relay(answers=chaos.replies()) as relay:
        check(house, relay, chaos, issue_id, 100)
    assert set(chaos.taken.values()) == {1}
    assert len(chaos.taken) == 100


def test_tls_that_fails_now_and_then_loses_nobody(house: House, tmp_path: Path):
    authority = Authority(tmp_path)
    issue_id = issue_for(house, 60)
    chaos = Chaos(5, often=0.15)
    with scripted_relay(
        answers=chaos.replies(),
        context=authority.server("127.0.0.1"),
        ehlo=("chaos.test", "PIPELINING", "STARTTLS"),
    ) as relay:
        how = {"security": RelaySecurity.STARTTLS, "ca_file": authority.ca_file, "max_messages": 5}
        check(house, relay, chaos, issue_id, 60, **how)
    assert chaos.happened["starttls no TLS"] + chaos.happened["starttls plain text"] > 0


def test_a_relay_that_throttles_after_a_hundred_gets_the_rest_later(house: House):
    """The relay replies 454 after 100 messages, for half an hour. Everybody gets the email once."""
    issue_id = issue_for(house, 350)
    chaos = Chaos(0, often=0)
    began = [house.clock()]

    def mail(session: Session) -> object:
        if (house.clock() - began[0]).total_seconds() >= 1800:
            began[0], chaos.calm = house.clock(), False
            limit[0] = sum(chaos.taken.values()) + 100
        if sum(chaos.taken.values()) >= limit[0]:
            return "454 4.7.0 too many messages, slow down"
        return chaos.mail(session)

    limit = [100]
    with scripted_relay(answers={**chaos.replies(), "MAIL": mail}) as relay:
        rounds = send_to_the_end(house, relay, issue_id)

    assert set(chaos.taken.values()) == {1}
    assert count_states(house) == {"accepted": 350}
    assert house.issue_state(issue_id) == "finished"
    assert rounds >= 4


@dataclass
class Throttle:
    """A relay's own limit: a bucket of 100 messages, refilled at a rate; 454 when it is empty.

    The relay takes 5 ms for each MAIL, by the clock of the test.
    """

    clock: Clock
    per_second: float
    level: float = 100.0
    refilled_at: datetime | None = None
    taken: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def mail(self, session: Session) -> object:
        with self.lock:
            self.clock.pass_(milliseconds=5)
            now = self.clock()
            passed = (now - (self.refilled_at or now)).total_seconds()
            self.level, self.refilled_at = min(100.0, self.level + passed * self.per_second), now
            if self.level < 1:
                return "454 4.7.0 too many messages, slow down"
            self.level -= 1
            self.taken += 1
            return OK


@dataclass
class Timed:
    """A transport that moves the clock of the test while the worker waits for its next turn.

    So the outcome does not depend on the speed of the machine: while a message is under way, no time passes
    but the relay's.
    """

    transport: SMTPTransport
    clock: Clock
    under_way: int = 0

    def send(self, messages: Iterable[Outgoing | None], hooks: Hooks) -> Iterator[Result]:
        for result in self.transport.send(self.watch(messages, hooks), hooks):
            self.under_way -= 1
            yield result

    def watch(self, messages: Iterable[Outgoing | None], hooks: Hooks) -> Iterator[Outgoing | None]:
        for message in messages:
            if message is None and not self.under_way:
                self.clock.pass_(milliseconds=250)
                hooks.meanwhile()
                continue
            self.under_way += message is not None
            yield message

    def close_idle(self) -> None:
        self.transport.close_idle()

    def close(self) -> None:
        self.transport.close()


def test_the_pace_goes_down_under_a_throttling_relay_and_comes_back_when_it_relents(house: House):
    """The relay replies 454 after 100 messages, then accepts some a second. Everybody gets the email once."""
    subscribers, clock = 700, house.clock
    issue_for(house, subscribers)
    chaos, throttle = Chaos(0, often=0), Throttle(clock, per_second=2.0)
    paces: list[float | None] = []

    def pace_now() -> float | None:
        with house.runtime.reading() as session:
            standing = read_standing(session, house.runtime.sender(1), clock())
        return pace_of(standing.relay, Limits(), clock())

    with scripted_relay(answers={**chaos.replies(), "MAIL": throttle.mail}) as relay:
        transport = Timed(SMTPTransport(relay.endpoint(timeouts=PATIENT, max_connections=2)), clock)
        house.transport = transport  # type: ignore[assignment]
        while {"queued", "deferred", "leased"} & set(count_states(house)):
            assert len(paces) < 1000, count_states(house)
            house.drain()
            paces.append(pace_now())
            if throttle.taken > subscribers * 0.8:
                throttle.per_second = 10_000.0  # the relay hardly limits any more
            clock.pass_(seconds=5)
        transport.close()
    clock.pass_(minutes=10)

    assert pace_now() is None
    assert chaos.taken == Counter(dict.fromkeys(recipients_in(house, "accepted"), 1))
    assert len(chaos.taken) == subscribers
    known = [pace for pace in paces if pace is not None]
    # Halved again and again, from about 200 a second. How often depends on when deferred messages are due,
    # and that is random.
    assert min(known) < 50
    assert max(known) > 1.5 * min(known)  # and up again, step by step, in between
