"""Signing up by the form, confirming by the link, and requesting a new link."""

from __future__ import annotations

import re

import pytest

from newsletter.limits.visits import VISITOR
from newsletter.mail.addresses import address_hash
from newsletter.models import ConsentEntry, SignupRequest, Suppression, SuppressionReason
from newsletter.subscribers.consent.wording import current_wording

ANN = "ann@example.org"


def test_a_visitor_joins_by_the_form_and_the_link(visitor):
    answer = visitor.sign_up(ANN, topics=["energy", "sea"], frequency="weekly")
    visitor.resolve()
    path = visitor.confirm_path(ANN)
    page = visitor.get(path)
    before = visitor.reads(ANN)
    done = visitor.fill(path)
    welcome = visitor.get(done.location)

    assert (answer.status_code, answer.location) == (303, "/check-inbox")
    assert "Check your inbox" in visitor.get("/check-inbox").text
    assert (page.status_code, before) == (200, {})
    assert "Energy" in page.text
    assert "Weekly" in page.text
    assert done.status_code == 303
    assert "/preferences/" in welcome.text
    assert visitor.reads(ANN) == {"energy": "weekly", "sea": "weekly"}
    assert visitor.woken == ["signups"]


def test_the_page_shows_the_very_wording_that_is_stored(visitor):
    assert current_wording().text in visitor.get("/").text

    visitor.sign_up()

    (request,) = visitor.house.all(SignupRequest)
    assert request.wording_hash == current_wording().hash


def test_the_answer_is_the_same_for_every_address(visitor):
    visitor.join("active@example.org")
    visitor.sign_up("pending@example.org")
    visitor.resolve()
    with visitor.house.runtime.session() as session:
        mark = address_hash("gone@example.org", visitor.house.runtime.tokens.derived_key("suppression"))
        now = visitor.house.clock()
        session.add(Suppression(address_hash=mark, reason=SuppressionReason.ERASED, since=now))
        session.commit()

    kinds = ["active", "pending", "gone", "unknown"]
    answers = [visitor.sign_up(f"{kind}@example.org") for kind in kinds]

    assert len({(answer.status_code, answer.location, answer.data) for answer in answers}) == 1
    assert len({frozenset(answer.headers.keys()) for answer in answers}) == 1


def test_a_page_without_topics_says_so_kindly(visitor_with):
    page = visitor_with().get("/")

    assert page.status_code == 200
    assert "no topics to choose from yet" in page.text


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"email": "ann at example.org"}, "contains an @"),
        ({"email": ""}, "Please enter an email address."),
        ({"topics": []}, "Please choose at least one topic."),
        ({"topics": ["gone"]}, "no longer exists"),
        ({"topics": ["energy"] * 51}, "Please choose fewer topics."),
        ({"frequency": "hourly"}, "Please choose a frequency."),
        ({"frequency": ""}, "Please choose a frequency."),
        ({"opened": "made up"}, "send the form again"),
        ({"email": "ann@gmial.com"}, "Did you mean ann@gmail.com?"),
    ],
)
def test_a_form_that_cannot_be_used_says_why_and_keeps_what_was_typed(visitor, fields, message):
    answer = visitor.sign_up(**{"email": "ann.kept@example.org", **fields})

    assert answer.status_code == 422
    assert message in answer.text.replace("&#39;", "'")
    assert visitor.house.all(SignupRequest) == []
    if "email" not in fields:
        assert "ann.kept@example.org" in answer.text
    if "topics" not in fields:
        assert re.search(r'value="energy" checked', answer.text)


def test_a_form_sent_in_no_time_is_shown_again_and_then_taken(visitor):
    first = visitor.sign_up(seconds=0.5)
    visitor.house.clock.pass_(seconds=5)
    from_page = dict(re.findall(r'name="(opened)" type="hidden" value="([^"]*)"', first.text))

    second = visitor.post("/", {**from_page, "email": ANN, "topics": ["energy"], "frequency": "daily"})

    assert (first.status_code, second.status_code) == (422, 303)
    assert "sent too quickly" in first.text


def test_a_form_that_was_open_for_a_day_is_not_lost(visitor):
    stale = visitor.get("/")
    opened = dict(re.findall(r'name="(opened)" type="hidden" value="([^"]*)"', stale.text))
    visitor.house.clock.pass_(hours=25)

    answer = visitor.sign_up(**opened)

    assert answer.status_code == 422
    assert ANN in answer.text


def test_a_suspected_slip_is_taken_when_it_is_sent_again(visitor):
    first = visitor.sign_up("ann@gmial.com")
    hidden = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', first.text))

    again = visitor.post(
        "/", {**hidden, "email": "ann@gmial.com", "topics": ["energy"], "frequency": "daily"}
    )

    assert again.status_code == 303


def test_an_address_in_another_script_can_join(visitor):
    assert visitor.sign_up("päivi@bücher.example").status_code == 303


def test_a_form_is_taken_over_https_without_a_referer_which_our_own_pages_withhold(visitor):
    visitor.sign_up()
    visitor.resolve()
    path = visitor.confirm_path()

    page = visitor.get(path)
    answer = visitor.fill(path)

    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert answer.status_code == 303
    assert visitor.reads() == {"energy": "daily"}


def test_too_many_forms_from_one_place_are_asked_to_wait(visitor):
    for number in range(int(VISITOR.burst)):
        assert visitor.sign_up(f"reader{number}@example.org", seconds=1).status_code == 303

    answer = visitor.sign_up("last@example.org", seconds=1)

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "try again" in answer.text


def test_the_address_of_a_proxy_is_believed_only_when_it_is_ours(visitor):
    def knock(number):
        opened = visitor.get("/").text
        hidden = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', opened))
        visitor.house.clock.pass_(seconds=1)
        return visitor.post(
            "/",
            {**hidden, "email": ANN, "topics": ["energy"], "frequency": "daily"},
            headers={"X-Forwarded-For": f"192.0.2.{number}"},
        ).status_code

    assert 429 in [knock(number) for number in range(int(VISITOR.burst) + 2)]


def test_the_ledger_keeps_what_the_setting_allows_of_the_address(visitor):
    visitor.join(ANN)

    assert {entry.ip_address for entry in visitor.house.all(ConsentEntry)} == {"127.0.0.0"}


@pytest.mark.parametrize(
    ("proxies", "kept"), [("127.0.0.1/32", "192.0.2.7"), ("10.0.0.0/8", "127.0.0.1"), ("", "127.0.0.1")]
)
def test_the_ledger_believes_only_proxies_of_ours(visitor_with, proxies, kept):
    visitor = visitor_with(trusted_proxies=proxies, ip_storage="whole")
    visitor.house.topic("energy")
    # A visitor wrote the left address; the proxy saw the right one.
    visitor.client.environ_base["HTTP_X_FORWARDED_FOR"] = "203.0.113.66, 192.0.2.7"

    visitor.join(ANN)

    assert {entry.ip_address for entry in visitor.house.all(ConsentEntry)} == {kept}


def test_a_used_link_says_so_and_offers_another(visitor):
    visitor.sign_up(ANN)
    visitor.resolve()
    path = visitor.confirm_path(ANN)
    visitor.fill(path)

    page = visitor.get(path)

    assert page.status_code == 410
    assert "has already been used" in page.text
    assert 'action="/link/renew"' in page.text


def test_pressing_the_button_twice_is_no_fault(visitor):
    visitor.sign_up(ANN)
    visitor.resolve()
    path = visitor.confirm_path(ANN)
    hidden = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', visitor.get(path).text))

    answers = [visitor.post(path, hidden) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]


def test_an_expired_link_leads_to_a_new_one(visitor):
    visitor.sign_up(ANN)
    visitor.resolve()
    path = visitor.confirm_path(ANN)
    visitor.house.clock.pass_(days=8)

    page = visitor.get(path)
    hidden = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', page.text))
    visitor.house.clock.pass_(seconds=5)
    answer = visitor.post("/link/renew", {**hidden, "email": ANN})
    visitor.resolve()

    assert (page.status_code, answer.status_code, answer.location) == (410, 303, "/check-inbox")
    assert "has expired" in page.text
    assert [mail.template for mail in visitor.mails()] == ["confirm", "confirm"]
    assert visitor.fill(visitor.confirm_path(ANN)).status_code == 303


def test_an_address_that_cannot_be_emailed_is_pointed_out_on_the_page_of_a_spoiled_link(visitor):
    page = visitor.get("/confirm/spoiled")
    hidden = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', page.text))
    visitor.house.clock.pass_(seconds=5)

    answer = visitor.post("/link/renew", {**hidden, "email": "nonsense"})

    assert (page.status_code, answer.status_code) == (404, 422)
    assert "not valid" in answer.text
    assert "nonsense" in answer.text


def test_a_subscriber_is_emailed_the_link_to_their_choices(visitor):
    visitor.join(ANN)
    visitor.house.clock.pass_(hours=1)

    known = visitor.fill("/link", email=ANN)
    unknown = visitor.fill("/link", email="nobody@example.org")
    visitor.resolve()

    assert [answer.location for answer in (known, unknown)] == ["/link?sent=yes"] * 2
    assert visitor.get("/link?sent=yes").status_code == 200
    assert [mail.template for mail in visitor.mails()] == ["confirm", "link"]


@pytest.mark.parametrize("path", ["/confirm/x", "/preferences/x", "/unsubscribe/x", "/confirmed/x"])
def test_pages_reached_by_a_token_stay_out_of_caches_indexes_and_referers(visitor, path):
    answer = visitor.get(path)

    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex"


@pytest.mark.parametrize(
    "path", ["/", "/link", "/releases", "/confirm/x", "/unsubscribe/x", "/preferences/x"]
)
def test_the_host_header_is_never_used(visitor, path):
    answer = visitor.client.get(path, base_url="https://evil.example")

    assert b"evil.example" not in answer.data


def test_privacy_is_explained_with_the_way_to_see_copy_and_erase_what_is_kept(visitor):
    answer = visitor.get("/privacy")

    assert answer.status_code == 200
    assert "lists the emails we sent you" in answer.text
    assert "to download all your data, to delete it" in answer.text
    assert '<a href="/link">send me my link</a>' in answer.text


def test_a_form_is_accepted_without_cookies(visitor):
    visitor.client = visitor.app.test_client(use_cookies=False)

    answer = visitor.sign_up()

    assert answer.status_code == 303
    assert visitor.resolve() == 1


def test_public_pages_set_no_cookie(visitor):
    visitor.sign_up()

    assert "Set-Cookie" not in visitor.get("/").headers
