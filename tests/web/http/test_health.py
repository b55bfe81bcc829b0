"""The health endpoints: whether the process lives, can serve visitors, and whether everything works."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import Clock, make_settings
from sqlalchemy import text

from newsletter.app import create_app
from newsletter.mail.dkim import generate_key
from newsletter.models import Heartbeat, open_engine
from newsletter.runtime import Runtime
from newsletter.service.database.schema import upgrade


def site(settings, clock=None):
    clock = clock or Clock()
    return create_app(settings, now=clock).test_client()


def ask(client, page):
    answer = client.get(page)
    assert answer.mimetype == "text/plain"
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.text


def beat(settings, kinds, seen_at):
    runtime = Runtime(settings)
    with runtime.session() as session:
        session.add_all(
            Heartbeat(name=f"host {kind} 1", kind=kind, started_at=seen_at, seen_at=seen_at) for kind in kinds
        )
        session.commit()
    runtime.engine.dispose()


ALL = ("worker single", "worker bulk", "beat")


def test_a_process_without_a_database_lives_and_is_not_ready(tmp_path):
    client = site(make_settings(tmp_path / "missing" / "folder"))

    assert ask(client, "/livez") == (200, "ok\n")
    assert ask(client, "/readyz") == (503, "database: does not answer\n")
    assert ask(client, "/health") == (503, "database: does not answer\n")


def test_a_server_that_cannot_be_reached_is_told_by_readyz_alone(tmp_path, free_port):
    url = f"postgresql+psycopg://me:secret@127.0.0.1:{free_port}/x"
    client = site(make_settings(tmp_path, database_url=url))

    assert ask(client, "/livez") == (200, "ok\n")
    assert ask(client, "/readyz") == (503, "database: does not answer\n")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_database_behind_this_code_is_not_ready_and_one_ahead_of_it_is(tmp_path, database, request):
    url = "" if database == "sqlite" else request.getfixturevalue("postgresql_url")
    settings = make_settings(tmp_path, database_url=url)
    client = site(settings)
    answers = [ask(client, "/readyz")]
    upgrade(settings.database)
    answers.append(ask(client, "/readyz"))
    engine = open_engine(settings.database)
    for number in ("0001", "9999"):
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{number}'"))
        answers.append(ask(client, "/readyz"))
    engine.dispose()

    assert answers == [
        (503, "database: empty; run newsletter db upgrade\n"),
        (200, "ok\n"),
        (503, "database: older than this program; run newsletter db upgrade\n"),
        (200, "ok\n"),
    ]


def test_health_wants_a_worker_of_each_lane_and_the_clock_seen_within_two_minutes(tmp_path):
    settings, clock = make_settings(tmp_path), Clock()
    upgrade(settings.database)
    client = site(settings, clock)

    nobody = ask(client, "/health")
    beat(settings, ALL[1:], clock() - timedelta(minutes=1))
    beat(settings, ALL[:1], clock() - timedelta(minutes=3))
    one_missing = ask(client, "/health")
    beat_again = Heartbeat(name="b", kind=ALL[0], started_at=clock(), seen_at=clock())
    with Runtime(settings).session() as session:
        session.add(beat_again)
        session.commit()
    whole = ask(client, "/health")
    clock.pass_(minutes=3)
    later = ask(client, "/health")

    assert nobody[0] == later[0] == 503
    assert nobody[1] == later[1]
    assert [line.split(":")[0] for line in nobody[1].splitlines()] == [
        "the worker for single emails",
        "the worker for digests",
        "the clock",
    ]
    assert one_missing == (503, "the worker for single emails: not seen for two minutes\n")
    assert whole == (200, "ok\n")


def test_health_wants_an_email_that_can_be_built(tmp_path):
    key = tmp_path / "dkim.pem"
    key.write_text(generate_key()[0])
    settings = make_settings(tmp_path, dkim_key_file=str(key), dkim_selector="one")
    upgrade(settings.database)
    clock = Clock()
    beat(settings, ALL, clock())
    healthy = ask(site(settings, clock), "/health")

    key.write_text("garbage")
    damaged = ask(site(settings, clock), "/health")

    assert healthy == (200, "ok\n")
    assert damaged == (503, "email: none can be built; the log says why\n")
