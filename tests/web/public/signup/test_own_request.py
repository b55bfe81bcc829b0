"""The cookie with what this browser typed: the address is shown, corrected, and may confirm itself."""

from __future__ import annotations

import re

import pytest

from newsletter.models import Frequency
from newsletter.subscribers.signup.confirm import AskedTopic, Confirmation
from newsletter.tokens import Purpose
from newsletter.web.public.signup.own_request import OwnRequest

ANN = "ann@example.org"
ASKED = OwnRequest(ANN, ANN, 1, {7: Frequency.DAILY, 8: Frequency.WEEKLY}, from_here=True)


def sign_up(visitor, origin="https://news.example.org", **data):
    """Send the form of our page as a browser does."""
    opened = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', visitor.get("/").text))
    visitor.house.clock.pass_(seconds=20)
    fields = {**opened, "email": ANN, "topics": ["energy"], "frequency": "weekly", **data}
    return visitor.post("/", fields, headers={"Origin": origin} if origin else {})


def confirm_page(visitor):
    visitor.resolve()
    return visitor.get(visitor.confirm_path()).text


def test_no_page_sets_the_cookie_before_a_form_is_sent(visitor):
    answers = [visitor.get(path) for path in ("/", "/check-inbox", "/link", "/privacy", "/releases")]

    assert all("Set-Cookie" not in answer.headers for answer in answers)


def test_the_cookie_is_for_this_host_and_an_hour_and_no_script_reads_it(visitor):
    cookie = sign_up(visitor).headers["Set-Cookie"]

    assert cookie.startswith("__Host-signup=")
    for part in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=3600"):
        assert f"; {part}" in cookie


@pytest.mark.parametrize("path", ["/link", "/link/renew"])
def test_the_page_after_a_form_shows_the_address_that_was_typed(visitor, path):
    opened = visitor.token(Purpose.FORM)
    visitor.house.clock.pass_(seconds=20)
    answer = visitor.post(path, {"opened": opened, "email": "bo@example.org", "problem": "expired"})

    page = visitor.get(answer.location)

    assert "bo@example.org" in page.text
    assert "bo@example.org" not in answer.location
    assert page.headers["Cache-Control"] == "no-store"


def test_the_address_can_be_corrected_and_the_other_entries_are_kept(visitor):
    answer = sign_up(visitor, topics=["energy", "sea"], frequency="monthly", language="de")
    inbox = visitor.get(answer.location).text
    (correct,) = re.findall(r'<a class="small" href="([^"]+)">Correct the address', inbox)

    form = visitor.get(correct)

    assert ANN in inbox
    assert f'value="{ANN}"' in form.text
    assert len(re.findall(r'name="topics" value="\w+" checked', form.text)) == 2
    assert re.search(r'<input checked[^>]*value="monthly"', form.text)
    assert '<option selected value="de">' in form.text
    assert form.headers["Cache-Control"] == "no-store"
    assert ANN not in correct


def test_a_frequency_of_each_topic_is_kept(visitor):
    sign_up(visitor, topics=["energy", "sea"], **{"often-sea": "daily"})

    form = visitor.get("/?correct=yes").text

    assert re.search(r'name="often-sea">.*?<option value="daily" selected>', form, re.S)
    assert re.search(r'name="often-energy">.*?<option value="weekly" selected>', form, re.S)


def test_without_the_cookie_the_pages_name_nobody(visitor):
    sign_up(visitor)
    visitor.client = visitor.app.test_client()

    inbox, form = visitor.get("/check-inbox"), visitor.get("/?correct=yes")

    assert ANN not in inbox.text + form.text
    assert "If nothing comes within 20 minutes, ask again then." in inbox.text


def test_an_old_or_forged_cookie_says_nothing(visitor):
    sign_up(visitor)
    visitor.house.clock.pass_(minutes=61)

    assert ANN not in visitor.get("/check-inbox").text
    for forged in ("x", visitor.token(Purpose.FORM), visitor.token(Purpose.SIGNUP, ANN)):
        visitor.client.set_cookie("__Host-signup", forged, domain="news.example.org")
        assert visitor.get("/check-inbox").status_code == 200


def test_very_many_topics_leave_only_the_address(visitor):
    for number in range(49):
        visitor.house.topic(f"town-{number}")
    long = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.example.org"
    sign_up(visitor, topics=[f"town-{number}" for number in range(49)], email=long)
    page = visitor.get("/check-inbox").text

    assert long in page


def test_the_confirmation_page_confirms_itself_in_the_browser_that_asked(visitor):
    sign_up(visitor)

    page = confirm_page(visitor)

    assert "data-own" in page
    assert "confirm.js" in page
    assert "You asked for this in this browser" in page
    assert "Nothing happens unless you press the button" not in page
    assert visitor.reads() == {}


def test_pressing_the_button_ends_the_cookie(visitor):
    sign_up(visitor)
    visitor.resolve()

    answer = visitor.fill(visitor.confirm_path())

    assert visitor.reads() == {"energy": "weekly"}
    assert re.search(r"__Host-signup=;.*Max-Age=0", answer.headers["Set-Cookie"])
    assert ANN not in visitor.get("/check-inbox").text


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_a_form_that_another_site_made_the_browser_send_confirms_nothing_by_itself(visitor, origin):
    sign_up(visitor, origin)

    assert "data-own" not in confirm_page(visitor)


def test_what_somebody_else_added_to_the_request_is_not_confirmed_by_the_page_itself(visitor):
    sign_up(visitor)
    visitor.resolve()
    mine = visitor.client
    visitor.client = visitor.app.test_client()
    visitor.house.clock.pass_(minutes=15)
    sign_up(visitor, topics=["sea"])
    visitor.client = mine

    assert "data-own" not in confirm_page(visitor)


def test_the_embedded_form_of_another_site_sets_no_cookie(visitor_with, house):
    house.topic("energy")
    visitor = visitor_with(EMBED_ORIGINS="https://shop.example")
    form = {"email": ANN, "topics": ["energy"], "frequency": "daily", "website": ""}

    answer = visitor.post("/subscribe/embed", form, headers={"Origin": "https://shop.example"})

    assert answer.status_code == 303
    assert "Set-Cookie" not in answer.headers
    assert ANN not in visitor.get(answer.location).text


@pytest.mark.parametrize(
    ("email_key", "newsletter_id", "topic_id", "frequency", "covered"),
    [
        (ANN, 1, 7, Frequency.DAILY, True),
        ("bo@example.org", 1, 7, Frequency.DAILY, False),
        (ANN, 2, 7, Frequency.DAILY, False),
        (ANN, 1, 9, Frequency.DAILY, False),
        (ANN, 1, 7, Frequency.IMMEDIATE, False),
    ],
)
def test_a_request_covers_only_what_it_asked_for(email_key, newsletter_id, topic_id, frequency, covered):
    found = Confirmation(email_key, newsletter_id, (AskedTopic(topic_id, "Energy", "", frequency),))

    assert ASKED.covers(found) is covered
