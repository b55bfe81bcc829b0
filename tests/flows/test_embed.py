"""The sign-up form embedded in another site, without and with the script, in a real browser."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from house import House, make_house, make_settings
from servers.processes import free_port
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.app import create_app
from newsletter.clock import utcnow
from newsletter.runtime import Runtime
from newsletter.subscribers.signup.resolve import resolve_signups

READER = "ada.reader@example.org"
EDITOR = "editor@example.org"
PASSWORD = "three quiet harbours"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The Harbour Shop</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>body {{ font: 18px/1.5 Georgia, serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem }}
label {{ display: block; margin: .5rem 0 }} select, button {{ font: inherit; padding: .4rem }}</style>
<h1>The Harbour Shop</h1><p>Nets, lamps, rope. And a letter now and then:</p>{form}{script}"""


class _Quiet(WSGIRequestHandler):
    def log(self, kind: str, message: str, *args: Any) -> None:
        """Keep the test's output for the test."""


@dataclass
class Site:
    """A newsletter, and another site with its embedded form."""

    house: House
    url: str
    shop: str
    form: str = ""
    script: str = ""
    visited: list[str] = field(default_factory=list)

    def show(self, request: Request) -> Response:
        self.visited.append(request.path)
        if request.path == "/thank-you":
            return Response("<!doctype html><title>Thank you</title><h1>Thank you</h1>", mimetype="text/html")
        script = self.script if request.path == "/with-script" else ""
        return Response(PAGE.format(form=self.form, script=script), mimetype="text/html")

    def mailed(self) -> list[str]:
        """Run the jobs; return the addresses that got an email."""
        runtime = self.house.runtime
        with runtime.session() as session:
            resolve_signups(session, runtime.tokens, utcnow())
            session.commit()
        self.house.drain("single")
        return self.house.recipients()


@contextlib.contextmanager
def served(port: int, app: Callable[..., Any]) -> Iterator[None]:
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port, shop_port = free_port(), free_port()
    url, shop = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{shop_port}"
    more = {"public_url": url, "embed_origins": shop, "thanks_urls": f"{shop}/thank-you"}
    settings = make_settings(tmp_path, **more)
    house = make_house(settings)
    house = House(Runtime(settings), house.clock)
    house.topic("energy")
    house.topic("sea")
    site = Site(house, url, shop)
    app = create_app(settings)
    with served(port, app), served(shop_port, Request.application(site.show)):
        yield site
    house.runtime.engine.dispose()


@pytest.fixture
def copied(site: Site, page: Any) -> Site:
    """A site whose owner has copied form and script from the admin page."""
    with site.house.runtime.session() as session:
        account = create_account(session, EDITOR, hash_password(PASSWORD), "test", utcnow())
        account.must_change = False
        session.commit()
    page.goto(f"{site.url}/admin/embed?next={site.shop}/thank-you")
    page.locator('input[name="email"]').fill(EDITOR)
    page.locator('input[name="password"]').fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Sign-up form for other sites").wait_for()
    site.script = page.locator("#embed-script").inner_text()
    site.form = page.locator("#embed-form").inner_text()
    return site


def fill(page: Any, address: str) -> None:
    page.get_by_label("Energy").check()
    page.get_by_label("How often").select_option("daily")
    page.get_by_label("Email address").fill(address)


def test_a_plain_form_on_another_site_works_without_script(site, copied, page, browser, screenshot):
    screenshot("embed-admin")
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    tab = context.new_page()
    tab.goto(f"{site.shop}/")
    fill(tab, READER)

    tab.get_by_role("button", name="Subscribe").click()
    tab.get_by_role("heading", name="Thank you").wait_for()

    assert context.cookies() == []
    assert site.mailed() == [READER]
    context.close()


def test_a_form_on_a_site_that_was_not_named_asks_for_the_button_once_more(site, copied, page, browser):
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    tab = context.new_page()
    tab.set_content(site.form)  # about:blank: its Origin is null
    fill(tab, READER)

    tab.get_by_role("button", name="Subscribe").click()
    tab.get_by_text("You came here from a form on another site.").wait_for()
    before = site.mailed()
    tab.wait_for_timeout(1100)  # what is sent faster than a person reads is asked for again
    tab.locator("form#subscribe").get_by_role("button", name="Subscribe").click()
    tab.get_by_role("heading", name="Thank you").wait_for()

    assert before == []
    assert context.cookies() == []
    assert site.mailed() == [READER]
    context.close()


def test_the_script_shows_the_answer_inside_the_form(site, copied, page, screenshot):
    site.form = site.form.replace('name="next"', 'name="nothing"')
    page.context.clear_cookies()
    page.goto(f"{site.shop}/with-script")
    screenshot("embed-form", width=375)
    fill(page, "ada.reader@gmial.com")
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_role("button", name="Use ada.reader@gmail.com").wait_for()
    screenshot("embed-hint", width=375)
    page.get_by_role("button", name="Use ada.reader@gmail.com").click()
    page.get_by_text("Check your inbox").wait_for()
    screenshot("embed-answered", width=375)

    assert page.url == f"{site.shop}/with-script"
    assert page.context.cookies() == []
    assert site.mailed() == ["ada.reader@gmail.com"]


def test_the_script_leads_on_to_the_page_of_thanks(site, copied, page):
    page.goto(f"{site.shop}/with-script")
    fill(page, READER)

    page.get_by_role("button", name="Subscribe").click()
    page.get_by_role("heading", name="Thank you").wait_for()

    assert page.url == f"{site.shop}/thank-you"
    assert site.mailed() == [READER]


def test_where_the_script_may_not_answer_the_form_goes_its_own_way(site, copied, page):
    elsewhere = free_port()
    with served(elsewhere, Request.application(site.show)):
        page.goto(f"http://127.0.0.1:{elsewhere}/with-script")
        fill(page, READER)
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_text("You came here from a form on another site.").wait_for()

    assert page.url.startswith(f"{site.url}/subscribe/embed")
    assert page.get_by_label("Email address").input_value() == READER
    assert site.mailed() == []
