"""Webhook calls as the providers document them, signed by code that shares nothing with the verifiers."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from house import NOON

TOPIC = "arn:aws:sns:eu-west-1:123456789012:returned-mail"
CERTIFICATE_URL = (
    "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
)
MAILGUN_KEY = "0123456789abcdef0123456789abcdef"
SECRET = "a-secret-for-tests-that-is-long-enough"
GENERIC_KEY = b"a-key-of-your-own-programs-for-tests"
ADA = "ada@example.org"


@dataclass
class Posted:
    """What a provider posts: a body and headers."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@functools.cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any = None, days: int = 30) -> bytes:
    """Return a certificate in PEM for the key, valid around the tests' noon."""
    key = key or rsa_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOON - dt.timedelta(days=days))
        .not_valid_after(NOON + dt.timedelta(days=days))
        .sign(rsa_key(), hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def sendgrid_public_key(key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """Return the verification key as SendGrid shows it: the DER of SubjectPublicKeyInfo in base64."""
    der = (
        (key or ec_key())
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(der).decode()


def seconds(moment: dt.datetime = NOON) -> str:
    return str(int(moment.timestamp()))


# --- Amazon: "Verifying the signatures of Amazon SNS messages" ---------------------------------------------


def sns_fields(kind: str = "Notification", message: str = "{}", **more: str) -> dict[str, str]:
    """Return an unsigned SNS message."""
    fields = {
        "Type": kind,
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-03-10T12:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE_URL,
    }
    if kind == "Notification":
        fields["Subject"] = "Amazon SES Email Event Notification"
        fields["UnsubscribeURL"] = "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn=x"
    else:
        fields["Token"] = "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92"
        fields["SubscribeURL"] = (
            f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}"
            f"&Token={fields['Token']}"
        )
    return fields | more


def sns_string(fields: dict[str, str]) -> str:
    """Return the string to sign: name and value of each field on lines of their own, in this order."""
    lines = ""
    if fields["Type"] == "Notification":
        lines += "Message\n" + fields["Message"] + "\n"
        lines += "MessageId\n" + fields["MessageId"] + "\n"
        if "Subject" in fields:
            lines += "Subject\n" + fields["Subject"] + "\n"
        lines += "Timestamp\n" + fields["Timestamp"] + "\n"
        lines += "TopicArn\n" + fields["TopicArn"] + "\n"
        lines += "Type\n" + fields["Type"] + "\n"
        return lines
    lines += "Message\n" + fields["Message"] + "\n"
    lines += "MessageId\n" + fields["MessageId"] + "\n"
    lines += "SubscribeURL\n" + fields["SubscribeURL"] + "\n"
    lines += "Timestamp\n" + fields["Timestamp"] + "\n"
    lines += "Token\n" + fields["Token"] + "\n"
    lines += "TopicArn\n" + fields["TopicArn"] + "\n"
    lines += "Type\n" + fields["Type"] + "\n"
    return lines


def sns(fields: dict[str, str], key: rsa.RSAPrivateKey | None = None) -> Posted:
    """Return a signed SNS message."""
    algorithm = hashes.SHA1() if fields["SignatureVersion"] == "1" else hashes.SHA256()
    signature = (key or rsa_key()).sign(sns_string(fields).encode(), padding.PKCS1v15(), algorithm)
    body = {**fields, "Signature": base64.b64encode(signature).decode()}
    headers = {"x-amz-sns-message-type": fields["Type"], "Content-Type": "text/plain; charset=UTF-8"}
    return Posted(json.dumps(body).encode(), headers)


# --- Twilio SendGrid: "Event Webhook Security Features" ----------------------------------------------------


def sendgrid(events: Any, moment: dt.datetime = NOON) -> Posted:
    """Return a batch: ECDSA with SHA-256 over the timestamp's digits and the bytes of the body."""
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    signature = ec_key().sign(seconds(moment).encode() + body, ec.ECDSA(hashes.SHA256()))
    return Posted(
        body,
        {
            "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": seconds(moment),
        },
    )


def sendgrid_event(event: str, token: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "email": ADA,
        "timestamp": 1773144000,
        "smtp-id": f"<{token}.1@example.org>",
        "event": event,
        "sg_event_id": f"ZGVmZXJyZWQtMC0yNjA4{number}",
        "sg_message_id": "filter0001p1las1.recvd-1234",
        "newsletter_token": token,
        **more,
    }


# --- Mailgun: "Securing Webhooks" --------------------------------------------------------------------------


def mailgun_signature(token: str, moment: dt.datetime = NOON, key: str = MAILGUN_KEY) -> dict[str, str]:
    """Return the signature: HMAC-SHA256 in hex over the timestamp and the token, without a separator."""
    digest = hmac.new(key.encode(), (seconds(moment) + token).encode(), hashlib.sha256).hexdigest()
    return {"timestamp": seconds(moment), "token": token, "signature": digest}


def mailgun(event: dict[str, Any], nonce: str = "a" * 50, moment: dt.datetime = NOON) -> Posted:
    body = {"signature": mailgun_signature(nonce, moment), "event-data": event}
    return Posted(json.dumps(body).encode(), {"Content-Type": "application/json"})


def mailgun_event(event: str, token: str, **more: Any) -> dict[str, Any]:
    return {
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": 1773144000.125,
        "event": event,
        "recipient": ADA,
        "envelope": {"sender": "letter@example.org", "transport": "smtp", "targets": ADA},
        "message": {"headers": {"to": ADA, "message-id": f"{token}.1@example.org"}, "size": 867},
        "user-variables": {},
        **more,
    }


# --- Postmark and Brevo: a password in the URL becomes the header Authorization (RFC 7617) ------------------


def basic(secret: str = SECRET, user: str = "newsletter") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def postmark(payload: dict[str, Any], secret: str = SECRET) -> Posted:
    return Posted(json.dumps(payload).encode(), basic(secret))


def postmark_event(record: str, token: str, **more: Any) -> dict[str, Any]:
    return {
        "RecordType": record,
        "MessageStream": "broadcast",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "TypeCode": 1,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Metadata": {"token": token},
        "Description": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
        "Details": "smtp;550 5.1.1 The email account that you tried to reach does not exist.",
        "Email": ADA,
        "From": "letter@example.org",
        "BouncedAt": "2026-03-10T12:00:00.0000000-00:00",
        "Inactive": True,
        "Subject": "Harbours open",
        **more,
    }


def brevo(payload: Any, headers: dict[str, str] | None = None) -> Posted:
    return Posted(
        json.dumps(payload).encode(), {"Authorization": f"Bearer {SECRET}"} if headers is None else headers
    )


def brevo_event(event: str, token: str, **more: Any) -> dict[str, Any]:
    return {
        "event": event,
        "email": ADA,
        "id": 712345,
        "date": "2026-03-10 13:00:00",
        "ts": 1773144000,
        "message-id": "<202603101200.5787683@relay.example.org>",
        "ts_event": 1773144000,
        "ts_epoch": 1773144000000,
        "subject": "Harbours open",
        "X-Mailin-custom": token,
        "reason": "550 5.1.1 user unknown",
        **more,
    }


# --- "Standard Webhooks" 1.0: id, timestamp and body, joined by full stops ----------------------------------


def generic(
    events: Any, call_id: str = "msg_1", moment: dt.datetime = NOON, key: bytes = GENERIC_KEY
) -> Posted:
    body = events if isinstance(events, bytes) else json.dumps(events).encode()
    mac = hmac.new(key, f"{call_id}.{seconds(moment)}.".encode() + body, hashlib.sha256).digest()
    return Posted(
        body,
        {
            "webhook-id": call_id,
            "webhook-timestamp": seconds(moment),
            "webhook-signature": "v1,bm90LXRoaXM= v1," + base64.b64encode(mac).decode(),
        },
    )


# --- Amazon SES: "Contents of event data that Amazon SES publishes to Amazon SNS" ---------------------------


def ses_event(kind: str, token: str, about: dict[str, Any] | None = None, **mail: Any) -> dict[str, Any]:
    """Return an event of a configuration set; `about` is the object of this kind of event."""
    name = kind[:1].lower() + kind[1:]
    return {
        "eventType": kind,
        name: about or {},
        "mail": {
            "timestamp": "2026-03-10T11:59:00.000Z",
            "source": "letter@example.org",
            "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
            "destination": [ADA],
            "headersTruncated": False,
            "headers": [
                {"name": "From", "value": "letter@example.org"},
                {"name": "To", "value": ADA},
                {"name": "X-Newsletter-Token", "value": token},
            ],
            "commonHeaders": {
                "from": ["letter@example.org"],
                "to": [ADA],
                "messageId": f"<{token}.1@example.org>",
            },
            **mail,
        },
    }


def ses_bounce(token: str, kind: str = "Permanent", subtype: str = "General", **more: Any) -> dict[str, Any]:
    recipient = {
        "emailAddress": ADA,
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
        **more,
    }
    about = {
        "bounceType": kind,
        "bounceSubType": subtype,
        "bouncedRecipients": [recipient],
        "timestamp": "2026-03-10T12:00:00.000Z",
        "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
    }
    return ses_event("Bounce", token, about)
