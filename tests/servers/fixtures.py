"""The servers as pytest fixtures. Each xdist worker runs its own, started by the first test that needs it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from servers import processes
from servers.chromium import FLAGS, MODULES, ROOT, find_chromium, packaged_node
from servers.fonts import FONT_SETS, font_configuration
from servers.postgresql import PostgreSQL, run_postgresql
from servers.rabbitmq import run_rabbitmq
from servers.redis import run_redis
from servers.smtp import SMTPSink, run_smtp_sink

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OUTPUT = ROOT / "test-output"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server. Most tests use `postgresql_url` instead."""
    with run_postgresql() as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database for this test."""
    name = postgresql.create_database()
    yield postgresql.url(name)
    postgresql.drop_database(name)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis server. Most tests use `redis_url` instead."""
    with run_redis() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of a Redis that is empty at the start of the test."""
    import redis

    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """The URL of a RabbitMQ for this test; for tests marked `rabbitmq`."""
    with run_rabbitmq() as url:
        yield url


@pytest.fixture
def smtp_sink() -> Iterator[SMTPSink]:
    """An SMTP server for this test: `.host`, `.port`, `.mails`, `.wait_for(count)`, `.refuse`."""
    with run_smtp_sink() as sink:
        yield sink


@pytest.fixture
def free_port() -> int:
    """A loopback port on which nothing listens."""
    return processes.free_port()


@pytest.fixture(scope="session", params=sorted(FONT_SETS), ids="font-{}".format)
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    """A headless Chromium with the fonts of one set alone. So each test with a browser runs once a set."""
    from playwright.sync_api import sync_playwright

    chromium, fonts = find_chromium(), font_configuration(request.param, MODULES)
    # Playwright's own Node needs libatomic, which a bare Debian lacks. This one does not.
    os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", str(packaged_node()))
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium.program,
            args=list(FLAGS),
            env={**os.environ, **chromium.env, "FONTCONFIG_FILE": str(fonts)},
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab in a fresh profile, 1280 x 900, in English. Errors in the page's console fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(10_000)
    tab = context.new_page()
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda line: faults.append(line.text) if _breaks_policy(line.text) else None)
    yield tab
    context.close()
    assert faults == [], f"the page reported: {faults}"


def _breaks_policy(text: str) -> bool:
    return "Content Security Policy" in text


@pytest.fixture
def screenshot(page: Page, request: pytest.FixtureRequest) -> Callable[..., Path]:
    """`screenshot(name)` writes test-output/screens/<name>.png of the whole page and returns its path."""
    folder = OUTPUT / "screens"
    folder.mkdir(parents=True, exist_ok=True)

    def take(name: str | None = None, *, full_page: bool = True, width: int | None = None) -> Path:
        if width is not None:
            page.set_viewport_size({"width": width, "height": 900})
        stem = re.sub(r"[^\w.-]+", "-", name or request.node.name)
        target = folder / f"{stem}.png"
        page.screenshot(path=target, full_page=full_page)
        return target

    return take
