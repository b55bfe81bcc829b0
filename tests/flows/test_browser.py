"""A subscriber's whole path in a real browser, with a screenshot of each page in test-output/screens/."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from servers.processes import die_with_parent, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser

READER = "ada.reader@example.org"
PASSWORD = "three quiet harbours"
# The form refuses a request that is sent faster than a person types.
READING_SECONDS = 1.2


@dataclass
class Demo:
    """A running demo: its address and the admin's one-time password."""

    url: str
    password: str


@pytest.fixture(scope="module")
def demo(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The whole service as `make demo` runs it, with its own folder and port."""
    port = free_port()
    command = [sys.executable, "-m", "newsletter", "demo", "--port", str(port)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    process = subprocess.Popen(
        [*command, "--data", str(tmp_path_factory.mktemp("demo"))],
        env={**environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 (three system calls, no lock)
    )
    said: list[str] = []
    ready = threading.Event()

    def listen() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                ready.set()
        ready.set()  # it ended

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        assert ready.wait(60), "".join(said)
        password = re.search(r"one-time password\s+(\S+)", "".join(said))
        assert password, "".join(said)
        yield Demo(f"http://127.0.0.1:{port}", password.group(1))
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        listener.join(timeout=5)
    assert process.returncode == 0, "".join(said)


def newest_mail(page, demo: Demo, subject: str) -> None:
    """Open the newest email in the mailbox whose subject matches, as soon as it is there."""
    page.goto(f"{demo.url}/dev/mailbox")
    letter = page.locator("a.letter").filter(has_text=re.compile(subject, re.IGNORECASE)).first
    letter.wait_for(timeout=30_000)  # the list looks again by itself
    letter.click()


def test_a_newcomer_subscribes_confirms_reads_and_unsubscribes(page, screenshot, demo):
    # Join.
    page.goto(demo.url)
    opened = time.monotonic()
    screenshot("01-sign-up")
    for box in page.locator('input[name="topics"]').all():
        box.check()
    page.get_by_label("Daily").check()
    page.get_by_label("Email address").fill(READER)
    page.wait_for_timeout(max(0.0, READING_SECONDS - (time.monotonic() - opened)) * 1000)
    page.locator("form#subscribe").get_by_role("button", name="Subscribe").click()
    page.get_by_role("heading", name="Check your inbox").wait_for()
    screenshot("02-check-inbox")

    # Confirm, by the link in the mail.
    newest_mail(page, demo, "confirm")
    screenshot("03-confirmation-mail")
    page.get_by_role("link", name="Plain text").click()
    link = page.locator("pre a[href*='/confirm/']").first.get_attribute("href")
    page.context.clear_cookies()  # as on another device: the browser that signed up confirms by itself
    page.goto(link)
    page.get_by_role("heading", name="Confirm your subscription").wait_for()
    screenshot("04-confirm")
    page.reload()  # looking again changes nothing
    page.get_by_role("button", name="Yes, subscribe me").click()
    page.get_by_role("heading", name="Your subscription is confirmed").wait_for()
    screenshot("05-confirmed")

    # Send, as the editor.
    page.goto(f"{demo.url}/admin/")
    page.locator('input[name="email"]').fill("admin@localhost")
    page.locator('input[name="password"]').fill(demo.password)
    screenshot("06-sign-in")
    page.get_by_role("button", name="Sign in").click()
    page.locator('input[name="password"]').fill(PASSWORD)
    page.locator('input[name="again"]').fill(PASSWORD)
    page.get_by_role("button", name="Save password").click()
    page.get_by_role("heading", level=1).wait_for()
    screenshot("07-overview")
    for name in ("releases", "readers", "issues"):
        page.goto(f"{demo.url}/admin/{name}")
        screenshot(f"08-admin-{name}")
    page.goto(f"{demo.url}/admin/preview")
    screenshot("09-preview")
    page.locator('input[name="send"][value="daily"]').check()
    page.get_by_role("button", name="Count subscribers").click()
    page.locator('input[name="number"]').fill("1")
    screenshot("10-send")
    page.get_by_role("button", name="Send to 1 subscriber").click()
    page.wait_for_url("**/admin/issues/*")
    screenshot("11-issue")

    # Read.
    page.goto(f"{demo.url}/dev/mailbox")
    page.locator("a.letter").nth(1).wait_for(timeout=30_000)
    page.locator("a.letter").first.click()
    letter = page.frame_locator("iframe.frame")
    letter.get_by_role("link", name=re.compile("unsubscribe", re.IGNORECASE)).first.wait_for()
    screenshot("12-digest")
    digest = page.locator("iframe.frame").get_attribute("src")
    page.goto(f"{demo.url}{digest}")
    screenshot("13-digest-alone")
    screenshot("14-digest-phone", width=390)
    leave = page.get_by_role("link", name=re.compile("unsubscribe", re.IGNORECASE)).first.get_attribute(
        "href"
    )
    page.set_viewport_size({"width": 1280, "height": 900})

    # Leave.
    page.goto(leave)
    screenshot("15-unsubscribe")
    page.get_by_role("button", name="Unsubscribe from everything").click()
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    assert "/unsubscribe/" in page.url
    screenshot("16-left")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_public_page_is_wider_than_a_phone(page, screenshot, demo, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})

    for path in ("/", "/releases", "/link", "/privacy", "/check-inbox", "/nothing-here", "/admin/sign-in"):
        page.goto(f"{demo.url}{path}")
        screenshot(f"phone-{scheme}{path.replace('/', '-')}")
        wide = page.evaluate("document.documentElement.scrollWidth")

        assert wide <= 360, f"{path} is {wide} px wide"
