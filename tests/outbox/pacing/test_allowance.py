"""Drains keep rate limits, sending hours and a learnt pace, across processes and restarts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from house import NOON, House
from memory_transport import MemoryTransport

from newsletter.errors import RelayRefused, TransportError
from newsletter.models import AuditEntry, Delivery, Frequency, Issue, Lane
from newsletter.outbox.control import find_issue, resume, retry_rejected
from newsletter.outbox.drain.worker import drain
from newsletter.outbox.enqueue import enqueue_single
from newsletter.outbox.pacing.allowance import Allowance, may_send
from newsletter.outbox.pacing.pace import Limits, book, pace_of
from newsletter.outbox.pacing.priority import Priority
from newsletter.outbox.pacing.standings import change, read_standing, relay_key
from newsletter.runtime import Runtime
from newsletter.settings import load_settings
from newsletter.smtp.outcomes import Envelope, Fate, Outcome, Outgoing, Step
from newsletter.smtp.replies import Reply

REFUSED = Reply(550, ("5.7.1 your address news@example.org is blocked",))


class Patient(MemoryTransport):
    """Advances the house's clock where a connection would wait, and records when each message was sent."""

    def __init__(self, house: House) -> None:
        super().__init__()
        self.house = house
        self.times: list[datetime] = []
        self.everyone: Reply | None = None

    def send(self, messages: Iterable[Outgoing | None], hooks=None):
        return super().send(self._awake(messages), hooks)

    def _awake(self, messages: Iterable[Outgoing | None]) -> Iterator[Outgoing]:
        for message in messages:
            if message is None:
                self.house.clock.pass_(seconds=0.05)
            else:
                yield message

    def _refusal(self, envelope: Envelope) -> Outcome | None:
        if self.everyone is not None:
            return Outcome(Fate.REPLIED, Step.RCPT, self.everyone)
        return super()._refusal(envelope)

    def _deliver(self, envelope: Envelope, content: bytes) -> Outcome:
        self.times.append(self.house.clock())
        return super()._deliver(envelope, content)


def paced(house: House, **more: str) -> Patient:
    """Give the house these settings and a patient transport."""
    given = {f"NEWSLETTER_{name.upper()}": value for name, value in more.items()}
    fresh = load_settings(
        {
            "NEWSLETTER_PUBLIC_URL": "https://news.example.org",
            "NEWSLETTER_SECRET_KEYS": "a-key-for-tests-that-is-long-enough-to-be-one",
            "NEWSLETTER_FROM_ADDRESS": "letter@example.org",
            "NEWSLETTER_POSTAL_ADDRESS": "Harbour Road 1, 1000 Town",
            "NEWSLETTER_RELAY": "smtp://127.0.0.1:2525",
            "NEWSLETTER_SEND_WORKERS": "1",
            "NEWSLETTER_DATA_DIR": str(house.runtime.settings.data_dir),
            **given,
        }
    )
    settings = replace(fresh, database_url=house.runtime.settings.database_url)
    house.runtime.engine.dispose()
    house.runtime = Runtime(settings, now=house.clock)
    house.transport = Patient(house)
    return house.transport


def subscribers(house: House, count: int, domain: str = "example.org") -> int:
    """Arrange an issue for this many subscribers; return its id."""
    energy = house.topic("energy")
    for _ in range(count):
        house.add_subscriber(energy)
    house.release("A new energy cable")
    issue_id = house.open()
    if domain != "example.org":
        with house.runtime.session() as session:
            from newsletter.models import Subscriber

            for each in session.query(Subscriber):
                each.email = each.email.replace("example.org", domain)
            session.commit()
    return issue_id


def single(house: House, subscriber: int, key: str) -> None:
    with house.runtime.session() as session:
        enqueue_single(
            session, subscriber_id=subscriber, template="link", context={}, purpose_key=key, language="en",
            now=house.clock(),
        )  # fmt: skip
        session.commit()


def most_in(times: list[datetime], span: timedelta) -> int:
    return max(sum(start <= each < start + span for each in times) for start in times)


def issue_note(house: House, issue_id: int) -> str:
    with house.runtime.session() as session:
        return session.get_one(Issue, issue_id).note


def test_no_second_gets_more_than_the_limit_across_two_drains(either_house: House):
    house = either_house
    transport = paced(house, relay="smtp://127.0.0.1:2525?per_second=10")
    issue_id = subscribers(house, 40)

    drain(house.runtime, lambda _: transport, lane=Lane.BULK, stopping=lambda: len(transport.sent) >= 15)
    first = len(transport.sent)
    # Another process, or this one after a restart, uses the same timetable.
    house.runtime = Runtime(house.runtime.settings, now=house.clock)
    house.drain()

    assert 15 <= first < 40
    assert house.issue_state(issue_id) == "finished"
    assert len(transport.sent) == 40
    # A message is sent at the next check, up to 50 ms later, which is half a message at this rate.
    assert most_in(transport.times, timedelta(seconds=1)) <= 11
    assert transport.times[-1] - transport.times[0] >= timedelta(seconds=3.8)
    assert transport.times[-1] - transport.times[0] <= timedelta(seconds=6)


def test_an_hour_that_is_used_up_ends_the_drain_and_the_next_hour_goes_on(either_house: House):
    house = either_house
    transport = paced(house, relay="smtp://127.0.0.1:2525?per_hour=20")
    issue_id = subscribers(house, 30)

    house.drain()
    assert len(transport.sent) == 17  # two are kept for issues that go first, and one for single emails
    sender = house.runtime.sender(1)
    with house.runtime.reading() as session:
        assert not may_send(session, sender, Priority.ISSUE, house.clock())
        assert may_send(session, sender, Priority.FIRST_ISSUE, house.clock())
        assert may_send(session, sender, Priority.SINGLE, house.clock())
    assert house.drain() == 0
    assert house.states().count("queued") == 13
    single(house, 1, "link:1")
    house.drain("single")
    assert len(transport.sent) == 18

    house.clock.pass_(minutes=63)
    house.drain()
    assert len(transport.sent) == 31
    assert house.issue_state(issue_id) == "finished"
    assert {each.attempt for each in house.all(Delivery)} == {1}


def test_an_issue_as_it_happens_is_sent_in_an_hour_that_a_weekly_one_used_up(either_house: House):
    house = either_house
    transport = paced(house, relay="smtp://127.0.0.1:2525?per_hour=20")
    weekly = subscribers(house, 30)
    house.drain()
    house.add_subscriber(house.topic("harbour"), frequency=Frequency.IMMEDIATE)
    house.release("A harbour opens")

    as_it_happens = house.open(Frequency.IMMEDIATE)
    house.drain()

    assert len(transport.sent) == 18
    assert house.issue_state(as_it_happens) == "finished"
    assert house.issue_state(weekly) == "sending"


def test_how_much_is_kept_for_issues_that_go_first_is_a_setting(house: House):
    transport = paced(house, relay="smtp://127.0.0.1:2525?per_hour=20", first_issues_percent="45")
    subscribers(house, 30)

    house.drain()

    assert len(transport.sent) == 10


def test_outside_the_hours_an_issue_waits_and_then_goes_on_by_itself(house: House):
    transport = paced(house, sending_window="Mo-Fr 16:00-18:00 Europe/Vilnius")
    issue_id = subscribers(house, 3)
    single(house, 1, "link:1")

    # Noon in UTC is two in the afternoon in Vilnius.
    house.drain()
    assert len(transport.sent) == 1
    assert house.states().count("queued") == 3

    house.clock.pass_(hours=2)
    house.drain()
    assert house.issue_state(issue_id) == "finished"


def test_a_window_that_closes_stops_an_issue_on_its_way(house: House):
    transport = paced(
        house, relay="smtp://127.0.0.1:2525?per_second=1", sending_window="11:00-12:00:UTC"[:11] + " UTC"
    )
    house.clock.moment = NOON - timedelta(seconds=10)
    issue_id = subscribers(house, 30)

    house.drain()

    assert 10 <= len(transport.sent) <= 12
    assert max(transport.times) <= NOON + timedelta(seconds=1)
    assert house.issue_state(issue_id) == "sending"
    assert house.drain() == 0
    assert set(house.states()) == {"accepted", "queued"}


def test_one_domain_is_slow_and_the_others_are_not_held_up(either_house: House):
    house = either_house
    transport = paced(house, domain_limits="slow.example=2/s")
    energy = house.topic("energy")
    ids = [house.add_subscriber(energy) for _ in range(60)]
    house.release("A new energy cable")
    issue_id = house.open()
    with house.runtime.session() as session:
        from newsletter.models import Subscriber

        for each in session.query(Subscriber).filter(Subscriber.id.in_(ids[:50])):
            each.email = each.email.replace("example.org", "slow.example")
        session.commit()

    house.drain()
    quick = [at for at, sent in zip(transport.times, transport.sent, strict=True)
             if sent.envelope.recipient.endswith("example.org")]  # fmt: skip
    assert len(quick) == 10
    assert max(quick) <= NOON + timedelta(seconds=1)
    for _ in range(10):
        house.clock.pass_(seconds=15)
        house.drain()

    assert house.issue_state(issue_id) == "finished"
    slow = [at for at, sent in zip(transport.times, transport.sent, strict=True)
            if sent.envelope.recipient.endswith("slow.example")]  # fmt: skip
    assert len(slow) == 50
    assert most_in(slow, timedelta(seconds=1)) <= 3
    assert {each.attempt for each in house.all(Delivery)} == {1}


def test_the_limit_for_every_domain_counts_each_by_itself(house: House):
    transport = paced(house, domain_limits="*=1/s")
    subscribers(house, 3)
    house.drain()

    assert transport.times[-1] - transport.times[0] >= timedelta(seconds=1.9)


def test_a_slow_down_halves_the_pace_for_everybody_and_it_comes_back(either_house: House):
    house = either_house
    transport = paced(house, relay="smtp://127.0.0.1:2525?per_second=20")
    subscribers(house, 60)
    transport.answer(
        "reader5@example.org", Reply(454, ("Throttling failure: Maximum sending rate exceeded.",))
    )

    house.drain()

    limits = Limits(20)
    with house.runtime.reading() as session:
        standing = read_standing(session, house.runtime.sender(1), house.clock()).relay
    assert standing.learnt is not None
    assert standing.learnt.per_second == 10
    assert house.states().count("deferred") == 1
    assert house.states().count("accepted") == 59
    after = [at for at in transport.times if at > standing.learnt.at]
    assert most_in(after, timedelta(seconds=1)) <= 11
    assert pace_of(standing, limits, house.clock() + timedelta(minutes=2)) == 20


def test_a_relay_without_limits_is_slowed_too(house: House):
    transport = paced(house)
    subscribers(house, 60)
    transport.answer("reader5@example.org", Reply(421, ("4.7.0 too many messages",)))

    house.drain()

    with house.runtime.reading() as session:
        standing = read_standing(session, house.runtime.sender(1), house.clock()).relay
    assert standing.learnt is not None
    assert transport.times[-1] - transport.times[0] > timedelta(seconds=5)
    house.clock.pass_(hours=1)
    assert pace_of(standing, Limits(), house.clock()) is None


def test_greylisting_waits_and_says_nothing_about_the_pace(house: House):
    transport = paced(house, relay="smtp://127.0.0.1:2525?per_second=20")
    subscribers(house, 5)
    transport.answer("reader2@example.org", Reply(451, ("4.7.1 Greylisted, try again in 300 seconds",)))

    house.drain()

    with house.runtime.reading() as session:
        assert read_standing(session, house.runtime.sender(1), house.clock()).relay.learnt is None
    assert house.states().count("deferred") == 1


def test_what_a_drain_booked_and_did_not_use_is_given_back(either_house: House):
    house = either_house
    paced(house, relay="smtp://127.0.0.1:2525?per_hour=1000")
    subscribers(house, 3)

    house.drain()

    with house.runtime.reading() as session:
        standing = read_standing(session, house.runtime.sender(1), house.clock()).relay
    assert sum(count for _, count in standing.hour) == 3


def allowance(house: House) -> Allowance:
    """Return an allowance for digests of the first newsletter."""
    sender = house.runtime.sender(1)
    return Allowance(house.runtime, sender.relay, lambda _: (Priority.ISSUE, sender), lambda: False)


def test_two_processes_share_one_timetable(either_house: House):
    house = either_house
    paced(house, relay="smtp://127.0.0.1:2525?per_second=10")
    sent: list[datetime] = []

    def process() -> Iterator[Outgoing | None]:
        numbers = itertools.count()
        endless = (Outgoing(next(numbers), Envelope("", "ann@example.org"), bytes) for _ in itertools.count())
        return allowance(house).keep(endless)

    both = [process(), process()]
    while house.clock() < NOON + timedelta(seconds=5):
        for each in both:
            while next(each) is not None:
                sent.append(house.clock())
        house.clock.pass_(seconds=0.05)

    assert 45 <= len(sent) <= 51
    assert most_in(sent, timedelta(seconds=1)) <= 11


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(seconds=10)])
def test_a_clock_set_back_in_the_middle_of_a_drain_neither_stalls_nor_bursts(house: House, back: timedelta):
    paced(house, relay="smtp://127.0.0.1:2525?per_second=10")
    numbers = itertools.count()
    endless = (Outgoing(next(numbers), Envelope("", "ann@example.org"), bytes) for _ in itertools.count())
    stream = allowance(house).keep(endless)
    sent: list[float] = []
    for tick in range(20 * 30):
        if tick == 100:
            house.clock.moment -= back
        while next(stream) is not None:
            sent.append(tick / 20)
        house.clock.pass_(seconds=0.05)

    assert len(sent) >= 150
    for start in sent:
        assert sum(start <= each < start + 1 for each in sent) <= 11


def test_a_relay_that_refuses_everything_pauses_the_issue_and_says_why(either_house: House):
    house = either_house
    transport = paced(house)
    transport.everyone = REFUSED
    issue_id = subscribers(house, 80)

    house.drain()

    assert house.issue_state(issue_id) == "paused"
    note = issue_note(house, issue_id)
    assert "127.0.0.1:2525" in note
    assert "5.7.1 your address (an address) is blocked" in note
    (entry,) = [each for each in house.all(AuditEntry) if each.action == "issue.pause"]
    assert entry.actor == "outbox"

    transport.everyone = None
    with house.runtime.session() as session:
        issue = session.get_one(Issue, issue_id)
        retry_rejected(session, issue, "ed", house.clock())
        resume(session, find_issue(session, issue.public_id), "ed", house.clock())
        session.commit()
    house.drain()
    assert house.issue_state(issue_id) == "finished"
    assert len(set(house.recipients())) == len(transport.sent) == 80
    assert issue_note(house, issue_id) == ""


def test_a_small_issue_that_is_refused_completely_is_paused_too(house: House):
    transport = paced(house)
    transport.everyone = REFUSED
    issue_id = subscribers(house, 8)

    house.drain()

    assert house.issue_state(issue_id) == "paused"
    assert "refused 8 of the last 8" in issue_note(house, issue_id)


@pytest.mark.parametrize("reply", ["5.2.1 closed", "5.6.7 no such letters here"])
def test_dead_mailboxes_alone_stop_no_issue_before_its_end(house: House, reply: str):
    transport = paced(house)
    transport.everyone = Reply(550, (reply,))
    issue_id = subscribers(house, 60)

    house.drain()

    # Nothing stopped it: it was sent to everybody, and the owner is asked afterwards.
    assert set(house.states(issue_id)) == {"rejected"}
    assert "every email that the relay decided on" in issue_note(house, issue_id)


def test_some_refusals_among_many_pause_nothing(house: House):
    transport = paced(house)
    issue_id = subscribers(house, 80)
    for number in range(1, 41):
        transport.answer(f"reader{number}@example.org", REFUSED)

    house.drain()

    assert house.issue_state(issue_id) == "finished"


class Unreachable(MemoryTransport):
    def __init__(self, fault: TransportError) -> None:
        super().__init__()
        self.fault = fault

    def send(self, messages, hooks=None):
        next(iter(messages), None)
        raise self.fault
        yield


def test_an_outage_of_a_quarter_of_an_hour_pauses_the_issue(either_house: House):
    house = either_house
    paced(house)
    issue_id = subscribers(house, 3)
    broken = Unreachable(RelayRefused("535 5.7.8 sign-in refused", 535, "5.7.8"))

    for _ in range(15):
        drain(house.runtime, lambda _: broken, lane=Lane.BULK)
        assert house.issue_state(issue_id) == "sending"
        house.clock.pass_(minutes=1)
    drain(house.runtime, lambda _: broken, lane=Lane.BULK)

    assert house.issue_state(issue_id) == "paused"
    assert "for 15 minutes: 535 5.7.8 sign-in refused" in issue_note(house, issue_id)
    assert set(house.states()) == {"queued"}


def test_an_outage_ends_with_the_first_answer(house: House):
    paced(house)
    issue_id = subscribers(house, 3)
    broken = Unreachable(TransportError("connection refused"))
    drain(house.runtime, lambda _: broken, lane=Lane.BULK)
    house.clock.pass_(minutes=9)
    single(house, 1, "link:1")
    house.drain("single")
    house.clock.pass_(minutes=7)

    drain(house.runtime, lambda _: broken, lane=Lane.BULK)

    assert house.issue_state(issue_id) == "sending"


def test_the_test_message_of_a_refused_sender_waits_until_the_relay_has_room(house: House):
    transport = paced(house, relay="smtp://127.0.0.1:2525?per_second=1")
    transport.everyone = Reply(
        553, ("5.7.1 <b-1-x@example.org>: Sender address rejected: not owned by user",)
    )
    subscribers(house, 3)
    house.drain()
    assert not transport.sent
    transport.everyone = None
    house.clock.pass_(minutes=26)
    relay = house.runtime.sender(1).relay
    with house.runtime.session() as session:
        # Another process has booked the next three seconds.
        change(session, relay_key(relay), lambda row, now: book(row, Limits(1), 3, now, ahead_seconds=9)[0],
               house.clock())  # fmt: skip
        session.commit()

    house.drain()

    assert len(transport.sent) == 3


def test_single_emails_are_never_paused(house: House):
    transport = paced(house)
    transport.everyone = REFUSED
    issue_id = subscribers(house, 60)
    house.drain()
    assert house.issue_state(issue_id) == "paused"
    transport.everyone = None

    single(house, 1, "link:1")
    house.drain("single")

    assert len(transport.sent) == 1
