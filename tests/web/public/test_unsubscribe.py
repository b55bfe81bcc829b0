"""Unsubscribing, undoing it, and a subscriber's own preferences."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from newsletter.models import Frequency, Subscription
from newsletter.subscribers.leaving.reasons import Reason, count_reasons
from newsletter.tokens import Purpose

ANN = "ann@example.org"


def hidden_fields(page):
    return dict(re.findall(r'name="([\w-]+)" (?:type="hidden" )?value="([^"]*)"', page))


@pytest.fixture
def reader(visitor):
    """A visitor who has signed up for two topics and confirmed."""
    visitor.join(ANN, topics=["energy", "sea"])
    return visitor


def test_looking_at_the_page_changes_nothing(reader):
    page = reader.get(reader.unsubscribe_path())

    assert page.status_code == 200
    assert "a…@example.org" in page.text
    assert ANN not in page.text
    assert "Energy" in page.text
    assert len(reader.reads()) == 2


def test_the_button_unsubscribes_at_once_and_offers_to_undo(reader):
    path = reader.unsubscribe_path(delivery_id=5)

    page = reader.fill(path)
    gone = reader.reads()
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
    back = reader.post(undo, hidden_fields(page.text))

    assert page.status_code == 200
    assert gone == {}
    assert back.status_code == 303
    assert reader.reads() == {"energy": Frequency.DAILY, "sea": Frequency.DAILY}
    assert {row.ended_delivery_id for row in reader.house.all(Subscription) if row.ended_at} == {5}


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_of_a_mailbox_program_unsubscribes_without_cookie_token_or_redirect(reader, content_type):
    path = reader.unsubscribe_path(delivery_id=5)
    stranger = reader.app.test_client(use_cookies=False)

    answer = stranger.post(
        path,
        data={"List-Unsubscribe": "One-Click"},
        content_type=content_type,
        base_url="https://news.example.org",
    )

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Location" not in answer.headers
    assert reader.reads() == {}


def test_one_click_twice_or_for_a_reader_who_is_gone_is_answered_alike(reader):
    path = reader.unsubscribe_path()
    nobody = f"/unsubscribe/{reader.token(Purpose.UNSUBSCRIBE, 'nobody', 1)}"
    test_mail = f"/unsubscribe/{reader.token(Purpose.UNSUBSCRIBE, '', 1)}"

    answers = [
        reader.client.post(each, data={"List-Unsubscribe": "One-Click"})
        for each in (path, path, nobody, test_mail)
    ]

    assert [answer.status_code for answer in answers] == [200] * 4


def test_one_click_with_a_damaged_link_is_refused(reader):
    answer = reader.client.post(reader.unsubscribe_path()[:-2], data={"List-Unsubscribe": "One-Click"})

    assert answer.status_code == 400
    assert len(reader.reads()) == 2


def test_a_post_that_says_nothing_still_unsubscribes(reader):
    assert reader.client.post(reader.unsubscribe_path()).status_code == 200
    assert reader.reads() == {}


def test_who_has_left_sees_so_on_coming_back(reader):
    reader.fill(reader.unsubscribe_path())

    reader.house.clock.pass_(days=6)
    soon = reader.get(reader.unsubscribe_path())
    reader.house.clock.pass_(days=2)
    later = reader.get(reader.unsubscribe_path())

    assert "/undo/" in soon.text
    assert (later.status_code, "/undo/" in later.text) == (200, False)


def test_undo_runs_out_and_says_so(reader):
    page = reader.fill(reader.unsubscribe_path())
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
    reader.house.clock.pass_(days=8)
    fresh = hidden_fields(reader.get("/link").text)

    answer = reader.post(undo, fresh)

    assert answer.status_code == 410
    assert reader.reads() == {}


def test_a_reader_changes_topics_and_frequency(reader):
    path = reader.preferences_path()

    answer = reader.fill(
        path,
        **{
            "topic-energy-frequency": "monthly",
            "topic-energy-wanted": "y",
            "topic-sea-frequency": "daily",
        },
    )

    assert (answer.status_code, answer.location) == (303, f"{path}?news=saved")
    assert reader.reads() == {"energy": Frequency.MONTHLY}
    assert "Saved" in reader.get(answer.location).text


def test_the_choices_show_what_is_chosen(reader):
    reader.fill(
        reader.preferences_path(),
        **{"topic-sea-wanted": "y", "topic-sea-frequency": "monthly", "topic-energy-frequency": "daily"},
    )

    page = reader.get(reader.preferences_path()).text

    assert re.search(r'<input checked id="topic-sea-wanted"', page)
    assert not re.search(r'<input checked id="topic-energy-wanted"', page)
    assert "a…@example.org" in page


def test_a_frequency_that_is_none_is_pointed_out(reader):
    answer = reader.fill(
        reader.preferences_path(),
        **{"topic-sea-wanted": "y", "topic-sea-frequency": "hourly", "topic-energy-frequency": "daily"},
    )

    assert answer.status_code == 422
    assert "Please choose how often." in answer.text
    assert len(reader.reads()) == 2


def test_choosing_nothing_is_leaving_and_can_be_undone(reader):
    page = reader.fill(
        reader.preferences_path(), **{"topic-sea-frequency": "daily", "topic-energy-frequency": "daily"}
    )

    assert "/undo/" in page.text
    assert reader.reads() == {}


def test_who_had_left_and_chooses_again_is_asked_by_mail(reader):
    path = reader.preferences_path()
    reader.fill(reader.unsubscribe_path())

    answer = reader.fill(
        path,
        **{"topic-sea-wanted": "y", "topic-sea-frequency": "daily", "topic-energy-frequency": "daily"},
    )

    assert (answer.status_code, answer.location) == (303, "/check-inbox")
    assert reader.reads() == {}
    assert reader.mails()[-1].template == "confirm"
    assert reader.woken[-1] == "single"


def test_the_unsubscribe_page_leads_to_the_choices_and_they_lead_back(reader):
    unsubscribing = reader.get(reader.unsubscribe_path()).text
    (choices,) = re.findall(r'href="(/preferences/[^"]+)"', unsubscribing)
    (leave,) = re.findall(r'href="(/unsubscribe/[^"]+)"', reader.get(choices).text)

    assert reader.get(leave).status_code == 200


def test_leaving_one_topic_keeps_the_others_and_can_be_undone(reader):
    page = reader.fill(reader.unsubscribe_path(), topic="energy")
    left = reader.reads()
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
    reader.post(undo, hidden_fields(page.text))

    assert "You no longer get: Energy." in page.text
    assert left == {"sea": Frequency.DAILY}
    assert len(reader.reads()) == 2


def test_one_click_of_a_mailbox_program_leaves_everything_whatever_else_it_says(reader):
    reader.client.post(reader.unsubscribe_path(), data={"List-Unsubscribe": "One-Click", "topic": "energy"})

    assert reader.reads() == {}


def test_leaving_by_a_link_is_told_once_and_one_click_back_works_for_a_week(reader):
    reader.fill(reader.unsubscribe_path())
    told = [mail for mail in reader.mails() if mail.template == "left"]
    runtime = reader.house.runtime
    reader.house.drain("single")
    message = reader.house.transport.sent[-1].content.decode()
    (path,) = set(re.findall(r"https://news\.example\.org(/undo/[\w.=-]+)", message.replace("=\r\n", "")))
    reader.house.clock.pass_(days=5)

    page = reader.get(path)
    back = reader.fill(path)

    assert len(told) == 1
    assert "Auto-Submitted: auto-generated" in message
    assert (page.status_code, back.status_code) == (200, 303)
    assert runtime.tokens.read(Purpose.PREFERENCES, back.location.rpartition("/")[2], reader.house.clock())
    assert len(reader.reads()) == 2


def test_who_left_by_their_mailbox_program_is_not_written_to(reader):
    reader.client.post(reader.unsubscribe_path(), data={"List-Unsubscribe": "One-Click"})

    assert "left" not in [mail.template for mail in reader.mails()]


def test_the_notice_can_be_switched_off(visitor_with, house):
    house.topic("energy")
    quiet = visitor_with(leaving_notice="no")
    quiet.join(ANN, topics=["energy"])

    quiet.fill(quiet.unsubscribe_path())

    assert "left" not in [mail.template for mail in quiet.mails()]


def test_leaving_over_and_over_is_told_once_a_day(reader):
    for _ in range(3):
        page = reader.fill(reader.unsubscribe_path())
        (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
        reader.post(undo, hidden_fields(page.text))

    assert [mail.template for mail in reader.mails()].count("left") == 1


def test_why_somebody_left_is_asked_afterwards_and_kept_once(reader):
    page = reader.fill(reader.unsubscribe_path())
    (why,) = re.findall(r'action="(/undo/[^"]+/reason)"', page.text)

    thanks = reader.post(why, {**hidden_fields(page.text), "reason": "too-many"})
    reader.post(why, {**hidden_fields(page.text), "reason": "other"})
    odd = reader.post(why, {**hidden_fields(page.text), "reason": "<script>"})

    with reader.house.runtime.session() as session:
        counted = count_reasons(session, reader.house.clock() - timedelta(days=1))
    assert "Thank you for saying why." in thanks.text
    assert "/undo/" in thanks.text
    assert odd.status_code == 400
    assert counted == {Reason.TOO_MANY: 1}


def test_pausing_is_offered_instead_of_leaving(reader):
    path = reader.unsubscribe_path()
    opened = hidden_fields(reader.get(path).text)

    answer = reader.post(f"{path}/pause", {**opened, "weeks": "4"})

    assert "No issues until" in answer.text
    assert reader.person().snoozed_until == reader.house.clock() + timedelta(weeks=4)
    assert len(reader.reads()) == 2
    assert "You are pausing until" in reader.get(path).text


def test_a_reader_pauses_and_goes_on(reader):
    path = reader.preferences_path()
    fields = hidden_fields(reader.get(path).text)

    paused = reader.post(f"{path}/pause", {**fields, "weeks": "4"})
    shown = reader.get(paused.location).text
    resumed = reader.post(f"{path}/resume", fields)

    assert (paused.status_code, resumed.status_code) == (303, 303)
    assert "You are pausing" in shown
    assert "April 7, 2026" in shown
    assert "Go on now" in shown
    assert "Pause for a while" not in shown
    assert "Welcome back" in reader.get(resumed.location).text
    assert reader.post(f"{path}/pause", {**fields, "weeks": "3"}).status_code == 400


def test_language_time_zone_and_hour_are_kept_and_the_page_speaks_that_language(reader):
    path = reader.preferences_path()

    answer = reader.fill(
        f"{path}?lang=fr",
        **{
            "topic-energy-wanted": "y",
            "topic-energy-frequency": "daily",
            "topic-sea-frequency": "daily",
            "language": "de",
            "time_zone": "Europe/Vilnius",
            "preferred_hour": "7",
        },
    )

    person = reader.person()
    assert (person.language, person.time_zone, person.preferred_hour) == ("de", "Europe/Vilnius", 7)
    assert '<html lang="de"' in reader.get(answer.location).text


@pytest.mark.parametrize(
    "wrong", [{"language": "tlh"}, {"time_zone": "Atlantis/Capital"}, {"preferred_hour": "24"}]
)
def test_what_is_not_on_offer_is_pointed_out_and_nothing_is_changed(reader, wrong):
    answer = reader.fill(
        reader.preferences_path(),
        **{"topic-energy-wanted": "y", "topic-energy-frequency": "monthly", "topic-sea-frequency": "daily"},
        **wrong,
    )

    assert answer.status_code == 422
    assert len(reader.reads()) == 2


def test_who_has_left_is_not_asked_to_leave_or_to_pause(reader):
    path = reader.preferences_path()
    reader.fill(reader.unsubscribe_path())

    page = reader.get(path).text

    assert "Leave everything" not in page
    assert "Pause for a while" not in page
    assert "You get nothing from us at the moment." in page


def test_a_reader_moves_to_another_address_by_its_own_link(reader):
    path = reader.preferences_path()
    reader.house.clock.pass_(hours=1)
    own = reader.own_path("address")

    answer = reader.fill(own, **{"move-email": "new@example.org"})
    reader.house.drain("single")
    message = next(
        each for each in reader.house.transport.sent if each.envelope.recipient == "new@example.org"
    )
    text = message.content.decode().replace("=\r\n", "")
    (link,) = set(re.findall(r"https://news\.example\.org(/move/[\w.=-]+)", text))
    looked = reader.get(link)
    before = reader.person().email
    moved = reader.fill(link)

    assert (answer.status_code, answer.location) == (303, f"{own}?news=asked")
    assert "n…@example.org" in looked.text
    assert before == ANN
    assert "Your address is changed" in moved.text
    assert reader.get(path).status_code == 410
    assert len(reader.reads("new@example.org")) == 2


def test_a_slip_in_the_new_address_is_pointed_out(reader):
    path = reader.own_path("address")

    odd = reader.fill(path, **{"move-email": "new example"})
    own = reader.fill(path, **{"move-email": ANN})

    assert (odd.status_code, own.status_code) == (422, 422)
    assert "This is your address already." in own.text


def test_an_old_unsubscribe_link_tells_and_opens_nothing_after_a_move(reader):
    old = reader.unsubscribe_path(delivery_id=5)
    with reader.house.runtime.session() as session:
        person = session.merge(reader.person())
        person.email = person.email_key = "secret@new.example.org"
        person.address_since = reader.house.clock()
        session.commit()
    reader.house.clock.pass_(hours=2)

    page = reader.get(old).text
    left = reader.fill(old)
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', left.text)
    back = reader.post(undo, hidden_fields(left.text))

    for text in (page, left.text):
        assert "new.example.org" not in text
        assert "/preferences/" not in text
    assert (back.status_code, back.location) == (303, "/welcome-back")
    assert len(reader.reads("secret@new.example.org")) == 2
