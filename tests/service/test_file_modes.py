"""Files in the data folder are their owner's alone, whatever the umask and whatever folder was there."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from house import ENVIRON

from newsletter.models import open_engine

RUN = ("-m", "newsletter", "--env-file", "")
RELEASE = "Harbour opens new quay\n\nHAMBURG, 3 March 2026 - The port opened a quay today, its owner said.\n"
COMMANDS = [
    ["db", "upgrade"],
    ["topic", "add", "energy", "Energy", "--words", "energy"],
    ["account", "add", "owner@example.org"],
    ["release", "add", "RELEASE", "--topic", "energy"],
    ["digest", "preview", "--frequency", "weekly"],
    ["digest", "send", "--frequency", "weekly", "--yes"],
    ["subscriber", "list"],
    ["subscriber", "held"],
    ["bounce", "ingest", "RELEASE"],
    ["db", "purge"],
    ["worker", "--drain"],
]


@pytest.fixture
def environ(tmp_path, free_port):
    """The environment of a service whose data folder is there already, for everybody to read."""
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


def widely(*words: str) -> list[str]:
    """Return the command that runs Python with these arguments and a umask that takes nothing away."""
    return ["sh", "-c", f"umask 000; exec {shlex.join([sys.executable, *words])}"]


def too_open(folder: Path) -> dict[str, str]:
    """Return the mode of each file and folder below `folder` that others have a right to."""
    found = {}
    for path in folder.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077 and not stat.S_ISSOCK(path.lstat().st_mode):
            found[str(path.relative_to(folder))] = oct(mode)
    return found


def test_every_command_leaves_files_for_their_owner_alone(environ, tmp_path):
    (tmp_path / "release.txt").write_text(RELEASE)
    data = Path(environ["NEWSLETTER_DATA_DIR"])

    for words in COMMANDS:
        given = [str(tmp_path / "release.txt") if each == "RELEASE" else each for each in words]
        subprocess.run(widely(*RUN, *given), env=environ, capture_output=True, check=False)
        assert too_open(data) == {}, words

    assert (data / "newsletter.sqlite3").is_file()


@pytest.mark.parametrize("program", ["run", "web", "worker", "beat", "wsgi"])
def test_every_process_leaves_files_for_their_owner_alone(environ, tmp_path, eventually, free_port, program):
    data = Path(environ["NEWSLETTER_DATA_DIR"])
    subprocess.run(widely(*RUN, "db", "upgrade"), env=environ, check=True)
    bind = ["--bind", f"127.0.0.1:{free_port}"]
    command = ["-m", "gunicorn", *bind, "wsgi:application"] if program == "wsgi" else [*RUN, program]
    before = set(data.rglob("*"))

    process = subprocess.Popen(widely(*command), env=environ, stdout=subprocess.DEVNULL)
    try:
        if program in {"worker", "beat"}:
            eventually(lambda: set(data.rglob("*")) - before, seconds=60)
        else:
            eventually(lambda: answers(free_port), seconds=90)
        found = too_open(data)
    finally:
        process.terminate()
        process.wait(timeout=40)

    assert found == {}
    assert too_open(data) == {}


def answers(port: int) -> bool:
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

    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "db", "upgrade"],
        env={**environ, "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert (f"can read {file}" in done.stderr) is warned
