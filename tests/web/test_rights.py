"""What readers may see, take away and have erased, by their own link."""

from __future__ import annotations

import json
import re

import pytest

from newsletter.models import ConsentAct, ConsentEntry, Delivery, Frequency, Subscriber, Suppression
from newsletter.service.catcher import keep
from newsletter.web.caught import list_caught, mailbox_folder

ANN = "ann@example.org"


@pytest.fixture
def ann(visitor) -> str:
    """A reader who was sent a confirmation and an issue; returns the path of their choices."""
    visitor.join(ANN)
    visitor.house.drain("single")
    visitor.house.release("Energy from the sea")
    visitor.house.send(Frequency.DAILY)
    return visitor.preferences_path(ANN)


def test_the_choices_lead_to_what_a_reader_may_ask(visitor, ann):
    page = visitor.get(ann).text

    for name in ("mails", "data.json", "erase"):
        assert f"{ann}/{name}" in page


def test_a_reader_sees_what_was_sent_and_opens_an_issue(visitor, ann):
    page = visitor.get(f"{ann}/mails")

    assert page.status_code == 200
    issue, confirmation = re.findall(r'<p class="sent-title">(.*?)</p>', page.text)
    assert confirmation == "The link to confirm your subscription"
    link = re.search(r'href="([^"]+)"', issue)
    assert link is not None
    assert "Energy from the sea" in visitor.get(link[1]).text


def test_states_are_said_in_words_of_the_readers_language(visitor, ann):
    with visitor.house.runtime.session() as session:
        confirmation, issue = session.query(Delivery).order_by(Delivery.id)
        confirmation.bounced_at = visitor.house.clock()
        issue.state = "deferred"
        session.commit()

    page = visitor.get(f"{ann}/mails").text

    assert "Came back: the mailbox could not take it" in page
    assert "Delayed: your provider asked us to come back later" in page
    assert "/issues/" not in page


def test_long_lists_have_pages(visitor, ann):
    with visitor.house.runtime.session() as session:
        reader = session.query(Subscriber).one()
        for number in range(60):
            session.add(
                Delivery(
                    lane="single", subscriber_id=reader.id, template="link", context={},
                    purpose_key=f"link:{number}", state="accepted", due_at=visitor.house.clock(),
                    created_at=visitor.house.clock(),
                )
            )  # fmt: skip
        session.commit()

    first, last = visitor.get(f"{ann}/mails").text, visitor.get(f"{ann}/mails?page=3").text

    assert first.count("sent-title") == 25
    assert last.count("sent-title") == 12
    assert "Energy" not in first
    for nonsense in ("0", "-1", "4", "99999999999999999999"):
        assert visitor.get(f"{ann}/mails?page={nonsense}").status_code == 404


def test_the_data_of_a_reader_are_a_file_with_all_that_is_kept(visitor, ann):
    visitor.post(ann, {})  # refused, for it has no CSRF token: nothing of it is kept

    answer = visitor.get(f"{ann}/data.json")

    assert answer.headers["Content-Disposition"].startswith("attachment")
    data = json.loads(answer.text)
    assert data["profile"]["address"] == ANN
    assert [(row["topic"], row["state"]) for row in data["subscriptions"]] == [("energy", "active")]
    assert [entry["act"] for entry in data["consent"]] == ["asked", "confirmed"]
    assert "I can leave at any time" in data["wordings"][0]["text"]
    assert [mail["releases"] for mail in data["mails"]] == [[], ["Energy from the sea"]]
    assert data["newsletter"]["url"] == "https://news.example.org"


def test_the_data_name_what_is_still_waiting(visitor, ann):
    visitor.sign_up(ANN, topics=["sea"])

    data = json.loads(visitor.get(f"{ann}/data.json").text)

    (request,) = data["pending"]["sign_ups"]
    assert request["address"] == ANN
    assert list(request["choices"]["topics"]) == ["sea"]


def test_erasing_is_explained_and_needs_a_tick(visitor, ann):
    page = visitor.get(f"{ann}/erase")
    answer = visitor.fill(f"{ann}/erase")

    assert "cannot be undone" in page.text
    assert ANN not in page.text
    assert answer.status_code == 422
    assert "Please tick the box if you are sure." in answer.text
    assert visitor.reads() == {"energy": Frequency.DAILY}


def test_erasing_takes_everything_and_ends_the_link(visitor, ann):
    answer = visitor.fill(f"{ann}/erase", sure="y")

    assert answer.status_code == 200
    assert "Nothing of you is left here" in answer.text
    (reader,) = visitor.house.all(Subscriber)
    assert (reader.email, reader.email_key) == (None, None)
    assert len(visitor.house.all(Suppression)) == 1
    assert visitor.house.all(ConsentEntry)[-1].act is ConsentAct.ERASED
    for path in (ann, f"{ann}/mails", f"{ann}/data.json", f"{ann}/erase"):
        assert visitor.get(path).status_code == 410
    folder = visitor.house.runtime.settings.data_dir
    assert [path for path in folder.rglob("*") if path.is_file() and ANN.encode() in path.read_bytes()] == []


def test_pressing_the_button_twice_does_no_harm(visitor, ann):
    visitor.fill(f"{ann}/erase", sure="y")

    assert visitor.post(f"{ann}/erase", {"sure": "y"}).status_code in {400, 410}
    assert len(visitor.house.all(Suppression)) == 1


def test_a_get_erases_nobody(visitor, ann):
    visitor.get(f"{ann}/erase?sure=y")

    assert visitor.reads() == {"energy": Frequency.DAILY}


def test_an_erased_person_who_signs_up_gets_the_usual_answer_and_no_mail(visitor, ann):
    visitor.fill(f"{ann}/erase", sure="y")
    before = len(visitor.mails())

    answer = visitor.sign_up(ANN)
    visitor.resolve()

    assert answer.status_code == 303
    assert len(visitor.mails()) == before
    assert [each.email for each in visitor.house.all(Subscriber)] == [None]


def test_the_demos_mailbox_forgets_an_erased_person(visitor_with, house):
    house.topic("energy")
    visitor = visitor_with(demo="yes")
    visitor.join(ANN)
    box = mailbox_folder(house.runtime.settings.data_dir)
    keep(box, "bounce@example.org", ANN, b"To: ann@example.org\r\n\r\nHello Ann\r\n")
    keep(box, "bounce@example.org", "bo@example.org", b"To: bo@example.org\r\n\r\nHello Bo\r\n")

    visitor.fill(f"{visitor.preferences_path(ANN)}/erase", sure="y")

    assert [mail.recipient for mail in list_caught(box)] == ["bo@example.org"]


def test_the_links_of_somebody_else_and_spoiled_ones_open_nothing(visitor, ann):
    for path in ("/preferences/nonsense/mails", "/preferences/nonsense/data.json", f"{ann}x/erase"):
        assert visitor.get(path).status_code == 404


def test_the_key_for_records_is_published(visitor):
    answer = visitor.get("/.well-known/newsletter-consent-key.pem")

    assert answer.text.startswith("-----BEGIN PUBLIC KEY-----")
