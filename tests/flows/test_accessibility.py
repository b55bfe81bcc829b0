"""Accessibility of every public page in all its states: axe, large text, keyboard only, no scripts."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from public_site import PublicSite, run_public_site
from servers.chromium import axe_script
from servers.fixtures import OUTPUT

from newsletter.languages import LANGUAGES
from newsletter.newsletters.add import add_newsletter

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

ROOT = Path(__file__).resolve().parents[2]
REDIRECTS = {301, 302, 303, 307, 308}
WIDTHS = {375: 740, 1280: 900}
# Programs read the responses of these, or they redirect to a page that is checked.
NOT_PAGES = {
    "archive.favicon", "archive.feed", "archive.image", "archive.robots", "archive.sitemap",
    "archive.sitemap_part", "archive.topic_feed", "public.challenge", "public.colours", "public.logo",
    "public.embed_script",
    "public.embed_opened", "public.pause_preferences", "public.resume_preferences", "public.my_data",
    "public.consent_key", "public.ask_for_own_link", "public.follow_link",
}  # fmt: skip
# Parts of pages.
NOT_WHOLE = re.compile(r"base\.html|_\w+\.html")

# Set to keep a picture of every state: TEST_PICTURES=1 make test ARGS="-k accessibility".
PICTURES = bool(os.environ.get("TEST_PICTURES"))
# A folder for the HTML of every page as the server sent it, and for every email (`make validate`).
KEPT = os.environ.get("TEST_KEPT_FOLDER")
AXE = axe_script()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Its rules about colours.
COLOURS = ["color-contrast", "link-in-text-block"]
RUN_AXE = """
async (only) => {
  const options = {resultTypes: ['violations'], ...(only ? {runOnly: only} : {})};
  const found = await axe.run(document, options);
  return found.violations.map((each) =>
    `${each.id}: ${each.help} (${each.nodes.slice(0, 3).map((node) => node.target.join(' ')).join('; ')})`);
}
"""

# Sends the form of this page until the rate limit refuses it.
SEND_MANY = """
async () => {
  const form = document.querySelector('main form');
  form.email.value = 'many@example.org';
  for (let sent = 0, status = 0; status !== 429 && sent < 200; sent++) {
    await new Promise((done) => setTimeout(done, sent ? 0 : 1100));
    const body = new FormData(form);
    status = (await fetch(form.action, {method: 'post', body, redirect: 'manual'})).status;
  }
}
"""
# Elements that are wider than the window, or that hide a part of their own words.
CUT = """
() => {
  const faults = [];
  const wide = document.documentElement.scrollWidth - innerWidth;
  if (wide > 0) faults.push(`the page is ${wide} px wider than the window`);
  for (const each of document.body.querySelectorAll('*')) {
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    if (!box.width || style.visibility === 'hidden' || each.closest('svg, option')) continue;
    if (each.closest('.elsewhere, .hidden-visually, .skip')) continue;
    const name = each.tagName.toLowerCase() + (each.className ? '.' + each.className : '');
    if (box.right > innerWidth + 1 || box.left < -1) faults.push(`${name} goes beyond the window`);
    // What is typed into a field scrolls within it.
    const clips = ['hidden', 'clip'].includes(style.overflowX) && !each.matches('input, select');
    if (clips && (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1))
      faults.push(`${name} hides a part of itself`);
  }
  return [...new Set(faults)].slice(0, 5);
}
"""


@dataclass
class Tour:
    """Visits every page and checks it. Faults are collected, and the tests below assert on them."""

    page: Page
    site: PublicSite
    states: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    cuts: list[str] = field(default_factory=list)

    def go(self, address: str) -> None:
        self.page.goto(address if address.startswith("http") else f"{self.site.url}{address}")

    def press(self, name: str) -> None:
        """Press a button, after the time that a person needs for the form."""
        self.site.pass_(minutes=20)
        self.page.locator("main").get_by_role("button", name=name).first.click()

    def look(self, state: str, *, mail: bool = False) -> None:
        """Check the present page: in two widths, light and dark, and with text twice as large."""
        self.states.append(state)
        page = self.page
        page.evaluate(AXE)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                # The dark scheme changes nothing but colours.
                for fault in page.evaluate(RUN_AXE, COLOURS if scheme == "dark" else WCAG if mail else None):
                    self.violations.append(f"{state}, {width} px, {scheme}: {fault}")
                picture(page, f"{state} {width} {scheme}")
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            if not mail:
                page.evaluate("document.documentElement.style.fontSize = '200%'")
            self.cuts += [f"{state}, {width} px: {fault}" for fault in page.evaluate(CUT)]
            picture(page, f"{state} {width} large")
            page.evaluate("document.documentElement.style.fontSize = ''")


def picture(page: Page, name: str) -> None:
    if PICTURES:
        target = OUTPUT / "screens" / "accessibility" / f"{re.sub(r'[^a-z0-9]+', '-', name.lower())}.png"
        page.screenshot(path=target, full_page=True)


@pytest.fixture(scope="module")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublicSite]:
    with run_public_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def tour(browser: Browser, site: PublicSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """The whole tour, made once; the tests below read its faults."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(10_000)
    made = Tour(context.new_page(), site)
    if KEPT:
        context.on("response", keep_page)
    for part in (joining, confirming, own_page, moving, leaving, rights, reading, error_pages):
        part(made)
    with run_public_site(tmp_path_factory.mktemp("several")) as other:
        add_newsletters(other)
        several(Tour(made.page, other, made.states, made.violations, made.cuts))
        site.templates |= other.templates
    if KEPT:
        for number, sent in enumerate(site.house.transport.sent):
            (Path(KEPT) / f"{number:03}.eml").write_bytes(sent.content)
    yield made
    context.close()


def keep_page(response: Response) -> None:
    """Write a page as the server sent it into the folder, once for each different page."""
    is_page = response.headers.get("content-type", "").startswith("text/html")
    if is_page and response.request.is_navigation_request() and response.status not in REDIRECTS:
        body = response.body()
        path = re.sub(r"[^a-z]+", "-", urlsplit(response.url).path.lower())[:20].strip("-") or "home"
        name = f"{path}-{hashlib.sha256(body).hexdigest()[:8]}.html"
        (Path(str(KEPT)) / name).write_bytes(body)


def joining(tour: Tour) -> None:
    tour.go("/")
    for each in tour.page.locator("details").all():
        each.evaluate("each => each.open = true")
    tour.look("sign-up")
    tour.press("Subscribe")
    tour.look("sign-up with errors")
    sign_up(tour, "somebody@gmial.com")
    tour.look("sign-up with a slip")
    tour.go("/")
    sign_up(tour, "ada@example.org")
    tour.look("check the inbox")


def sign_up(tour: Tour, address: str) -> None:
    for box in tour.page.locator('input[name="topics"]').all():
        box.check()
    tour.page.locator('input[name="email"]').fill(address)
    tour.press("Subscribe")


def confirming(tour: Tour) -> None:
    link = tour.site.link("ada@example.org", "confirm")
    tour.go(tour.site.link("ada@example.org", "not-me"))
    tour.look("not me")
    tour.page.context.clear_cookies()  # a browser that signed up confirms by itself
    tour.go(link)
    tour.look("confirm")
    tour.press("Yes, subscribe me")
    tour.look("confirmed")
    tour.go(link)
    tour.look("confirmed before")
    tour.press("Send a new link")
    tour.look("link problem with errors")
    tour.go("/confirm/cut.short")
    tour.look("damaged link")
    tour.go("/")
    sign_up(tour, "bob@example.org")
    stray = tour.site.link("bob@example.org", "not-me")
    tour.go(stray)
    tour.press("I did not ask for this")
    tour.look("not me, done")
    tour.press("Undo")
    tour.look("not me, taken back")
    tour.go(stray)
    tour.look("not me, nothing waits")


def own_page(tour: Tour) -> None:
    subscriber = tour.site.subscriber("cleo")
    tour.site.send_issue()
    tour.go("/link")
    tour.look("link")
    tour.press("Send the link")
    tour.look("link with errors")
    tour.page.get_by_label("Email address").fill(subscriber)
    tour.press("Send the link")
    tour.look("link sent")
    tour.go(tour.site.link(subscriber, "preferences"))
    tour.look("preferences")
    tour.press("Save your preferences")
    tour.look("preferences saved")
    tour.press("4 weeks")
    tour.look("preferences paused")
    tour.press("Resume emails now")
    tour.look("preferences resumed")
    tour.go(tour.site.stay(subscriber))
    tour.look("probe")
    tour.press("Yes, keep sending me emails")
    tour.look("probe answered")


def moving(tour: Tour) -> None:
    subscriber = tour.site.subscriber("dora")
    tour.go(tour.site.preferences(subscriber))
    tour.press("Change your address")
    tour.look("link mailed")
    tour.go(tour.site.link(subscriber, "new-address"))
    tour.look("new address")
    tour.press("Send the link")
    tour.look("new address with errors")
    tour.page.get_by_label("New email address").fill("dora.moved@example.org")
    tour.press("Send the link")
    tour.look("move asked")
    tour.go(tour.site.link("dora.moved@example.org", "move"))
    tour.look("move")
    tour.press("Yes, change the address")
    tour.look("moved")


def leaving(tour: Tour) -> None:
    subscriber = tour.site.subscriber("emil")
    tour.go(tour.site.preferences(subscriber))
    tour.page.get_by_role("link", name="Unsubscribe from everything").click()
    leave = tour.page.url
    tour.look("unsubscribe")
    tour.press("1 week")
    tour.look("paused instead")
    tour.go(leave)
    tour.look("unsubscribe while pausing")
    tour.page.locator('button[name="topic"]').first.click()
    tour.look("left one topic")
    tour.go(leave)
    tour.press("Unsubscribe from everything")
    tour.look("left")
    tour.page.get_by_label("Something else").check()
    tour.press("Send")
    tour.look("left, and said why")
    tour.press("Undo: keep me subscribed")
    tour.look("back again")
    tour.go(tour.site.undo(subscriber))
    tour.look("undo")


def rights(tour: Tour) -> None:
    subscriber = tour.site.subscriber("fred")
    tour.go(tour.site.preferences(subscriber))
    tour.page.get_by_role("link", name="Emails we sent you").click()
    tour.look("my mails, none yet")
    tour.go(tour.site.preferences("cleo@example.org"))
    tour.page.get_by_role("link", name="Emails we sent you").click()
    tour.look("my mails")
    tour.go(tour.site.preferences(subscriber))
    tour.press("Download your data")
    tour.go(tour.site.link(subscriber, "export"))
    tour.look("export")
    tour.go(tour.site.preferences(subscriber))
    tour.press("Delete all your data")
    tour.go(tour.site.link(subscriber, "erase"))
    tour.look("erase")
    tour.press("Delete my data")
    tour.look("erase with errors")
    tour.page.get_by_label("Yes, delete all my data").check()
    tour.press("Delete my data")
    tour.look("erased")


def reading(tour: Tour) -> None:
    tour.go("/releases")
    tour.look("releases")
    tour.page.locator(".pill").nth(1).click()
    tour.look("releases of a topic")
    topic = tour.page.url
    tour.page.locator(".headline a").first.click()
    tour.look("release")
    year = re.search(r"\d{4}", tour.page.locator(".article-meta time").first.get_attribute("datetime"))[0]
    tour.go(f"/releases/{year}")
    tour.look("releases of a year")
    months = tour.page.locator(".months a")
    tour.go(months.first.get_attribute("href") if months.count() else f"/releases/{year}/1")
    tour.look("releases of a month")
    tour.go(f"{topic}/{year}")
    tour.look("a topic's releases of a year")
    months = tour.page.locator(".months a")
    tour.go(months.first.get_attribute("href") if months.count() else f"{topic}/{year}/1")
    tour.look("a topic's releases of a month")
    tour.go("/releases?q=the&order=relevance")
    tour.look("search")
    tour.go("/releases?q=?")
    tour.look("search without a word")
    tour.go("/issues/1")
    tour.look("an issue for everybody")
    tour.go("/privacy")
    tour.look("privacy")
    # Emails are in a sandbox, where axe cannot check them.
    mail = tour.page.request.get(tour.site.view("cleo@example.org")).text()
    tour.page.goto("about:blank")
    tour.page.set_content(mail)
    tour.look("issue in the browser", mail=True)


def error_pages(tour: Tour) -> None:
    tour.go("/nothing/here")
    tour.look("not found")
    tour.go("/link")
    tour.page.evaluate(SEND_MANY)
    tour.page.get_by_label("Email address").fill("one.more@example.org")
    tour.page.get_by_role("button", name="Send the link").click()
    tour.look("too many")
    tour.site.pass_(hours=2)
    form = f'<form method="post" action="{tour.site.url}/subscribe/embed"><button>Go</button></form>'
    tour.page.goto("about:blank")
    tour.page.set_content(form)
    tour.page.get_by_role("button", name="Go").click()
    tour.look("a form from another site")


def add_newsletters(site: PublicSite) -> None:
    runtime = site.house.runtime
    for slug in ("harbour", "culture"):
        fields = {"name": f"{slug.title()} Letter", "from_address": f"{slug}@town.example"}
        with runtime.session() as session:
            made = add_newsletter(
                session, runtime.settings, slug=slug, fields=fields, actor="test", now=runtime.now()
            )
            number = made.id
            session.commit()
        for topic in ("reports", "dates"):
            site.house.topic(f"{slug}-{topic}", newsletter=number)


def several(tour: Tour) -> None:
    tour.go("/")
    tour.look("several newsletters")
    tour.page.get_by_role("link", name="Harbour Letter").click()
    tour.look("one of several newsletters")
    tour.go("/check-inbox")
    tour.look("check the inbox, from one of several newsletters")
    tour.go("/releases")
    tour.look("releases of several newsletters")
    subscriber = tour.site.subscriber("gina")
    tour.go(tour.site.preferences(subscriber))
    tour.page.locator('input[name="topic-culture-reports-wanted"]').uncheck()
    tour.page.locator('input[name="topic-culture-dates-wanted"]').uncheck()
    tour.press("Save your preferences")
    for each in tour.page.locator("details").all():
        each.evaluate("each => each.open = true")
    tour.look("preferences of several newsletters")
    tour.page.get_by_role("link", name="Unsubscribe from everything").click()
    tour.look("unsubscribe from several newsletters")
    tour.page.get_by_role("button", name="Harbour Letter").click()
    tour.look("left one of several newsletters")


def test_no_rule_of_axe_is_broken(tour):
    assert tour.violations == []


def test_letters_twice_as_large_fit(tour):
    assert tour.cuts == []


def test_every_public_page_was_looked_at(tour):
    ours = {each for each in tour.site.rules if each.partition(".")[0] in {"public", "archive"}}
    templates = {path.name for path in (ROOT / "templates" / "web").glob("*.html")}
    seen = {name.removeprefix("web/") for name in tour.site.templates}

    assert sorted(ours - tour.site.endpoints - NOT_PAGES) == [], "add a state to the tour, or to NOT_PAGES"
    assert sorted(each for each in templates - seen if not NOT_WHOLE.fullmatch(each)) == []


# Which element has the focus, and whether it is visible.
FOCUS = """
() => {
  const each = document.activeElement, box = each.getBoundingClientRect();
  const marked = [each, each.closest('.choice')].some((element) => {
    const style = element && getComputedStyle(element);
    return style && style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
  });
  return {
    marked: marked || each.classList.contains('skip'),
    inside: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0
      && box.left < innerWidth,
    name: `${each.tagName} ${each.name || each.className || each.textContent.trim().slice(0, 40)}`,
  };
}
"""


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until `selector` has the focus. The focus must be visible at each step."""
    for _ in range(120):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        assert focus["marked"] and focus["inside"], f"nobody sees the focus on {focus['name']} at {page.url}"
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reaches {selector} at {page.url}")


def test_somebody_with_only_a_keyboard_subscribes_chooses_unsubscribes_and_undoes_it(page, site):
    subscriber = "keys@example.org"
    page.goto(site.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.matches('.skip')")
    assert page.evaluate(FOCUS)["inside"]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(page, "input[name=topics]")
    page.keyboard.press("Space")
    tab_to(page, "input[type=email]")
    page.keyboard.type(subscriber)
    site.pass_(minutes=20)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Check your inbox").wait_for()

    page.context.clear_cookies()  # a browser that signed up confirms by itself
    page.goto(site.link(subscriber, "confirm"))
    tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your subscription is confirmed").wait_for()
    tab_to(page, "main a[href*='/preferences/']")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Your preferences", level=1).wait_for()
    tab_to(page, "select[name$=frequency]")
    page.keyboard.type("Monthly")
    tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.get_by_text("The changes apply from the next issue").wait_for()
    tab_to(page, "main a[href*='/unsubscribe/']")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Unsubscribe from ").wait_for()
    tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    tab_to(page, "main button")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Welcome back").or_(
        page.get_by_role("heading", name="Your subscription is confirmed")
    ).wait_for()


def test_a_faulty_form_takes_the_focus_to_what_is_wrong(page, site):
    page.goto(f"{site.url}/link")
    page.get_by_role("button", name="Send the link").click()
    page.get_by_role("alert").wait_for()

    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#email"
    field = page.get_by_label("Email address")
    assert field.get_attribute("aria-invalid") == "true"
    described = field.get_attribute("aria-describedby") or ""
    assert "email address" in page.locator(f"#{described.split()[0]}").inner_text()


def test_every_page_works_without_scripts(browser, site):
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    context.set_default_timeout(10_000)
    page, subscriber = context.new_page(), "plain@example.org"

    def press(name: str, heading: str | re.Pattern[str]) -> None:
        site.pass_(minutes=20)
        page.locator("main").get_by_role("button", name=name).first.click()
        page.get_by_role("heading", level=1, name=heading).wait_for()

    page.goto(site.url)
    page.locator('input[name="topics"]').first.check()
    page.get_by_label("Email address").fill(subscriber)
    press("Subscribe", "Check your inbox")
    page.goto(site.link(subscriber, "confirm"))
    press("Yes, subscribe me", "Your subscription is confirmed")
    page.get_by_role("link", name="Change your preferences").click()
    page.locator("select[name$=frequency]").first.select_option("monthly")
    press("Save your preferences", "Your preferences")
    press("1 week", "Your preferences")
    press("Resume emails now", "Your preferences")
    press("Change your address", "Your preferences")
    page.goto(site.link(subscriber, "new-address"))
    page.get_by_label("New email address").fill("plain.new@example.org")
    press("Send the link", "Change your address")
    page.goto(site.link("plain.new@example.org", "move"))
    press("Yes, change the address", "Your address has been changed")
    site.pass_(minutes=20)
    page.get_by_role("link", name="See your preferences").click()
    page.get_by_role("link", name="Unsubscribe from everything").click()
    press("Unsubscribe from everything", "You are unsubscribed")
    press("Undo", re.compile("Welcome back|Your subscription is confirmed"))
    page.get_by_role("link", name="Change your preferences").click()
    press("Delete all your data", "Your preferences")
    page.goto(site.link("plain.new@example.org", "erase"))
    page.get_by_label("Yes, delete all my data").check()
    press("Delete my data", "Your data has been deleted")
    assert "/erase/" in page.url
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_fits_a_phone(page, site, language):
    subscriber = site.subscriber(f"reads-{language}", language)
    own = site.preferences(subscriber)
    page.set_viewport_size({"width": 375, "height": 740})
    page.goto(own)
    paths = [
        own,
        site.right(subscriber, "erase"),
        site.right(subscriber, "export"),
        site.right(subscriber, "new-address"),
        f"{own}/mails",
        page.locator("main a[href*='/unsubscribe/']").get_attribute("href"),
    ]
    paths += [
        f"{path}?lang={language}" for path in ("/", "/link", "/check-inbox", "/privacy", "/releases", "/no")
    ]

    cuts = []
    for path in paths:
        page.goto(path if path.startswith("http") else f"{site.url}{path}")
        assert page.locator("html").get_attribute("lang") == language, path
        cuts += [f"{path}: {fault}" for fault in page.evaluate(CUT)]
        picture(page, f"language {language} {paths.index(path)}")

    assert cuts == []
