"""The editor's note stands on every email of an issue, and on its page in the browser."""

from __future__ import annotations

import re

import pytest
from house import House
from sqlalchemy import select

from newsletter.digest.archive import read_issue
from newsletter.digest.issues import open_issue, send_test
from newsletter.digest.preview import preview
from newsletter.errors import InputError
from newsletter.messages.digests.edition import HTML_BUDGET_BYTES
from newsletter.messages.digests.note import NOTE_BYTES, read_note
from newsletter.models import Delivery, Frequency, Issue, Rendition, Subscriber

NOTE = "Dear friends, the **new quay** opens.\n\n- [Plan](https://example.org/plan)\n- Tea"


def send_with_note(house: House, note: str = NOTE, language: str = "en") -> int:
    with house.runtime.session() as session:
        issue = open_issue(
            session, [Frequency.WEEKLY], actor="test", now=house.clock(), note=note, note_language=language
        )
        session.commit()
        issue_id = issue.id
    house.prepare(issue_id)
    house.drain()
    return issue_id


def contents(house: House) -> list[tuple[str, str]]:
    """Return text and HTML of the emails that the relay accepted."""
    from email import message_from_bytes, policy

    found = []
    for sent in house.transport.sent:
        message = message_from_bytes(sent.content, policy=policy.default)
        plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
        assert plain is not None
        assert html is not None
        found.append(tuple(each.get_content().replace("\r\n", "\n") for each in (plain, html)))
    return found


def test_the_note_is_in_each_email_as_html_and_text_and_on_the_browser_page(either_house: House):
    house = either_house
    energy = house.topic("energy")
    ann, _ = house.add_subscriber(energy), house.add_subscriber(energy)
    house.release("A new energy cable")

    send_with_note(house)

    assert len(contents(house)) == 2
    for text, html in contents(house):
        assert "Dear friends, the new quay opens.\n\n  - Plan <https://example.org/plan>\n  - Tea\n" in text
        assert text.index("Dear friends") < text.index("A new energy cable")
        assert "<strong>new quay</strong>" in html
        assert 'lang="en" dir="ltr"' in html
    with house.runtime.session() as session:
        delivery = session.scalars(select(Delivery.id).where(Delivery.subscriber_id == ann)).one()
        person = session.get_one(Subscriber, ann).public_id
        page = read_issue(session, house.runtime.messages, person, delivery, house.clock())
    assert "<strong>new quay</strong>" in page


def test_a_note_keeps_its_own_language_and_direction(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("A new energy cable")

    send_with_note(house, "مرحبا", "ar")

    ((_, html),) = contents(house)
    (opening,) = re.findall(r'<div[^>]* lang="ar"[^>]*>', html)
    assert 'dir="rtl"' in opening
    assert re.search(r"text-align: ?right", opening)


def test_an_issue_without_a_note_has_no_trace_of_one(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("A new energy cable")

    send_with_note(house, "  \n ")

    ((text, html),) = contents(house)
    assert 'class="note' not in html
    assert "\n\n\n\n" not in text


def test_a_retry_shows_the_note_that_was_kept_with_the_issue(house: House):
    from newsletter.outbox import control
    from newsletter.smtp.replies import Reply

    energy = house.topic("energy")
    house.add_subscriber(energy, name="ann")
    house.add_subscriber(energy)  # an issue that reaches nobody is paused
    house.release("A new energy cable")
    house.transport.answer("ann@example.org", Reply(554, ("5.7.1 not today",)))
    issue_id = send_with_note(house)
    assert len(contents(house)) == 1

    with house.runtime.session() as session:
        control.retry_rejected(session, session.get_one(Issue, issue_id), "test", house.clock())
        session.commit()
    house.drain()

    _, (_, html) = contents(house)
    assert "<strong>new quay</strong>" in html


def test_the_note_counts_in_the_byte_budget(house: House):
    energy = house.topic("energy")
    house.add_subscriber(energy)
    for number in range(90):
        house.release(f"Energy cable {number} " + "with many words in a long headline " * 4)
    worst = ("- " + "&" * 20 + "\n") * 190

    send_with_note(house, worst)

    ((_, html),) = contents(house)
    assert len(html.encode()) <= HTML_BUDGET_BYTES
    assert html.count("&amp;") >= 190 * 20


@pytest.mark.parametrize(
    ("note", "language"),
    [("x" * (NOTE_BYTES + 1), "en"), ("x", ""), ("x", 'en" onclick="x'), ("[a]: /x", "en")],
)
def test_a_note_that_cannot_be_used_opens_no_issue(house: House, note: str, language: str):
    house.add_subscriber(house.topic("energy"))
    house.release("A new energy cable")

    with pytest.raises(InputError):
        send_with_note(house, note, language)

    assert house.all(Issue) == []


def test_a_preview_and_a_test_show_the_note(house: House):
    house.add_subscriber(house.topic("energy"))
    house.release("A new energy cable")
    with house.runtime.session() as session:
        shown = preview(
            session,
            house.runtime.renderer,
            frequencies=[Frequency.WEEKLY],
            now=house.clock(),
            note=read_note(NOTE, "en"),
        )
        assert shown is not None
        assert "<strong>new quay</strong>" in shown.html
        send_test(
            session, house.runtime.renderer, shown.selection, recipient="me@example.org", actor="test",
            now=house.clock(), note=NOTE, note_language="en",
        )  # fmt: skip
        session.commit()
    house.drain("single")

    ((text, _),) = contents(house)
    assert "Plan <https://example.org/plan>" in text
    assert len(house.all(Rendition)) == 1
