"""For tests of the webhooks: an installation that sent an email to Ada, and the URLs that providers call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Flask
from house import House, make_settings
from webhook_calls import (
    CERTIFICATE_URL,
    GENERIC_KEY,
    MAILGUN_KEY,
    SECRET,
    TOPIC,
    Posted,
    certificate,
    sendgrid_public_key,
)
from werkzeug.test import TestResponse

from newsletter.app import create_app
from newsletter.errors import FetchError
from newsletter.mail.verp import RETURN_KEY, delivery_token
from newsletter.models import Delivery, ReturnedMail, Suppression, WebhookEvent
from newsletter.web.webhooks.certificates import EXTENSION, CertificateStore

SETTINGS = {
    "relay": "smtp://127.0.0.1:2525?token_header=X-PM-Metadata-Token",
    "relays": "example.com=smtp://127.0.0.1:2525?token_header=X-Mailin-custom",
    "webhook_ses_topics": TOPIC,
    "webhook_sendgrid_keys": sendgrid_public_key(),
    "webhook_mailgun_keys": MAILGUN_KEY,
    "webhook_postmark_secrets": SECRET,
    "webhook_brevo_secrets": SECRET,
    "webhook_generic_keys": GENERIC_KEY.decode(),
}


class Amazon:
    """Answers the fetches that go to Amazon, and remembers the URLs."""

    def __init__(self) -> None:
        self.pages = {CERTIFICATE_URL: certificate()}
        self.asked: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.asked.append(url)
        if url in self.pages:
            return self.pages[url]
        if "Action=ConfirmSubscription" in url:
            return b"<ConfirmSubscriptionResponse/>"
        raise FetchError(url, "it answers 404")


@dataclass
class Door:
    """The installation and its URLs for providers."""

    house: House
    app: Flask
    amazon: Amazon

    def post(self, provider: str, posted: Posted, **more: Any) -> TestResponse:
        headers = {**posted.headers, **more.pop("headers", {})}
        return self.app.test_client().post(
            f"/webhooks/{provider}",
            base_url="https://news.example.org",
            data=posted.body,
            headers=headers,
            **more,
        )

    @property
    def token(self) -> str:
        (delivery,) = self.house.all(Delivery)
        return delivery_token(str(delivery.id), self.house.runtime.tokens.derived_key(RETURN_KEY))

    @property
    def outcomes(self) -> list[str]:
        return [each.outcome.value for each in self.house.all(ReturnedMail)]

    def is_untouched(self) -> bool:
        """Return whether no call has changed anything that counts."""
        rows = [self.house.all(table) for table in (ReturnedMail, Suppression, WebhookEvent)]
        return not any(rows) and all(each.bounced_at is None for each in self.house.all(Delivery))


def make_door(house: House, **more: str) -> Door:
    given = {**SETTINGS, **more}
    settings = make_settings(house.runtime.settings.data_dir, **given)
    house.add_subscriber(house.topic("harbours"), name="ada")
    house.release("Harbours open")
    house.send()
    app = create_app(settings, now=house.clock)
    amazon = Amazon()
    app.extensions[EXTENSION] = CertificateStore(amazon)
    return Door(house, app, amazon)
