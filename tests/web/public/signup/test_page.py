"""The sign-up page: what it offers, detects and stores, and where it redirects to."""

from __future__ import annotations

import html
import re
from zoneinfo import available_timezones

import pytest

from newsletter.languages import LANGUAGES
from newsletter.models import ConsentEntry, ReleaseState, SignupRequest, Topic, TopicGroup
from newsletter.subscribers.consent.wording import current_wording
from newsletter.web.http.time_zones import zone_in_words, zones_in_words

ANN = "ann@example.org"
THANKS = "https://www.example.org/thank-you"


def hidden(page):
    """Return the hidden fields of a page."""
    found = re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in found}


def asked(visitor):
    """Return what the newest sign-up request asked for."""
    return visitor.house.all(SignupRequest)[-1]


def test_each_topic_shows_a_recent_release_without_script(visitor):
    visitor.house.release("Old energy pact")
    visitor.house.release("New energy pact")
    visitor.house.release("Energy pact that waits", state=ReleaseState.HELD)

    page = visitor.get("/").text
    (sample,) = re.findall(r'<details class="sample">(.*?)</details>', page, re.S)

    assert "See a recent release" in sample
    assert "New energy pact" in sample
    assert re.search(r'href="/releases/[\w-]+"', sample)
    assert "Port of Halmstrand" in sample


def test_each_topic_says_what_it_is_about(visitor):
    with visitor.house.runtime.session() as session:
        session.query(Topic).filter_by(slug="sea").one().description = "Harbours, ferries & what swims"
        session.commit()

    page = visitor.get("/").text

    assert '<span class="choice-note">Harbours, ferries &amp; what swims</span>' in page


def test_one_choice_holds_for_all_topics_and_a_choice_for_a_topic_wins(visitor):
    visitor.sign_up(topics=["energy", "sea"], frequency="weekly", **{"often-sea": "immediate"})

    assert asked(visitor).choices["topics"] == {"energy": "weekly", "sea": "immediate"}


def test_a_frequency_for_a_topic_that_was_not_ticked_asks_for_nothing(visitor):
    visitor.sign_up(topics=["energy"], frequency="weekly", **{"often-sea": "daily"})

    assert asked(visitor).choices["topics"] == {"energy": "weekly"}


def test_choices_for_topics_are_still_there_when_something_else_was_wrong(visitor):
    answer = visitor.sign_up("nonsense", topics=["sea"], **{"often-sea": "monthly"})

    assert answer.status_code == 422
    assert '<details class="more" id="each" open>' in answer.text
    assert re.search(r'name="often-sea">.*?value="monthly" selected', answer.text, re.S)


def test_a_frequency_that_there_is_not_is_pointed_out(visitor):
    answer = visitor.sign_up(**{"often-energy": "hourly"})

    assert answer.status_code == 422
    assert "Please choose a frequency." in answer.text


def test_a_list_with_one_topic_has_it_ticked_and_nothing_to_choose_each(visitor_with):
    one = visitor_with()
    one.house.topic("energy")

    page = one.get("/").text

    assert re.search(r'value="energy" checked', page)
    assert 'id="each"' not in page


@pytest.mark.parametrize(
    ("header", "language"),
    [("de-AT,de;q=0.9", "de"), ("lt", "lt"), ("ja-JP", "ja"), ("tlh", "en"), ("", "en")],
)
def test_the_language_is_noticed_and_stored(visitor, header, language):
    page = visitor.get("/", headers={"Accept-Language": header}).text
    visitor.house.clock.pass_(seconds=5)
    form = {**hidden(page), "email": ANN, "topics": ["energy"], "frequency": "daily"}
    visitor.post("/", form, headers={"Accept-Language": header})

    assert language in LANGUAGES
    assert re.search(rf'<option selected value="{language}">', page)
    assert asked(visitor).choices["language"] == language


def test_the_language_can_be_changed_for_emails_alone(visitor):
    visitor.sign_up(language="fr")

    assert asked(visitor).choices["language"] == "fr"


def test_the_time_zone_is_the_newsletters_own_until_somebody_changes_it(visitor_with):
    visitor = visitor_with(time_zone="Europe/Vilnius")
    visitor.house.topic("energy")

    page = visitor.get("/").text
    visitor.sign_up()
    without_script = asked(visitor).choices["time_zone"]
    visitor.sign_up(time_zone="Asia/Calcutta")

    assert '<option value="Europe/Vilnius" selected>Lithuania</option>' in page
    assert without_script == "Europe/Vilnius"
    assert asked(visitor).choices["time_zone"] == "Asia/Calcutta"


@pytest.mark.parametrize("field", ["language", "time_zone"])
@pytest.mark.parametrize("given", ["", "Mars/Olympus", "../../etc/passwd", "en'--", "x" * 5000, "\0"])
def test_a_wrong_guess_keeps_nobody_out(visitor, field, given):
    answer = visitor.sign_up(**{field: given})

    assert answer.status_code == 303
    assert asked(visitor).choices[field] == {"language": "en", "time_zone": "UTC"}[field]


@pytest.mark.parametrize("language", LANGUAGES)
def test_time_zones_are_named_by_country_in_every_language(language):
    named = zones_in_words(language)

    assert 400 < len(named) <= len(available_timezones())
    assert set(named) <= available_timezones()
    assert len(set(named.values())) == len(named)
    assert all(named.values())


def test_a_zone_is_known_by_its_old_names(visitor):
    assert zone_in_words("Europe/Kiev", "en") == "Ukraine: Kyiv"
    assert zone_in_words("Asia/Calcutta", "de") == "Indien"
    assert zone_in_words("Mars/Olympus_Mons", "en") == "Mars/Olympus Mons"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_wording_is_shown_and_stored_in_the_language_of_the_page(visitor, language):
    page = visitor.get(f"/?lang={language}").text
    visitor.house.clock.pass_(seconds=5)
    # Emails will be in another language. The wording that was shown, and agreed to, was in this one.
    form = {**hidden(page), "email": ANN, "topics": ["energy"], "frequency": "daily", "language": "en"}
    visitor.post(f"/?lang={language}", form)

    assert html.escape(current_wording(language).text, quote=False) in html.unescape(page)
    assert asked(visitor).wording_version == current_wording(language).version
    assert asked(visitor).wording_hash == current_wording(language).hash


def test_an_invented_wording_is_not_stored(visitor):
    visitor.sign_up(wording="2026-11.tlh")

    assert asked(visitor).wording_version == current_wording().version


def test_a_suspected_slip_is_mended_by_one_click(visitor):
    first = visitor.sign_up("ann@gmial.com")
    (button,) = re.findall(r'<button[^>]*name="use" value="([^"]*)"', first.text)
    form = {**hidden(first.text), "email": "ann@gmial.com", "topics": ["energy"], "frequency": "daily"}

    second = visitor.post("/", {**form, "use": button})

    assert button == "ann@gmail.com"
    assert second.status_code == 303
    assert asked(visitor).email == "ann@gmail.com"


def test_a_mended_address_is_not_taken_for_another_one(visitor):
    first = visitor.sign_up("ann@gmial.com")
    form = {**hidden(first.text), "topics": ["energy"], "frequency": "daily", "use": "ann@gmail.com"}

    visitor.post("/", {**form, "email": "bob@example.org"})
    other = asked(visitor).email
    visitor.post("/", {**form, "email": "ann@gmial.com", "use": "eve@evil.example"})

    assert other == "bob@example.org"
    assert asked(visitor).email == "ann@gmial.com"


def test_pressing_enter_means_what_was_typed(visitor):
    page = visitor.sign_up("ann@gmial.com").text
    form = page[page.index('<form class="coupon') :]

    # Enter presses the first button of a form.
    assert 'name="use"' not in re.findall(r"<button[^>]*>", form)[0]


@pytest.mark.parametrize(
    "address",
    ["päivi@bücher.example", "用户@例え.jp", "ann@xn--bcher-kva.example", "anna.o'neill+news@example.co.uk"],
)
def test_addresses_in_every_script_are_taken(visitor, address):
    assert visitor.sign_up(address).status_code == 303


def test_a_form_leads_on_to_an_allowed_page(visitor_with):
    visitor = visitor_with(thanks_urls=f"{THANKS}, https://shop.example.org/hello?a=b")
    visitor.house.topic("energy")

    page = visitor.get("/", query_string={"next": THANKS})
    visitor.house.clock.pass_(seconds=5)
    form = {**hidden(page.text), "email": ANN, "topics": ["energy"], "frequency": "daily"}
    answer = visitor.post("/", form)

    assert hidden(page.text)["next"] == THANKS
    assert "form-action 'self' https://www.example.org;" in page.headers["Content-Security-Policy"]
    assert (answer.status_code, answer.location) == (303, THANKS)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example",
        "https://www.example.org/thank-you/",
        "https://www.example.org/thank-you?x=https://evil.example",
        "https://www.example.org@evil.example/thank-you",
        "HTTPS://WWW.EXAMPLE.ORG/thank-you",
        "javascript:alert(1)",
        " https://www.example.org/thank-you",
        "",
    ],
)
def test_a_form_leads_nowhere_else(visitor_with, elsewhere):
    visitor = visitor_with(thanks_urls=THANKS)
    visitor.house.topic("energy")

    page = visitor.get("/", query_string={"next": elsewhere})
    answer = visitor.sign_up(next=elsewhere)

    assert hidden(page.text)["next"] == ""
    assert "form-action 'self';" in page.headers["Content-Security-Policy"]
    assert (answer.status_code, answer.location) == (303, "/check-inbox")


def test_a_link_may_choose_topics_and_frequency_but_no_address(visitor):
    page = visitor.get("/?topic=sea&topic=gone&frequency=monthly&email=ann@example.org").text

    assert re.findall(r'value="(\w+)" checked', page) == ["sea"]
    assert re.search(r'<input checked[^>]*value="monthly"', page)
    assert ANN not in page.replace("email=ann@example.org", "").replace("email=ann%40example.org", "")


def test_the_inbox_page_says_what_to_do_and_how_to_ask_again(visitor):
    page = visitor.get("/check-inbox").text

    assert "letter@example.org" in page
    assert 'href="/link"' in page
    assert re.search(r'<a href="/">\s*Subscribe again', page)


def test_what_was_chosen_and_agreed_is_in_the_ledger(visitor):
    visitor.join(topics=["energy", "sea"], frequency="weekly", **{"often-sea": "daily"})

    first = visitor.house.all(ConsentEntry)[0]
    assert (first.how, first.wording_version) == ("form", current_wording().version)
    assert first.detail["topics"] == {"energy": "weekly", "sea": "daily"}
    assert visitor.reads() == {"energy": "weekly", "sea": "daily"}


def add_topics(house, count):
    """Add a group with this many topics, which has a German name."""
    with house.runtime.session() as session:
        group = TopicGroup(
            newsletter_id=1, slug="towns", name="Towns", translations={"de": "Orte"}, created_at=house.clock()
        )
        session.add(group)
        for number in range(count):
            session.add(
                Topic(slug=f"town-{number}", name=f"Town {number}", group=group, created_at=house.clock())
            )
        session.commit()


def test_a_few_topics_stand_below_the_name_of_their_group_and_are_shown(visitor):
    add_topics(visitor.house, 3)

    page = visitor.get("/?lang=de").text

    assert re.search(r'<details class="group" open>\s*<summary>Orte</summary>', page)


def test_many_topics_fold_by_group_and_a_group_with_a_ticked_topic_is_open(visitor):
    add_topics(visitor.house, 20)

    assert re.search(r'<details class="group">\s*<summary>Towns</summary>', visitor.get("/").text)
    assert re.search(r'<details class="group" open>\s*<summary>Towns', visitor.get("/?topic=town-7").text)
    assert visitor.get("/").text.index('value="energy"') < visitor.get("/").text.index("Towns</summary>")


def test_preferences_fold_the_same_way(visitor):
    add_topics(visitor.house, 20)
    visitor.join(topics=["energy", "town-3"])

    page = visitor.get(visitor.preferences_path()).text

    assert re.search(r'<details class="group" open>\s*<summary>Towns</summary>', page)
