"""The test servers are real servers and start empty."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
from email.message import EmailMessage

import psycopg
import pytest
import redis
from sqlalchemy import create_engine, text

from servers.chromium import ROOT
from servers.smtp import SMTPSink


def mail_to(*recipients: str, subject: str = "News") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "desk@example.org", ", ".join(recipients), subject
    message.set_content("Grüße\n.a dot\n")
    return message


def test_postgresql_is_new_enough_and_keeps_rows(postgresql_url):
    engine = create_engine(postgresql_url)

    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE reader (name text)"))
        connection.execute(text("INSERT INTO reader VALUES ('Zoë')"))
    with engine.connect() as connection:
        version = connection.scalar(text("SELECT version()"))
        names = connection.scalars(text("SELECT name FROM reader")).all()
    engine.dispose()

    assert version.startswith("PostgreSQL 1")
    assert names == ["Zoë"]


@pytest.mark.parametrize("turn", ["first", "second"])
def test_every_test_gets_an_empty_postgresql_database(postgresql_url, turn):
    engine = create_engine(postgresql_url)

    with engine.begin() as connection:
        tables = connection.scalar(text("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"))
        connection.execute(text("CREATE TABLE left_over (x int)"))
    engine.dispose()

    assert tables == 0


def test_a_database_is_dropped_under_an_open_connection(postgresql):
    name = postgresql.create_database()
    plain = postgresql.url(name).replace("+psycopg", "")

    with psycopg.connect(plain) as connection:
        connection.execute("SELECT 1")
        postgresql.drop_database(name)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_redis_answers_and_starts_empty(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()
        assert client.dbsize() == 0
        client.set("left over", "1")


def test_a_server_ends_with_the_test_run_that_was_killed(tmp_path):
    script = (
        "import os, signal, sys\n"
        "from servers.redis import run_redis\n"
        "with run_redis() as url:\n"
        "    print(url, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests"), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr

    with redis.Redis.from_url(run.stdout.strip(), retry=None) as client, pytest.raises(redis.ConnectionError):
        # It may take a moment to end: the loop ends at the first refused connection.
        for _ in range(1000):
            client.ping()
            client.connection_pool.disconnect()


def test_the_sink_keeps_the_envelope_and_the_bytes(smtp_sink: SMTPSink):
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        client.send_message(mail_to("ada@example.org"), from_addr="bounce+1@example.org")

    (mail,) = smtp_sink.wait_for(1)

    assert (mail.mail_from, mail.rcpt_tos) == ("bounce+1@example.org", ("ada@example.org",))
    assert mail.raw.endswith(b"\r\n")
    assert mail.message["Subject"] == "News"
    assert mail.part("plain").splitlines() == ["Grüße", ".a dot"]


def test_the_sink_takes_addresses_that_are_not_ascii(smtp_sink: SMTPSink):
    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        client.send_message(mail_to("zoë@example.org"))

    assert "SMTPUTF8" in smtp_sink.to("zoë@example.org")[0].mail_options


def test_the_sink_refuses_whom_it_is_told_to(smtp_sink: SMTPSink):
    smtp_sink.refuse["gone@example.org"] = "550 5.1.1 no such user"
    smtp_sink.refuse["busy@example.org"] = ["451 4.3.0 later"]

    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        refused = client.send_message(mail_to("ada@example.org", "gone@example.org", "busy@example.org"))
        client.send_message(mail_to("busy@example.org"))

    assert refused["gone@example.org"] == (550, b"5.1.1 no such user")
    assert refused["busy@example.org"] == (451, b"4.3.0 later")
    assert [mail.rcpt_tos for mail in smtp_sink.mails] == [("ada@example.org",), ("busy@example.org",)]


def test_the_sink_refuses_a_message_once(smtp_sink: SMTPSink):
    smtp_sink.refuse_data = ["452 4.2.2 mailbox full"]

    with smtplib.SMTP(smtp_sink.host, smtp_sink.port) as client:
        with pytest.raises(smtplib.SMTPDataError):
            client.send_message(mail_to("ada@example.org"))
        client.send_message(mail_to("ada@example.org"))

    assert len(smtp_sink.wait_for(1)) == 1


def test_chromium_renders_a_page_and_leaves_a_picture(page, screenshot):
    page.set_content("<h1>The week in releases</h1><script>document.title = 6 * 7</script>")

    picture = screenshot("browser-works", width=420)

    assert page.title() == "42"
    assert page.locator("h1").bounding_box()["width"] > 300
    assert picture.read_bytes().startswith(b"\x89PNG")
