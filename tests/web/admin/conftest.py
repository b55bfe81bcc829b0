"""Fixtures: an application on a database for each test, an editor, subscribers and releases."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from house import empty_sqlite
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from newsletter.accounts.create import create_account
from newsletter.accounts.passwords import hash_password
from newsletter.app import create_app
from newsletter.models import (
    FIRST_NEWSLETTER,
    AdminUser,
    Frequency,
    Release,
    ReleaseState,
    ReleaseTopic,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
    db,
    open_engine,
    take_sequences,
)
from newsletter.newsletters.add import add_newsletter
from newsletter.settings import Settings, load_settings

EMAIL = "editor@example.org"
PASSWORD = "three quiet harbours"
NOON = datetime(2025, 10, 23, 12, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that tests move."""

    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **passed: float) -> None:
        self.at += timedelta(**passed)


@dataclass
class Woken:
    """Records which lanes were asked to drain."""

    lanes: list[str] = field(default_factory=list)

    def __call__(self, lane: str) -> None:
        self.lanes.append(lane)


@dataclass
class House:
    """The installation that a test of the admin pages works with."""

    app: Flask
    settings: Settings
    clock: Clock
    woken: Woken
    make_session: Callable[[], Session]

    def browser(self) -> Browser:
        return Browser(self.app.test_client(), self)

    def signed_in(self, email: str = EMAIL, password: str = PASSWORD) -> Browser:
        browser = self.browser()
        answer = browser.sign_in(email, password)
        assert answer.status_code == 303, answer.text
        return browser

    def newsletter(self, slug: str, name: str) -> int:
        """Add a newsletter after the first one; return its id."""
        with self.make_session() as session:
            fields = {"name": name, "from_address": f"{slug}@example.org"}
            made = add_newsletter(session, self.settings, slug=slug, fields=fields, actor=EMAIL, now=NOON)
            session.commit()
            return made.id

    def topic(self, slug: str = "harbours", newsletter: int = FIRST_NEWSLETTER) -> None:
        with self.make_session() as session:
            name = slug.capitalize()
            session.add(Topic(slug=slug, name=name, newsletter_id=newsletter, created_at=NOON))
            session.commit()

    def release(
        self, title: str = "A new quay", state: ReleaseState = ReleaseState.READY, topic: str = "harbours"
    ) -> str:
        """Add a release; return its public id."""
        with self.make_session() as session:
            made = Release(
                title=title,
                publisher="Port Authority",
                published_at=NOON - timedelta(days=1),
                language="en",
                body_html=f"<p>{title} is open.</p>",
                body_text=f"{title} is open.",
                summary=f"{title} is open.",
                content_hash=title,
                state=state,
                created_at=NOON,
            )
            under = session.scalars(select(Topic).where(Topic.slug == topic)).one()
            made.topic_links = [ReleaseTopic(topic_id=under.id)]
            session.add(made)
            session.flush()
            if state is ReleaseState.READY:
                made.topic_links[0].sequence = take_sequences(session, 1)
            session.commit()
            return made.public_id

    def add_subscriber(
        self,
        email: str = "reader@example.org",
        topic: str = "harbours",
        frequency: Frequency = Frequency.DAILY,
    ) -> str:
        """Add a subscriber of one topic; return their public id."""
        with self.make_session() as session:
            subscriber = Subscriber(email=email, email_key=email, created_at=NOON, confirmed_at=NOON)
            session.add(subscriber)
            session.flush()
            under = session.scalars(select(Topic).where(Topic.slug == topic)).one()
            session.add(
                Subscription(
                    subscriber_id=subscriber.id,
                    topic_id=under.id,
                    newsletter_id=under.newsletter_id,
                    frequency=frequency,
                    state=SubscriptionState.ACTIVE,
                    created_at=NOON,
                    confirmed_at=NOON,
                )
            )
            session.commit()
            return subscriber.public_id

    def all(self, query: Any) -> list[Any]:
        """Return what `query` selects: one value for each row."""
        with self.make_session() as session:
            return list(session.scalars(query))


class Browser:
    """A test client that posts a form as a person does: with the CSRF token of the page."""

    def __init__(self, client: FlaskClient, house: House) -> None:
        self.client = client
        self.house = house

    def get(self, path: str, **more: object) -> TestResponse:
        return self.client.get(path, **more)  # type: ignore[arg-type]

    def post(
        self, path: str, data: dict[str, object] | None = None, page: str | None = None, **more: object
    ) -> TestResponse:
        """Post a form that is on `page` (default: the path itself)."""
        token = self.hidden(page or path, "csrf_token")
        return self.client.post(path, data={"csrf_token": token, **(data or {})}, **more)  # type: ignore[arg-type]

    def hidden(self, page: str, name: str) -> str:
        found = re.search(rf'name="{name}"[^>]*value="([^"]*)"', self.client.get(page).text)
        assert found, f"{page} has no hidden field {name}"
        return found.group(1)

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD, **more: object) -> TestResponse:
        data: dict[str, object] = {"email": email, "password": password}
        return self.post("/admin/sign-in", {**data, **more})


@pytest.fixture(scope="session")
def stored_password() -> str:
    return hash_password(PASSWORD)


@pytest.fixture(scope="session")
def first_database(tmp_path_factory: pytest.TempPathFactory, stored_password: str) -> Path:
    """A database with one account for tests to copy, because creating tables takes longer than most tests."""
    path = tmp_path_factory.mktemp("admin") / "newsletter.sqlite3"
    path.write_bytes(empty_sqlite())
    engine = open_engine(f"sqlite:///{path}")
    with Session(engine) as session:
        create_account(session, EMAIL, stored_password, "command line", NOON).must_change = False
        session.commit()
    with engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.exec_driver_sql("BEGIN")
    engine.dispose()
    return path


@pytest.fixture
def house(tmp_path: Path, first_database: Path) -> Iterator[House]:
    shutil.copy(first_database, tmp_path)
    yield from _open_house(tmp_path, {})


@pytest.fixture
def house_on_postgresql(tmp_path: Path, house_url: str, stored_password: str) -> Iterator[House]:
    engine = open_engine(house_url)
    with Session(engine) as session:
        create_account(session, EMAIL, stored_password, "command line", NOON).must_change = False
        session.commit()
    engine.dispose()
    yield from _open_house(tmp_path, {"NEWSLETTER_DATABASE_URL": house_url})


def _open_house(folder: Path, more: dict[str, str]) -> Iterator[House]:
    settings = load_settings(
        {
            "NEWSLETTER_PUBLIC_URL": "http://news.example.org",
            "NEWSLETTER_SECRET_KEYS": "a key for tests that is long enough!",
            "NEWSLETTER_FROM_ADDRESS": "news@example.org",
            "NEWSLETTER_POSTAL_ADDRESS": "Harbour Road 1",
            "NEWSLETTER_RELAY": "smtp://127.0.0.1:9",
            "NEWSLETTER_DATA_DIR": str(folder),
            "NEWSLETTER_TRUSTED_PROXIES": "127.0.0.1/32",
            **more,
        }
    )
    engine = open_engine(settings.database)
    clock, woken = Clock(), Woken()
    app = create_app(settings, now=clock, wake=woken)
    yield House(app, settings, clock, woken, lambda: Session(engine))
    engine.dispose()
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def editor(house: House) -> Browser:
    """A browser in which the editor is signed in. Tests of the sign-in do not use it."""
    browser = house.browser()
    with house.make_session() as session:
        user = session.scalars(select(AdminUser)).one()
        cookie_id = f"{user.public_id}:{user.session_key}"
    with browser.client.session_transaction() as cookie:
        cookie["_user_id"] = cookie_id
        cookie["seen_at"] = cookie["began_at"] = int(house.clock.at.timestamp())
    return browser
