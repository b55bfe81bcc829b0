"""Checks at start: a wrong configuration ends every process with one message and status 1."""

from __future__ import annotations

import os
import socket
import time
import urllib.error
import urllib.request

import pytest
from house import ENVIRON, make_settings, make_upgraded
from servers.processes import free_port as unused_port

from newsletter.errors import ServiceError
from newsletter.jobs.broker import await_broker
from newsletter.service.database.schema import await_database, require_reachable, upgrade

RUN = ("-m", "newsletter", "--env-file", "")
SERVING = [("run",), ("web",), ("worker",), ("worker", "--drain"), ("beat",), ("bounce", "serve")]


@pytest.fixture
def environ(tmp_path, free_port):
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")},
        **ENVIRON,
        "NEWSLETTER_PUBLIC_URL": f"http://127.0.0.1:{free_port}",
        "NEWSLETTER_BIND": f"127.0.0.1:{free_port}",
        "NEWSLETTER_DATA_DIR": str(tmp_path / "data"),
        "NEWSLETTER_WEB_WORKERS": "1",
        "NEWSLETTER_SEND_WORKERS": "1",
    }


def page(environ, path):
    """Return the status of a page, None while nothing answers."""
    try:
        with urllib.request.urlopen(environ["NEWSLETTER_PUBLIC_URL"] + path, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as answer:
        return answer.code
    except OSError:
        return None


@pytest.fixture
def closed_port():
    """A port that refuses connections during the whole test: bound, but not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_every_fault_of_files_formats_and_packages_is_in_one_message_of_every_process(
    start, environ, tmp_path
):
    garbage = tmp_path / "garbage"
    garbage.write_text("neither a key, nor a certificate @ all")
    broken = {
        **environ,
        "NEWSLETTER_RELAY": "relay",
        "NEWSLETTER_DKIM_KEY_FILE": str(garbage),
        "NEWSLETTER_DKIM_SELECTOR": "one",
        "NEWSLETTER_RELAY_CA_FILE": str(garbage),
        "NEWSLETTER_DISPOSABLE_DOMAINS_FILE": str(tmp_path / "missing"),
        "NEWSLETTER_BROKER_URL": "queue:6379",
        "NEWSLETTER_DATA_DIR": str(garbage),
    }

    processes = [start(*RUN, *words, env=broken) for words in SERVING]
    ends = [process.wait(timeout=120) for process in processes]
    told = [process.stdout.read() for process in processes]

    assert ends == [1] * len(SERVING)
    for text in told:
        assert text.count("The settings cannot be used") == 1
        assert "Traceback" not in text
        for name in ("RELAY", "DKIM_KEY_FILE", "RELAY_CA_FILE", "DISPOSABLE_DOMAINS_FILE", "BROKER_URL"):
            assert f"  - NEWSLETTER_{name} " in text
        assert "  - NEWSLETTER_DATA_DIR " in text


def test_whoever_needs_a_database_or_a_broker_that_stays_away_waits_half_a_minute_and_ends(
    start, environ, closed_port, eventually, tmp_path
):
    """One test for both, because each takes half a minute of waiting."""
    no_database = {
        **environ,
        "NEWSLETTER_DATA_DIR": str(tmp_path / "without database"),
        "NEWSLETTER_BIND": f"127.0.0.1:{unused_port()}",
        "NEWSLETTER_DATABASE_URL": f"postgresql+psycopg://me:sekret@127.0.0.1:{closed_port}/newsletter",
    }
    no_broker = {**environ, "NEWSLETTER_BROKER_URL": f"redis://:sekret@127.0.0.1:{closed_port}/0"}
    make_upgraded(make_settings(environ["NEWSLETTER_DATA_DIR"]).database)
    began = time.monotonic()

    without_database = [start(*RUN, *words, env=no_database) for words in SERVING[:5]]
    web = start(*RUN, "web", env=no_broker)
    without_broker = [
        start(*RUN, *words, env=no_broker)
        for words in (("worker",), ("worker", "--lane", "single"), ("worker", "--lane", "bulk"), ("beat",))
    ]
    eventually(lambda: page(environ, "/livez") == 200, seconds=60)
    ends = [process.wait(timeout=150) for process in without_database + without_broker]
    waited = time.monotonic() - began
    pages = {path: page(environ, path) for path in ("/", "/livez", "/readyz", "/health")}
    web.terminate()
    web.wait(timeout=30)

    assert ends == [1] * 9
    assert waited >= 30
    for process in without_database:
        text = process.stdout.read()
        assert "event=waiting for=database seconds=30" in text
        assert "newsletter: The database postgresql+psycopg://127.0.0.1" in text
        assert "sekret" not in text
        assert "Traceback" not in text
    # The web server needs no broker: it serves, and warns.
    assert pages == {"/": 200, "/livez": 200, "/readyz": 200, "/health": 503}
    warned = web.stdout.read()
    assert "event=no_broker" in warned
    for text in [warned, *(process.stdout.read() for process in without_broker)]:
        assert f"redis://127.0.0.1:{closed_port} cannot be reached" in text
        assert "sekret" not in text
        assert "Traceback" not in text


def test_a_database_that_comes_up_beside_us_is_waited_for(tmp_path, eventually):
    settings = make_settings(tmp_path)
    calls = []

    def look(engine):
        calls.append(engine)
        if len(calls) == 2:
            upgrade(settings.database)
        require_reachable(engine)
        if len(calls) < 3:
            raise ServiceError("not yet")

    await_database(settings.database, look, seconds=20)

    assert len(calls) == 3


def test_a_broker_that_is_up_is_not_waited_for(tmp_path, redis_url):
    assert await_broker(make_settings(tmp_path, broker_url=redis_url), seconds=0) is None  # it raises nothing
    assert await_broker(make_settings(tmp_path), seconds=0) is None


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_away_is_named_without_its_password(tmp_path, closed_port, scheme):
    url = f"{scheme}://me:sekret@127.0.0.1:{closed_port}/0"

    with pytest.raises(ServiceError, match=f"{scheme}://127.0.0.1:{closed_port} cannot be reached") as fault:
        await_broker(make_settings(tmp_path, broker_url=url), seconds=0)

    assert "sekret" not in str(fault.value)
