"""Unsubscribing, undoing it, and a reader's own choices."""

from __future__ import annotations

import re

import pytest

from newsletter.models import Frequency, Subscription
from newsletter.tokens import Purpose

ANN = "ann@example.org"


def hidden_fields(page):
    return dict(re.findall(r'name="(\w+)" (?:type="hidden" )?value="([^"]*)"', page))


@pytest.fixture
def reader(visitor):
    """A visitor who has joined two topics."""
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
