"""The language of pages: the requested one, the subscriber's own, or the browser's."""

from __future__ import annotations

import re

import pytest

from newsletter.languages import LANGUAGES, choose_language
from newsletter.models import Subscriber
from newsletter.web.http.display import listing


def reads(visitor, language: str, email: str = "ann@example.org") -> None:
    with visitor.house.runtime.session() as session:
        session.query(Subscriber).filter_by(email_key=email).one().language = language
        session.commit()


@pytest.mark.parametrize(
    ("accepted", "spoken"),
    [("lt", "lt"), ("de-AT,de;q=0.9,en;q=0.5", "de"), ("pt-BR", "en"), ("", "en"), ("pt, fr;q=0.3", "fr")],
)
def test_a_page_speaks_what_the_browser_asks_for(visitor, accepted, spoken):
    answer = visitor.get("/link", headers={"Accept-Language": accepted})

    assert f'<html lang="{spoken}" dir="ltr">' in answer.text
    assert answer.headers["Content-Language"] == spoken
    assert "Accept-Language" in answer.headers["Vary"]


def test_a_link_of_the_switch_wins_and_is_kept_by_links_and_forms(visitor):
    page = visitor.get("/link?lang=fr", headers={"Accept-Language": "de"}).text

    assert '<html lang="fr"' in page
    assert 'action="/link?lang=fr"' in page
    assert 'href="/privacy?lang=fr"' in page
    assert 'href="/link?lang=lt"' in page


def test_a_language_that_is_not_offered_cannot_be_asked_for(visitor):
    page = visitor.get("/link?lang=xx%22%3E").text

    assert '<html lang="en"' in page
    assert "lang=xx" not in page


def test_a_page_behind_a_link_speaks_its_subscribers_language(visitor):
    visitor.join()
    reads(visitor, "ja")

    page = visitor.get(visitor.preferences_path(), headers={"Accept-Language": "de"}).text

    assert '<html lang="ja"' in page


def test_times_on_a_page_behind_a_link_are_by_its_subscribers_clock(visitor):
    visitor.join(time_zone="Asia/Tokyo")

    page = visitor.get(f"{visitor.preferences_path()}/mails").text

    # The test clock says noon in UTC.
    assert "Mar 10, 2026, 9:00:" in page


def test_whom_a_link_was_for_decides_even_when_it_has_run_out(visitor):
    visitor.sign_up()
    visitor.resolve()
    path = visitor.confirm_path()
    reads(visitor, "lt")
    visitor.house.clock.pass_(days=30)

    answer = visitor.get(path)

    assert answer.status_code == 410
    assert '<html lang="lt"' in answer.text


def test_the_switch_of_a_page_that_takes_forms_only_leads_home(visitor):
    answer = visitor.post("/link/renew", {})

    found = re.findall(r'href="([^"]*lang=de)"', answer.text)

    assert found == ["/?lang=de"]


def test_the_settings_narrow_the_choice_and_name_the_first(visitor_with):
    visitor = visitor_with(languages="lt, de")

    assert '<html lang="lt"' in visitor.get("/link", headers={"Accept-Language": "en"}).text
    assert visitor.get("/link").text.count("hreflang=") == 2


@pytest.mark.parametrize(
    ("language", "row"),
    [("en", "Sea, Energy, and Night"), ("de", "Sea, Energy und Night"), ("ja", "Sea、Energy、Night")],
)
def test_a_row_of_words_is_joined_as_its_language_does(visitor, language, row):
    with visitor.app.test_request_context(f"/?lang={language}"):
        assert listing(["Sea", "Energy", "Night"]) == row


def test_the_owners_pages_are_in_english(visitor):
    page = visitor.get("/admin/sign-in", headers={"Accept-Language": "de"}).text

    assert 'lang="en"' in page


def test_the_nearest_language_is_chosen():
    assert choose_language("de-AT", LANGUAGES) == "de"
    assert choose_language("DE_ch", LANGUAGES) == "de"
    assert choose_language("xx", ("lt", "en")) == "lt"
    assert choose_language("", ("lt", "en")) == "lt"
