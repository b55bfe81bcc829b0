"""Guard all routes: sign-in, CSRF tokens, GETs that write, security headers, links, inline code."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser

import pytest
from sqlalchemy import Engine, event

from newsletter.app import create_app
from newsletter.links import Links
from newsletter.models import db
from newsletter.web.webhooks.providers import WEBHOOKS

# Emails are shown with their inline styles, in a sandbox.
MAIL_FRAMES = {
    "archive.issue",
    "admin.preview_body",
    "admin.approve_body",
    "admin.order_body",
    "admin.sample",
    "dev.message_html",
}
OPEN_ADMIN_PAGES = {"admin.sign_in"}
WRITING = "INSERT|UPDATE|DELETE|REPLACE"
WRITE = re.compile(rf"^\s*({WRITING}|CREATE|DROP|ALTER|WITH\b.*\b({WRITING}))", re.S)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that are sent to the database within the block."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest):
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def pages(furnished, client):
    """Return each GET route with its response."""
    for rule in furnished.rules("GET"):
        yield rule, furnished.get(client, furnished.path(rule))


def test_every_page_can_be_seen(furnished):
    answers = {rule.endpoint: answer.status_code for rule, answer in pages(furnished, furnished.editor())}

    unseen = {endpoint: status for endpoint, status in answers.items() if status != 200}
    # With several newsletters, the short addresses of topics and issues redirect to the newsletter's.
    short = ("numbered_issue", "topic", "topic_feed", "topic_month", "topic_year")
    # The sign-in page redirects a signed-in person, the proof of work is off by default, and no worker runs.
    assert unseen == {
        "admin.sign_in": 303,
        "public.challenge": 404,
        "public.follow_link": 302,
        "health.check_everything": 503,
        **{f"archive.{name}": 308 for name in short},
    }


def test_no_get_writes(furnished):
    engine, asked = engine_of(furnished), 0

    for client in (furnished.editor(), furnished.visitor()):
        before = furnished.content()
        for rule in furnished.rules("GET"):
            for method in ("GET", "HEAD", "OPTIONS"):
                with statements(engine) as sent:
                    path = furnished.path(rule)
                    client.open(path, method=method, base_url="https://news.example.org", buffered=True)
                assert [each for each in sent if WRITE.match(each)] == [], rule.endpoint
                asked += len(sent)
                assert "BEGIN IMMEDIATE" not in sent, f"{method} {rule} takes the write lock"
        assert furnished.content() == before
    assert asked > 50


def engine_of(furnished) -> Engine:
    with furnished.app.app_context():
        return db.engine


def test_every_admin_page_asks_who_you_are(furnished):
    asked = 0
    for rule in furnished.app.url_map.iter_rules():
        if not rule.rule.startswith("/admin") or rule.endpoint in OPEN_ADMIN_PAGES:
            continue
        visitor = furnished.visitor()
        token = furnished.csrf_token(visitor)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            send = furnished.get if method == "GET" else furnished.post
            arguments = () if method == "GET" else ({"csrf_token": token},)
            answer = send(visitor, furnished.path(rule), *arguments)
            asked += 1
            assert answer.status_code in {303, 401}, f"{method} {rule}"
            if answer.status_code == 303:
                assert answer.location.startswith("/admin/sign-in"), f"{method} {rule}"
    assert asked > 10


def test_every_post_without_a_token_is_refused_and_changes_nothing(furnished):
    client = furnished.editor()
    # Public pages act for nobody's cookie: the token in the URL or the typed address is the proof.
    # A webhook's proof is its signature (see below).
    open_ones = ("public.", "webhooks.")
    posts = [rule for rule in furnished.rules("POST") if not rule.endpoint.startswith(open_ones)]
    others = furnished.csrf_token(furnished.visitor())
    before = furnished.content()

    for rule in posts:
        for form in ({}, {"csrf_token": "forged"}, {"csrf_token": others}):
            assert furnished.post(client, furnished.path(rule), form).status_code == 400, rule.endpoint

    assert len(posts) > 8
    assert furnished.content() == before


def test_every_public_post_with_a_forged_link_changes_nothing(furnished):
    posts = [rule for rule in furnished.rules("POST") if "token" in rule.arguments]
    before = furnished.content()

    for rule in posts:
        path = furnished.path(rule).replace(furnished.values[rule.endpoint]["token"], "Zm9y.Z2Vk")
        assert furnished.post(furnished.visitor(), path, {"sure": "y"}).status_code in {400, 404}, (
            rule.endpoint
        )

    assert len(posts) > 8
    assert furnished.content() == before


def test_every_webhook_without_a_key_does_not_exist_and_changes_nothing(furnished):
    before = furnished.content()

    for provider in WEBHOOKS:
        for form in ({}, {"csrf_token": "forged"}):
            assert furnished.post(furnished.visitor(), f"/webhooks/{provider}", form).status_code == 404

    assert furnished.content() == before


def test_no_other_method_is_taken(furnished):
    known = {"GET", "HEAD", "OPTIONS", "POST"}

    assert {
        rule.rule: rule.methods for rule in furnished.app.url_map.iter_rules() if rule.methods - known
    } == {}
    assert furnished.visitor().put("/", base_url="https://news.example.org").status_code in {400, 405}


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin//releases", "/releases/"])
def test_no_redirect_names_the_host_that_was_asked_for(furnished, path):
    answer = furnished.visitor().get(path, base_url="https://elsewhere.example")

    assert "elsewhere" not in answer.headers.get("Location", "") + answer.get_data(as_text=True)


def test_one_click_leaves_without_cookie_token_or_redirect(own_furnished):
    path = f"/unsubscribe/{own_furnished.values['public.unsubscribe']['token']}"

    answer = own_furnished.app.test_client(use_cookies=False).post(
        path, base_url="https://news.example.org", data={"List-Unsubscribe": "One-Click"}
    )

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_every_answer_has_the_security_headers(own_furnished):
    visitor = own_furnished.visitor()
    answers = [(str(rule), answer) for rule, answer in pages(own_furnished, own_furnished.editor())]
    answers += [(str(rule), answer) for rule, answer in pages(own_furnished, visitor)]
    answers += [
        (f"POST {rule}", own_furnished.post(visitor, own_furnished.path(rule)))
        for rule in own_furnished.rules("POST")
    ]
    answers += [
        ("404", own_furnished.get(visitor, "/nothing/here")),
        ("405", own_furnished.post(visitor, "/privacy")),
        ("static 404", own_furnished.get(visitor, "/static/nothing.css")),
        ("redirect to the sign-in", own_furnished.get(visitor, "/admin")),
        ("large", own_furnished.post(visitor, "/", {"email": "a" * 100_000})),
    ]

    for name, answer in answers:
        headers = answer.headers
        assert "default-src 'none'" in headers.get("Content-Security-Policy", ""), name
        assert headers.get("X-Content-Type-Options") == "nosniff", name
        assert headers.get("Referrer-Policy") in {"no-referrer", "strict-origin-when-cross-origin"}, name
        assert "max-age=" in headers.get("Strict-Transport-Security", ""), name
        for cookie in headers.getlist("Set-Cookie"):
            assert re.search("; secure", cookie, re.I), name
            assert re.search("; httponly", cookie, re.I), name
            assert re.search("; samesite=lax", cookie, re.I), name


def test_the_policy_allows_no_inline_script_and_no_frame(furnished):
    for rule, answer in pages(furnished, furnished.editor()):
        policy = answer.headers["Content-Security-Policy"]
        if rule.endpoint in MAIL_FRAMES:
            assert "sandbox" in policy and "allow-scripts" not in policy, rule
            assert "frame-ancestors 'self'" in policy, rule
        else:
            assert "unsafe" not in policy, rule
            assert "frame-ancestors 'none'" in policy, rule
        assert "*" not in policy and "http" not in policy, rule


def test_a_nonce_is_good_for_one_answer(furnished):
    visitor = furnished.visitor()

    nonces = [
        re.search(r"'nonce-([^']+)'", furnished.get(visitor, "/").headers["Content-Security-Policy"]).group(1)
        for _ in range(3)
    ]

    assert len(set(nonces)) == 3


def test_a_page_reached_by_a_token_is_not_kept_shared_or_indexed(furnished):
    private = [
        (rule, answer) for rule, answer in pages(furnished, furnished.visitor()) if "token" in rule.arguments
    ]

    assert len(private) >= 4
    for rule, answer in private:
        assert answer.headers["Referrer-Policy"] == "no-referrer", rule
        assert answer.headers["Cache-Control"] == "no-store", rule
        assert "noindex" in answer.headers["X-Robots-Tag"], rule


class Faults(HTMLParser):
    """Collects the faults of a page: inline code and styles, and parts loaded from other sites."""

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.found += [f"{tag} {name}" for name in values if name == "style" or name.startswith("on")]
        if tag == "style":
            self.found.append("style element")
        # A browser never runs data, so the policy does not apply to it.
        is_data = values.get("type") == "application/ld+json"
        if tag == "script" and "src" not in values and not is_data and values.get("nonce") != self.nonce:
            self.found.append("script without src or nonce")
        if tag in {"script", "link", "img", "iframe", "source", "form"}:
            place = values.get("src") or values.get("href") or values.get("action") or ""
            is_named_only = tag == "link" and values.get("rel") in {"alternate", "canonical"}
            if (
                not is_named_only
                and re.match(r"(?:[a-z][a-z0-9+.-]*:|//)", place, re.I)
                and not place.startswith("data:image/")
            ):
                self.found.append(f"{tag} from {place}")
        if values.get("href", "").lower().startswith("javascript:"):
            self.found.append("javascript: link")


def test_pages_hold_no_inline_code_and_load_nothing_from_elsewhere(furnished):
    for client in (furnished.visitor(), furnished.editor()):
        for rule, answer in pages(furnished, client):
            if rule.endpoint in MAIL_FRAMES or answer.mimetype != "text/html":
                continue
            nonce = re.search(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])
            faults = Faults(nonce.group(1) if nonce else "")
            faults.feed(answer.text)
            assert faults.found == [], rule.endpoint


def test_the_host_header_is_never_repeated(furnished):
    for client in (furnished.visitor(), furnished.editor()):
        for rule in furnished.rules("GET"):
            answer = client.get(
                furnished.path(rule),
                base_url="https://news.example.org",
                headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
            )
            assert b"evil.example" not in answer.data, rule.endpoint
            assert "evil.example" not in answer.headers.get("Location", ""), rule.endpoint


def test_every_public_link_leads_to_a_page(furnished):
    links = Links("https://news.example.org")
    router = furnished.app.url_map.bind("news.example.org")
    makers = [
        (name, getattr(links, name))
        for name, _ in inspect.getmembers(Links, inspect.isfunction)
        if not name.startswith("_") and name != "in_language"
    ]

    assert len(makers) > 5
    for name, make in makers:
        parameters = inspect.signature(make).parameters.values()
        url = make(*(1 if each.annotation == "int" else "value" for each in parameters))
        path = url.removeprefix("https://news.example.org").partition("?")[0]
        assert router.test(path, method="GET"), f"links.{name}() gives {url}, which no route answers"


def test_the_mailbox_is_there_in_demo_mode_only(furnished):
    served = create_app(dataclasses.replace(furnished.runtime.settings, demo=False))

    assert [str(rule) for rule in served.url_map.iter_rules() if str(rule).startswith("/dev")] == []
    assert served.test_client().get("/dev/mailbox", base_url="https://news.example.org").status_code == 404
