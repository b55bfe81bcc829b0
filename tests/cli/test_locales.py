"""Commands in any locale, with arguments that are not text: a message says what is wrong, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from house import ENVIRON, make_settings, make_upgraded

from newsletter.models import Release
from newsletter.runtime import Runtime

TITLE = "Harbour opens a new quay: été à Łódź, 日本語 和 🛳"
BODY = f"{TITLE}\n\nHarbour Board\n10 March 2026\n\n" + "The new quay “Żuraw” opens on Monday. " * 12

# Locales that decode arguments and encode output differently.
LOCALES = {
    "UTF-8": {"LC_ALL": "C.UTF-8"},
    "Latin-1 output": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "iso-8859-1"},
    "ASCII": {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    "ASCII output": {"LC_ALL": "C.UTF-8", "PYTHONIOENCODING": "us-ascii"},
}

# Runs several commands in one process. Each ends with the status that `newsletter` would have.
SCRIPT = """
import os, sys
from newsletter.cli import main
from newsletter.cli.context import Invocation
for number, line in enumerate(sys.argv[1].split("\\x1e")):
    try:
        main(line.split("\\x1f"), prog_name="newsletter")
    except SystemExit as end:
        sys.stdout.flush()
        os.write(1, f"\\n<{number}:{end.code or 0}>\\n".encode())
"""


@pytest.fixture
def upgraded(tmp_path: Path) -> None:
    """The folder of the test has a database already: `newsletter db upgrade` only looks at it."""
    make_upgraded(make_settings(tmp_path / "data").database)


def run(folder: Path, locale: str, *commands: tuple[bytes, ...]) -> list[tuple[int, bytes]]:
    """Run the commands; return each one's status and its output on both streams."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    }
    argument = b"\x1e".join(b"\x1f".join(words) for words in commands)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, argument],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**environ, **ENVIRON, **LOCALES[locale], "NEWSLETTER_DATA_DIR": f"{folder}/data"},
    )  # fmt: skip
    ends, rest = [], done.stdout
    for number in range(len(commands)):
        told, found, rest = rest.partition(f"\n<{number}:".encode())
        assert found, done.stdout.decode("utf-8", "replace")
        status, _, rest = rest.partition(b">\n")
        ends.append((int(status), told))
    assert b"Traceback" not in done.stdout, done.stdout.decode("utf-8", "replace")
    return ends


def titles(folder: Path) -> list[str]:
    runtime = Runtime(make_settings(folder / "data"))
    with runtime.session() as session:
        found = [title for (title,) in session.query(Release.title).order_by(Release.id)]
    runtime.engine.dispose()
    return found


@pytest.mark.usefixtures("upgraded")
@pytest.mark.parametrize("locale", LOCALES)
def test_no_command_fails_because_of_what_it_prints(tmp_path, locale):
    (tmp_path / "one.txt").write_text(BODY, "utf-8")
    name = b"caf\xe9-\xff.txt"
    (tmp_path / os.fsdecode(name)).write_text(BODY.replace(TITLE, f"Second: {TITLE}"), "utf-8")

    ends = run(
        tmp_path,
        locale,
        (b"db", b"upgrade"),
        (b"topic", b"add", b"quays", b"Quays", b"--words", b"quay"),
        (b"release", b"parse", b"one.txt", name, b"missing-\xff"),
        (b"release", b"add", b"one.txt", name, b"missing-\xff"),
        (b"release", b"list"),
        (b"release", b"list", b"--json"),
        (b"topic", b"list"),
        (b"digest", b"preview"),
        (b"digest", b"preview", b"--html"),
        (b"settings",),
        (b"bounce", b"ingest", b"--recipient", b"caf\xe9@example.org", b"--sender", b"\xff", b"one.txt"),
    )

    statuses = [status for status, _ in ends]
    assert statuses[:10] == [0, 0, 1, 1, 0, 0, 0, 0, 0, 0], ends
    assert statuses[10] in {0, 75}
    assert titles(tmp_path) == [TITLE, f"Second: {TITLE}"]
    told = [json.loads(line) for line in ends[5][1].splitlines() if line.startswith(b"{")]
    assert {each["title"] for each in told} == {TITLE, f"Second: {TITLE}"}


@pytest.mark.usefixtures("upgraded")
@pytest.mark.parametrize("locale", LOCALES)
def test_an_argument_that_is_no_text_is_refused_before_anything_is_stored(tmp_path, locale):
    for name in ("a", "b"):
        (tmp_path / name).write_text(BODY.replace(TITLE, name + TITLE), "utf-8")

    ends = run(
        tmp_path,
        locale,
        (b"db", b"upgrade"),
        (b"topic", b"add", b"quays", b"Qu\xff"),
        (b"topic", b"rule", b"quays\xff", b"--words", b"quay"),
        (b"release", b"add", b"a", b"b", b"--topic", b"qu\xff"),
        (b"release", b"show", b"\xff"),
        (b"release", b"hold", b"\xff"),
        (b"account", b"add", b"ann\xff@example.org"),
        (b"subscriber", b"show", b"ann\xff@example.org"),
        (b"digest", b"lost-host", b"mars\xff"),
        (b"digest", b"preview", b"--frequency", b"\xff"),
        (b"worker", b"--lane", b"\xff"),
        (b"no-such-\xff",),
    )

    assert [status for status, _ in ends] == [0] + [2] * 11
    assert all(b"valid text" in told for _, told in ends[1:9])
    assert titles(tmp_path) == []


def test_every_file_is_read_before_the_first_is_stored(tmp_path):
    (tmp_path / "a").write_text(BODY, "utf-8")
    (tmp_path / "b").write_bytes(b"\x00\xff" * 400)

    ends = run(tmp_path, "UTF-8", (b"db", b"upgrade"), (b"release", b"add", b"b", b"a", b"c\xe9"))

    assert ends[1][0] == 1
    assert ends[1][1].index(b"b: ") < ends[1][1].index(TITLE.encode())
    assert titles(tmp_path) == [TITLE]


@pytest.mark.parametrize("locale", ["UTF-8", "ASCII"])
def test_a_data_folder_may_have_any_name_in_any_locale(tmp_path, locale):
    folder = tmp_path / os.fsdecode("łódź-".encode() + b"\xff")
    folder.mkdir()

    ends = run(folder, locale, (b"db", b"upgrade"), (b"topic", b"list"), (b"release", b"list"))

    assert [status for status, _ in ends] == [0, 0, 0], ends
    assert (folder / "data" / "newsletter.sqlite3").stat().st_size > 0


def test_a_setting_that_is_no_text_is_a_fault(tmp_path):
    environ = {**os.environb, **{name.encode(): value.encode() for name, value in ENVIRON.items()}}
    environ |= {b"NEWSLETTER_SITE_NAME": b"caf\xe9", b"LC_ALL": b"C.UTF-8"}

    done = subprocess.run(
        [sys.executable, "-m", "newsletter", "db", "upgrade"],
        env=environ, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "NEWSLETTER_SITE_NAME is not valid text" in done.stderr


@pytest.mark.usefixtures("upgraded")
def test_a_full_disk_behind_the_output_is_one_sentence(tmp_path):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "newsletter", "settings"],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False,
            env={**os.environ, **ENVIRON, "NEWSLETTER_DATA_DIR": f"{tmp_path}/data"},
        )  # fmt: skip

    assert done.returncode != 0
    assert done.stderr.startswith(b"newsletter: No space left on device")
    assert b"Traceback" not in done.stderr
