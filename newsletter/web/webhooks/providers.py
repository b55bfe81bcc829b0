"""Each provider's webhook: its settings, who may call it, and how a call becomes events."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from newsletter.bounces.providers import brevo, generic, mailgun, postmark, sendgrid, ses, sns
from newsletter.bounces.providers.call import Call, check_secret
from newsletter.bounces.providers.event import Event
from newsletter.bounces.providers.payload import load_object
from newsletter.bounces.reports.take_events import TopicState
from newsletter.limits.keys import read_ip
from newsletter.settings import Settings
from newsletter.web.webhooks.certificates import CertificateStore, certificates

log = logging.getLogger(__name__)

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Verified:
    """The events of an authentic call. `call` is its id, if the signature does not cover the events.

    `topic` says whether a topic of Amazon SNS posts to us.
    """

    events: Sequence[Event] = ()
    call: str = ""
    topic: TopicState | None = None


# Each raises CallRefused if a call is not authentic, PayloadInvalid if it cannot be read, and FetchError if
# a certificate cannot be had now.
Verify = Callable[[Call, Settings, datetime], Verified]


@dataclass(frozen=True)
class Webhook:
    """One provider's webhook. It exists if the settings have keys for it."""

    keys: Callable[[Settings], Sequence[object]]
    verify: Verify
    networks: Callable[[Settings], Sequence[Network]] = lambda _settings: ()
    # Callers that have a secret may be asked for it (RFC 9110, section 11.6.1).
    asks_for_secret: bool = False
    # Brevo never repeats a call that was answered with 5yz. It repeats after 429.
    busy_status: int = 503

    def admits(self, settings: Settings, ip_address: str) -> bool:
        """Return whether calls from this IP address are accepted."""
        networks = self.networks(settings)
        address = read_ip(ip_address)
        return not networks or (address is not None and any(address in each for each in networks))


def _ses(call: Call, settings: Settings, now: datetime) -> Verified:
    return verify_ses(call, settings, now, certificates(settings))


def verify_ses(call: Call, settings: Settings, now: datetime, store: CertificateStore) -> Verified:
    """Return the events of a message of Amazon SNS; confirm a subscription to a topic of ours."""
    message = sns.read_message(call.raw)
    url = sns.certificate_url(message, settings.webhook_ses_topics)
    sns.verify(message, store.get(url, now), now)
    if message.kind == sns.SUBSCRIPTION:
        store.visit(sns.confirmation_url(message))
        log.info("event=webhook_subscribed topic=%s", message["TopicArn"])
    posts = message.kind != sns.UNSUBSCRIBED
    events = (
        ses.read_events(message["Message"], message["MessageId"]) if message.kind == sns.NOTIFICATION else []
    )
    return Verified(events, topic=TopicState(message["TopicArn"], posts, message.sent_at))


def _sendgrid(call: Call, settings: Settings, now: datetime) -> Verified:
    sendgrid.authenticate(call, settings.webhook_sendgrid_keys, now)
    return Verified(sendgrid.read_events(call.raw))


def _mailgun(call: Call, settings: Settings, now: datetime) -> Verified:
    source = load_object(call.raw)
    token = mailgun.authenticate(source, settings.webhook_mailgun_keys, now)
    return Verified(mailgun.read_events(source), token)


def _postmark(call: Call, settings: Settings, _now: datetime) -> Verified:
    check_secret(call, settings.webhook_postmark_secrets)
    return Verified(postmark.read_events(call.raw))


def _brevo(call: Call, settings: Settings, _now: datetime) -> Verified:
    check_secret(call, settings.webhook_brevo_secrets)
    return Verified(brevo.read_events(call.raw))


def _generic(call: Call, settings: Settings, now: datetime) -> Verified:
    generic.authenticate(call, settings.webhook_generic_keys, now)
    return Verified(generic.read_events(call))


# By the last part of the URL.
WEBHOOKS = MappingProxyType(
    {
        "ses": Webhook(lambda settings: settings.webhook_ses_topics, _ses),
        "sendgrid": Webhook(lambda settings: settings.webhook_sendgrid_keys, _sendgrid),
        "mailgun": Webhook(lambda settings: settings.webhook_mailgun_keys, _mailgun),
        "postmark": Webhook(
            lambda settings: settings.webhook_postmark_secrets,
            _postmark,
            lambda settings: settings.webhook_postmark_networks,
            asks_for_secret=True,
        ),
        "brevo": Webhook(
            lambda settings: settings.webhook_brevo_secrets,
            _brevo,
            lambda settings: settings.webhook_brevo_networks,
            asks_for_secret=True,
            busy_status=429,
        ),
        "generic": Webhook(lambda settings: settings.webhook_generic_keys, _generic),
    }
)
