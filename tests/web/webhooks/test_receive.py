"""Webhook calls over HTTP: what each provider reports, once, and nothing from anybody else."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from house import NOON, House
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event as database_event
from sqlalchemy.exc import OperationalError
from webhook_calls import (
    ADA,
    SECRET,
    TOPIC,
    Posted,
    basic,
    brevo,
    brevo_event,
    generic,
    mailgun,
    mailgun_event,
    postmark,
    postmark_event,
    sendgrid,
    sendgrid_event,
    ses_bounce,
    ses_event,
    sns,
    sns_fields,
)
from webhook_door import Door, make_door

from newsletter.bounces.providers.payload import LARGEST_BYTES
from newsletter.bounces.providers.sendgrid import read_events
from newsletter.models import (
    ConsentAct,
    ConsentEntry,
    Delivery,
    Frequency,
    Notice,
    ReturnedMail,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    WebhookEvent,
    db,
)
from newsletter.notices import NoticeKind, open_notices
from newsletter.web.http.extensions import runtime
from newsletter.web.webhooks.providers import WEBHOOKS, Verified
from newsletter.web.webhooks.receive import EVENTS_A_COMMIT, REFUSED, take_in

GONE = "550 5.1.1 user unknown"


def ses(source: dict) -> Posted:
    return sns(sns_fields(message=json.dumps(source)))


# By provider: a call about a dead mailbox, and one about a complaint.
Calls = dict[str, tuple[Callable[[str], Posted], Callable[[str], Posted]]]
CALLS: Calls = {
    "ses": (
        lambda token: ses(ses_bounce(token)),
        lambda token: ses(ses_event("Complaint", token, {"complainedRecipients": [{"emailAddress": ADA}]})),
    ),
    "sendgrid": (
        lambda token: sendgrid([sendgrid_event("bounce", token, type="bounce", status="5.1.1", reason=GONE)]),
        lambda token: sendgrid([sendgrid_event("spamreport", token)]),
    ),
    "mailgun": (
        lambda token: mailgun(
            mailgun_event(
                "failed",
                token,
                severity="permanent",
                reason="bounce",
                **{"delivery-status": {"message": GONE}},
            )
        ),
        lambda token: mailgun(mailgun_event("complained", token)),
    ),
    "postmark": (
        lambda token: postmark(postmark_event("Bounce", token)),
        lambda token: postmark(postmark_event("SpamComplaint", token)),
    ),
    "brevo": (
        lambda token: brevo(brevo_event("hard_bounce", token)),
        lambda token: brevo([brevo_event("spam", token)]),
    ),
    "generic": (
        lambda token: generic(
            {"type": "bounce", "permanent": True, "words": GONE, "address": ADA, "token": token}
        ),
        lambda token: generic([{"id": "c", "type": "complaint", "address": ADA, "token": token}]),
    ),
}


@pytest.fixture
def door(house: House) -> Door:
    return make_door(house)


def test_every_provider_is_tried_here():
    assert set(CALLS) == set(WEBHOOKS)


@pytest.mark.parametrize("provider", CALLS)
def test_a_dead_mailbox_bounces_its_delivery_once(door: Door, provider: str):
    posted = CALLS[provider][0](door.token)

    answers = [door.post(provider, posted) for _ in range(2)]

    assert [(each.status_code, each.text) for each in answers] == [(200, "Done.\n")] * 2
    assert door.outcomes == ["hard"]
    (delivery,) = door.house.all(Delivery)
    assert (delivery.bounced_at, delivery.status) == (NOON, "5.1.1")
    assert door.house.all(Suppression) == []


@pytest.mark.parametrize("provider", CALLS)
def test_a_complaint_suppresses_the_address(door: Door, provider: str):
    assert door.post(provider, CALLS[provider][1](door.token)).status_code == 200

    assert (door.outcomes, len(door.house.all(Suppression))) == (["complaint"], 1)


SUPPRESSED = {"SuppressSending": True, "SuppressionReason": "ManualSuppression", "Origin": "Recipient"}
UNSUBSCRIBES: dict[str, Callable[[str], Posted]] = {
    "sendgrid": lambda token: sendgrid([sendgrid_event("group_unsubscribe", token)]),
    "mailgun": lambda token: mailgun(mailgun_event("unsubscribed", token)),
    "postmark": lambda token: postmark(postmark_event("SubscriptionChange", token, **SUPPRESSED)),
    "brevo": lambda token: brevo(brevo_event("unsubscribed", token)),
    "generic": lambda token: generic({"type": "unsubscribe", "token": token}),
}


@pytest.mark.parametrize("provider", UNSUBSCRIBES)
def test_a_person_who_unsubscribes_by_a_providers_link_is_unsubscribed_here_once(door: Door, provider: str):
    other = door.house.newsletter("other")
    elsewhere = door.house.topic("elsewhere", newsletter=other)
    (ada,) = door.house.all(Subscriber)
    with door.house.runtime.session() as session:
        session.add(door.house.subscription(ada.id, elsewhere, Frequency.WEEKLY, 0))
        session.commit()

    for _ in range(2):
        assert door.post(provider, UNSUBSCRIBES[provider](door.token)).status_code == 200

    states = {each.topic_id: each.state for each in door.house.all(Subscription)}
    assert states.pop(elsewhere) is SubscriptionState.ACTIVE
    assert set(states.values()) == {SubscriptionState.ENDED}
    assert [each.act for each in door.house.all(ConsentEntry)] == [ConsentAct.LEFT]
    assert door.house.all(Suppression) == []


@pytest.mark.parametrize("provider", UNSUBSCRIBES)
def test_nobody_is_unsubscribed_without_our_signed_value(door: Door, provider: str):
    assert door.post(provider, UNSUBSCRIBES[provider]("b-1-aaaaaaaaaaaaaaaa")).status_code == 200

    assert [each.state for each in door.house.all(Subscription)] == [SubscriptionState.ACTIVE]


@pytest.mark.parametrize(
    "change",
    [
        {"SuppressSending": False},
        {"SuppressSending": "true"},
        {"SuppressionReason": "HardBounce"},
        {"Origin": "Admin"},
    ],
)
def test_other_changes_of_a_subscription_at_postmark_unsubscribe_nobody(door: Door, change: dict):
    event = postmark_event("SubscriptionChange", door.token, **{**SUPPRESSED, **change})

    assert door.post("postmark", postmark(event)).status_code == 200

    assert [each.state for each in door.house.all(Subscription)] == [SubscriptionState.ACTIVE]


@pytest.mark.parametrize("provider", CALLS)
def test_a_genuine_call_without_our_signed_value_changes_nobody(door: Door, provider: str):
    other = "b-1-aaaaaaaaaaaaaaaa"

    for make in CALLS[provider]:
        assert door.post(provider, make(other)).status_code == 200
        # The two calls of Mailgun have one token, which counts once.
        door.house.clock.pass_(minutes=0)
        if provider == "mailgun":
            break

    assert set(door.outcomes) == {"unsigned"}
    assert door.house.all(Suppression) == []
    assert all(each.bounced_at is None for each in door.house.all(Delivery))


@pytest.mark.parametrize("provider", CALLS)
def test_a_call_without_proof_does_nothing(door: Door, provider: str):
    posted = CALLS[provider][1](door.token)
    if provider in {"ses", "mailgun"}:
        unsigned = {
            name: each for name, each in json.loads(posted.body).items() if name.lower() != "signature"
        }
        posted = Posted(json.dumps(unsigned).encode(), posted.headers)
    else:
        posted = Posted(posted.body)

    answer = door.post(provider, posted)

    asks = provider in {"postmark", "brevo"}
    assert answer.status_code == (401 if asks else 403)
    assert ("WWW-Authenticate" in answer.headers) is asks
    assert answer.text == "This call is not authentic.\n"
    assert door.is_untouched()


@pytest.mark.parametrize("provider", CALLS)
def test_without_its_key_a_webhook_does_not_exist(house: House, provider: str):
    names = {"ses": "topics", "postmark": "secrets", "brevo": "secrets"}
    door = make_door(house, **{f"webhook_{provider}_{names.get(provider, 'keys')}": ""})

    assert door.post(provider, CALLS[provider][1](door.token)).status_code == 404
    assert door.is_untouched()


def test_another_name_does_not_exist(door: Door):
    assert door.post("other", Posted(b"{}")).status_code == 404


@pytest.mark.parametrize("provider", CALLS)
def test_no_call_needs_a_cookie_or_a_token_of_a_form_and_a_get_is_refused(door: Door, provider: str):
    answer = door.post(
        provider, CALLS[provider][0](door.token), headers={"Origin": "https://elsewhere.example"}
    )

    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    got = door.app.test_client().get(f"/webhooks/{provider}", base_url="https://news.example.org")
    assert got.status_code == 405


def test_calls_from_other_networks_are_refused_where_networks_are_named(house: House):
    door = make_door(
        house, webhook_postmark_networks="203.0.113.0/24, 2001:db8::/32", trusted_proxies="127.0.0.1"
    )
    posted = postmark(postmark_event("SpamComplaint", door.token))

    for address in ("203.0.114.1", "2001:db9::1", "", "203.0.113.9, 198.51.100.1"):
        assert door.post("postmark", posted, headers={"X-Forwarded-For": address}).status_code == 401
    assert door.is_untouched()
    assert (
        door.post("postmark", posted, headers={"X-Forwarded-For": "1.2.3.4, 203.0.113.9"}).status_code == 200
    )
    assert door.outcomes == ["complaint"]


def test_a_repeated_token_of_mailgun_with_another_event_is_refused(door: Door):
    assert door.post("mailgun", mailgun(mailgun_event("delivered", door.token))).status_code == 200

    for _ in range(2):
        assert door.post("mailgun", mailgun(mailgun_event("complained", door.token))).status_code == 403
    assert door.post("mailgun", mailgun(mailgun_event("delivered", door.token))).status_code == 200
    assert door.house.all(Suppression) == door.house.all(ReturnedMail) == []
    assert door.post("mailgun", mailgun(mailgun_event("complained", door.token), "b" * 50)).status_code == 200
    assert door.outcomes == ["complaint"]


@pytest.mark.parametrize(
    ("provider", "passed"),
    [
        ("ses", timedelta(hours=3)),
        ("sendgrid", timedelta(hours=27)),
        ("mailgun", timedelta(hours=13)),
        ("generic", timedelta(minutes=6)),
    ],
)
def test_an_old_call_is_refused(door: Door, provider: str, passed: timedelta):
    posted = CALLS[provider][1](door.token)
    door.house.clock.moment += passed

    assert door.post(provider, posted).status_code == 403
    assert door.is_untouched()


def test_a_batch_that_was_taken_in_partly_is_completed(house: House):
    door = make_door(house)
    token = door.token
    batch = [
        sendgrid_event("delivered", token, 0),
        sendgrid_event("deferred", token, 1, response="450 later"),
    ]
    assert door.post("sendgrid", sendgrid(batch)).status_code == 200
    assert door.outcomes == ["late"]

    batch += [sendgrid_event("spamreport", token, 2), sendgrid_event("spamreport", token, 2)]
    assert door.post("sendgrid", sendgrid(batch)).status_code == 200

    assert door.outcomes == ["late", "complaint"]
    assert len(door.house.all(WebhookEvent)) == 2


def test_a_batch_that_takes_too_long_is_taken_in_by_several_calls(door: Door):
    token = door.token
    batch = [sendgrid_event("deferred", token, number, response="450 later") for number in range(60)]
    verified = Verified(read_events(json.dumps(batch).encode()))

    left = []
    for _ in range(3):
        with door.app.test_request_context(method="POST"):
            db.session.info["writes"] = True
            left.append(take_in(runtime(), "sendgrid", verified, seconds=0.0))

    # Each call does at least one new batch.
    assert [each[1] for each in left] == [60 - EVENTS_A_COMMIT, 60 - 2 * EVENTS_A_COMMIT, 0]
    assert door.outcomes == ["late"] * 60


def test_a_failing_database_is_no_confirmation_and_loses_nothing(door: Door):
    token = door.token

    def fail(_connection, _cursor, statement, *_rest):
        if "returned_mail" in statement:
            raise OperationalError(statement, {}, Exception("database is locked"))

    with door.app.app_context():
        engine = db.engine
    database_event.listen(engine, "before_cursor_execute", fail)
    try:
        answers = {provider: door.post(provider, calls[1](token)) for provider, calls in CALLS.items()}
    finally:
        database_event.remove(engine, "before_cursor_execute", fail)

    # Brevo repeats a call after 429, and after no 5yz answer.
    assert {provider: each.status_code for provider, each in answers.items()} == {
        **dict.fromkeys(CALLS, 503),
        "brevo": 429,
    }
    assert all(int(each.headers["Retry-After"]) > 0 for each in answers.values())
    assert door.is_untouched()
    assert door.post("brevo", CALLS["brevo"][1](token)).status_code == 200
    assert door.outcomes == ["complaint"]


def test_a_subscription_to_a_topic_of_ours_is_confirmed_and_another_is_not(door: Door):
    other = {"TopicArn": "arn:aws:sns:eu-west-1:210987654321:returned-mail"}
    refused = door.post("ses", sns(sns_fields("SubscriptionConfirmation", **other)))
    assert (refused.status_code, door.amazon.asked) == (403, [])

    assert door.post("ses", sns(sns_fields("SubscriptionConfirmation"))).status_code == 200

    (confirmation,) = [each for each in door.amazon.asked if "Action" in each]
    assert confirmation == (
        "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
        "&TopicArn=arn%3Aaws%3Asns%3Aeu-west-1%3A123456789012%3Areturned-mail"
        "&Token=2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92"
    )
    assert door.is_untouched()


def ended(door: Door) -> list[str]:
    """Return the topics of the open notices about the end of a subscription."""
    with door.house.runtime.reading() as session:
        return [each.subject for each in open_notices(session, NoticeKind.WEBHOOK_ENDED)]


def test_the_owner_is_told_once_that_a_topic_no_longer_posts_and_nothing_is_confirmed(door: Door):
    for _ in range(2):
        assert door.post("ses", sns(sns_fields("UnsubscribeConfirmation"))).status_code == 200

    assert ended(door) == [TOPIC]
    assert len(door.house.all(Notice)) == 1
    assert [each for each in door.amazon.asked if "Action" in each] == []


def test_a_changed_end_of_the_subscription_tells_nobody(door: Door):
    posted = sns(sns_fields("UnsubscribeConfirmation"))
    changed = replace(posted, body=posted.body.replace(b"2026-03-10T12:00", b"2026-03-10T12:01"))

    assert (door.post("ses", changed).status_code, ended(door)) == (403, [])


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "Notification"])
def test_the_notice_closes_when_the_topic_posts_again(door: Door, kind: str):
    door.post("ses", sns(sns_fields("UnsubscribeConfirmation")))

    door.post("ses", sns(sns_fields(kind, Timestamp="2026-03-10T11:59:59.000Z")))
    assert ended(door) == [TOPIC]  # made before the end, and late

    door.post("ses", sns(sns_fields(kind, Timestamp="2026-03-10T12:00:01.000Z")))
    assert ended(door) == []


def test_without_the_certificate_a_message_waits(door: Door):
    door.amazon.pages.clear()
    posted = CALLS["ses"][1](door.token)

    answer = door.post("ses", posted)

    assert (answer.status_code, door.is_untouched()) == (503, True)


def test_a_certificate_elsewhere_is_never_fetched(door: Door):
    fields = sns_fields(SigningCertURL="https://evil.example/SimpleNotificationService-0123456789abcdef.pem")

    assert door.post("ses", sns(fields)).status_code == 403
    assert door.amazon.asked == []


def test_too_many_refused_calls_are_answered_with_429_and_genuine_ones_still_count(door: Door):
    wrong = postmark(postmark_event("SpamComplaint", door.token), "wrong")

    codes = [door.post("postmark", wrong).status_code for _ in range(int(REFUSED.burst) + 2)]

    assert codes == [401] * int(REFUSED.burst) + [429] * 2
    assert door.is_untouched()
    assert door.post("postmark", postmark(postmark_event("SpamComplaint", door.token))).status_code == 200
    assert door.outcomes == ["complaint"]


def test_large_compressed_and_unreadable_bodies_are_refused(door: Door):
    head = basic(SECRET)

    assert door.post("postmark", Posted(b" " * LARGEST_BYTES + b"{}", head)).status_code == 413
    packed = gzip.compress(json.dumps(postmark_event("SpamComplaint", door.token)).encode())
    assert door.post("postmark", Posted(packed, {**head, "Content-Encoding": "gzip"})).status_code == 415
    answer = door.post("postmark", Posted(packed, head))
    assert (answer.status_code, answer.text) == (400, "The body cannot be read: it is not JSON in UTF-8.\n")
    assert door.post("postmark", Posted(b'{"a": 1, "a": 2}', head)).status_code == 400
    assert door.post("generic", generic(b"[" * 100_000)).status_code == 400
    assert door.post("sendgrid", sendgrid(b"[" + b"{}," * 10_000 + b"{}]")).status_code == 400
    assert door.is_untouched()


def test_a_body_of_any_declared_type_is_read_as_bytes(door: Door):
    for number, kind in enumerate(
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
    ):
        posted = generic(
            {"id": str(number), "type": "delay", "address": ADA, "token": door.token}, str(number)
        )

        assert door.post("generic", posted, headers={"Content-Type": kind}).status_code == 200
    assert door.outcomes == ["late"] * 4


def test_words_of_a_server_are_stored_without_addresses_and_odd_characters(door: Door):
    words = f"550 5.1.1 <{ADA}> \x00\x1b[31m unknown \ud800" + "x" * 5000
    event = {"type": "bounce", "permanent": True, "address": ADA, "token": door.token, "words": words}

    assert door.post("generic", generic(event)).status_code == 200

    (row,) = door.house.all(ReturnedMail)
    assert ADA not in row.words and row.words.isprintable() and len(row.words) <= 500


# --- No bytes make a webhook fail -------------------------------------------------------------------------

ODD = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
JSON = st.recursive(
    ODD,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=8,
)
EXAMPLES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=80)
FINE = {200, 400, 401, 403, 404, 413, 415, 429}


@EXAMPLES
@given(
    st.sampled_from(sorted(CALLS)),
    st.binary(max_size=200),
    st.dictionaries(
        st.sampled_from(
            ["Authorization", "webhook-id", "webhook-timestamp", "webhook-signature", "Content-Type"]
        ),
        st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20),
    ),
)
def test_no_bytes_and_headers_make_a_webhook_fail(door: Door, provider: str, body: bytes, headers: dict):
    assert door.post(provider, Posted(body, headers)).status_code in FINE
    assert door.is_untouched()


@EXAMPLES
@given(
    st.sampled_from(["sendgrid", "postmark", "brevo", "generic"]),
    st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_no_authentic_bytes_make_a_webhook_fail(door: Door, provider: str, body: bytes):
    posted = {
        "sendgrid": lambda: sendgrid(body),
        "generic": lambda: generic(body),
        "postmark": lambda: Posted(body, basic()),
        "brevo": lambda: Posted(body, basic()),
    }[provider]()

    assert door.post(provider, posted).status_code in {200, 400, 429}


@EXAMPLES
@given(st.sampled_from(sorted(CALLS)), st.integers(0, 30), JSON, st.booleans())
def test_no_value_in_an_authentic_event_makes_a_webhook_fail(
    door: Door, provider: str, place: int, value: object, complains: bool
):
    token = "b-1-aaaaaaaaaaaaaaaa"
    source = {
        "ses": lambda: ses_bounce(token),
        "sendgrid": lambda: sendgrid_event("bounce", token),
        "mailgun": lambda: mailgun_event("failed", token, severity="permanent"),
        "postmark": lambda: postmark_event("Bounce", token),
        "brevo": lambda: brevo_event("hard_bounce", token),
        "generic": lambda: {
            "type": "bounce",
            "id": "1",
            "address": ADA,
            "token": token,
            "words": "x",
            "status": "",
        },
    }[provider]()
    inner = source
    if provider == "ses":
        inner = source["mail"] if complains else source["bounce"]
    inner[sorted(inner)[place % len(inner)]] = value
    send = {
        "ses": ses,
        "sendgrid": sendgrid,
        # A new token for each event: a token counts once.
        "mailgun": lambda event: mailgun(event, hashlib.sha256(json.dumps(event).encode()).hexdigest()),
        "postmark": postmark,
        "brevo": brevo,
        "generic": generic,
    }

    assert door.post(provider, send[provider](source)).status_code in {200, 400, 403, 429}
    assert door.house.all(Suppression) == []
