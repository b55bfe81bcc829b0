"""Files in the data folder are readable by their owner only, for any umask and any existing folder."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from house import ENVIRON, NOON, make_installed
from servers.programs import Program, run_program
from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.cli import main
from newsletter.models import (
    Frequency,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
    open_engine,
)
from newsletter.settings import load_settings

RELEASE = "Harbour opens new quay\n\nHAMBURG, 3 March 2026 - The port opened a quay today, its owner said.\n"
MAIL = "From: ann@example.org\nTo: letter@example.org\nSubject: hello\n\nHello.\n"
FEEDS = '<opml version="2.0"><body><outline xmlUrl="https://press.example.org/feed"/></body></opml>'
READER = "ann@example.org"
# The arguments of each command, in an order in which each has something to work on. IN is a folder beside the
# data folder and DATA is that folder. RELEASE, ISSUE and SOURCE are public ids of rows that exist by then.
COMMANDS: dict[str, list[str]] = {
    "db upgrade": [],
    "db reindex": [],
    "edit": ["--tagline", "News of the port"],
    "settings": [],
    "topic add": ["energy", "Energy", "--words", "energy"],
    "topic rule": ["energy", "--words", "power"],
    "topic rules": ["energy"],
    "topic list": [],
    "topic edit": ["energy", "--name", "Energy"],
    "topic group add": ["sea", "Sea"],
    "topic group edit": ["sea", "--name", "The sea"],
    "topic group list": [],
    "schedule set": ["--hour", "7"],
    "schedule start": [],
    "schedule show": [],
    "schedule try": [],
    "schedule stop": [],
    "schedule late": ["skip"],
    "digest approve": ["--yes"],
    "digest order": ["by-hand", "--automatic"],
    "digest check": [],
    "template list": [],
    "template show": ["style.css"],
    "template check": ["IN/style.css"],
    "template save": ["IN/style.css"],
    "template versions": [],
    "template restore": ["usual"],
    "audit": [],
    "account add": ["owner@example.org"],
    "account reset": ["owner@example.org"],
    "account list": [],
    "dkim new": ["DATA/dkim.json", "--domain", "example.org", "--selector", "s2026"],
    "relay check": [],
    "release parse": ["IN/release.txt"],
    "release add": ["IN/release.txt", "--topic", "energy"],
    "release list": [],
    "release search": ["harbour"],
    "release show": ["RELEASE"],
    "release corrections": ["RELEASE"],
    "release write": ["--title", "A quay", "--text", "IN/release.txt"],
    "release edit": ["RELEASE", "--title", "Harbour opens a new quay"],
    "release notice": ["RELEASE", "--dry-run"],
    "release urgent": ["RELEASE", "--dry-run"],
    "release not-urgent": ["RELEASE"],
    "release approve": ["--all"],
    "release duplicates": [],
    "release places": ["RELEASE"],
    "release merge": ["RELEASE", "RELEASE"],
    "release different": ["RELEASE", "RELEASE"],
    "release unmerge": ["RELEASE"],
    "release embargo": ["RELEASE", "2040-12-01T09:00", "--zone", "Europe/Berlin"],
    "release free": ["RELEASE"],
    "release delete": ["RELEASE"],
    "release undo": ["RELEASE"],
    "release hold": ["RELEASE"],
    "release ready": ["RELEASE"],
    "release pin": ["RELEASE"],
    "release unpin": ["RELEASE"],
    "source add": ["IN/", "--folder", "--backlog", "all"],
    "source list": [],
    "source show": ["SOURCE"],
    "source try": ["http://127.0.0.1:9/"],
    "source poll": [],
    "source pause": ["SOURCE"],
    "source resume": ["SOURCE"],
    "source approval": ["SOURCE", "on"],
    "source import": ["IN/feeds.opml"],
    "source export": [],
    "source remove": ["SOURCE"],
    "release send-after-all": ["RELEASE"],
    "digest preview": ["--frequency", "weekly"],
    "digest send": ["--frequency", "weekly", "--yes"],
    "digest explain": [READER],
    "digest status": [],
    "digest pause": ["ISSUE"],
    "digest resume": ["ISSUE"],
    "worker": ["--drain"],
    "digest deliveries": ["ISSUE"],
    "digest retry-rejected": ["ISSUE"],
    "digest resend-uncertain": ["ISSUE"],
    "digest skip-unbuildable": ["ISSUE"],
    "digest cancel": ["ISSUE"],
    "digest lost-host": ["elsewhere"],
    "digest send-from-here": [],
    "release exclude": ["RELEASE"],
    "subscriber list": [],
    "subscriber show": [READER],
    "subscriber consent": [READER],
    "subscriber suppress": [READER],
    "subscriber unsuppress": [READER],
    "subscriber erase": [READER, "--yes"],
    "subscriber held": [],
    "suppression list": [],
    "suppression import": ["IN/mail.eml"],
    "suppression imports": [],
    "suppression undo": ["1"],
    "suppression export": [],
    "domain add": ["*.example.net", "never-accepted"],
    "domain list": [],
    "domain remove": ["*.example.net"],
    "consent head": [],
    "consent key": [],
    "consent verify": ["--all"],
    "language list": [],
    "bounce ingest": ["IN/mail.eml"],
    "bounce parse": ["IN/mail.eml"],
    "bounce reports": [],
    "bounce check": ["nobody@example.org", "--wait", "1"],
    "bounce fetch": [],
    "bounce held": [],
    "bounce history": ["ada@example.org"],
    "bounce undo": ["1"],
    "bounce go-on": ["news"],
    "bounce again": ["1", "--count", "1"],
    "bounce gone": ["1", "--count", "1"],
    "db purge": [],
    "db backup": ["DATA/backup.sqlite3"],
    "db restore": ["DATA/backup.sqlite3", "--yes"],
    # Last: with two newsletters, other commands need --newsletter.
    "add": ["harbour", "--name", "Harbour", "--from-address", "harbour@example.org"],
    "list": [],
}
# These have nothing to do here, or no relay answers, or this process still has the database open.
CAN_FAIL = {
    "relay check", "source try", "release send-after-all", "release not-urgent", "digest pause",
    "digest resume", "digest send-from-here", "schedule late", "consent verify", "bounce again",
    "bounce undo", "bounce gone", "release merge", "release different", "release unmerge", "digest approve",
    "digest check", "db restore", "bounce check", "bounce fetch",
}  # fmt: skip
WRONG_USAGE = 2
# These are checked while they run.
PROCESSES = ["run", "web", "worker", "beat", "wsgi"]
# `language` writes into the catalogues of a work tree, which contain no secrets. `demo` runs `run` in its own
# folder. `bounce serve` stores emails as `bounce ingest` does, and runs until it is stopped.
NOT_RUN = {"demo", "language add", "language update", "bounce serve"}


@pytest.fixture
def environ(tmp_path, free_port):
    """The environment of a service whose data folder exists already and is readable by everybody."""
    data = tmp_path / "data"
    data.mkdir()
    data.chmod(0o755)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")},
        **ENVIRON,
        "NEWSLETTER_PUBLIC_URL": f"http://127.0.0.1:{free_port}",
        "NEWSLETTER_BIND": f"127.0.0.1:{free_port}",
        "NEWSLETTER_RELAY": "smtp://127.0.0.1:9",
        "NEWSLETTER_DATA_DIR": str(data),
        "NEWSLETTER_WEB_WORKERS": "1",
        "NEWSLETTER_SEND_WORKERS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def too_open(folder: Path) -> dict[str, str]:
    """Return the mode of each file and folder below `folder` that other users can access."""
    found = {}
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077 and not stat.S_ISSOCK(path.lstat().st_mode):
            found[str(path.relative_to(folder))] = oct(mode)
    return found


def commands(group: click.Group, ctx: click.Context) -> Iterator[str]:
    """Yield every command of the program, as it is typed."""
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if isinstance(command, click.Group):
            yield from (f"{name} {each}" for each in commands(command, ctx))
        else:
            yield name


def test_every_command_of_the_program_is_looked_at_here():
    known = {*COMMANDS, *NOT_RUN, *PROCESSES} - {"wsgi"}

    assert set(commands(main, click.Context(main))) == known


def test_every_command_leaves_files_for_their_owner_alone(environ, tmp_path, with_umask_of_nothing):
    (tmp_path / "release.txt").write_text(RELEASE)
    (tmp_path / "mail.eml").write_text(MAIL)
    (tmp_path / "feeds.opml").write_text(FEEDS)
    (tmp_path / "style.css").write_text("p { margin: 0 }\n")
    data = Path(environ["NEWSLETTER_DATA_DIR"])

    ended = {}
    for words, arguments in COMMANDS.items():
        given = [fill_in(each, tmp_path, data) for each in arguments]
        with_umask_of_nothing()
        done = CliRunner().invoke(main, ["--env-file", "", *words.split(), *given], env=environ)
        assert done.exit_code != WRONG_USAGE, (words, done.output)
        assert too_open(data) == {}, words
        ended[words] = done.exit_code
        if words == "topic add":
            add_subscriber(data)

    assert {words for words, status in ended.items() if status} <= CAN_FAIL
    assert (data / "newsletter.sqlite3").is_file()
    assert (data / "dkim.json").is_file()


@pytest.fixture
def with_umask_of_nothing():
    """Return a function that resets the umask set by a command. The test's own is restored at the end."""
    before = os.umask(0)
    yield lambda: os.umask(0)
    os.umask(before)


def fill_in(argument: str, folder: Path, data: Path) -> str:
    for name, path in (("IN/", folder), ("DATA/", data)):
        if argument.startswith(name):
            return str(path / argument.removeprefix(name))
    if argument not in {"RELEASE", "ISSUE", "SOURCE"}:
        return argument
    with closing(sqlite3.connect(data / "newsletter.sqlite3")) as connection:
        (public_id,) = connection.execute(f"SELECT public_id FROM {argument.lower()}").fetchone()
    return public_id


def add_subscriber(data: Path) -> None:
    """Add a subscriber to the topic, so that there is something to send."""
    engine = open_engine(f"sqlite:///{data / 'newsletter.sqlite3'}")
    with Session(engine) as session:
        person = Subscriber(email=READER, email_key=READER, created_at=NOON, confirmed_at=NOON)
        session.add(person)
        session.flush()
        session.add(
            Subscription(
                subscriber_id=person.id,
                topic_id=session.scalars(select(Topic.id)).one(),
                frequency=Frequency.WEEKLY,
                state=SubscriptionState.ACTIVE,
                created_at=NOON,
                confirmed_at=NOON,
            )
        )
        session.commit()
    engine.dispose()


@pytest.mark.parametrize("program", PROCESSES)
def test_every_process_leaves_files_for_their_owner_alone(environ, tmp_path, eventually, free_port, program):
    data = Path(environ["NEWSLETTER_DATA_DIR"])
    make_installed(load_settings(environ))
    bind = ["--bind", f"127.0.0.1:{free_port}"]
    before = set(data.rglob("*"))

    widely = {"env": environ, "stdout": subprocess.DEVNULL, "umask": 0}
    if program == "wsgi":
        process = subprocess.Popen([sys.executable, "-m", "gunicorn", *bind, "wsgi:application"], **widely)
    else:
        process = Program("--env-file", "", program, **widely)
    try:
        if program in {"worker", "beat"}:
            eventually(lambda: set(data.rglob("*")) - before, seconds=60)
        else:
            eventually(lambda: is_listening(free_port), seconds=90)
        found = too_open(data)
    finally:
        process.terminate()
        process.wait(timeout=40)

    assert found == {}
    assert too_open(data) == {}


def is_listening(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_a_database_that_an_older_version_left_for_all_to_read_is_closed_when_it_is_opened(tmp_path):
    path = tmp_path / "newsletter.sqlite3"
    path.touch(mode=0o644)
    path.chmod(0o644)
    engine = open_engine(f"sqlite:///{path}")

    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE x (y)")
        connection.commit()
        found = too_open(tmp_path)
    engine.dispose()

    assert found == {}


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False), (0o600, False)])
def test_settings_that_everybody_can_read_are_told(environ, tmp_path, mode, warned):
    file = tmp_path / ".env"
    file.write_text("NEWSLETTER_SITE_NAME=News\n")
    file.chmod(mode)

    done = run_program("db", "upgrade", env=environ, cwd=tmp_path, text=True)

    assert done.returncode == 0
    assert (f"can read {file}" in done.stderr) is warned
