"""Fixtures for subscribers: the actions of people and their emails, with an installation for each test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from house import House, make_right_token
from sqlalchemy import select

from newsletter.mail.addresses import parse_address
from newsletter.models import (
    FIRST_NEWSLETTER,
    ConsentEntry,
    Delivery,
    EndedReason,
    Frequency,
    Subscriber,
    Subscription,
    SubscriptionState,
)
from newsletter.subscribers.choices.preferences import make_preferences_token, save_preferences
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.leaving.unsubscribe import unsubscribe
from newsletter.subscribers.privacy.emailed_links import Right
from newsletter.subscribers.signup.confirm import Confirmed, confirm
from newsletter.subscribers.signup.request import Signup, request_link, request_renewal, request_signups
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.tokens import Purpose


@dataclass
class People:
    """The actions of visitors and subscribers, each in its own transaction."""

    house: House

    def ask(
        self,
        email: str,
        choices: Mapping[str, Frequency],
        ip_address: str | None = None,
        newsletter: int = FIRST_NEWSLETTER,
    ) -> None:
        with self.house.runtime.session() as session:
            signup = Signup(
                address=parse_address(email),
                choices=choices,
                wording=current_wording(),
                newsletter_id=newsletter,
                ip_address=ip_address,
            )
            request_signups(session, [signup], self.house.clock())
            session.commit()

    def ask_for_link(self, email: str, *, renew: bool = False) -> None:
        with self.house.runtime.session() as session:
            (request_renewal if renew else request_link)(session, parse_address(email), self.house.clock())
            session.commit()

    def resolve(self, limit: int = 200) -> int:
        with self.house.runtime.session() as session:
            done = resolve_signups(session, self.house.runtime.tokens, self.house.clock(), limit)
            session.commit()
            return done

    def sign_up(
        self, email: str, choices: Mapping[str, Frequency], newsletter: int = FIRST_NEWSLETTER
    ) -> None:
        """Send the sign-up form, and resolve the request."""
        self.ask(email, choices, newsletter=newsletter)
        self.resolve()

    def mails(self, email: str) -> list[Delivery]:
        """Return the single emails to an address, in the order in which they were enqueued."""
        with self.house.runtime.session() as session:
            found = (
                select(Delivery)
                .join(Subscriber, Subscriber.id == Delivery.subscriber_id)
                .where(Subscriber.email_key == email)
                .order_by(Delivery.id)
            )
            return list(session.scalars(found))

    def templates(self, email: str) -> list[str | None]:
        return [mail.template for mail in self.mails(email)]

    def person(self, email: str) -> Subscriber:
        with self.house.runtime.session() as session:
            return session.scalars(select(Subscriber).where(Subscriber.email_key == email)).one()

    def confirmation(self, email: str, which: int = -1) -> str:
        """Return the token of a confirmation email, by default the last one."""
        mail = [each for each in self.mails(email) if each.template == "confirm"][which]
        assert mail.context is not None
        tokens = self.house.runtime.tokens
        payload = [
            self.person(email).public_id,
            tokens.fingerprint(email),
            mail.context["upto"],
            mail.newsletter_id,
        ]
        return tokens.make(Purpose.CONFIRM, payload, self.house.clock())

    def confirm(self, token: str, **more: Any) -> Any:
        with self.house.runtime.session() as session:
            done = confirm(session, self.house.runtime.tokens, token, self.house.clock(), **more)
            session.commit()
            return done

    def join(self, email: str, choices: Mapping[str, Frequency], **more: Any) -> None:
        """Sign up and confirm."""
        self.sign_up(email, choices)
        assert isinstance(self.confirm(self.confirmation(email), **more), Confirmed)

    def preferences_token(self, email: str) -> str:
        return make_preferences_token(
            self.house.runtime.tokens, self.person(email).public_id, email, self.house.clock()
        )

    def right_token(self, right: Right, email: str) -> str:
        """Return the token of a link that works for one hour, as if it had just been emailed."""
        return make_right_token(
            self.house.runtime.tokens, right, self.person(email).public_id, email, self.house.clock()
        )

    def choose(self, email: str, wanted: Mapping[str, Frequency], **more: Any) -> Any:
        token = self.preferences_token(email)
        with self.house.runtime.session() as session:
            done = save_preferences(
                session, self.house.runtime.tokens, token, wanted, self.house.clock(), **more
            )
            session.commit()
            return done

    def leave(self, email: str, delivery_id: int | None = None) -> Any:
        public_id = self.person(email).public_id
        with self.house.runtime.session() as session:
            done = unsubscribe(
                session, self.house.runtime.tokens, public_id, delivery_id, self.house.clock(), "one-click"
            )
            session.commit()
            return done

    def subscriptions(self, email: str, state: SubscriptionState | None = None) -> list[Subscription]:
        with self.house.runtime.session() as session:
            found = (
                select(Subscription)
                .join(Subscriber, Subscriber.id == Subscription.subscriber_id)
                .where(Subscriber.email_key == email)
                .order_by(Subscription.id)
            )
            return [row for row in session.scalars(found) if state in {None, row.state}]

    def reads(self, email: str) -> dict[int, Frequency]:
        """Return the active subscriptions of a person: frequency by topic id."""
        active = self.subscriptions(email, SubscriptionState.ACTIVE)
        return {row.topic_id: row.frequency for row in active}

    def endings(self, email: str) -> list[EndedReason | None]:
        return [row.ended_reason for row in self.subscriptions(email, SubscriptionState.ENDED)]

    def ledger(self, email: str) -> list[ConsentEntry]:
        with self.house.runtime.session() as session:
            found = (
                select(ConsentEntry)
                .join(Subscriber, Subscriber.id == ConsentEntry.subscriber_id)
                .where(Subscriber.email_key == email)
                .order_by(ConsentEntry.id)
            )
            return list(session.scalars(found))

    def acts(self, email: str) -> list[str]:
        return [entry.act.value for entry in self.ledger(email)]


@pytest.fixture
def people(house: House) -> People:
    """People of an installation on SQLite."""
    return People(house)


@pytest.fixture
def everywhere(either_house: House) -> People:
    """People of an installation, on SQLite and on PostgreSQL."""
    return People(either_house)


@pytest.fixture
def at_scale(big_house: House) -> People:
    """People of an installation on PostgreSQL, where two can act at the same time."""
    return People(big_house)
