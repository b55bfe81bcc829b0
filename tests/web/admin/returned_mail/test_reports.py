"""The list of reports, one report, and its message, which a browser only shows."""

from __future__ import annotations

import threading
import zlib
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from werkzeug.serving import make_server

from newsletter.bounces.history.queries import PER_PAGE
from newsletter.models import ReportOutcome, ReturnedMail, Subscriber

PAGE = "/admin/returned/reports"
HOSTILE = (
    b"Content-Type: text/html\r\n\r\n<!doctype html><html><head><title>quiet</title></head><body>"
    b"<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\">"
    b"<svg onload=\"document.title = 'ran'\"></svg>\xff\xfe</body></html>"
)


@pytest.fixture
def returned(house):
    """One report with a hostile message, about the only subscriber. Its number is 1."""
    house.topic()
    house.add_subscriber("one@example.org")
    with house.make_session() as session:
        person = session.scalars(select(Subscriber)).one()
        session.add(
            ReturnedMail(
                digest="d", received_at=house.clock(), outcome=ReportOutcome.HARD, subscriber_id=person.id,
                reason="no such user", status="5.1.1", words="<b>unknown</b>", raw=zlib.compress(HOSTILE),
            )
        )  # fmt: skip
        session.commit()
    return house


def test_a_report_is_listed_and_shown_with_its_person(returned, editor):
    listed, page = editor.get(PAGE).text, editor.get(f"{PAGE}/1").text

    assert f"{PAGE}/1" in listed and "&lt;b&gt;unknown" in listed and "no such mailbox" in listed
    assert "one@example.org" in page and f"{PAGE}/1/message" in page and "<b>unknown" not in page
    assert editor.get(f"{PAGE}?outcome=complaint").text.count("No reports") == 1
    for path in ("2", "2/message", "99999999999999999999"):
        assert editor.get(f"{PAGE}/{path}").status_code == 404


def test_following_the_links_shows_each_report_once(house, editor):
    with house.make_session() as session:
        for number in range(PER_PAGE + 3):
            at = house.clock() + timedelta(minutes=number)
            session.add(ReturnedMail(digest=str(number), received_at=at, outcome=ReportOutcome.SOFT))
        session.commit()

    first = editor.get(PAGE).text
    older = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")

    assert first.count('<th scope="row"') == PER_PAGE
    assert editor.get(older).text.count('<th scope="row"') == 3
    for odd in ("x", "-5", "9" * 40):
        assert editor.get(f"{PAGE}?before={odd}").status_code == 200


def test_a_message_is_plain_text_in_a_sandbox(returned, editor):
    answer = editor.get(f"{PAGE}/1/message")

    assert answer.data == HOSTILE
    assert answer.content_type == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == (
        "sandbox; default-src 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["Content-Disposition"] == 'inline; filename="report-1.txt"'
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_page_says_when_a_message_is_deleted(returned, editor):
    with returned.make_session() as session:
        session.execute(update(ReturnedMail).values(raw=None))
        session.commit()

    assert "has been deleted" in editor.get(f"{PAGE}/1").text
    assert editor.get(f"{PAGE}/1/message").status_code == 404


def test_a_script_in_a_message_does_not_run_in_a_browser(returned, editor, page):
    editor.get("/admin/")
    cookie = editor.client.get_cookie("session", domain="localhost")
    server = make_server("127.0.0.1", 0, returned.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        place = f"http://127.0.0.1:{server.server_port}"
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": place}])
        answer = page.goto(f"{place}{PAGE}/1/message")

        assert answer.status == 200
        assert "document.title = 'ran'" in page.inner_text("body")
        assert page.title() != "ran"
        assert page.locator("script, img, svg").count() == 0
    finally:
        server.shutdown()
        thread.join()
