"""The pages around a confirmation: disown a sign-up, welcome, subscribe again."""

from __future__ import annotations

import pytest

from newsletter.models import Frequency
from newsletter.tokens import Purpose

DAILY = Frequency.DAILY


def not_me_path(visitor, email="ann@example.org"):
    context = visitor.mails()[-1].context
    fingerprint = visitor.house.runtime.tokens.fingerprint(email)
    return "/not-me/" + visitor.token(
        Purpose.DISOWN, visitor.person(email).public_id, fingerprint, context["upto"]
    )


@pytest.fixture
def asked(visitor):
    """Somebody has entered ann@example.org in the form."""
    visitor.sign_up()
    visitor.resolve()
    return visitor


def test_a_visit_to_the_link_disowns_nothing(asked):
    path = not_me_path(asked)

    for _ in range(3):
        page = asked.get(path)

    assert page.status_code == 200
    assert "I did not ask for this" in page.text
    assert asked.person().email == "ann@example.org"
    assert asked.fill(asked.confirm_path()).status_code == 303
    assert asked.reads() == {"energy": DAILY}


def test_one_button_disowns_and_the_page_offers_to_take_it_back(asked):
    path = not_me_path(asked)

    answer = asked.fill(path)

    assert answer.status_code == 303
    page = asked.get(answer.location)
    assert "Thank you for telling us" in page.text
    assert "I did not ask for this" not in page.text
    asked.house.clock.pass_(hours=1)
    asked.sign_up()
    asked.resolve()
    assert len(asked.mails()) == 1
    back = asked.get(asked.fill(path, act="own").location)
    assert "Your address is accepted again" in back.text
    asked.sign_up()
    asked.resolve()
    assert len(asked.mails()) == 2


def test_the_answer_to_a_form_does_not_tell_that_an_address_was_disowned(asked):
    known = asked.sign_up("stranger@example.org")
    asked.fill(not_me_path(asked))

    again = asked.sign_up()

    assert (again.status_code, again.location) == (known.status_code, known.location)


def test_the_email_leads_to_the_page(asked):
    asked.house.drain("single")

    content = asked.house.transport.sent[-1].content

    assert b"/not-me/" in content
    assert b"/confirm/" in content


@pytest.mark.parametrize("token", ["", "x", "a.b", "é", "a" * 2000])
def test_a_damaged_link_to_disown_is_told_kindly(visitor, token):
    assert visitor.get(f"/not-me/{token}").status_code == 404
    assert visitor.fill("/link", act="own").status_code in {303, 422}


def test_whoever_undoes_their_leaving_is_welcomed_back(visitor):
    visitor.join()
    left = visitor.post(visitor.unsubscribe_path(), {"page": "yes"})
    action = left.text.split('action="/undo/')[1].split('"')[0]

    back = visitor.post(f"/undo/{action}")

    page = visitor.get(back.location)
    assert "Welcome back" in page.text
    assert "your first issue" not in page.text
    assert visitor.reads() == {"energy": DAILY}


def test_a_welcome_goes_out_once_when_the_settings_say_so(visitor_with):
    visitor = visitor_with(welcome_mail="yes")
    visitor.house.topic("energy")
    visitor.house.release("Energy for everybody")
    visitor.join()
    assert visitor.woken[-1] == "single"
    visitor.post(visitor.unsubscribe_path(), {})
    visitor.house.clock.pass_(hours=1)
    visitor.join()

    visitor.house.drain("single")

    (welcome,) = [each for each in visitor.house.transport.sent if b"Subject: Welcome" in each.content]
    head, _, body = welcome.content.partition(b"\r\n\r\n")
    assert b"List-Unsubscribe: <https://news.example.org/unsubscribe/" in head
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head
    assert b"List-Id:" in head
    assert b"Energy for everybody" in body
    assert b"/preferences/" in body


def test_the_link_in_the_header_of_a_welcome_unsubscribes(visitor_with):
    visitor = visitor_with(welcome_mail="yes")
    visitor.house.topic("energy")
    visitor.join()
    visitor.house.drain("single")
    content = visitor.house.transport.sent[-1].content.replace(b"\r\n ", b" ").decode()
    url = content.split("List-Unsubscribe: <")[1].split(">")[0]

    answer = visitor.post(url.removeprefix("https://news.example.org"), {"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 200
    assert visitor.reads() == {}


def test_no_welcome_is_sent_by_default(visitor):
    visitor.join()

    assert [mail.template for mail in visitor.mails()] == ["confirm"]


def test_a_form_that_somebody_else_filled_in_changes_no_language_zone_or_topics(visitor):
    visitor.join()
    before = visitor.person()

    visitor.house.clock.pass_(hours=1)
    visitor.sign_up(topics=["sea"], language="ja", time_zone="Asia/Tokyo")
    visitor.resolve()

    after = visitor.person()
    assert (after.language, after.time_zone) == (before.language, before.time_zone)
    assert after.preferred_hour == before.preferred_hour
    assert visitor.reads() == {"energy": DAILY}


def test_whoever_comes_back_gets_the_language_and_zone_they_asked_for_and_not_before_confirming(visitor):
    visitor.join()
    visitor.post(visitor.unsubscribe_path())
    visitor.house.clock.pass_(hours=1)

    visitor.sign_up(language="de", time_zone="Europe/Berlin")
    visitor.resolve()
    asked = visitor.person()
    visitor.fill(visitor.confirm_path())
    confirmed = visitor.person()

    assert (asked.language, asked.time_zone) == ("en", "UTC")
    assert (confirmed.language, confirmed.time_zone) == ("de", "Europe/Berlin")


def test_the_page_says_how_often_for_each_topic_where_that_differs(visitor):
    visitor.sign_up("ann@example.org", topics=["energy", "sea"], frequency="daily")
    visitor.resolve()
    alike = visitor.get(visitor.confirm_path("ann@example.org")).text
    visitor.sign_up("ben@example.org", topics=["energy", "sea"], frequency="daily", **{"often-sea": "weekly"})
    visitor.resolve()
    apart = visitor.get(visitor.confirm_path("ben@example.org")).text

    assert "<dd>Daily</dd>" in alike
    assert "How often" not in apart
    assert '<p>Energy <span class="muted">· Daily</span></p>' in apart
    assert '<p>Sea <span class="muted">· Weekly</span></p>' in apart


def test_nothing_the_visitor_typed_is_in_the_email(visitor):
    typed = "buy-cheap-pills.example"
    visitor.sign_up(f"ann.{typed}@example.org", name=typed, language=typed, time_zone=typed)
    visitor.resolve()
    visitor.house.drain("single")

    (mail,) = visitor.house.transport.sent
    head, _, body = mail.content.partition(b"\r\n\r\n")

    assert typed.encode() not in body
    assert [line for line in head.split(b"\r\n") if typed.encode() in line] == [
        f"To: ann.{typed}@example.org".encode()
    ]


def test_privacy_says_for_how_long(visitor_with):
    page = visitor_with(confirm_days="20", keep_ip_days="0", keep_left_days="90").get("/privacy").text

    assert "your address is deleted after 20 days" in page
    assert "your address is deleted after 90 days" in page
    assert "IP addresses are deleted" not in page


def test_a_link_confirms_without_cookies(visitor):
    visitor.sign_up()
    visitor.resolve()
    path = visitor.confirm_path()
    visitor.client = visitor.app.test_client(use_cookies=False)

    done = visitor.post(path, {})

    assert done.status_code in {200, 303}
    assert visitor.reads() == {"energy": DAILY}
