from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from newsletter.accounts.create import create_account, reset_password
from newsletter.accounts.passwords import RUNNING, WAITING, places
from newsletter.models import AdminUser, AuditEntry
from newsletter.web.admin.session import IDLE, safe_path

EMAIL = "editor@example.org"
PASSWORD = "three quiet harbours"


def test_who_knows_the_password_comes_to_the_overview(house):
    browser = house.browser()

    answer = browser.sign_in()

    assert answer.status_code == 303
    assert answer.location == "/admin/"
    assert "Sign out" in browser.get("/admin/").text


@pytest.mark.parametrize(
    ("email", "password"), [(EMAIL, "wrong"), ("nobody@example.org", PASSWORD), ("no address", "x")]
)
def test_a_wrong_address_and_a_wrong_password_have_the_same_answer(house, email, password):
    browser = house.browser()

    answer = browser.sign_in(email, password)

    assert answer.status_code == 422
    assert "Wrong email address or password." in answer.text
    assert PASSWORD not in answer.text
    assert browser.get("/admin/").status_code == 303


def test_fields_left_empty_are_asked_for(house):
    answer = house.browser().sign_in("", "")

    assert answer.status_code == 422
    assert "Please enter your password." in answer.text


def test_five_tries_are_followed_by_a_rest(house):
    browser = house.browser()
    statuses = [browser.sign_in(EMAIL, "wrong").status_code for _ in range(5)]

    refused = browser.sign_in(EMAIL, PASSWORD)

    assert statuses == [422] * 5
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 180
    house.clock.pass_(seconds=int(refused.headers["Retry-After"]))
    assert browser.sign_in(EMAIL, PASSWORD).status_code == 303


def test_limits_count_the_person_behind_a_trusted_proxy(house):
    def try_from(address):
        browser = house.browser()
        token = browser.hidden("/admin/sign-in", "csrf_token")
        data = {"csrf_token": token, "email": EMAIL, "password": "wrong"}
        return browser.client.post(
            "/admin/sign-in", data=data, headers={"X-Forwarded-For": address}
        ).status_code

    assert [try_from("203.0.113.5") for _ in range(6)] == [422] * 5 + [429]
    assert try_from("198.51.100.5") == 422


def test_a_sign_in_needs_the_token_of_its_page(house):
    client = house.browser().client
    client.get("/admin/sign-in")

    answer = client.post("/admin/sign-in", data={"email": EMAIL, "password": PASSWORD})

    assert answer.status_code == 400
    assert client.get("/admin/").status_code == 303


def test_nothing_of_the_session_before_is_kept_at_sign_in(house):
    browser = house.browser()
    with browser.client.session_transaction() as before:
        before["planted"] = "by somebody else"
    old_token = browser.hidden("/admin/sign-in", "csrf_token")
    old_cookie = browser.client.get_cookie("session").value

    browser.sign_in()

    assert browser.client.get_cookie("session").value != old_cookie
    with browser.client.session_transaction() as after:
        assert "planted" not in after
    # The token that was known before is worth nothing now.
    answer = browser.client.post("/admin/sign-out", data={"csrf_token": old_token})
    assert answer.status_code == 400
    assert browser.get("/admin/").status_code == 200


def test_the_cookie_from_before_the_sign_in_stays_signed_out(house):
    browser, thief = house.browser(), house.browser()
    browser.get("/admin/sign-in")
    thief.client.set_cookie("session", browser.client.get_cookie("session").value)

    browser.sign_in()

    assert thief.get("/admin/").status_code == 303


def test_signing_out_ends_even_a_copied_session(house, editor):
    thief = house.browser()
    thief.client.set_cookie("session", editor.client.get_cookie("session").value)
    assert thief.get("/admin/").status_code == 200

    answer = editor.post("/admin/sign-out", page="/admin/")

    assert answer.location == "/admin/sign-in"
    assert editor.get("/admin/").status_code == 303
    assert thief.get("/admin/").status_code == 303


def test_a_new_password_ends_every_session(house, editor):
    with house.make_session() as session:
        reset_password(session, EMAIL, "another hash", "command line", house.clock())
        session.commit()

    assert editor.get("/admin/").status_code == 303


def test_a_session_ends_after_half_a_day_without_a_visit(house, editor):
    for _ in range(3):
        house.clock.pass_(hours=11)
        assert editor.get("/admin/").status_code == 200

    house.clock.pass_(seconds=IDLE.total_seconds() + 1)

    assert editor.get("/admin/").status_code == 303


def test_who_came_by_a_one_time_password_must_choose_their_own(house, stored_password):
    with house.make_session() as session:
        create_account(session, "new@example.org", stored_password, "command line", house.clock())
        session.commit()
    browser = house.browser()

    answer = browser.sign_in("new@example.org", PASSWORD)

    assert urlsplit(answer.location).path == "/admin/password"
    assert browser.get("/admin/releases").location == "/admin/password"
    other = house.signed_in("new@example.org")
    chosen = {"password": "my own long password", "again": "my own long password"}
    done = browser.post("/admin/password", chosen)
    assert (done.status_code, done.location) == (303, "/admin/")
    assert browser.get("/admin/releases").status_code == 200
    assert other.get("/admin/").status_code == 303
    assert house.browser().sign_in("new@example.org", PASSWORD).status_code == 422
    assert house.browser().sign_in("new@example.org", "my own long password").status_code == 303


@pytest.mark.parametrize(
    ("password", "again", "words"),
    [
        ("short", "short", "12 to 200"),
        ("a long enough password", "another long password", "not the same"),
        (EMAIL + " 12", EMAIL + " 12", "contains your address"),
        ("", "", "Please choose"),
    ],
)
def test_a_new_password_that_will_not_do_is_refused_with_the_reason(house, editor, password, again, words):
    answer = editor.post("/admin/password", {"current": PASSWORD, "password": password, "again": again})

    assert answer.status_code == 422
    assert words in answer.text
    assert house.browser().sign_in().status_code == 303


def test_a_change_of_password_asks_for_the_old_one(house, editor):
    chosen = {"password": "my own long password", "again": "my own long password"}

    refused = editor.post("/admin/password", {"current": "wrong", **chosen})
    done = editor.post("/admin/password", {"current": PASSWORD, **chosen})

    assert refused.status_code == 422
    assert "not your current password" in refused.text
    assert done.status_code == 303
    assert editor.get("/admin/").status_code == 200


def test_the_page_that_was_asked_for_comes_after_the_sign_in(house):
    browser = house.browser()
    answer = browser.get("/admin/releases?state=held&q=a%26b")
    asked = parse_qs(urlsplit(answer.location).query)["next"][0]
    assert asked == "/admin/releases?state=held&q=a%26b"

    page = browser.get(answer.location).text
    assert f'value="{asked.replace("&", "&amp;")}"' in page
    assert browser.sign_in(next=asked).location == asked


ELSEWHERE = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "http:///evil.example/admin/",
    "javascript:alert(1)",
    "data:text/html,x",
    "/admin\\@evil.example",
    "/\t/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/admin/\r\nLocation: //evil.example",
    "/admin//evil.example/..",
    "/admin/../../evil",
    "//evil.example/admin/",
    "evil.example",
    "/",
    "/elsewhere",
    "/administrator",
    "/admin@evil.example",
    "@evil.example",
    "/admin/#x",
    "/admin/" + "x" * 600,
    "http://[::1/admin/",
    "",
]


@pytest.mark.parametrize("target", ELSEWHERE)
def test_a_sign_in_never_leads_elsewhere(target):
    assert safe_path(target) is None


@pytest.mark.parametrize("target", ["//evil.example", "/\\evil.example", "https://evil.example/admin/"])
def test_a_sign_in_with_a_forged_target_comes_to_the_overview(house, target):
    assert house.browser().sign_in(next=target).location == "/admin/"


@pytest.mark.parametrize(
    "target", ["/admin", "/admin/", "/admin/issues/abc?state=held", "/admin/?q=//x&r=a:b"]
)
def test_pages_of_the_admin_are_fine_targets(target):
    assert safe_path(target) == target


def test_who_is_signed_in_already_is_not_asked_again(editor):
    assert editor.get("/admin/sign-in").location == "/admin/"
    assert editor.get("/admin/sign-in?next=/admin/issues").location == "/admin/issues"
    assert editor.get("/admin/sign-in?next=//evil.example").location == "/admin/"


def test_a_siege_does_not_lock_out_the_browser_that_signed_in_before(house):
    editor = house.signed_in()
    editor.post("/admin/sign-out", page="/admin/")
    thief = house.browser()
    for _ in range(6):
        thief.sign_in(EMAIL, "wrong")  # from the same network, even

    assert thief.sign_in().status_code == 429
    assert editor.sign_in().status_code == 303


def test_what_happens_at_the_door_is_written_down(house):
    house.browser().sign_in(EMAIL, "wrong")
    house.browser().sign_in("nobody@example.org", "wrong")
    browser = house.signed_in()
    browser.post("/admin/sign-out", page="/admin/")

    (user,) = house.all(select(AdminUser))
    entries = house.all(select(AuditEntry).order_by(AuditEntry.id))[1:]
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        ("account.sign_in_failed", "", user.public_id),
        ("account.sign_in_failed", "", "unknown"),
        ("account.signed_in", EMAIL, user.public_id),
        ("account.signed_out", EMAIL, user.public_id),
    ]


def test_cookies_are_kept_from_scripts_and_other_sites(house):
    answer = house.browser().sign_in()

    cookies = answer.headers.getlist("Set-Cookie")
    assert len(cookies) == 2
    assert all("HttpOnly" in cookie and "SameSite=Lax" in cookie for cookie in cookies)


def test_a_burst_of_tries_is_asked_to_come_again_and_a_known_browser_gets_in(house):
    known, stranger = house.browser(), house.browser()
    known.sign_in()
    known.post("/admin/sign-out", page="/admin/")

    with ExitStack() as held:
        for _ in range(RUNNING + WAITING):
            assert held.enter_context(places.place(known=False))
        refused = stranger.sign_in()
        admitted = known.sign_in()

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert admitted.status_code == 303
    assert stranger.sign_in().status_code == 303


def test_a_try_that_finds_no_place_is_not_counted(house):
    browser = house.browser()

    with ExitStack() as held:
        for _ in range(RUNNING + WAITING):
            held.enter_context(places.place(known=False))
        for _ in range(10):
            assert browser.sign_in().status_code == 503

    assert browser.sign_in().status_code == 303


def test_a_session_ends_after_seven_days_however_busy(house):
    browser = house.browser()
    browser.sign_in()

    for _ in range(7 * 4):
        house.clock.pass_(hours=6)
        assert browser.get("/admin/").status_code == 200
    house.clock.pass_(minutes=1)

    assert browser.get("/admin/").status_code == 303


def test_a_one_time_password_that_was_used_in_time_must_be_changed_in_time(house):
    with house.make_session() as session:
        user = session.scalars(select(AdminUser)).one()
        user.must_change, user.one_time_until = True, house.clock() + timedelta(hours=1)
        session.commit()
    browser = house.browser()
    assert browser.sign_in().status_code == 303

    house.clock.pass_(hours=1)

    assert browser.get("/admin/password").status_code == 303
    again = browser.sign_in()
    assert again.status_code == 422
    assert "has expired" in again.text
