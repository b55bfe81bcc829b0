"""The public pages in a browser: a phone's first screen, all topics, and the page that confirms itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from public_site import PublicSite, run_public_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PHONE = {"width": 375, "height": 667}


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicSite]:
    with run_public_site(tmp_path_factory.mktemp("site")) as running:
        yield running


def sign_up(page: Page, site: PublicSite, email: str) -> str:
    """Sign up in this browser; return the link of the email."""
    page.goto(site.url)
    page.locator('input[name="topics"]').first.check()
    page.get_by_label("Email address").fill(email)
    site.pass_(seconds=5)
    page.locator("form#subscribe").get_by_role("button", name="Subscribe").click()
    page.get_by_role("heading", name="Check your inbox").wait_for()
    return site.link(email, "confirm")


def is_confirmed(site: PublicSite, email: str) -> bool:
    return site.person(email).confirmed_at is not None


@pytest.mark.parametrize("language", ["en", "de", "ja"])
def test_the_first_topic_stands_on_a_phones_first_screen(page, site, language):
    page.set_viewport_size(PHONE)
    page.goto(f"{site.url}/?lang={language}")

    top, bottom = page.locator('input[name="topics"]').first.evaluate(
        "box => { const it = box.closest('label').getBoundingClientRect(); return [it.top, it.bottom]; }"
    )

    assert 0 < top < bottom < PHONE["height"]


def test_one_press_ticks_all_topics_and_another_none(page, site):
    page.goto(site.url)
    boxes = page.locator('input[name="topics"]')

    page.get_by_role("button", name="Select all").click()
    assert all(each.is_checked() for each in boxes.all())
    page.get_by_role("button", name="Select none").click()
    assert not any(each.is_checked() for each in boxes.all())
    boxes.first.check()
    assert page.get_by_role("button", name="Select all").is_visible()


def test_the_preferences_have_the_button_too(page, site):
    email = site.subscriber("selecting")
    page.goto(site.preferences(email))

    page.get_by_role("button", name="Select none").click()

    assert not any(each.is_checked() for each in page.locator('input[name$="-wanted"]').all())


def test_without_scripts_the_button_is_not_shown_and_the_form_works(browser, site):
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(site.url)
        assert page.get_by_role("button", name="Select all").count() == 0
        link = sign_up(page, site, "no.script@example.org")
        page.goto(link)
        page.get_by_role("button", name="Yes, subscribe me").click()
        page.get_by_role("heading", name="Your subscription is confirmed").wait_for()
    finally:
        context.close()


def test_the_address_that_was_typed_is_shown_and_can_be_corrected(page, site):
    sign_up(page, site, "tpyed@example.org")

    assert page.get_by_text("tpyed@example.org").is_visible()
    page.get_by_role("link", name="Correct the address").click()
    page.get_by_label("Email address").fill("typed@example.org")
    site.pass_(seconds=5)
    page.locator("form#subscribe").get_by_role("button", name="Subscribe").click()

    page.get_by_text("typed@example.org").wait_for()
    assert "typed" not in page.url
    assert site.link("typed@example.org", "confirm")


def test_the_link_confirms_once_by_itself_in_the_browser_that_asked(page, site):
    email = "same.browser@example.org"
    link = sign_up(page, site, email)
    assert not is_confirmed(site, email)
    posts = []
    page.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)

    page.goto(link)
    page.get_by_role("heading", name="Your subscription is confirmed").wait_for()
    page.goto(link)

    page.get_by_role("heading", name="This link has already been used").wait_for()
    assert posts == [link]
    assert is_confirmed(site, email)


def test_a_page_that_nobody_sees_confirms_when_it_is_shown(page, site):
    email = "hidden@example.org"
    link = sign_up(page, site, email)
    # What a page sees while it is loaded in advance or in a tab in the background.
    page.add_init_script(
        "let seen = 'hidden'; window.show = () => { seen = 'visible'; "
        "document.dispatchEvent(new Event('visibilitychange')); };"
        "Object.defineProperty(document, 'visibilityState', { get: () => seen });"
    )

    page.goto(link, wait_until="networkidle")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert not is_confirmed(site, email)
    page.evaluate("window.show()")

    page.get_by_role("heading", name="Your subscription is confirmed").wait_for()
    assert is_confirmed(site, email)


def test_a_page_that_is_rendered_in_advance_confirms_when_it_is_opened(page, site):
    email = "in.advance@example.org"
    link = sign_up(page, site, email)
    page.add_init_script(
        "let early = true; window.open_it = () => { early = false; "
        "document.dispatchEvent(new Event('prerenderingchange')); };"
        "Object.defineProperty(document, 'prerendering', { get: () => early });"
    )

    page.goto(link, wait_until="networkidle")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert not is_confirmed(site, email)
    page.evaluate("window.open_it()")

    page.get_by_role("heading", name="Your subscription is confirmed").wait_for()
    assert is_confirmed(site, email)


def test_a_browser_without_the_cookie_confirms_nobody_whatever_it_does_but_press(browser, page, site):
    email = "scanned@example.org"
    link = sign_up(page, site, email)
    context = browser.new_context()
    try:
        scanner = context.new_page()
        posts = []
        scanner.on("request", lambda request: posts.append(request.url) if request.method == "POST" else None)
        scanner.goto(link, wait_until="networkidle")
        for at in range(0, 600, 40):
            scanner.mouse.move(at, at)
        scanner.mouse.wheel(0, 2000)
        for key in ("Tab", "ArrowDown", "PageDown", "End", "Escape", "a"):
            scanner.keyboard.press(key)
        scanner.reload(wait_until="networkidle")

        assert posts == []
        assert not is_confirmed(site, email)
        scanner.get_by_role("button", name="Yes, subscribe me").click()
        scanner.get_by_role("heading", name="Your subscription is confirmed").wait_for()
        assert is_confirmed(site, email)
    finally:
        context.close()
