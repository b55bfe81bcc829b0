"""Several newsletters and relays: one relay that is down or slow, or refuses a sender, delays no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path

import pytest
from house import House, make_house, make_settings, make_upgraded
from outbox.processes import Fleet, environ_of, until
from smtp.relay_script import EHLO, ScriptedRelay, Session, scripted_relay
from sqlalchemy import func, select

from newsletter.digest.issues import open_issue
from newsletter.models import Delivery, Frequency, Issue, Lane, RuleField
from newsletter.newsletters.add import add_newsletter
from newsletter.newsletters.edit import edit_newsletter
from newsletter.notices import open_notices, words
from newsletter.outbox.drain.several_relays import Served, serve_several
from newsletter.outbox.drain.worker import drain
from newsletter.outbox.enqueue import enqueue_single
from newsletter.releases.topics.manage import add_topic
from newsletter.service.relay_transport import Transports
from newsletter.settings import Relay

NOT_OWNED = "553 5.7.1 Sender address rejected: not owned by user letter"


@dataclass
class Town:
    """Two newsletters with different From domains, each with a topic."""

    house: House
    second: int
    topics: dict[int, int]

    def people(self, count: int) -> None:
        """Add subscribers of both newsletters, an issue of each, and a single email of each for everybody."""
        house = self.house
        for newsletter, topic in self.topics.items():
            for _ in range(count):
                self.single(house.add_subscriber(topic), newsletter)
            house.release("A new energy cable" if newsletter == 1 else "New harbours")
            with house.runtime.session() as session:
                issue = open_issue(
                    session, [Frequency.WEEKLY], actor="test", now=house.clock(), newsletter_id=newsletter
                ).id
                session.commit()
            house.prepare(issue)

    def single(self, subscriber: int, newsletter: int, purpose: str = "hello") -> None:
        """Enqueue a link for a subscriber, as from this newsletter."""
        with self.house.runtime.session() as session:
            enqueue_single(
                session, subscriber_id=subscriber, template="link", context={}, purpose_key=purpose,
                language="en", now=self.house.clock(), newsletter_id=newsletter,
            )  # fmt: skip
            session.commit()

    def send(self, lane: str = "bulk", seconds: float = 60.0) -> int:
        with closing(Transports(self.house.runtime.settings)) as transports:
            return drain(self.house.runtime, transports.to, lane=Lane(lane), seconds=seconds)

    def states(self, newsletter: int) -> set[tuple[str, str]]:
        """Return the lanes and states of the deliveries of a newsletter."""
        theirs = func.coalesce(Issue.newsletter_id, Delivery.newsletter_id)
        rows = select(Delivery.lane, Delivery.state).outerjoin(Issue, Issue.id == Delivery.issue_id)
        with self.house.runtime.reading() as session:
            found = session.execute(rows.where(theirs == newsletter)).all()
        return {(str(lane), str(state)) for lane, state in found}

    def told(self) -> list[str]:
        with self.house.runtime.reading() as session:
            found = [words(each) for each in open_notices(session)]
        return [f"{each.title}. {each.sentence} {each.remedy}" for each in found]


ALL_SENT = {("single", "accepted"), ("bulk", "accepted")}


def make_town(folder: Path, **settings: str) -> Town:
    make_upgraded(make_settings(folder, **settings).database)
    house = make_house(make_settings(folder, **settings))
    with house.runtime.session() as session:
        fields = {"name": "Harbour News", "from_address": "desk@harbour.example"}
        second = add_newsletter(
            session, house.runtime.settings, slug="harbour", fields=fields, actor="test", now=house.clock()
        ).id
        rules = [(RuleField.WORDS, "harbours")]
        harbours = add_topic(
            session,
            slug="harbours",
            name="Harbours",
            rules=rules,
            actor="test",
            now=house.clock(),
            newsletter_id=second,
        ).id
        session.commit()
    return Town(house, second, {1: house.topic("energy"), second: harbours})


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Callable[..., tuple[Town, ScriptedRelay, ScriptedRelay]]]:
    """Make a town with two relays; the arguments are the answers of each."""
    with ExitStack() as stack:

        def make(first: dict[str, object], second: dict[str, object], **more: object):
            one = stack.enter_context(scripted_relay(answers=first, **more))
            other = stack.enter_context(scripted_relay(answers=second))
            town = make_town(
                tmp_path,
                relay=f"smtp://127.0.0.1:{one.port}",
                relays=f"harbour.example=smtp://127.0.0.1:{other.port}",
            )
            stack.callback(town.house.runtime.engine.dispose)
            return town, one, other

        yield make


def test_each_newsletter_is_sent_over_the_relay_of_its_from_address(two):
    town, first, second = two({}, {})
    town.people(5)

    assert town.send() == 20

    assert {each.partition("@")[2].partition(">")[0] for each in first.commands if each[:4] == "MAIL"} == {
        "example.org"
    }
    assert {each.partition("@")[2].partition(">")[0] for each in second.commands if each[:4] == "MAIL"} == {
        "harbour.example"
    }
    assert len(first.contents) == len(second.contents) == 10


def test_a_relay_that_cannot_be_reached_does_not_delay_the_other(two):
    town, _, second = two({"greeting": "drop"}, {})
    town.people(5)

    town.send("single")
    town.send()

    assert town.states(town.second) == ALL_SENT
    assert town.states(1) == {("single", "queued"), ("bulk", "queued")}
    assert len(second.contents) == 10


def test_a_slow_relay_does_not_delay_the_other(two):
    """The first relay answers nothing until the second has been sent everything."""
    reached = threading.Event()

    def wait(_: Session) -> str:
        assert reached.wait(60)
        return "250 2.1.0 ok"

    town, first, second = two({"MAIL": wait}, {})
    town.people(5)
    watch = threading.Thread(target=lambda: (until(lambda: len(second.contents) == 10, 60), reached.set()))
    watch.start()

    town.send()
    watch.join()

    assert town.states(1) == town.states(town.second) == ALL_SENT
    assert len(first.contents) == 10


def refuse_harbour(session: Session) -> str:
    """Refuse the sender of the second newsletter."""
    return NOT_OWNED if "@harbour.example>" in session.transcript.commands[-1] else "250 2.1.0 ok"


def test_a_refused_sender_delays_only_its_newsletter_and_an_edit_lets_it_continue(tmp_path: Path):
    with scripted_relay(answers={"MAIL": refuse_harbour}) as relay:
        town = make_town(tmp_path, relay=f"smtp://127.0.0.1:{relay.port}")
        town.people(6)

        town.send("single")
        town.send()
        town.send()

        assert town.states(1) == ALL_SENT
        assert {state for _, state in town.states(town.second)} <= {"queued", "deferred"}
        tried = [each for each in relay.commands if "@harbour.example>" in each]
        assert len(tried) <= 12  # only the emails that the worker had already claimed
        (notice,) = town.told()
        assert "refuses desk@harbour.example, the sender of “Harbour News”" in notice
        assert "newsletter relay check" in notice

        with town.house.runtime.session() as session:
            edit_newsletter(
                session, town.house.runtime.settings, {"from_address": "harbour@example.org"},
                actor="test", now=town.house.clock(), newsletter_id=town.second,
            )  # fmt: skip
            session.commit()
        town.send()

        assert town.states(town.second) == ALL_SENT
        assert town.told() == []
        town.house.runtime.engine.dispose()


def test_the_test_message_of_a_refused_sender_ends_its_wait_only(tmp_path: Path):
    with scripted_relay(answers={"MAIL": NOT_OWNED}) as relay:
        town = make_town(tmp_path, relay=f"smtp://127.0.0.1:{relay.port}")
        town.people(3)
        town.send()
        assert len(town.told()) == 2
        relay.answers["MAIL"] = refuse_harbour

        town.house.clock.pass_(minutes=1)
        town.send()

        assert town.states(1) == ALL_SENT
        assert "accepted" not in {state for _, state in town.states(town.second)}
        (notice,) = town.told()
        assert "Harbour News" in notice
        relay.answers.clear()
        town.house.clock.pass_(minutes=15)
        town.send()
        assert town.states(town.second) == ALL_SENT
        assert town.told() == []
        town.house.runtime.engine.dispose()


def test_a_refused_account_delays_every_newsletter_at_that_relay_and_no_other(two):
    town, _, second = two(
        {"RCPT": "554 5.7.1 <a@b.example>: Relay access denied"}, {}, ehlo=EHLO
    )  # fmt: skip
    town.people(3)

    town.send()

    assert town.states(town.second) == ALL_SENT
    assert "accepted" not in {state for _, state in town.states(1)}
    (notice,) = town.told()
    assert "our account" in notice
    assert len(second.contents) == 6


def test_the_real_workers_send_one_newsletter_while_the_relay_of_the_other_never_answers(tmp_path: Path):
    """Digests and confirmations, also those that come while each process waits for the first relay."""
    released = threading.Event()

    def never(_: Session) -> str:
        released.wait(120)
        return "drop"

    with scripted_relay(answers={"greeting": never}) as dead, scripted_relay() as second:
        town = make_town(
            tmp_path,
            relay=f"smtp://127.0.0.1:{dead.port}",
            relays=f"harbour.example=smtp://127.0.0.1:{second.port}",
        )
        town.people(20)
        environ = environ_of(
            town.house,
            NEWSLETTER_RELAYS=f"harbour.example=smtp://127.0.0.1:{second.port}",
        )
        with Fleet(environ, tmp_path / "log.txt") as fleet:
            fleet.start("worker")
            until(lambda: town.states(town.second) == ALL_SENT, 90)
            until(lambda: len(dead.sessions) >= 1, 60)
            late = town.house.add_subscriber(town.topics[town.second])
            town.single(late, town.second, "later")
            until(lambda: len(second.contents) == 41, 20)
            assert town.states(1).isdisjoint(ALL_SENT)
            released.set()
        town.house.runtime.engine.dispose()


# The threads alone, without a database.

FAST, STUCK = (Relay(name, 25, "none") for name in ("fast.example", "stuck.example"))


def test_a_relay_that_does_not_end_in_time_keeps_the_others_served():
    ended = threading.Event()
    served: list[str] = []

    def serve(relay: Relay, seconds: float, stopping: Callable[[], bool]) -> Served:
        if relay is STUCK:
            ended.wait(30)
        served.append(relay.host)
        if served.count("fast.example") == 3:
            ended.set()
        return Served(1, reached=True)

    clock = chain([0, 1], count(5, 5))
    handled = serve_several(
        lambda: [FAST, STUCK], serve, 4.0, lambda: False, lambda: float(next(clock)), lambda: None
    )

    assert served.count("fast.example") >= 3
    assert served.count("stuck.example") == 1
    assert handled == len(served)


def test_the_error_of_one_relay_is_raised_after_the_others_have_ended():
    ended: list[str] = []

    def serve(relay: Relay, seconds: float, stopping: Callable[[], bool]) -> Served:
        if relay is STUCK:
            raise OSError("the disk is full")
        until(stopping, 30)
        ended.append(relay.host)
        return Served(1, reached=True)

    with pytest.raises(OSError, match="the disk is full"):
        serve_several(lambda: [FAST, STUCK], serve, 60.0, lambda: False, lambda: 0.0, lambda: None)

    assert ended == ["fast.example"]


def test_an_unreachable_relay_is_not_tried_again_at_once():
    looks, served = iter(range(6)), []

    def with_work() -> list[Relay]:
        return [STUCK] if next(looks, None) is not None else []

    def serve(relay: Relay, seconds: float, stopping: Callable[[], bool]) -> Served:
        served.append(relay.host)
        return Served(0, reached=False)

    serve_several(with_work, serve, 60.0, lambda: False, lambda: 0.0, lambda: None)

    assert served == ["stuck.example"]
