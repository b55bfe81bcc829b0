"""Events of Amazon SES: what each says, and where our signed values are."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_calls import ADA, ses_bounce, ses_event

from newsletter.bounces.providers.ses import read_events
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Kind, Report

TOKEN = "b-12-abcdefghijklmnop"


def only(source: dict[str, Any]):
    (found,) = read_events(json.dumps(source).encode().decode(), "message-id")
    return found


def report(source: dict[str, Any]) -> Report:
    return only(source).report


@pytest.mark.parametrize("name", ["eventType", "notificationType"])
def test_a_permanent_bounce_is_hard(name: str):
    source = ses_bounce(TOKEN)
    source[name] = source.pop("eventType")

    found = report(source)

    assert (found.kind, found.suppress) == (Kind.BOUNCE, [ADA])
    assert (found.failures[0].status, found.failures[0].words) == ("5.1.1", "smtp; 550 5.1.1 user unknown")


@pytest.mark.parametrize(
    ("kind", "subtype", "words", "reason", "hard"),
    [
        ("Permanent", "General", "", Reason.NO_SUCH_USER, True),
        ("Permanent", "NoEmail", "", Reason.NO_SUCH_USER, True),
        ("Permanent", "Suppressed", "", Reason.NO_SUCH_USER, True),
        ("Permanent", "OnAccountSuppressionList", "", Reason.NO_SUCH_USER, True),
        ("Permanent", "General", "smtp; 550 5.7.1 listed at a blocklist", Reason.POLICY, False),
        ("Transient", "General", "smtp; 550 5.1.1 user unknown", Reason.NO_SUCH_USER, False),
        ("Transient", "MailboxFull", "", Reason.MAILBOX_FULL, False),
        ("Transient", "MessageTooLarge", "", Reason.TOO_BIG, False),
        ("Transient", "ContentRejected", "", Reason.CONTENT, False),
        ("Transient", "AttachmentRejected", "", Reason.CONTENT, False),
        ("Undetermined", "Undetermined", "", Reason.UNKNOWN, False),
    ],
)
def test_other_bounces_are_what_ses_says(kind: str, subtype: str, words: str, reason: Reason, hard: bool):
    (failure,) = report(ses_bounce(TOKEN, kind, subtype, status="", diagnosticCode=words)).failures

    assert (failure.reason, failure.hard) == (reason, hard)


def test_a_complaint_names_its_people():
    about = {
        "complainedRecipients": [{"emailAddress": ADA}],
        "complaintFeedbackType": "abuse",
        "feedbackId": "f-1",
    }

    assert report(ses_event("Complaint", TOKEN, about)) == Report(Kind.COMPLAINT, complaints=(ADA,))
    assert (
        report(ses_event("Complaint", TOKEN, {**about, "complaintFeedbackType": "not-spam"})).kind
        is Kind.OTHER
    )


def test_an_entry_on_the_list_of_the_account_is_told_to_the_owner_and_suppresses_nobody():
    about = {"complainedRecipients": [{"emailAddress": ADA}], "complaintSubType": "OnAccountSuppressionList"}

    found = report(ses_event("Complaint", TOKEN, about))

    assert (found.kind, found.complaints, found.suppress) == (Kind.BOUNCE, (), [])
    assert found.failures[0].reason is Reason.POLICY


def test_a_delay_is_late_and_a_rejected_text_is_told_to_the_owner():
    delayed = {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": ADA, "status": "4.2.2"}]}

    assert report(ses_event("DeliveryDelay", TOKEN, delayed)).failures[0].delayed
    assert report(ses_event("Reject", TOKEN, {"reason": "Bad content"})).failures[0].reason is Reason.CONTENT


@pytest.mark.parametrize(
    "kind", ["Send", "Delivery", "Open", "Click", "Rendering Failure", "Subscription", "New", ""]
)
def test_other_events_are_none_of_ours(kind: str):
    assert read_events(json.dumps(ses_event(kind, TOKEN)), "m") == []


@pytest.mark.parametrize(
    "text", ["Successfully validated SNS topic for Amazon SES event publishing.", "[]", "5", ""]
)
def test_a_text_of_another_kind_is_nothing(text: str):
    assert read_events(text, "m") == []


def test_the_id_is_that_of_the_feedback_or_of_the_message():
    assert only(ses_bounce(TOKEN)).key == only(ses_bounce(TOKEN, "Transient")).key
    assert only(ses_bounce(TOKEN)).key.startswith("Bounce 01000157c44f053b")
    assert only(ses_event("DeliveryDelay", TOKEN)).key == "DeliveryDelay message-id"


def test_signed_values_come_from_the_sender_headers_and_tags_and_not_from_words_of_a_server():
    source = ses_bounce(TOKEN, diagnosticCode="smtp; 550 b-9-aaaaaaaaaaaaaaaa")
    source["mail"] |= {
        "source": "b-1-x@example.org",
        "tags": {"newsletter_token": ["b-2-y"], "other": ["b-3-z"]},
    }

    joined = " ".join(only(source).signed)

    assert all(each in joined for each in (TOKEN, f"<{TOKEN}.1@example.org>", "b-1-x", "b-2-y"))
    assert "b-9" not in joined and "b-3" not in joined


VALUE = st.recursive(
    st.none() | st.text(max_size=8) | st.integers(), lambda inside: st.lists(inside, max_size=3)
)


@given(st.sampled_from(["Bounce", "Complaint", "DeliveryDelay", "Reject"]), VALUE, VALUE, VALUE)
def test_no_shape_raises(kind: str, about: Any, mail: Any, recipients: Any):
    name = kind[:1].lower() + kind[1:]
    for inside in (about, {"bouncedRecipients": recipients, "complainedRecipients": recipients}):
        for about_mail in (mail, {"headers": recipients}):
            event = only({"eventType": kind, name: inside, "mail": about_mail})

            assert event.key.startswith(f"{kind} ")
