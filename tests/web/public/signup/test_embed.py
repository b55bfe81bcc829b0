"""The sign-up form on other sites: which sites may have it, its responses, and its generated HTML."""

from __future__ import annotations

import html
import re

import pytest

from newsletter.limits.visits import VISITOR
from newsletter.models import ConsentEntry, SignupRequest
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.signup.admit import UNTIMED

ANN = "ann@example.org"
SHOP = "https://shop.example.org"
THANKS = f"{SHOP}/thank-you"
FORM = {"email": ANN, "topics": ["energy"], "frequency": "daily", "website": ""}
JSON = {"Accept": "application/json"}
STRANGERS = [
    None,
    "null",
    "",
    "https://evil.example",
    "http://shop.example.org",
    f"{SHOP}:8443",
    f"{SHOP}.evil.example",
]


@pytest.fixture
def visitor(visitor_with):
    """A visitor of another site that has the form of an installation with two topics."""
    made = visitor_with(embed_origins=f"{SHOP}, https://www.example.org/", thanks_urls=THANKS)
    made.house.topic("energy")
    made.house.topic("sea")
    made.client = made.app.test_client(use_cookies=False)
    return made


def send(visitor, origin=SHOP, headers=(), **fields):
    headers = dict(headers) | ({} if origin is None else {"Origin": origin})
    return visitor.post("/subscribe/embed", {**FORM, **fields}, headers=headers)


def page_form(answer):
    """Return the fields of the form on our page, as its button would send them."""
    page = html.unescape(answer.text)
    fields = dict(re.findall(r'name="(\w+)" type="hidden" value="([^"]*)"', page))
    fields["email"] = re.search(r'name="email"[^>]*value="([^"]*)"', page).group(1)
    fields["topics"] = re.findall(r'name="topics" value="(\w+)" checked', page)
    fields["frequency"] = re.search(r'<input checked[^>]*name="frequency"[^>]*value="(\w+)"', page).group(1)
    return fields


def requests(visitor):
    return visitor.house.all(SignupRequest)


def test_a_form_from_a_site_of_the_settings_is_taken_without_cookie_token_or_script(visitor):
    answer = send(visitor)

    assert (answer.status_code, answer.location) == (303, "/check-inbox?elsewhere=yes")
    assert "Set-Cookie" not in answer.headers
    assert [request.email for request in requests(visitor)] == [ANN]
    assert visitor.woken == ["signups"]


def test_it_leads_on_to_an_allowed_page_only(visitor):
    assert send(visitor, next=THANKS).location == THANKS
    assert send(visitor, next="https://evil.example/").location == "/check-inbox?elsewhere=yes"


def test_the_ledger_says_by_which_door_somebody_came(visitor):
    send(visitor, wording="2026-11.de")
    visitor.resolve()

    (entry,) = visitor.house.all(ConsentEntry)
    assert (entry.how, entry.wording_version) == ("embed", "2026-11.de")


@pytest.mark.parametrize("origin", STRANGERS)
def test_a_form_from_anywhere_else_signs_nobody_up_but_can_be_sent_from_our_page(visitor, origin):
    shown = send(visitor, origin, topics=["energy", "sea"], frequency="monthly", next=THANKS)
    before = requests(visitor)
    visitor.house.clock.pass_(seconds=3)
    pressed = visitor.post(
        "/subscribe/embed", page_form(shown), headers={} if origin is None else {"Origin": origin}
    )

    assert shown.status_code == 200
    assert "You came here from a form on another site." in shown.text
    assert 'action="/subscribe/embed"' in shown.text
    assert "Set-Cookie" not in shown.headers
    assert shown.headers["Cache-Control"] == "no-store"
    assert before == []
    assert (pressed.status_code, pressed.location) == (303, THANKS)
    (request,) = requests(visitor)
    assert request.choices["topics"] == {"energy": "monthly", "sea": "monthly"}


def test_our_page_notices_the_time_zone_when_the_form_did_not(visitor):
    plain = send(visitor, None)
    told = send(visitor, None, time_zone="Asia/Tokyo")

    assert " data-notice>" in plain.text
    assert " data-notice>" not in told.text
    assert '<option value="Asia/Tokyo" selected>Japan</option>' in told.text


def test_no_other_visitor_can_use_the_page_that_one_was_given(visitor):
    """A person who has a token from our page cannot make other people send it."""
    form = page_form(send(visitor, "https://evil.example"))
    visitor.house.clock.pass_(seconds=3)

    victim = {"environ_base": {"REMOTE_ADDR": "198.51.100.7"}, "headers": {"Origin": "https://evil.example"}}
    answer = visitor.post("/subscribe/embed", form, **victim)

    assert answer.status_code == 200
    assert "You came here from a form on another site." in answer.text
    assert requests(visitor) == []


def test_the_token_of_a_form_that_the_script_opened_does_not_stand_for_an_origin(visitor):
    opened = visitor.get("/subscribe/embed/opened").json["opened"]
    visitor.house.clock.pass_(seconds=3)

    answer = send(visitor, "https://evil.example", opened=opened)

    assert "You came here from a form on another site." in answer.text
    assert requests(visitor) == []


def test_our_page_is_not_taken_in_no_time_either(visitor):
    shown = send(visitor, None)

    hasty = visitor.post("/subscribe/embed", page_form(shown))
    visitor.house.clock.pass_(seconds=3)
    calm = visitor.post("/subscribe/embed", page_form(hasty))

    assert (hasty.status_code, calm.status_code) == (422, 303)
    assert "sent too quickly" in hasty.text


def test_a_fault_is_shown_on_our_page_with_everything_still_there(visitor):
    answer = send(visitor, email="nonsense", topics=["sea"])
    visitor.house.clock.pass_(seconds=3)
    mended = visitor.post("/subscribe/embed", {**page_form(answer), "email": ANN})

    assert answer.status_code == 422
    assert "contains an @" in answer.text
    assert mended.status_code == 303
    assert requests(visitor)[0].choices["topics"] == {"sea": "daily"}


def test_without_a_clock_few_forms_of_a_network_are_taken_before_our_page_asks_for_the_button(visitor):
    answers = [send(visitor, email=f"reader{number}@example.org") for number in range(UNTIMED + 2)]
    visitor.house.clock.pass_(seconds=3)
    pressed = visitor.post("/subscribe/embed", page_form(answers[-1]), headers={"Origin": SHOP})

    assert [answer.status_code for answer in answers] == [303] * (UNTIMED + 1) + [200]
    assert "You came here from a form on another site." in answers[-1].text
    assert pressed.status_code == 303


def test_it_counts_against_the_same_limits_as_our_own_form(visitor):
    for number in range(int(VISITOR.burst)):
        opened = visitor.get("/subscribe/embed/opened").json["opened"]
        visitor.house.clock.pass_(seconds=1)
        assert send(visitor, email=f"reader{number}@example.org", opened=opened).status_code == 303

    page, script = send(visitor), send(visitor, headers=JSON)

    assert page.status_code == script.status_code == 429
    assert script.json["outcome"] == "wait"
    assert "try again" in script.json["message"]


def test_a_filled_hidden_field_asks_for_a_press_here_too(visitor):
    page, script = (send(visitor, website="https://spam.example", **more) for more in ({}, {"headers": JSON}))
    before = requests(visitor)
    opened = re.search(r'name="opened" type="hidden" value="([^"]+)"', page.text)
    visitor.house.clock.pass_(seconds=5)
    pressed = send(visitor, opened=opened[1], headers={"Origin": "https://news.example.org"})

    assert (page.status_code, script.status_code, script.json["outcome"]) == (200, 403, "press")
    assert before == []
    assert pressed.status_code == 303
    assert [request.email for request in requests(visitor)] == [ANN]


def test_the_answer_is_the_same_for_every_address(visitor):
    visitor.house.add_subscriber(1, name="known")

    answers = [send(visitor, email=f"{name}@example.org", headers=JSON) for name in ("known", "unknown")]

    assert answers[0].data == answers[1].data
    assert answers[0].status_code == answers[1].status_code == 200


def test_the_script_is_answered_in_json_that_its_site_may_read(visitor):
    opened = visitor.get("/subscribe/embed/opened", headers={"Origin": SHOP})
    visitor.house.clock.pass_(seconds=2)
    answer = send(visitor, headers=JSON, opened=opened.json["opened"], time_zone="Asia/Tokyo", next=THANKS)

    for each in (opened, answer):
        assert each.headers["Access-Control-Allow-Origin"] == SHOP
        assert "Origin" in each.headers["Vary"]
        assert each.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Credentials" not in each.headers
        assert "Set-Cookie" not in each.headers
    assert answer.json["outcome"] == "asked"
    assert answer.json["next"] == THANKS
    (request,) = requests(visitor)
    assert (request.choices["how"], request.choices["time_zone"]) == ("embed script", "Asia/Tokyo")


@pytest.mark.parametrize("origin", STRANGERS)
def test_no_script_of_another_site_reads_an_answer(visitor, origin):
    answer = send(visitor, origin, headers=JSON)
    opened = visitor.get("/subscribe/embed/opened", headers={} if origin is None else {"Origin": origin})

    assert (answer.status_code, answer.json["outcome"]) == (403, "press")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Origin" not in opened.headers
    assert requests(visitor) == []


def test_the_script_is_told_what_is_wrong_and_what_was_meant(visitor):
    wrong = send(visitor, headers=JSON, email="ann at example.org", topics=[])
    slip = send(visitor, headers=JSON, email="ann@gmial.com")
    insisting = send(visitor, headers=JSON, email="ann@gmial.com", hinted=slip.json["hinted"])
    mended = send(
        visitor, headers=JSON, email="ann@gmial.com", hinted=slip.json["hinted"], use=slip.json["use"]
    )

    assert wrong.status_code == slip.status_code == 422
    assert {fault["field"] for fault in wrong.json["faults"]} == {"email", "topics"}
    assert (slip.json["use"], slip.json["use_words"]) == ("ann@gmail.com", "Use ann@gmail.com")
    assert insisting.status_code == mended.status_code == 200
    assert [request.email for request in requests(visitor)] == ["ann@gmial.com", "ann@gmail.com"]


def test_the_form_decides_the_language_of_the_answer(visitor):
    answer = visitor.post("/subscribe/embed?lang=de", {**FORM, "email": ""}, headers={"Origin": SHOP})
    taken = visitor.post("/subscribe/embed?lang=de", FORM, headers={"Origin": SHOP})

    assert '<html lang="de"' in answer.text
    assert taken.location == "/check-inbox?elsewhere=yes&lang=de"
    assert requests(visitor)[0].choices["language"] == "de"


@pytest.mark.parametrize("origin", ["https://www.example.org", "https://news.example.org"])
def test_origins_are_compared_as_browsers_write_them(visitor, origin):
    assert send(visitor, origin).status_code == 303


def test_a_page_loaded_again_is_the_sign_up_page(visitor):
    answer = visitor.get("/subscribe/embed")

    assert answer.status_code == 200
    assert 'action="/"' in answer.text


@pytest.mark.parametrize(
    "fields",
    [
        {"email": "\0@example.org"},
        {"topics": ["\0"]},
        {"topics": ["energy"] * 100},
        {"frequency": "\0"},
        {"opened": "\0"},
        {"opened": "x" * 5000},
        {"wording": "\0"},
        {"next": "\0"},
        {"next": "https://["},
        {"language": "\0", "time_zone": "\0"},
        {"often-energy": "\0"},
        {"hinted": "\0", "use": "\0"},
    ],
)
@pytest.mark.parametrize("headers", [{}, JSON])
def test_nothing_that_is_sent_breaks_it(visitor, fields, headers):
    for origin in (SHOP, "https://["):
        assert send(visitor, origin, headers=headers, **fields).status_code < 500


def test_the_script_is_ours_alone_and_is_looked_for_again_each_hour(visitor):
    answer = visitor.get("/embed/1.js")

    assert answer.mimetype == "text/javascript"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert answer.headers["ETag"]
    assert not re.search(r"https?://(?!news\.example\.org)", answer.text)
    assert not re.search(
        r"innerHTML|insertAdjacentHTML|document\.write|eval\(|cookie\s*=|localStorage", answer.text
    )


def test_the_wording_in_the_copied_form_is_the_one_that_is_stored(visitor):
    send(visitor, wording=current_wording("fr").version)

    assert requests(visitor)[0].wording_hash == current_wording("fr").hash
