"""The table of webhooks: which networks may call, and what a message of Amazon SNS leads to."""

from __future__ import annotations

import json

import pytest
from house import NOON, make_settings
from webhook_calls import TOPIC, ses_bounce, sns, sns_fields
from webhook_door import SETTINGS, Amazon

from newsletter.bounces.providers.call import Call
from newsletter.errors import CallRefused, FetchError
from newsletter.web.webhooks.certificates import CertificateStore
from newsletter.web.webhooks.providers import WEBHOOKS, verify_ses


@pytest.mark.parametrize("provider", WEBHOOKS)
def test_each_webhook_exists_by_its_own_setting_only(provider: str, tmp_path):
    assert WEBHOOKS[provider].keys(make_settings(tmp_path, **SETTINGS))
    assert not WEBHOOKS[provider].keys(make_settings(tmp_path))


@pytest.mark.parametrize("provider", ["postmark", "brevo"])
def test_networks_are_those_of_the_settings(provider: str, tmp_path):
    named = {f"webhook_{provider}_networks": "203.0.113.0/24, 2001:db8::/32"}
    closed, open_ = make_settings(tmp_path, **SETTINGS, **named), make_settings(tmp_path, **SETTINGS)
    webhook = WEBHOOKS[provider]

    for address in ("203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1"):
        assert webhook.admits(closed, address)
    for address in ("203.0.114.9", "2001:db9::1", "", "nonsense"):
        assert not webhook.admits(closed, address)
        assert webhook.admits(open_, address)


def test_a_subscription_that_cannot_be_confirmed_waits(tmp_path):
    amazon = Amazon()

    def fetch(url: str) -> bytes:
        if "Action" in url:
            raise FetchError(url, "it answers 500")
        return amazon(url)

    settings = make_settings(tmp_path, webhook_ses_topics=TOPIC)
    call = Call(sns(sns_fields("SubscriptionConfirmation")).body)

    with pytest.raises(FetchError):
        verify_ses(call, settings, NOON, CertificateStore(fetch))


def test_nothing_is_fetched_before_topic_and_host_are_checked(tmp_path):
    amazon = Amazon()
    settings = make_settings(tmp_path, webhook_ses_topics=TOPIC)
    body = json.dumps(ses_bounce("b-1-x"))

    for change in (
        {"TopicArn": TOPIC + "2"},
        {"SigningCertURL": "https://sns.eu-west-2.amazonaws.com/x.pem"},
    ):
        with pytest.raises(CallRefused):
            verify_ses(
                Call(sns(sns_fields(message=body, **change)).body), settings, NOON, CertificateStore(amazon)
            )
    assert amazon.asked == []

    verified = verify_ses(Call(sns(sns_fields(message=body)).body), settings, NOON, CertificateStore(amazon))
    assert len(verified.events) == len(amazon.asked) == 1
