"""Incoming messages are read from files, from a Maildir, and from standard input."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from newsletter.errors import InputError
from newsletter.service.incoming.files import LARGEST_MAIL_BYTES, mails_of


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    """A Maildir with two new messages, and names that are none."""
    new = tmp_path / "new"
    new.mkdir()
    (new / "1.a:2,").write_bytes(b"one")
    (new / "2.b").write_bytes(b"two")
    (new / ".hidden").write_bytes(b"no message")
    (new / "folder").mkdir()
    return tmp_path


def test_a_file_holds_one_message(tmp_path: Path):
    path = tmp_path / "mail"
    path.write_bytes(b"Subject: x\r\n\r\n\xff")

    (mail,) = mails_of(str(path), {"RECIPIENT": "not-for-files@example.org"})

    assert (mail.raw, mail.recipients) == (b"Subject: x\r\n\r\n\xff", ())
    mail.settle()
    assert path.is_file()


def test_a_file_that_is_missing_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="nowhere: No such file"):
        list(mails_of(str(tmp_path / "nowhere"), {}))


def test_the_new_messages_of_a_maildir_move_to_cur_once_they_are_settled(maildir: Path):
    first, second = mails_of(str(maildir), {})
    assert [first.raw, second.raw] == [b"one", b"two"]
    assert names(maildir / "new") == [".hidden", "1.a:2,", "2.b", "folder"]

    first.settle()

    assert names(maildir / "cur") == ["1.a:2,S"]
    assert [mail.raw for mail in mails_of(str(maildir), {})] == [b"two"]


def test_a_message_that_another_process_took_is_left_out(maildir: Path):
    found = mails_of(str(maildir), {})
    next(found)

    (maildir / "new" / "2.b").unlink()

    assert list(found) == []


def test_a_folder_that_is_no_maildir_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="is not a Maildir"):
        list(mails_of(str(tmp_path), {}))


def test_a_huge_message_is_cut(tmp_path: Path):
    path = tmp_path / "mail"
    path.write_bytes(b"x" * (LARGEST_MAIL_BYTES + 10))

    (mail,) = mails_of(str(path), {})

    assert len(mail.raw) == LARGEST_MAIL_BYTES


def test_standard_input_is_read_with_the_recipients_that_the_mail_server_names():
    program = (
        "from newsletter.service.incoming.files import mails_of\n"
        "named = {'RECIPIENT': 'b@example.org', 'ORIGINAL_RECIPIENT': 'a\\udcff@example.org'}\n"
        "(mail,) = mails_of('-', named)\n"
        "print(mail.raw, mail.recipients)"
    )

    told = subprocess.run([sys.executable, "-c", program], input=b"one\xff", capture_output=True, check=True)

    assert told.stdout.decode().strip() == r"b'one\xff' ('a?@example.org', 'b@example.org')"


def test_lines_of_any_length_in_an_mbox_file_cost_little(tmp_path: Path):
    path = tmp_path / "returned"
    with path.open("wb") as file:
        file.write(b"From a Mon\n\n" + b"\n" * 3_000_000)
        for _ in range(40):
            file.write(b"x" * 1_000_000)
        file.write(b"From a long line\n\nFrom b Tue\nSubject: two\n\n")

    tracemalloc.start()
    sizes = [len(mail.raw) for mail in mails_of(str(path), {})]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sizes == [LARGEST_MAIL_BYTES, 25]
    assert peak < 4 * LARGEST_MAIL_BYTES


def test_an_mbox_file_holds_several_messages(tmp_path: Path):
    path = tmp_path / "returned"
    path.write_bytes(
        b"From a Mon\nSubject: one\n\ntext\nFrom here on\n\nFrom b Tue\nSubject: two\n\ntext\n\n"
    )

    first, second = mails_of(str(path), {})

    assert (first.name, second.name) == (f"{path}#1", f"{path}#2")
    assert first.raw.endswith(b"text\nFrom here on\n\n")
    assert second.raw.startswith(b"From b Tue\nSubject: two")
