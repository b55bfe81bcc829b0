"""The Celery tasks: what they do with due rows, and which tasks they queue."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from house import NOON, make_house, make_settings
from press_site import News, Site, desk_of
from servers.web import serving

from newsletter.jobs.tasks import DRAIN, POLL, Engine, clock, drain, poll, sweep
from newsletter.mail.addresses import parse_address
from newsletter.models import Heartbeat, IssueState, Lane, Pace, SignupRequest, ThrottleBucket
from newsletter.outbox.copies import write_file
from newsletter.service.heartbeat import beat
from newsletter.service.polling.poll_sources import sources_wait
from newsletter.settings import SendingWindow, Span
from newsletter.subscribers.signup.request import request_link


@dataclass
class Sent:
    """A stand-in for the queues that records which tasks were put into them."""

    tasks: list[tuple[Lane, str]] = field(default_factory=list)

    def __call__(self, lane, task, *arguments, at_most=None):
        if at_most is not None and sum(1 for each, _ in self.tasks if each is lane) >= at_most:
            return False
        self.tasks.append((lane, task))
        return True


@pytest.fixture
def house(tmp_path, smtp_sink):
    settings = make_settings(tmp_path, relay=smtp_sink.url, send_workers="2")
    made = make_house(settings)
    yield made
    made.runtime.engine.dispose()


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def engine(house, sent):
    return Engine(house.runtime, sent, lambda: False)


def prepared_issue(house):
    house.add_subscriber(house.topic("ferry"), name="ann")
    house.release("A ferry for every island")
    return house.open()


def test_a_drain_of_bulk_prepares_the_issue_and_sends_it(house, engine, sent, smtp_sink):
    from newsletter.digest.issues import open_issue
    from newsletter.models import Frequency

    house.add_subscriber(house.topic("ferry"), name="ann")
    house.release("A ferry for every island")
    with house.runtime.session() as session:
        issue_id = open_issue(session, [Frequency.WEEKLY], actor="test", now=house.clock()).id
        session.commit()

    drain(engine, "bulk")

    assert [mail.rcpt_tos for mail in smtp_sink.wait_for(1)] == [("ann@example.org",)]
    assert house.issue_state(issue_id) == IssueState.FINISHED
    # One drain for each process was queued as soon as there was something to send.
    assert sent.tasks == [(Lane.BULK, DRAIN)] * 2


def test_a_sweep_asks_for_a_drain_a_process_when_an_issue_has_email_due(house, engine, sent):
    prepared_issue(house)

    sweep(engine)

    assert sent.tasks == [(Lane.BULK, DRAIN)] * 2


def test_a_sweep_asks_for_nothing_when_nothing_is_due(house, engine, sent, smtp_sink):
    house.release("A ferry for every island")

    sweep(engine)

    assert (sent.tasks, smtp_sink.mails) == ([], [])


def test_whatever_serves_the_singles_resolves_the_requests_first(house, engine):
    with house.runtime.session() as session:
        request_link(session, parse_address("nobody@example.org"), NOON)
        session.commit()

    drain(engine, "single")

    (request,) = house.all(SignupRequest)
    assert request.resolved_at == NOON


def test_a_relay_that_is_away_does_not_make_drains_ask_for_each_other(house, sent, free_port):
    prepared_issue(house)
    away = replace(
        house.runtime,
        settings=make_settings(house.runtime.settings.data_dir, relay=f"smtp://127.0.0.1:{free_port}"),
    )

    drain(Engine(away, sent, lambda: False), "bulk")

    assert sent.tasks == []
    # It was never offered to the relay, so no attempt is counted.
    assert house.states() == ["queued"]


def test_a_worker_that_stops_leaves_the_rest_to_the_next(house, sent, smtp_sink):
    prepared_issue(house)

    drain(Engine(house.runtime, sent, lambda: True), "bulk")

    assert (sent.tasks, smtp_sink.mails, house.states()) == ([], [], ["queued"])


def test_a_sweep_forgets_processes_long_gone_and_limits_long_full(house, engine):
    with house.runtime.session() as session:
        beat(session, "gone", "worker", NOON, NOON)
        session.add(ThrottleBucket(key="old", level=1.0, updated_at=NOON))
        session.commit()
        house.clock.pass_(days=8)
        beat(session, "here", "worker", house.clock(), house.clock() - timedelta(minutes=5))
        session.add(ThrottleBucket(key="new", level=1.0, updated_at=house.clock()))
        session.commit()

    sweep(engine)

    assert [each.name for each in house.all(Heartbeat)] == ["here"]
    kept = {each.key for each in house.all(ThrottleBucket)}
    assert "new" in kept
    assert "old" not in kept


def test_a_beat_moves_the_time_and_keeps_the_start(house):
    with house.runtime.session() as session:
        beat(session, "host single 1", "worker single", NOON, NOON)
        beat(session, "host single 1", "worker single", NOON, NOON + timedelta(seconds=10))
        session.commit()

    (row,) = house.all(Heartbeat)
    assert (row.started_at, row.seen_at) == (NOON, NOON + timedelta(seconds=10))


def test_outside_the_hours_for_sending_a_drain_asks_for_no_other_and_the_sweep_goes_on(
    house, engine, sent, smtp_sink
):
    settings = replace(
        house.runtime.settings, sending_window=SendingWindow((Span(frozenset({1}), 780, 840),))
    )
    house.runtime = replace(house.runtime, settings=settings)
    engine = replace(engine, runtime=house.runtime)
    prepared_issue(house)

    drain(engine, "bulk")
    assert sent.tasks == []
    assert house.states() == ["queued"]

    house.clock.pass_(hours=1)
    sweep(engine)
    assert (Lane.BULK, DRAIN) in sent.tasks
    drain(engine, "bulk")
    assert house.states() == ["accepted"]


def test_the_pace_of_a_relay_that_is_used_no_more_is_forgotten(house, engine):
    with house.runtime.session() as session:
        session.add(Pace(key="relay:old.example.org:25", seen_at=NOON - timedelta(days=8), state={}))
        session.add(Pace(key="relay:new.example.org:25", seen_at=NOON, state={}))
        session.commit()

    sweep(engine)

    assert "relay:old.example.org:25" not in {each.key for each in house.all(Pace)}
    assert "relay:new.example.org:25" in {each.key for each in house.all(Pace)}


@pytest.fixture
def press(house):
    """A press site whose feed is a source that is due."""
    with serving() as server:
        desk, site = desk_of(house), Site(server)
        site.show(News("The quay opens", "1"))
        desk.add(site, settle_minutes=0)
        yield desk


def test_a_sweep_asks_for_a_poll_once_a_minute_while_a_source_is_due(house, engine, sent, press):
    for _ in range(3):
        sweep(engine)
    house.clock.pass_(minutes=2)
    sweep(engine)

    assert sent.tasks.count((Lane.BULK, POLL)) == 2


def test_a_sweep_asks_for_no_poll_if_no_source_is_due(engine, sent):
    sweep(engine)

    assert sent.tasks == []


def test_a_poll_stores_what_the_due_sources_have(house, sent, press):
    settings = replace(house.runtime.settings, fetch_allow=("127.0.0.0/8",))
    engine = Engine(replace(house.runtime, settings=settings), sent, lambda: False)

    poll(engine)

    assert press.releases() == {"The quay opens": "ready"}
    assert sent.tasks == []


def test_a_poll_that_is_asked_to_stop_gives_its_sources_back(house, sent, press):
    engine = Engine(house.runtime, sent, lambda: True)

    poll(engine)

    assert press.releases() == {}
    assert sources_wait(house.runtime)


def test_a_restored_copy_sends_no_digest_but_single_emails(house, engine, sent, smtp_sink):
    issue = prepared_issue(house)
    clock(engine)
    write_file(house.runtime.settings.data_dir, 99)  # the data folder is ahead of the database
    with house.runtime.session() as session:
        request_link(session, parse_address("ann@example.org"), house.clock())
        session.commit()

    sweep(engine)
    drain(engine, "bulk")

    assert sent.tasks == []
    assert house.issue_state(issue) == IssueState.SENDING
    assert len(smtp_sink.wait_for(1)) == 1  # the link; the notice goes to nobody, because there is no account
