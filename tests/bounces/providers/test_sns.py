"""Messages of Amazon SNS: three kinds, two signature versions, and any changed field is refused."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from house import NOON
from hypothesis import given
from hypothesis import strategies as st
from webhook_calls import CERTIFICATE_URL, TOPIC, certificate, sns, sns_fields

from newsletter.bounces.providers.sns import (
    SIGNED_FIELDS,
    Message,
    certificate_url,
    confirmation_url,
    read_message,
    verify,
)
from newsletter.errors import CallRefused, PayloadInvalid

KINDS = ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"]
AMAZON = "https://sns.eu-west-1.amazonaws.com"
FILE = "/SimpleNotificationService-0123456789abcdef.pem"


def pem(**more) -> x509.Certificate:
    return x509.load_pem_x509_certificate(certificate(**more))


def check(body: bytes, **more) -> Message:
    message = read_message(body)
    certificate_url(message, [TOPIC])
    verify(message, more.get("certificate") or pem(), more.get("now", NOON))
    return message


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_message_is_genuine(kind: str, version: str):
    message = check(sns(sns_fields(kind, "Grüße", SignatureVersion=version)).body)

    assert message.kind == kind


def test_a_notification_may_have_no_subject():
    fields = sns_fields()
    del fields["Subject"]

    assert check(sns(fields).body).kind == "Notification"


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KINDS for name in SIGNED_FIELDS[kind]])
def test_a_changed_field_is_refused(kind: str, name: str, version: str):
    body = json.loads(sns(sns_fields(kind, SignatureVersion=version)).body)
    changed = {**body, name: KINDS[KINDS.index(kind) - 1] if name == "Type" else body[name] + "0"}
    missing = {each: value for each, value in body.items() if each != name}

    for each in (changed, missing):
        with pytest.raises((CallRefused, PayloadInvalid)):
            check(json.dumps(each).encode())


def test_a_subject_that_was_not_signed_is_refused():
    fields = sns_fields()
    del fields["Subject"]
    body = json.loads(sns(fields).body)

    with pytest.raises(CallRefused, match="signature"):
        check(json.dumps({**body, "Subject": "added"}).encode())


@pytest.mark.parametrize(
    "signature", ["", "AAAA", "not base64!", "\ud800", base64.b64encode(bytes(256)).decode()]
)
def test_a_wrong_signature_is_refused(signature: str):
    body = json.loads(sns(sns_fields()).body)

    with pytest.raises(CallRefused, match="signature"):
        check(json.dumps({**body, "Signature": signature}).encode())


@pytest.mark.parametrize("version", ["", "0", "3", "01"])
def test_an_unknown_version_is_refused(version: str):
    with pytest.raises(CallRefused, match="signature"):
        check(sns(sns_fields(SignatureVersion=version)).body)


def test_the_key_of_another_certificate_is_refused():
    other = rsa.generate_private_key(65537, 2048)
    short = rsa.generate_private_key(65537, 1024)

    for each in (other, short, ec.generate_private_key(ec.SECP256R1())):
        with pytest.raises(CallRefused, match="signature"):
            check(sns(sns_fields(), short if each is short else None).body, certificate=pem(key=each))


def test_a_certificate_out_of_its_time_is_refused():
    with pytest.raises(CallRefused, match="certificate"):
        check(sns(sns_fields()).body, certificate=pem(days=1), now=NOON + timedelta(days=2))


@pytest.mark.parametrize("passed", [timedelta(hours=2, seconds=1), timedelta(minutes=-11)])
def test_an_old_or_early_message_is_refused(passed: timedelta):
    with pytest.raises(CallRefused, match="time"):
        check(sns(sns_fields()).body, now=NOON + passed)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01T00:00:00Z", "12:00"])
def test_a_time_that_cannot_be_read_is_refused(text: str):
    with pytest.raises(CallRefused, match="time"):
        check(sns(sns_fields(Timestamp=text)).body)


def test_another_topic_is_refused():
    message = read_message(sns(sns_fields(TopicArn=TOPIC.replace("123456789012", "210987654321"))).body)

    for topics in ([TOPIC], []):
        with pytest.raises(CallRefused, match="topic"):
            certificate_url(message, topics)


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"http://sns.eu-west-1.amazonaws.com{FILE}",
        f"https://sns.eu-west-1.amazonaws.com.evil.example{FILE}",
        f"https://evil.example{FILE}",
        f"https://evil.example/sns.eu-west-1.amazonaws.com{FILE}",
        f"https://sns.eu-west-1.amazonaws.com@evil.example{FILE}",
        f"https://user@sns.eu-west-1.amazonaws.com{FILE}",
        f"https://sns.eu-west-1.amazonaws.com:8443{FILE}",
        f"https://sns.us-east-1.amazonaws.com{FILE}",
        f"https://bucket.s3.amazonaws.com{FILE}",
        f"https://SNS.eu-west-1.amazonaws.com.{FILE}",
        f"{AMAZON}/other.pem",
        f"{AMAZON}/x{FILE}",
        f"{AMAZON}/x/..{FILE}",
        f"{AMAZON}{FILE}?next=1",
        f"{AMAZON}{FILE}#part",
        f"{AMAZON}{FILE};x",
        f"{AMAZON}{FILE}\n",
        f"{AMAZON}\\{FILE}",
        "https://[::1",
        "https://[sns.eu-west-1.amazonaws.com]" + FILE,
    ],
)
def test_a_certificate_of_another_place_is_refused(url: str):
    message = read_message(sns(sns_fields(SigningCertURL=url)).body)

    with pytest.raises(CallRefused, match="certificate"):
        certificate_url(message, [TOPIC])


def test_certificates_come_from_the_region_and_partition_of_the_topic():
    china = "arn:aws-cn:sns:cn-north-1:123456789012:mail"
    place = f"https://sns.cn-north-1.amazonaws.com.cn{FILE}"

    assert certificate_url(read_message(sns(sns_fields()).body), [TOPIC]) == CERTIFICATE_URL
    message = read_message(sns(sns_fields(TopicArn=china, SigningCertURL=place)).body)
    assert certificate_url(message, [china]) == place


def test_the_confirmation_is_made_from_topic_and_token_alone():
    fields = sns_fields("SubscriptionConfirmation", SubscribeURL="https://evil.example/", Token="a&b=c")

    assert confirmation_url(read_message(sns(fields).body)) == (
        f"{AMAZON}/?Action=ConfirmSubscription"
        "&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Areturned-mail&Token=a%26b%3Dc"
    )


@pytest.mark.parametrize(
    "body", [{}, {"Type": "Notification"}, {"Type": 5}, {**sns_fields(), "Type": "Other"}]
)
def test_another_message_is_refused(body: dict):
    with pytest.raises(PayloadInvalid):
        read_message(json.dumps(body).encode())


PEM = pem()


@given(
    st.dictionaries(
        st.sampled_from([*sns_fields(), *sns_fields(KINDS[1]), "Signature"]), st.text(max_size=30)
    )
)
def test_no_fields_raise_another_error(change: dict):
    with pytest.raises((CallRefused, PayloadInvalid)):
        message = read_message(json.dumps({**sns_fields(), "Signature": "AAAA", **change}).encode())
        certificate_url(message, [TOPIC, message["TopicArn"]])
        verify(message, PEM, NOON)
