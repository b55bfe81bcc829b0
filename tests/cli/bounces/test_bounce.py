"""`newsletter bounce` as an SMTP server runs it: a pipe with its exit statuses, files and a Maildir."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess

import pytest
from house import ENVIRON, make_settings, make_upgraded
from servers.programs import Program, run_program

from newsletter.mail.verp import LEAVE_KEY, leave_address
from newsletter.models import Frequency, Subscriber, Subscription, SubscriptionState, Topic
from newsletter.runtime import Runtime

MAILBOX = "leave@news.example.org"


@pytest.fixture
def runtime(tmp_path):
    """A runtime of an installation with three subscribers."""
    made = Runtime(make_settings(tmp_path, unsubscribe_address=MAILBOX))
    make_upgraded(made.settings.database)
    with made.session() as session:
        topic = Topic(slug="harbours", name="Harbours", description="", created_at=made.now())
        session.add(topic)
        session.flush()
        for name in ("ada", "ben", "cy"):
            email = f"{name}@example.org"
            subscriber = Subscriber(
                email=email, email_key=email, created_at=made.now(), confirmed_at=made.now()
            )
            session.add(subscriber)
            session.flush()
            session.add(
                Subscription(
                    subscriber_id=subscriber.id, topic_id=topic.id, frequency=Frequency.DAILY,
                    state=SubscriptionState.ACTIVE, created_at=made.now(), confirmed_at=made.now(),
                )
            )  # fmt: skip
        session.commit()
    yield made
    made.engine.dispose()


def environ(runtime, **more):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    folder = {
        "NEWSLETTER_DATA_DIR": str(runtime.settings.data_dir),
        "NEWSLETTER_UNSUBSCRIBE_ADDRESS": MAILBOX,
    }
    return plain | ENVIRON | folder | more


def bounce(runtime, *words, stdin=b"", **more):
    options = {"given": stdin, "env": environ(runtime, **more), "timeout": 60}
    return run_program("--env-file", "", "bounce", *words, **options)


def address_of(runtime, email):
    with runtime.session() as session:
        public_id = session.query(Subscriber.public_id).filter_by(email=email).scalar()
    return leave_address(MAILBOX, public_id, 7, runtime.tokens.derived_key(LEAVE_KEY))


def mail(to):
    return f"From ada Mon Nov 23\nFrom: ada@example.org\nTo: {to}\nSubject: unsubscribe\n\n.\n".encode()


def active(runtime):
    with runtime.session() as session:
        rows = session.query(Subscriber.email).join(Subscription).filter_by(state=SubscriptionState.ACTIVE)
        return sorted(email.partition("@")[0] for (email,) in rows)


def test_a_pipe_takes_an_email_silently(runtime):
    done = bounce(runtime, "ingest", "-", stdin=mail(address_of(runtime, "ada@example.org")))

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert active(runtime) == ["ben", "cy"]


@pytest.mark.parametrize("way", ["option", "ORIGINAL_RECIPIENT", "RECIPIENT"])
def test_a_pipe_may_tell_the_envelope(runtime, way):
    address = address_of(runtime, "ben@example.org")
    words, more = (["--recipient", address], {}) if way == "option" else ([], {way: address})

    done = bounce(runtime, "ingest", "--json", *words, "-", stdin=mail("undisclosed"), **more)

    assert json.loads(done.stdout) == {"file": "-", "done": ["left"]}
    assert active(runtime) == ["ada", "cy"]


def test_a_pipe_keeps_quiet_about_what_is_not_ours(runtime):
    forged = "leave+" + "a" * 40 + "@news.example.org"

    done = bounce(runtime, "ingest", "-", stdin=mail(forged) + b"x" * (12 << 20))

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert active(runtime) == ["ada", "ben", "cy"]


@pytest.mark.parametrize(
    "broken",
    [
        {"NEWSLETTER_DATA_DIR": "/proc/nowhere"},
        {"NEWSLETTER_DATABASE_URL": "postgresql+psycopg://nobody@127.0.0.1:1/nothing"},
        {"NEWSLETTER_SECRET_KEYS": ""},
        {"NEWSLETTER_NO_SUCH_THING": "1"},
    ],
)
def test_whatever_is_in_the_way_the_email_server_is_asked_to_try_again(runtime, broken):
    done = bounce(runtime, "ingest", "-", stdin=mail(MAILBOX), **broken)

    assert done.returncode == 75
    assert b"Traceback" not in done.stderr


def test_the_new_emails_of_a_maildir_are_done_and_moved(runtime, tmp_path):
    maildir = tmp_path / "Maildir"
    for part in ("new", "cur", "tmp"):
        (maildir / part).mkdir(parents=True)
    for name in ("ada", "ben"):
        (maildir / "new" / f"{name}.1").write_bytes(mail(address_of(runtime, f"{name}@example.org")))
    (maildir / "new" / "noise").write_bytes(b"\xff\0\r\n\r\n")
    (maildir / "cur" / "old:2,S").write_bytes(mail(address_of(runtime, "cy@example.org")))

    done = bounce(runtime, "ingest", str(maildir))
    again = bounce(runtime, "ingest", str(maildir))

    assert done.returncode == again.returncode == 0
    assert [line.rpartition(b": ")[2] for line in done.stdout.splitlines()] == [b"left", b"left", b"not-ours"]
    assert again.stdout == b""
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == [
        "ada.1:2,S", "ben.1:2,S", "noise:2,S", "old:2,S",
    ]  # fmt: skip
    assert active(runtime) == ["cy"]


def test_an_email_that_cannot_be_handed_to_the_owner_keeps_nobody_waiting(runtime, tmp_path):
    folder = tmp_path / "Maildir"
    for part in ("new", "cur", "tmp"):
        (folder / part).mkdir(parents=True)
    (folder / "new" / "1").write_bytes(mail("postmaster@example.org"))
    (folder / "new" / "2").write_bytes(mail(address_of(runtime, "ben@example.org")))

    done = bounce(runtime, "ingest", str(folder))

    assert done.returncode == 75
    assert [each.name for each in (folder / "new").iterdir()] == ["1"]
    assert "ben" not in active(runtime)


def test_a_file_stays_where_it_is_and_one_that_is_not_there_is_told(runtime, tmp_path):
    file = tmp_path / "wish.eml"
    file.write_bytes(mail(address_of(runtime, "cy@example.org")))

    done = bounce(runtime, "ingest", str(file), str(tmp_path / "nothing.eml"))

    assert done.returncode == 75
    assert done.stdout.endswith(b"wish.eml: left\n")
    assert b"No such file" in done.stderr
    assert file.is_file()


def test_a_folder_that_is_no_emaildir_is_told(runtime, tmp_path):
    done = bounce(runtime, "ingest", str(tmp_path))

    assert done.returncode == 75
    assert b"not a Maildir" in done.stderr


def test_the_listener_runs_until_it_is_told_to_stop(runtime, free_port):
    process = Program(
        "--env-file",
        "",
        "bounce",
        "serve",
        env=environ(runtime, NEWSLETTER_INTAKE_LISTEN=f"smtp://127.0.0.1:{free_port}"),
        stderr=subprocess.PIPE,
        text=True,
    )
    address = address_of(runtime, "ada@example.org")
    try:
        assert "intake_listening" in process.stderr.readline()
        with smtplib.SMTP("127.0.0.1", free_port) as talk:
            talk.sendmail("ada@example.org", [address], mail(address))
        left = active(runtime)
    finally:
        process.terminate()
        _, told = process.communicate(timeout=30)

    assert process.returncode == 0
    assert left == ["ben", "cy"]
    assert "done=left" in told
    # A log contains no address and no token.
    assert "@" not in told
    assert address[6:20] not in told


def test_the_listener_says_when_it_is_told_nothing_or_its_place_is_taken(runtime, smtp_sink):
    nowhere = bounce(runtime, "serve")
    taken = bounce(runtime, "serve", NEWSLETTER_INTAKE_LISTEN=f"lmtp://127.0.0.1:{smtp_sink.port}")

    assert nowhere.returncode == taken.returncode == 1
    assert b"NEWSLETTER_INTAKE_LISTEN" in nowhere.stderr
    assert b"This host cannot listen" in taken.stderr


def test_parse_prints_one_line_for_each_file_in_the_given_order(runtime, tmp_path):
    report = tmp_path / "report.eml"
    report.write_bytes(
        b"From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\n<ada@example.org>: user unknown\n"
    )

    done = bounce(runtime, "parse", str(tmp_path / "missing"), str(report))

    assert done.returncode == 1
    missing, read = map(json.loads, done.stdout.splitlines())
    assert "cannot be read" in missing["error"]
    assert read == {
        "file": str(report), "kind": "bounce", "suppress": ["ada@example.org"], "soft": [], "complaint": [],
    }  # fmt: skip
