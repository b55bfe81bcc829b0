"""Unsubscribing, undoing it, and a subscriber's own preferences."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from house import NOON

from newsletter.ingest.press.parse import PressRelease
from newsletter.models import Frequency, ReleaseState, Subscriber, Subscription
from newsletter.releases.store import add_release
from newsletter.subscribers.leaving.reasons import Reason, count_reasons
from newsletter.tokens import Purpose

ANN = "ann@example.org"


def hidden_fields(page):
    return dict(re.findall(r'name="([\w-]+)" (?:type="hidden" )?value="([^"]*)"', page))


@pytest.fixture
def subscriber(visitor):
    """A visitor who has signed up for two topics and confirmed."""
    visitor.join(ANN, topics=["energy", "sea"])
    return visitor


def test_looking_at_the_page_changes_nothing(subscriber):
    page = subscriber.get(subscriber.unsubscribe_path())

    assert page.status_code == 200
    assert "a…@example.org" in page.text
    assert ANN not in page.text
    assert "Energy" in page.text
    assert len(subscriber.reads()) == 2


def test_the_button_unsubscribes_at_once_and_offers_to_undo(subscriber):
    path = subscriber.unsubscribe_path(delivery_id=5)

    page = subscriber.fill(path)
    gone = subscriber.reads()
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
    back = subscriber.post(undo, hidden_fields(page.text))

    assert page.status_code == 200
    assert gone == {}
    assert back.status_code == 303
    assert subscriber.reads() == {"energy": Frequency.DAILY, "sea": Frequency.DAILY}
    assert {row.ended_delivery_id for row in subscriber.house.all(Subscription) if row.ended_at} == {5}


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_unsubscribes_without_cookie_token_or_redirect(subscriber, content_type):
    path = subscriber.unsubscribe_path(delivery_id=5)
    stranger = subscriber.app.test_client(use_cookies=False)

    answer = stranger.post(
        path,
        data={"List-Unsubscribe": "One-Click"},
        content_type=content_type,
        base_url="https://news.example.org",
    )

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "Location" not in answer.headers
    assert subscriber.reads() == {}


def test_one_click_twice_or_for_an_erased_subscriber_gets_the_same_response(subscriber):
    path = subscriber.unsubscribe_path()
    nobody = f"/unsubscribe/{subscriber.token(Purpose.UNSUBSCRIBE, 'nobody', 1)}"
    test_email = f"/unsubscribe/{subscriber.token(Purpose.UNSUBSCRIBE, '', 1)}"

    answers = [
        subscriber.client.post(each, data={"List-Unsubscribe": "One-Click"})
        for each in (path, path, nobody, test_email)
    ]

    assert [answer.status_code for answer in answers] == [200] * 4


def test_one_click_with_a_damaged_link_is_refused(subscriber):
    answer = subscriber.client.post(
        subscriber.unsubscribe_path()[:-2], data={"List-Unsubscribe": "One-Click"}
    )

    assert answer.status_code == 400
    assert len(subscriber.reads()) == 2


def test_a_post_that_says_nothing_still_unsubscribes(subscriber):
    assert subscriber.client.post(subscriber.unsubscribe_path()).status_code == 200
    assert subscriber.reads() == {}


def test_who_has_left_sees_so_on_coming_back(subscriber):
    subscriber.fill(subscriber.unsubscribe_path())

    subscriber.house.clock.pass_(days=6)
    soon = subscriber.get(subscriber.unsubscribe_path())
    subscriber.house.clock.pass_(days=2)
    later = subscriber.get(subscriber.unsubscribe_path())

    assert "/undo/" in soon.text
    assert (later.status_code, "/undo/" in later.text) == (200, False)


def test_undo_runs_out_and_says_so(subscriber):
    page = subscriber.fill(subscriber.unsubscribe_path())
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
    subscriber.house.clock.pass_(days=8)
    fresh = hidden_fields(subscriber.get("/link").text)

    answer = subscriber.post(undo, fresh)

    assert answer.status_code == 410
    assert subscriber.reads() == {}


def test_a_subscriber_changes_topics_and_frequency(subscriber):
    path = subscriber.preferences_path()

    answer = subscriber.fill(
        path,
        **{
            "topic-energy-frequency": "monthly",
            "topic-energy-wanted": "y",
            "topic-sea-frequency": "daily",
        },
    )

    assert (answer.status_code, answer.location) == (303, f"{path}?news=saved")
    assert subscriber.reads() == {"energy": Frequency.MONTHLY}
    assert "Saved" in subscriber.get(answer.location).text


def test_the_choices_show_what_is_chosen(subscriber):
    subscriber.fill(
        subscriber.preferences_path(),
        **{"topic-sea-wanted": "y", "topic-sea-frequency": "monthly", "topic-energy-frequency": "daily"},
    )

    page = subscriber.get(subscriber.preferences_path()).text

    assert re.search(r'<input checked id="topic-sea-wanted"', page)
    assert not re.search(r'<input checked id="topic-energy-wanted"', page)
    assert "a…@example.org" in page


def test_a_frequency_that_is_none_is_pointed_out(subscriber):
    answer = subscriber.fill(
        subscriber.preferences_path(),
        **{"topic-sea-wanted": "y", "topic-sea-frequency": "hourly", "topic-energy-frequency": "daily"},
    )

    assert answer.status_code == 422
    assert "Please choose a frequency." in answer.text
    assert len(subscriber.reads()) == 2


def test_choosing_nothing_is_leaving_and_can_be_undone(subscriber):
    page = subscriber.fill(
        subscriber.preferences_path(), **{"topic-sea-frequency": "daily", "topic-energy-frequency": "daily"}
    )

    assert "/undo/" in page.text
    assert subscriber.reads() == {}


def test_who_had_left_and_chooses_again_is_asked_by_email(subscriber):
    path = subscriber.preferences_path()
    subscriber.fill(subscriber.unsubscribe_path())

    answer = subscriber.fill(
        path,
        **{"topic-sea-wanted": "y", "topic-sea-frequency": "daily", "topic-energy-frequency": "daily"},
    )

    assert (answer.status_code, answer.location) == (303, "/check-inbox?elsewhere=yes")
    assert subscriber.reads() == {}
    assert subscriber.mails()[-1].template == "confirm"
    assert subscriber.woken[-1] == "single"


def test_a_former_subscriber_whose_email_is_withheld_is_told_and_keeps_the_entries(subscriber):
    path = subscriber.preferences_path()
    subscriber.fill(subscriber.unsubscribe_path())
    wish = {"topic-sea-wanted": "y", "topic-sea-frequency": "monthly", "topic-energy-frequency": "daily"}
    subscriber.fill(path, **wish)
    sent = len(subscriber.mails())

    answer = subscriber.fill(path, **wish)

    assert answer.status_code == 429
    assert "Please save your preferences again in 20 minutes." in answer.text
    assert re.search(r'checked id="topic-sea-wanted"', answer.text)
    assert len(subscriber.mails()) == sent
    subscriber.house.clock.pass_(minutes=20)
    assert subscriber.fill(path, **wish).status_code == 303
    assert len(subscriber.mails()) == sent + 1


def test_the_unsubscribe_page_leads_to_the_choices_and_they_lead_back(subscriber):
    unsubscribing = subscriber.get(subscriber.unsubscribe_path()).text
    (choices,) = re.findall(r'href="(/preferences/[^"]+)"', unsubscribing)
    (leave,) = re.findall(r'href="(/unsubscribe/[^"]+)"', subscriber.get(choices).text)

    assert subscriber.get(leave).status_code == 200


def test_leaving_one_topic_keeps_the_others_and_can_be_undone(subscriber):
    page = subscriber.fill(subscriber.unsubscribe_path(), topic="energy")
    left = subscriber.reads()
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
    subscriber.post(undo, hidden_fields(page.text))

    assert "You no longer get: Energy." in page.text
    assert left == {"sea": Frequency.DAILY}
    assert len(subscriber.reads()) == 2


def test_one_click_of_a_mailbox_program_unsubscribes_from_everything_whatever_else_it_says(subscriber):
    subscriber.client.post(
        subscriber.unsubscribe_path(), data={"List-Unsubscribe": "One-Click", "topic": "energy"}
    )

    assert subscriber.reads() == {}


def test_leaving_by_a_link_is_told_once_and_one_click_back_works_for_a_week(subscriber):
    subscriber.fill(subscriber.unsubscribe_path())
    told = [mail for mail in subscriber.mails() if mail.template == "left"]
    runtime = subscriber.house.runtime
    subscriber.house.drain("single")
    message = subscriber.house.transport.sent[-1].content.decode()
    (path,) = set(re.findall(r"https://news\.example\.org(/undo/[\w.=-]+)", message.replace("=\r\n", "")))
    subscriber.house.clock.pass_(days=5)

    page = subscriber.get(path)
    back = subscriber.fill(path)

    assert len(told) == 1
    assert "Auto-Submitted: auto-generated" in message
    assert (page.status_code, back.status_code) == (200, 303)
    assert runtime.tokens.read(
        Purpose.PREFERENCES, back.location.rpartition("/")[2], subscriber.house.clock()
    )
    assert len(subscriber.reads()) == 2


def requested_page(subscriber):
    """Return the path of the preferences link in an email that was requested just now."""
    subscriber.house.clock.pass_(minutes=15)  # an address gets few emails
    subscriber.fill("/link", email=ANN)
    subscriber.resolve()
    subscriber.house.drain("single")
    message = subscriber.house.transport.sent[-1].content.decode().replace("=\r\n", "")
    return re.search(r"https://news\.example\.org(/preferences/[\w.=-]+)", message)[1]


NOTHING = {"topic-sea-frequency": "daily", "topic-energy-frequency": "daily"}


def leave_by_saving(subscriber, path):
    subscriber.fill(path, **NOTHING)


def leave_by_its_link(subscriber, path):
    (leave,) = re.findall(r'href="(/unsubscribe/[^"]+)"', subscriber.get(path).text)
    subscriber.fill(leave)


@pytest.mark.parametrize("leave", [leave_by_saving, leave_by_its_link])
def test_no_email_tells_of_leaving_by_a_page_that_a_requested_link_opened(subscriber, leave):
    leave(subscriber, requested_page(subscriber))

    assert subscriber.reads() == {}
    assert "left" not in [mail.template for mail in subscriber.mails()]


@pytest.mark.parametrize("leave", [leave_by_saving, leave_by_its_link])
def test_after_an_hour_the_requested_link_may_have_been_forwarded_too(subscriber, leave):
    path = requested_page(subscriber)
    subscriber.house.clock.pass_(minutes=61)

    leave(subscriber, path)

    assert subscriber.reads() == {}
    assert [mail.template for mail in subscriber.mails()].count("left") == 1


@pytest.mark.parametrize("leave", [leave_by_saving, leave_by_its_link])
def test_a_page_that_a_digest_leads_to_is_told_of_also_within_the_hour(subscriber, leave):
    unsubscribing = subscriber.get(subscriber.unsubscribe_path()).text
    (choices,) = re.findall(r'href="(/preferences/[^"]+)"', unsubscribing)

    leave(subscriber, choices)

    assert [mail.template for mail in subscriber.mails()].count("left") == 1


def test_an_unsubscribe_link_from_a_requested_page_that_is_kept_is_told_of(subscriber):
    (leave,) = re.findall(r'href="(/unsubscribe/[^"]+)"', subscriber.get(requested_page(subscriber)).text)
    subscriber.house.clock.pass_(hours=2)

    subscriber.fill(leave)

    assert [mail.template for mail in subscriber.mails()].count("left") == 1


def test_who_left_by_their_mailbox_program_is_not_written_to(subscriber):
    subscriber.client.post(subscriber.unsubscribe_path(), data={"List-Unsubscribe": "One-Click"})

    assert "left" not in [mail.template for mail in subscriber.mails()]


def test_the_notice_can_be_switched_off(visitor_with, house):
    house.topic("energy")
    quiet = visitor_with(leaving_notice="no")
    quiet.join(ANN, topics=["energy"])

    quiet.fill(quiet.unsubscribe_path())

    assert "left" not in [mail.template for mail in quiet.mails()]


def test_leaving_over_and_over_is_told_once_a_day(subscriber):
    for _ in range(3):
        page = subscriber.fill(subscriber.unsubscribe_path())
        (undo,) = re.findall(r'action="(/undo/[^"/]+)"', page.text)
        subscriber.post(undo, hidden_fields(page.text))

    assert [mail.template for mail in subscriber.mails()].count("left") == 1


def test_why_somebody_left_is_asked_afterwards_and_kept_once(subscriber):
    page = subscriber.fill(subscriber.unsubscribe_path())
    (why,) = re.findall(r'action="(/undo/[^"]+/reason)"', page.text)

    thanks = subscriber.post(why, {**hidden_fields(page.text), "reason": "too-many"})
    subscriber.post(why, {**hidden_fields(page.text), "reason": "other"})
    odd = subscriber.post(why, {**hidden_fields(page.text), "reason": "<script>"})

    with subscriber.house.runtime.session() as session:
        counted = count_reasons(session, subscriber.house.clock() - timedelta(days=1))
    assert "Thank you for telling us why." in thanks.text
    assert "/undo/" in thanks.text
    assert odd.status_code == 400
    assert counted == {Reason.TOO_MANY: 1}


def test_pausing_is_offered_instead_of_leaving(subscriber):
    path = subscriber.unsubscribe_path()
    opened = hidden_fields(subscriber.get(path).text)

    answer = subscriber.post(f"{path}/pause", {**opened, "weeks": "4"})

    assert "You get no issues until" in answer.text
    assert subscriber.person().snoozed_until == subscriber.house.clock() + timedelta(weeks=4)
    assert len(subscriber.reads()) == 2
    assert "Your emails are paused until" in subscriber.get(path).text


def test_a_subscriber_pauses_and_goes_on(subscriber):
    path = subscriber.preferences_path()
    fields = hidden_fields(subscriber.get(path).text)

    paused = subscriber.post(f"{path}/pause", {**fields, "weeks": "4"})
    shown = subscriber.get(paused.location).text
    resumed = subscriber.post(f"{path}/resume", fields)

    assert (paused.status_code, resumed.status_code) == (303, 303)
    assert "Your emails are paused" in shown
    assert "April 7, 2026" in shown
    assert "Resume emails now" in shown
    assert "Pause emails" not in shown
    assert "Your emails are resumed." in subscriber.get(resumed.location).text
    assert subscriber.post(f"{path}/pause", {**fields, "weeks": "3"}).status_code == 400


def test_language_time_zone_and_hour_are_kept_and_the_page_speaks_that_language(subscriber):
    path = subscriber.preferences_path()

    answer = subscriber.fill(
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

    person = subscriber.person()
    assert (person.language, person.time_zone, person.preferred_hour) == ("de", "Europe/Vilnius", 7)
    assert '<html lang="de"' in subscriber.get(answer.location).text


def add_releases(house, *languages):
    for language in languages:
        press = PressRelease(f"Bulletin in {language}", "Port", NOON.date(), language, ("It opens.",))
        with house.runtime.session() as session:
            add_release(session, press, now=house.clock(), topics=["energy"], state=ReleaseState.READY)
            session.commit()


def test_languages_of_releases_are_chosen_shown_and_exported(subscriber):
    add_releases(subscriber.house, "de", "pt-BR", "und")
    path = subscriber.preferences_path()
    form = subscriber.get(path).text
    rows = {"topic-energy-wanted": "y", "topic-energy-frequency": "daily", "topic-sea-frequency": "daily"}

    answer = subscriber.fill(path, **rows, release_languages=["pt", "tlh"])

    assert re.findall(r'name="release_languages" value="(\w+)"', form) == ["de", "pt"]
    assert "German" in form and "Portuguese" in form
    assert subscriber.person().release_languages == "pt"
    assert 'value="pt" checked' in subscriber.get(answer.location).text
    data = subscriber.fill(subscriber.own_path("export")).json
    assert data["profile"]["release_languages"] == ["pt"]
    subscriber.fill(path, **rows)
    assert subscriber.person().release_languages is None


def test_releases_in_one_language_leave_nothing_to_choose(subscriber):
    add_releases(subscriber.house, "de", "und")

    assert "release_languages" not in subscriber.get(subscriber.preferences_path()).text


def test_erasing_forgets_the_languages(subscriber):
    with subscriber.house.runtime.session() as session:
        session.merge(subscriber.person()).release_languages = "de"
        session.commit()

    subscriber.fill(subscriber.own_path("erase"), sure="y")

    assert [each.release_languages for each in subscriber.house.all(Subscriber)] == [None]


@pytest.mark.parametrize(
    "wrong", [{"language": "tlh"}, {"time_zone": "Atlantis/Capital"}, {"preferred_hour": "24"}]
)
def test_what_is_not_on_offer_is_pointed_out_and_nothing_is_changed(subscriber, wrong):
    answer = subscriber.fill(
        subscriber.preferences_path(),
        **{"topic-energy-wanted": "y", "topic-energy-frequency": "monthly", "topic-sea-frequency": "daily"},
        **wrong,
    )

    assert answer.status_code == 422
    assert len(subscriber.reads()) == 2


def test_somebody_who_unsubscribed_is_not_asked_to_unsubscribe_or_to_pause(subscriber):
    path = subscriber.preferences_path()
    subscriber.fill(subscriber.unsubscribe_path())

    page = subscriber.get(path).text

    assert "Unsubscribe from everything" not in page
    assert "Pause emails" not in page
    assert "You are not subscribed at the moment." in page


def test_a_subscriber_moves_to_another_address_by_its_own_link(subscriber):
    path = subscriber.preferences_path()
    subscriber.house.clock.pass_(hours=1)
    own = subscriber.own_path("address")

    answer = subscriber.fill(own, **{"move-email": "new@example.org"})
    subscriber.house.drain("single")
    message = next(
        each for each in subscriber.house.transport.sent if each.envelope.recipient == "new@example.org"
    )
    text = message.content.decode().replace("=\r\n", "")
    (link,) = set(re.findall(r"https://news\.example\.org(/move/[\w.=-]+)", text))
    looked = subscriber.get(link)
    before = subscriber.person().email
    moved = subscriber.fill(link)

    assert (answer.status_code, answer.location) == (303, f"{own}?news=asked")
    assert "n…@example.org" in looked.text
    assert before == ANN
    assert "Your address has been changed" in moved.text
    assert subscriber.get(path).status_code == 410
    assert len(subscriber.reads("new@example.org")) == 2


def test_a_slip_in_the_new_address_is_pointed_out(subscriber):
    path = subscriber.own_path("address")

    odd = subscriber.fill(path, **{"move-email": "new example"})
    own = subscriber.fill(path, **{"move-email": ANN})

    assert (odd.status_code, own.status_code) == (422, 422)
    assert "This is already your address." in own.text


def test_an_old_unsubscribe_link_tells_and_opens_nothing_after_a_move(subscriber):
    old = subscriber.unsubscribe_path(delivery_id=5)
    with subscriber.house.runtime.session() as session:
        person = session.merge(subscriber.person())
        person.email = person.email_key = "secret@new.example.org"
        person.address_since = subscriber.house.clock()
        session.commit()
    subscriber.house.clock.pass_(hours=2)

    page = subscriber.get(old).text
    left = subscriber.fill(old)
    (undo,) = re.findall(r'action="(/undo/[^"/]+)"', left.text)
    back = subscriber.post(undo, hidden_fields(left.text))

    for text in (page, left.text):
        assert "new.example.org" not in text
        assert "/preferences/" not in text
    assert (back.status_code, back.location) == (303, "/welcome-back")
    assert len(subscriber.reads("secret@new.example.org")) == 2
