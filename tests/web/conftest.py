"""Fixtures: a whole application, and a visitor with a browser."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from house import House, make_right_token, make_settings
from sqlalchemy import select
from werkzeug.test import TestResponse

from newsletter.app import create_app
from newsletter.models import Delivery, Frequency, Subscriber, Subscription, SubscriptionState
from newsletter.settings import Settings
from newsletter.subscribers.choices.preferences import make_preferences_token
from newsletter.subscribers.privacy.emailed_links import Right
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.tokens import Purpose


def fields_of(page: str) -> dict[str, str]:
    """Return the hidden fields of a page's forms."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        if attributes.get("type") == "hidden":
            found[attributes["name"]] = html.unescape(attributes.get("value", ""))
    return found


@dataclass
class Visitor:
    """A visitor with a browser. `house` is the installation they visit."""

    house: House
    app: Flask
    client: FlaskClient
    woken: list[str] = field(default_factory=list)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url="https://news.example.org", **more)

    def post(self, path: str, data: Any = None, **more: Any) -> TestResponse:
        more.setdefault("base_url", "https://news.example.org")
        return self.client.post(path, data=data, **more)

    def fill(self, path: str, *, seconds: float = 20, **data: Any) -> TestResponse:
        """Open a page with a form, wait some seconds, and send it back with these fields."""
        opened = fields_of(self.get(path).text)
        self.house.clock.pass_(seconds=seconds)
        return self.post(path, {**opened, **data})

    def sign_up(self, email: str = "ann@example.org", **data: Any) -> TestResponse:
        return self.fill("/", **{"email": email, "topics": ["energy"], "frequency": "daily", **data})

    def resolve(self) -> int:
        runtime = self.house.runtime
        with runtime.session() as session:
            done = resolve_signups(session, runtime.tokens, self.house.clock())
            session.commit()
            return done

    def mails(self) -> list[Delivery]:
        with self.house.runtime.session() as session:
            return list(session.scalars(select(Delivery).order_by(Delivery.id)))

    def person(self, email: str = "ann@example.org") -> Subscriber:
        with self.house.runtime.session() as session:
            return session.scalars(select(Subscriber).where(Subscriber.email_key == email)).one()

    def token(self, purpose: Purpose, *payload: object) -> str:
        return self.house.runtime.tokens.make(purpose, payload, self.house.clock())

    def confirm_path(self, email: str = "ann@example.org") -> str:
        """Return the path of the link in the newest email, which must be a confirmation."""
        context = self.mails()[-1].context
        assert context is not None
        fingerprint = self.house.runtime.tokens.fingerprint(email)
        token = self.token(Purpose.CONFIRM, self.person(email).public_id, fingerprint, context["upto"])
        return f"/confirm/{token}"

    def unsubscribe_path(self, email: str = "ann@example.org", delivery_id: int | None = None) -> str:
        return f"/unsubscribe/{self.token(Purpose.UNSUBSCRIBE, self.person(email).public_id, delivery_id)}"

    def preferences_path(self, email: str = "ann@example.org") -> str:
        person = self.person(email)
        tokens = self.house.runtime.tokens
        token = make_preferences_token(tokens, person.public_id, person.email_key or "", self.house.clock())
        return f"/preferences/{token}"

    def ask_for(self, right: str, email: str = "ann@example.org") -> TestResponse:
        """Press one of the buttons on the preferences page that email a link."""
        path = self.preferences_path(email)
        return self.post(f"{path}/ask/{right}", fields_of(self.get(path).text))

    def own_path(self, right: str, email: str = "ann@example.org") -> str:
        """Return the path of a link that works for an hour, as if it had just been emailed."""
        person = self.person(email)
        token = make_right_token(
            self.house.runtime.tokens,
            Right(right),
            person.public_id,
            person.email_key or "",
            self.house.clock(),
        )
        return f"/{'new-address' if right == 'address' else right}/{token}"

    def join(self, email: str = "ann@example.org", **data: Any) -> None:
        """Sign up and confirm."""
        assert self.sign_up(email, **data).status_code == 303
        self.resolve()
        assert self.fill(self.confirm_path(email)).status_code == 303

    def reads(self, email: str = "ann@example.org") -> dict[str, Frequency]:
        """Return what a subscriber gets: frequency by topic."""
        with self.house.runtime.session() as session:
            rows = session.scalars(
                select(Subscription)
                .join(Subscription.subscriber)
                .where(Subscriber.email_key == email, Subscription.state == SubscriptionState.ACTIVE)
            )
            return {row.topic.slug: row.frequency for row in rows}


def visit(house: House, settings: Settings) -> Visitor:
    woken: list[str] = []
    app = create_app(settings, now=house.clock, wake=woken.append)
    return Visitor(house, app, app.test_client(), woken)


@pytest.fixture
def visitor(house: House) -> Visitor:
    """A visitor of an installation with two topics."""
    house.topic("energy")
    house.topic("sea")
    return visit(house, house.runtime.settings)


@pytest.fixture
def visitor_with(house: House) -> Callable[..., Visitor]:
    """Makes a visitor of an installation with other settings (same database, no topics)."""

    def make(**more: str) -> Visitor:
        return visit(house, make_settings(house.runtime.settings.data_dir, **more))

    return make
