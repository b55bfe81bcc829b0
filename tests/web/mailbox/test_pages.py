"""The demo's mailbox page: it exists only in the demo, and nothing in an email runs there."""

from __future__ import annotations

import re

import pytest
from house import make_house, make_settings

from newsletter.app import create_app
from newsletter.demo.catcher import keep
from newsletter.web.mailbox.stored_emails import mailbox_folder

HOSTILE = (
    b"From: <script>alert(1)</script>\r\nTo: x\r\nSubject: <img src=x onerror=alert(2)>\r\n"
    b"Content-Type: text/html\r\n\r\n<script>alert(3)</script><p style='color:red'>Hi</p>"
)


@pytest.fixture
def client(tmp_path):
    settings = make_settings(tmp_path, demo="yes", public_url="http://127.0.0.1:8000")
    house = make_house(settings)
    house.runtime.engine.dispose()
    return create_app(settings).test_client()


@pytest.fixture
def mail_id(tmp_path):
    return keep(mailbox_folder(tmp_path), "", "ann@example.org", HOSTILE)


def test_there_is_no_emailbox_outside_the_demo(tmp_path):
    make_house(make_settings(tmp_path)).runtime.engine.dispose()

    assert create_app(make_settings(tmp_path)).test_client().get("/dev/mailbox").status_code == 404


def test_an_empty_mailbox_says_so(client):
    assert "No emails yet" in client.get("/dev/mailbox").text


@pytest.mark.parametrize("view", ["html", "text", "headers", "source", "nonsense"])
def test_nothing_of_a_hostile_email_is_markup_on_our_page(client, mail_id, view):
    text = client.get(f"/dev/mailbox/{mail_id}?view={view}").text

    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;img src=x onerror=alert(2)&gt;" in text


def test_its_html_is_shown_where_nothing_runs_and_nothing_loads(client, mail_id):
    answer = client.get(f"/dev/mailbox/{mail_id}/html")

    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy
    assert "<p style='color:red'>Hi</p>" in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_source_is_a_file_to_keep_and_no_page(client, mail_id):
    answer = client.get(f"/dev/mailbox/{mail_id}/source")

    assert answer.data.endswith(HOSTILE)
    assert answer.mimetype == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize("path", ["missing", "missing/html", "missing/source", "..%2Fsecret"])
def test_an_email_that_is_not_there_is_not_found(client, path):
    assert client.get(f"/dev/mailbox/{path}").status_code == 404


LEAVES = b"List-Unsubscribe: <https://example.org/u>,\r\n <mailto:leave%2Bx@example.org?subject=out>\r\n\r\n."


def test_an_email_with_an_unsubscribe_address_has_a_button_and_others_have_none(client, tmp_path, mail_id):
    leaving = keep(mailbox_folder(tmp_path), "", "ann@example.org", LEAVES)

    assert f"/dev/mailbox/{leaving}/leave" in client.get(f"/dev/mailbox/{leaving}").text
    assert "/leave" not in client.get(f"/dev/mailbox/{mail_id}").text


def test_the_button_sends_an_email_to_that_address_from_the_subscriber(tmp_path, smtp_sink):
    settings = make_settings(
        tmp_path, demo="yes", public_url="http://127.0.0.1:8000",
        unsubscribe_address="leave@example.org", intake_listen=smtp_sink.url,
    )  # fmt: skip
    make_house(settings).runtime.engine.dispose()
    client = create_app(settings).test_client()
    place = f"/dev/mailbox/{keep(mailbox_folder(tmp_path), '', 'ann@example.org', LEAVES)}"
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(place).text)[1]

    answer = client.post(f"{place}/leave", data={"csrf_token": token})
    (mail,) = smtp_sink.mails
    told = client.get(answer.location).text
    smtp_sink.refuse["leave+x@example.org"] = "550 5.1.1 no"
    refused = client.post(f"{place}/leave", data={"csrf_token": token})

    assert (answer.status_code, answer.location) == (303, f"{place}?left=yes")
    assert (mail.mail_from, mail.rcpt_tos) == ("ann@example.org", ("leave+x@example.org",))
    assert "This subscriber is unsubscribed" in told
    assert "was not accepted" in client.get(refused.location).text
