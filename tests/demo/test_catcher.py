"""The mail catcher of the demo: it keeps emails byte for byte, and only the newest."""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage

from newsletter.demo import catcher
from newsletter.web.mailbox.stored_emails import (
    find_stored_email,
    forget_oldest,
    list_stored_emails,
    mailbox_folder,
)

RUN = """
import sys
from pathlib import Path
from newsletter.demo.catcher import run_catcher
run_catcher(Path(sys.argv[1]), int(sys.argv[2]))
"""


def test_an_email_sent_by_smtp_is_in_the_mailbox(tmp_path, start, eventually, free_port):
    start("-c", RUN, str(tmp_path), str(free_port))
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "desk@example.org", "ann@example.org", "Grüße"
    mail.set_content("Look: https://example.org/a.\n")
    mail.add_alternative("<p>Look</p>", subtype="html")

    def deliver():
        try:
            with smtplib.SMTP("127.0.0.1", free_port) as client:
                client.send_message(mail, "bounce+1@example.org", ["ann@example.org"])
        except ConnectionRefusedError:
            return False
        return True

    eventually(deliver)

    (caught,) = list_stored_emails(mailbox_folder(tmp_path))
    assert (caught.subject, caught.recipient, caught.sender) == (
        "Grüße",
        "ann@example.org",
        "desk@example.org",
    )
    assert caught.html.strip() == "<p>Look</p>"
    assert [piece.url for piece in caught.pieces if piece.url] == ["https://example.org/a"]
    assert caught.raw.startswith(b"Return-Path: <bounce+1@example.org>\r\n")


def test_only_the_newest_are_kept(tmp_path):
    names = [catcher.keep(tmp_path, "", f"reader{n}@example.org", b"Subject: n\r\n\r\n") for n in range(5)]
    for age, name in enumerate(names):
        os.utime(tmp_path / "new" / name, (age, age))

    forget_oldest(tmp_path, 2)

    assert [mail.id for mail in list_stored_emails(tmp_path)] == names[:-3:-1]


def test_no_name_leads_out_of_the_mailbox(tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "secret").write_text("Subject: secret\n\n")

    for name in ("../secret", "..", ".", "", "a/b", "x" * 300, "missing"):
        assert find_stored_email(tmp_path, name) is None


def test_an_email_that_is_not_one_can_still_be_looked_at(tmp_path):
    name = catcher.keep(
        tmp_path,
        "",
        "",
        b"Content-Type: text/plain; charset=no-such-charset\r\nSubject: =?broken?=\r\n\r\n\xff\xfe",
    )

    mail = find_stored_email(tmp_path, name)

    assert mail.html is None
    assert "charset=no-such-charset" in mail.source
    assert mail.headers
