"""The service with its real processes: it starts, reports faults, sends, and ends completely."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from house import ENVIRON, make_settings, make_upgraded
from servers.processes import free_port as unused_port

from newsletter.accounts.create import create_account
from newsletter.jobs.wake import Waker
from newsletter.mail.addresses import parse_address
from newsletter.models import (
    Heartbeat,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
)
from newsletter.models.tables.subscription import Frequency
from newsletter.runtime import Runtime
from newsletter.service.processes.programs import first_steps
from newsletter.subscribers.signup.request import request_link

ANN = "ann@example.org"
RUN = ("-m", "newsletter", "--env-file", "")


@pytest.fixture
def environ(tmp_path, free_port, smtp_sink):
    """The environment of a service for this test, whose emails go to the sink."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")},
        **ENVIRON,
        "NEWSLETTER_PUBLIC_URL": f"http://127.0.0.1:{free_port}",
        "NEWSLETTER_BIND": f"127.0.0.1:{free_port}",
        "NEWSLETTER_RELAY": smtp_sink.url,
        "NEWSLETTER_DATA_DIR": str(tmp_path / "data"),
        "NEWSLETTER_SEND_WORKERS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def said(process, wanted):
    """Wait until the process writes `wanted`; return its output up to there."""
    lines = []
    hurry = threading.Timer(60, process.kill)
    hurry.start()
    for line in process.stdout:
        lines.append(line)
        if wanted in line:
            hurry.cancel()
            return "".join(lines)
    raise AssertionError("".join(lines))


def page(environ, path):
    """Return the text of a page of the running service, with any status."""
    try:
        with urllib.request.urlopen(environ["NEWSLETTER_PUBLIC_URL"] + path) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.read().decode()


def served(environ, path):
    """Return the text of a page, or "" while no process listens."""
    try:
        return page(environ, path)
    except urllib.error.URLError:
        return ""


def settings_of(environ):
    return make_settings(
        environ["NEWSLETTER_DATA_DIR"],
        relay=environ["NEWSLETTER_RELAY"],
        public_url=environ["NEWSLETTER_PUBLIC_URL"],
        broker_url=environ.get("NEWSLETTER_BROKER_URL", ""),
    )


def add_subscriber(settings, *others):
    """Add confirmed subscribers, Ann and `others`, so that links to their preferences can be requested."""
    runtime = Runtime(settings)
    now = runtime.now()
    with runtime.session() as session:
        topic = Topic(slug="transport", name="Transport", created_at=now)
        session.add(topic)
        session.flush()
        for address in (ANN, *others):
            subscriber = Subscriber(email=address, email_key=address, created_at=now, confirmed_at=now)
            session.add(subscriber)
            session.flush()
            session.add(
                Subscription(
                    subscriber_id=subscriber.id,
                    topic_id=topic.id,
                    frequency=Frequency.WEEKLY,
                    state=SubscriptionState.ACTIVE,
                    created_at=now,
                    confirmed_at=now,
                )
            )
        session.commit()
    return runtime


def open_files(pid):
    return [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]


def test_one_service_runs_in_a_folder_and_a_kill_ends_all_its_processes(
    start, environ, descendants, alive, eventually
):
    service = start(*RUN, "run", imports=True, env=environ)
    said(service, "The service is ready at")
    assert eventually(lambda: page(environ, "/health") == "ok\n", seconds=60)
    # gunicorn with two workers, a worker for single emails, one for digests with its pool, beat.
    below = eventually(lambda: (found := descendants(service.pid)) and len(found) == 7 and found)

    # Its forks would share a connection to the database.
    assert not [each for each in open_files(service.pid) if "sqlite" in each]
    second = start(*RUN, "run", env={**environ, "NEWSLETTER_BIND": "127.0.0.1:1"})

    assert second.wait(timeout=30) == 1
    assert "A service already runs" in second.stdout.read()
    service.kill()
    service.wait()
    eventually(lambda: not any(alive(pid) for pid in below), seconds=40)


def test_a_service_that_nobody_can_use_yet_names_the_commands_for_that(tmp_path):
    settings = make_settings(tmp_path)
    make_upgraded(settings.database)
    runtime = Runtime(settings)

    before = first_steps(settings.database, "newsletter --env-file x")
    with runtime.session() as session:
        create_account(session, "ed@example.org", "hash", "test", runtime.now())
        session.add(Topic(slug="transport", name="Transport", created_at=runtime.now()))
        session.commit()
    runtime.engine.dispose()

    assert "newsletter --env-file x account add" in before[0]
    assert "newsletter --env-file x topic add" in before[1]
    assert first_steps(settings.database, "newsletter") == []


def test_a_service_starts_and_takes_email_while_its_relay_is_away(start, environ, eventually):
    port = unused_port()
    with socket.socket() as closed:  # bound, but not listening
        closed.bind(("127.0.0.1", 0))
        more = {
            "NEWSLETTER_RELAY": f"smtp://127.0.0.1:{closed.getsockname()[1]}",
            "NEWSLETTER_UNSUBSCRIBE_ADDRESS": "leave@news.example.org",
            "NEWSLETTER_INTAKE_LISTEN": f"lmtp://127.0.0.1:{port}",
        }

        service = start(*RUN, "run", env={**environ, **more})
        told = said(service, "intake_listening")
        with smtplib.LMTP("127.0.0.1", port) as talk:
            talk.sendmail("ann@example.org", ["leave@news.example.org"], "From: ann@example.org\r\n\r\n.")

        assert "intake  |" in told
        assert "done=asked" in said(service, "mail_received")
        assert eventually(lambda: served(environ, "/health") == "ok\n", seconds=90)
    service.terminate()
    assert service.wait(timeout=40) == 0


def test_a_taken_port_ends_the_service_before_it_begins(start, environ):
    host, port = environ["NEWSLETTER_BIND"].split(":")
    with socket.socket() as other:
        other.bind((host, int(port)))
        other.listen()

        service = start(*RUN, "run", env=environ)

        assert service.wait(timeout=30) == 1
    told = service.stdout.read()
    assert told.count("\n") == 1
    assert f"Another program uses port {port} on {host}" in told
    assert "NEWSLETTER_BIND" in told


def test_missing_and_wrong_settings_are_one_message(start, environ):
    broken = {**environ, "NEWSLETTER_RELAY": "relay", "NEWSLETTER_FROM_ADRESS": "x@example.org"}

    service = start(*RUN, "run", env=broken)

    assert service.wait(timeout=30) == 1
    told = service.stdout.read()
    assert "Traceback" not in told
    for name in (
        "NEWSLETTER_RELAY is not",
        "NEWSLETTER_FROM_ADRESS is not",
    ):
        assert name in told


@pytest.mark.parametrize("broker", ["files", "redis", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def test_the_worker_for_single_emails_sends_within_a_moment_and_leaves_in_order(
    start, environ, smtp_sink, broker, request
):
    if broker != "files":
        environ["NEWSLETTER_BROKER_URL"] = request.getfixturevalue(f"{broker}_url")
    settings = settings_of(environ)
    make_upgraded(settings.database)
    runtime = add_subscriber(settings)
    worker = start(*RUN, "worker", "--lane", "single", env=environ)
    said(worker, "event=worker_ready")

    with runtime.session() as session:
        request_link(session, parse_address(ANN), runtime.now())
        session.commit()
    Waker(settings)("signups")

    # Much sooner than the next sweep.
    (mail,) = smtp_sink.wait_for(1, timeout=8)
    assert mail.rcpt_tos == (ANN,)
    with runtime.session() as session:
        assert [row.kind for row in session.query(Heartbeat)] == ["worker single"]
    worker.terminate()
    assert worker.wait(timeout=20) == 0
    with runtime.session() as session:
        assert session.query(Heartbeat).all() == []
    runtime.engine.dispose()


def test_an_edit_is_used_by_the_running_web_server_and_worker_without_a_restart(
    start, environ, smtp_sink, eventually
):
    settings = settings_of(environ)
    make_upgraded(settings.database)
    runtime = add_subscriber(settings, "bea@example.org")
    web = start(*RUN, "web", env=environ)
    worker = start(*RUN, "worker", "--lane", "single", env=environ)
    said(worker, "event=worker_ready")
    eventually(lambda: "The Release Letter" in served(environ, "/"), seconds=60)

    def ask_for_link(address):
        with runtime.session() as session:
            request_link(session, parse_address(address), runtime.now())
            session.commit()
        Waker(settings)("signups")

    ask_for_link(ANN)
    (before,) = smtp_sink.wait_for(1, timeout=30)
    words = ("--name", "Harbour News", "--from-address", "desk@harbour.example", "--accent", "#1b5e8c")
    assert start(*RUN, "edit", *words, env=environ).wait(timeout=30) == 0

    eventually(lambda: "Harbour News" in served(environ, "/"), seconds=10)
    eventually(lambda: "/colours/1b5e8c-" in served(environ, "/"), seconds=10)
    ask_for_link("bea@example.org")
    after = smtp_sink.wait_for(2, timeout=30)[-1]
    assert b"From: The Release Letter <letter@example.org>" in before.raw
    assert b"From: Harbour News <desk@harbour.example>" in after.raw
    web.terminate()
    worker.terminate()
    runtime.engine.dispose()


def test_the_processes_that_send_digests_end_with_their_worker(
    start, environ, descendants, alive, eventually
):
    make_upgraded(settings_of(environ).database)
    worker = start(*RUN, "worker", "--lane", "bulk", env=environ)
    said(worker, "event=worker_ready")
    pool = eventually(lambda: descendants(worker.pid))

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    assert eventually(lambda: not any(alive(pid) for pid in pool))


def test_draining_without_the_engine_sends_everything_and_ends(start, environ, smtp_sink):
    settings = settings_of(environ)
    make_upgraded(settings.database)
    runtime = add_subscriber(settings)
    with runtime.session() as session:
        from newsletter.outbox.enqueue import enqueue_single

        for number in range(30):
            enqueue_single(
                session,
                subscriber_id=1,
                template="link",
                context={},
                purpose_key=f"test:{number}",
                language="en",
                now=runtime.now(),
            )
        session.commit()
    runtime.engine.dispose()

    environ["NEWSLETTER_SEND_WORKERS"] = "2"
    drained = start(*RUN, "worker", "--drain", imports=True, env=environ)

    assert drained.wait(timeout=60) == 0, drained.stdout.read()
    assert len(smtp_sink.mails) == 30
