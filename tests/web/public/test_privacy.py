"""A subscriber's privacy pages: see, export and erase their data by their own link."""

from __future__ import annotations

import json
import re

import pytest

from newsletter.demo.catcher import keep
from newsletter.models import (
    ConsentAct,
    ConsentEntry,
    Delivery,
    DeliveryState,
    Frequency,
    Subscriber,
    Suppression,
)
from newsletter.models.scrub import empty_log
from newsletter.smtp.replies import Reply
from newsletter.suppression import add_by_hand
from newsletter.tokens import Purpose
from newsletter.web.erase_everywhere import erase_everywhere
from newsletter.web.mailbox.stored_emails import list_stored_emails, mailbox_folder

ANN = "ann@example.org"


@pytest.fixture
def ann(visitor) -> str:
    """A subscriber who was sent a confirmation and an issue; returns the path of their preferences."""
    visitor.join(ANN)
    visitor.house.drain("single")
    visitor.house.release("Energy from the sea")
    visitor.house.send(Frequency.DAILY)
    return visitor.preferences_path(ANN)


def test_the_choices_lead_to_what_a_subscriber_may_ask(visitor, ann):
    page = visitor.get(ann).text

    for name in ("mails", "ask/address", "ask/export", "ask/erase"):
        assert f"{ann}/{name}" in page


def mailed_link(visitor, path: str) -> str:
    """Send due emails; return the path of the link in the newest one."""
    visitor.house.drain("single")
    text = visitor.house.transport.sent[-1].content.decode().replace("=\r\n", "").replace("=3D", "=")
    found = re.search(rf"https://news\.example\.org(/{path}/[\w.-]+)", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize(
    ("right", "path"), [("export", "export"), ("erase", "erase"), ("address", "new-address")]
)
def test_the_link_is_emailed_to_the_address_at_that_moment_and_works_for_an_hour(visitor, ann, right, path):
    answer = visitor.ask_for(right)
    link = mailed_link(visitor, path)

    assert (answer.status_code, answer.location) == (303, f"{ann}?news=mailed")
    assert "We have sent a link to your address." in visitor.get(answer.location).text
    assert visitor.house.transport.sent[-1].envelope.recipient == ANN
    visitor.house.clock.pass_(minutes=59)
    assert visitor.get(link).status_code == 200
    visitor.house.clock.pass_(minutes=2)
    late = visitor.get(link)
    assert late.status_code == 410
    assert "This link has expired" in late.text


def test_the_link_of_a_forwarded_digest_opens_neither_of_the_three(visitor, ann):
    token = ann.removeprefix("/preferences/")

    for path in ("export", "erase", "new-address"):
        assert visitor.get(f"/{path}/{token}").status_code == 404
        assert visitor.fill(f"/{path}/{token}", sure="y").status_code == 404
    for path in ("data.json", "erase", "address"):
        assert visitor.get(f"{ann}/{path}").status_code == 404
    assert visitor.reads() == {"energy": Frequency.DAILY}


def test_a_link_for_one_thing_opens_no_other(visitor, ann):
    export = visitor.own_path("export").removeprefix("/export/")

    for path in ("erase", "new-address", "preferences"):
        assert visitor.get(f"/{path}/{export}").status_code == 404


def test_an_address_is_sent_four_links_of_a_kind_a_day_whoever_asks(visitor, ann):
    before = len(visitor.mails())

    answers, pages = [], []
    for right in ["export"] * 6 + ["erase"]:
        visitor.house.clock.pass_(seconds=1)
        answer = visitor.ask_for(right)
        answers.append(answer.status_code)
        pages.append(answer.text)

    # Each kind of link has its own limit. A person with a forwarded digest can only use up that of one kind.
    assert answers == [303] * 4 + [429] * 2 + [303]
    assert "Please use the newest one, or try again in 6 hours." in pages[4]
    assert "your network" not in pages[4]
    assert len(visitor.mails()) == before + 5


def test_a_suppressed_address_gets_the_same_answer_and_no_link(visitor, ann):
    parts = visitor.house.runtime
    with parts.session() as session:
        add_by_hand(session, parts.tokens, ANN, "owner", visitor.house.clock())
        session.commit()
    before = len(visitor.mails())

    answer = visitor.ask_for("export")

    assert (answer.status_code, answer.location) == (303, f"{ann}?news=mailed")
    assert len(visitor.mails()) == before


def test_nothing_else_can_be_asked_for(visitor, ann):
    assert visitor.ask_for("everything").status_code == 404


def test_a_link_ends_with_the_address_it_was_emailed_to(visitor, ann):
    link = visitor.own_path("erase")
    with visitor.house.runtime.session() as session:
        person = session.merge(visitor.person())
        person.email = person.email_key = "new@example.org"
        session.commit()

    assert visitor.get(link).status_code == 410


def test_the_pages_say_what_to_do_when_no_link_can_arrive(visitor, ann):
    for path in (ann, visitor.own_path("address"), "/privacy"):
        page = visitor.get(path).text
        assert "Can you no longer read email at your old address? Subscribe again with the new one." in page
        assert "In that case, please write to letter@example.org." in page


def test_the_last_email_tells_of_the_erasure_and_keeps_its_address_until_it_is_settled(visitor, ann):
    visitor.house.transport.answer(ANN, Reply(450, ("4.2.0 later",)), Reply(250, (f"2.0.0 <{ANN}> ok",)))
    visitor.fill(visitor.own_path("erase"), sure="y")
    last = visitor.mails()[-1]
    assert (last.template, last.recipient, last.subscriber_id, last.context) == ("erased", ANN, None, {})

    visitor.house.drain("single")
    assert (visitor.mails()[-1].state, visitor.mails()[-1].recipient) == (DeliveryState.DEFERRED, ANN)
    visitor.house.clock.pass_(hours=2)
    visitor.house.drain("single")

    settled = visitor.mails()[-1]
    assert (settled.state, settled.recipient) == (DeliveryState.ACCEPTED, None)
    assert ANN not in (settled.reply_text or "")
    message = visitor.house.transport.sent[-1]
    assert message.envelope.recipient == ANN
    assert b"everything we kept about you has been deleted" in message.content.replace(b"=\r\n", b"")


def test_nobody_is_told_of_their_erasure_who_was_suppressed_before_or_never_confirmed(visitor, ann):
    parts = visitor.house.runtime
    visitor.sign_up("bo@example.org")
    visitor.resolve()
    with parts.session() as session:
        add_by_hand(session, parts.tokens, ANN, "owner", visitor.house.clock())
        session.commit()
    for address in (ANN, "bo@example.org"):
        with parts.session() as session:
            erase_everywhere(parts, session, visitor.person(address).public_id, "admin", "owner")

    assert [mail for mail in visitor.mails() if mail.template == "erased"] == []


def test_a_subscriber_sees_what_was_sent_and_opens_an_issue(visitor, ann):
    page = visitor.get(f"{ann}/mails")

    assert page.status_code == 200
    issue, confirmation = re.findall(r'<p class="sent-title">(.*?)</p>', page.text)
    assert confirmation == "The link to confirm your subscription"
    link = re.search(r'href="([^"]+)"', issue)
    assert link is not None
    assert "Energy from the sea" in visitor.get(link[1]).text


def test_states_are_said_in_words_of_the_subscribers_language(visitor, ann):
    with visitor.house.runtime.session() as session:
        confirmation, issue = session.query(Delivery).order_by(Delivery.id)
        confirmation.bounced_at = visitor.house.clock()
        issue.state = "deferred"
        session.commit()

    page = visitor.get(f"{ann}/mails").text

    assert "Returned: your mailbox did not accept it" in page
    assert "Delayed: your provider asked us to try again later" in page
    assert "/issues/" not in page


def test_long_lists_have_pages(visitor, ann):
    with visitor.house.runtime.session() as session:
        subscriber = session.query(Subscriber).one()
        for number in range(60):
            session.add(
                Delivery(
                    lane="single", subscriber_id=subscriber.id, template="link", context={},
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


def test_the_data_of_a_subscriber_are_a_file_with_all_that_is_kept(visitor, ann):
    visitor.post(ann, {})  # refused, because it has no frequency: nothing of it is kept

    path = visitor.own_path("export")
    page = visitor.get(path)
    answer = visitor.fill(path)

    assert "Content-Disposition" not in page.headers
    assert ANN not in page.text
    assert answer.headers["Content-Disposition"].startswith("attachment")
    data = json.loads(answer.text)
    assert data["profile"]["address"] == ANN
    assert [(row["topic"], row["state"]) for row in data["subscriptions"]] == [("energy", "active")]
    assert [entry["act"] for entry in data["consent"]] == ["asked", "confirmed"]
    assert "I can unsubscribe at any time" in data["wordings"][0]["text"]
    assert [mail["releases"] for mail in data["mails"]] == [[], ["Energy from the sea"]]
    assert data["newsletter"]["url"] == "https://news.example.org"


def test_the_data_name_what_is_still_waiting(visitor, ann):
    visitor.sign_up(ANN, topics=["sea"])

    data = json.loads(visitor.fill(visitor.own_path("export")).text)

    (request,) = data["pending"]["sign_ups"]
    assert request["address"] == ANN
    assert list(request["choices"]["topics"]) == ["sea"]


def test_erasing_is_explained_and_needs_a_tick(visitor, ann):
    page = visitor.get(visitor.own_path("erase"))
    answer = visitor.fill(visitor.own_path("erase"))

    assert "Neither you nor we can undo it." in page.text
    assert ANN not in page.text
    assert answer.status_code == 422
    assert "Please tick the box if you are sure." in answer.text
    assert visitor.reads() == {"energy": Frequency.DAILY}


def test_erasing_takes_everything_and_ends_the_link(visitor, ann):
    paths = [ann, f"{ann}/mails", *(visitor.own_path(right) for right in ("export", "erase", "address"))]
    answer = visitor.fill(visitor.own_path("erase"), sure="y")
    visitor.house.drain("single")

    assert answer.status_code == 200
    assert "Your data has been deleted" in answer.text
    (subscriber,) = visitor.house.all(Subscriber)
    assert (subscriber.email, subscriber.email_key) == (None, None)
    assert len(visitor.house.all(Suppression)) == 1
    assert visitor.house.all(ConsentEntry)[-1].act is ConsentAct.ERASED
    empty_log(visitor.house.runtime.engine)
    for path in paths:
        assert visitor.get(path).status_code == 410
    folder = visitor.house.runtime.settings.data_dir
    assert [path for path in folder.rglob("*") if path.is_file() and ANN.encode() in path.read_bytes()] == []


def test_pressing_the_button_twice_does_no_harm(visitor, ann):
    path = visitor.own_path("erase")
    visitor.fill(path, sure="y")

    assert visitor.post(path, {"sure": "y"}).status_code in {400, 410}
    assert len(visitor.house.all(Suppression)) == 1


def test_a_get_erases_nobody(visitor, ann):
    visitor.get(f"{visitor.own_path('erase')}?sure=y")

    assert visitor.reads() == {"energy": Frequency.DAILY}


def test_an_erased_person_who_signs_up_gets_the_usual_answer_and_no_email(visitor, ann):
    visitor.fill(visitor.own_path("erase"), sure="y")
    visitor.house.drain("single")
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

    visitor.fill(visitor.own_path("erase"), sure="y")

    assert [mail.recipient for mail in list_stored_emails(box)] == ["bo@example.org"]


def test_the_links_of_somebody_else_and_spoiled_ones_open_nothing(visitor, ann):
    for path in ("/preferences/nonsense/mails", "/export/nonsense", f"{visitor.own_path('erase')}x"):
        assert visitor.get(path).status_code == 404


def test_the_key_for_records_is_published(visitor):
    answer = visitor.get("/.well-known/newsletter-consent-key.pem")

    assert answer.text.startswith("-----BEGIN PUBLIC KEY-----")


def test_the_move_page_shows_enough_of_both_addresses_to_tell_them_apart(visitor, ann):
    path = visitor.own_path("address")
    visitor.fill(path, **{"move-email": "annabel.port@example.org"})
    change = visitor.mails()[-1].context["change"]
    fingerprint = visitor.house.runtime.tokens.fingerprint("annabel.port@example.org")
    token = visitor.token(Purpose.CHANGE_ADDRESS, visitor.person(ANN).public_id, change, fingerprint)

    page = visitor.get(f"/move/{token}").text

    assert "an…t@example.org" in page
    assert "a…@example.org" in page  # of a short name, one character
    assert "annabel" not in page


def test_the_links_of_a_deleted_address_say_so(visitor, ann):
    preferences = visitor.preferences_path()
    visitor.fill(visitor.own_path("erase"), sure="y")

    page = visitor.get(preferences)

    assert page.status_code == 410
    assert "The address of this link was deleted" in page.text


def test_privacy_and_error_pages_name_the_owners_address(visitor):
    link = '<a href="mailto:letter@example.org"><bdi>letter@example.org</bdi></a>'

    assert f"Write to {link}." in visitor.get("/privacy").text
    assert f"Do you need help? Write to {link}." in visitor.get("/nothing/here").text
