"""A backup relay takes over while the usual relay is down; no email is offered to both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from house import House, make_house, make_settings, make_upgraded
from smtp.relay_script import ScriptedRelay, scripted_relay
from sqlalchemy import func, select

from newsletter.models import Delivery, Issue, Lane
from newsletter.notices import open_notices, words
from newsletter.outbox.control import find_issue, resend_uncertain
from newsletter.outbox.drain.worker import drain
from newsletter.outbox.enqueue import enqueue_single
from newsletter.outbox.refused.outcome_keys import relay_number
from newsletter.service.relay_transport import Transports

DOWN: dict[str, object] = {"greeting": "554 5.3.2 shutting down"}


@dataclass
class Pair:
    """A house with a usual relay and a backup."""

    house: House
    usual: ScriptedRelay
    backup: ScriptedRelay
    topic: int

    def digests(self, count: int) -> int:
        """Prepare an issue for this many new subscribers; return its id."""
        for _ in range(count):
            self.house.add_subscriber(self.topic)
        self.house.release(f"A new energy cable {len(self.usual.sessions)}.{count}")
        issue = self.house.open()
        self.house.prepare(issue)
        return issue

    def single(self, purpose: str = "hello") -> None:
        subscriber = self.house.add_subscriber(self.topic)
        with self.house.runtime.session() as session:
            enqueue_single(
                session, subscriber_id=subscriber, template="link", context={}, purpose_key=purpose,
                language="en", now=self.house.clock(),
            )  # fmt: skip
            session.commit()

    def send(self, lane: Lane = Lane.BULK) -> None:
        with closing(Transports(self.house.runtime.settings)) as transports:
            drain(self.house.runtime, transports.to, lane=lane, seconds=20)

    def pass_until_down(self) -> None:
        """Let the usual relay fail for longer than the setting says."""
        for _ in range(3):
            self.send()
            self.house.clock.pass_(minutes=2)

    def states(self) -> dict[str, int]:
        with self.house.runtime.reading() as session:
            rows = session.execute(select(Delivery.state, func.count()).group_by(Delivery.state))
            return {str(state): count for state, count in rows}

    def told(self) -> list[str]:
        with self.house.runtime.reading() as session:
            return [words(each).sentence for each in open_notices(session)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with ExitStack() as stack:
        usual = stack.enter_context(scripted_relay())
        backup = stack.enter_context(scripted_relay())
        settings = make_settings(
            tmp_path,
            relay=f"smtp://127.0.0.1:{usual.port}",
            backup_relays=f"*=smtp://127.0.0.1:{backup.port}?return_path=bounces@example.net",
        )
        make_upgraded(settings.database)
        house = make_house(settings)
        stack.callback(house.runtime.engine.dispose)
        yield Pair(house, usual, backup, house.topic("energy"))


def test_the_backup_gets_nothing_while_the_usual_relay_answers(pair: Pair):
    pair.digests(5)
    pair.single()

    pair.send()

    assert len(pair.usual.contents) == 6
    assert pair.backup.sessions == []


def test_the_backup_takes_over_from_a_relay_that_is_down_and_uses_its_own_return_path(pair: Pair):
    pair.usual.answers |= DOWN
    issue = pair.digests(5)
    pair.send()
    assert pair.backup.sessions == []

    pair.pass_until_down()
    pair.single()
    pair.send()

    assert len(pair.backup.contents) == 6
    assert pair.states() == {"accepted": 6}
    assert {each for each in pair.backup.commands if each.startswith("MAIL")} == {
        each for each in pair.backup.commands if each.startswith("MAIL FROM:<bounces@example.net>")
    }
    (told,) = pair.told()
    assert f"Emails go through the backup relay 127.0.0.1:{pair.backup.port}" in told
    with pair.house.runtime.reading() as session:
        number = relay_number(f"127.0.0.1:{pair.backup.port}")
        heard = select(Delivery.relay_key).where(Delivery.issue_id == issue).distinct()
        assert list(session.scalars(heard)) == [number]


def test_an_issue_is_not_paused_while_the_backup_sends_it(pair: Pair):
    pair.usual.answers |= DOWN
    issue = pair.digests(2)
    for _ in range(12):
        pair.usual.answers |= DOWN
        pair.backup.answers |= {"RCPT": "451 4.7.1 greylisted"}
        pair.send()
        pair.house.clock.pass_(minutes=2)

    assert pair.house.issue_state(issue) == "sending"


def test_the_usual_relay_gets_the_emails_again_when_it_answers(pair: Pair):
    pair.usual.answers |= DOWN
    pair.digests(2)
    pair.pass_until_down()
    pair.send()
    assert len(pair.backup.contents) == 2
    del pair.usual.answers["greeting"]

    pair.house.clock.pass_(minutes=2)
    pair.send()  # it only connects
    pair.digests(3)
    pair.send()

    assert len(pair.usual.contents) == 5
    assert len(pair.backup.contents) == 2
    assert pair.told() == []


def test_refused_recipients_and_senders_do_not_bring_the_backup_in(pair: Pair):
    pair.usual.answers |= {"RCPT": ["550 5.1.1 no such user", "451 4.7.1 later", "553 5.7.1 sender refused"]}
    pair.digests(3)

    pair.pass_until_down()

    assert pair.backup.sessions == []


def test_a_digest_whose_reply_never_came_is_never_offered_to_the_backup(pair: Pair):
    pair.usual.answers |= {".": "drop", "greeting": ["220 relay.test", DOWN["greeting"]]}
    issue = pair.digests(1)
    pair.send()
    assert pair.states() == {"uncertain": 1}
    with pair.house.runtime.session() as session:
        public_id = session.get_one(Issue, issue).public_id
        resend_uncertain(session, find_issue(session, public_id), "ed", pair.house.clock())
        session.commit()

    pair.pass_until_down()
    pair.digests(1)
    pair.pass_until_down()

    first, *_ = pair.usual.contents
    assert len(pair.backup.contents) == 2  # the second issue, for both
    assert pair.states() == {"accepted": 2, "queued": 1}
    assert re.search(rb"Message-ID: (\S+)", first)[1] not in b"".join(pair.backup.contents)
    pair.usual.answers.clear()
    pair.pass_until_down()
    assert pair.states() == {"accepted": 3}
    assert len(pair.usual.contents) == 2


def test_a_single_email_that_the_backup_may_have_goes_again_through_the_backup_only(pair: Pair):
    pair.usual.answers |= DOWN
    pair.digests(1)
    pair.pass_until_down()
    pair.send()
    pair.backup.answers |= {".": ["drop", "250 2.0.0 kept"]}
    pair.single()
    pair.send(Lane.SINGLE)
    assert pair.states() == {"accepted": 1, "deferred": 1}
    before = len(pair.backup.contents)
    del pair.usual.answers["greeting"]
    pair.house.clock.pass_(minutes=2)

    pair.send()
    pair.house.clock.pass_(minutes=10)
    pair.send(Lane.SINGLE)

    assert pair.usual.contents == []
    assert len(pair.backup.contents) == before + 1
    assert "deferred" not in pair.states()
