"""Random reports: one about our delivery comes back to it, and one without our signature does nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.bounces.read.parts import cut
from newsletter.bounces.read.reader import read_report
from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Failure, Kind, Report
from newsletter.bounces.reports.match import SigningKeys, find_delivery
from newsletter.bounces.rules.policy import STALE, Decision, Facts, decide
from newsletter.bounces.rules.soft import Sent, SoftRule, wants_probe
from newsletter.mail.verp import delivery_token, leave_address, return_path
from newsletter.models import ReportOutcome

KEYS = SigningKeys(b"r" * 32, b"l" * 32)
OTHERS = SigningKeys(b"x" * 32, b"y" * 32)
ADA = "ada@harbour.example"
NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
CHANGES_NOTHING = {
    ReportOutcome.STALE, ReportOutcome.REPEATED, ReportOutcome.AUTOREPLY, ReportOutcome.NOTHING,
    ReportOutcome.LATE,
}  # fmt: skip

words = st.text(st.characters(codec="latin-1", exclude_categories=("Cc",)), max_size=60)
statuses = st.sampled_from(["5.1.1", "5.2.2", "4.4.7", "5.7.1", "5.0.0", "4.2.2", "5.3.4", ""])
newlines = st.sampled_from(["\n", "\r\n"])
places = st.sampled_from(["return path", "message id", "header", "unsubscribe"])
shapes = st.sampled_from(["report", "headers only", "whole message", "plain text", "complaint"])


@dataclass(frozen=True)
class Written:
    """A report as a server might write it: its bytes, and the addresses that it was sent to."""

    raw: bytes
    recipients: tuple[str, ...]


@st.composite
def written(draw: st.DrawFn, keys: SigningKeys, delivery_id: int) -> Written:
    """Compose a report about a delivery, with one value that `keys` sign."""
    place, shape, newline = draw(places), draw(shapes), draw(newlines)
    token = delivery_token(str(delivery_id), keys.return_path)
    recipients = (return_path(token, "news.example.org"),) if place == "return path" else ()
    mailbox = leave_address("leave@news.example.org", "abcdefghijkl", delivery_id, keys.leave, 1)
    field = {
        "return path": "Subject: Harbours",
        "message id": f"Message-ID: <{token}.1700000000@news.example.org>",
        "header": f"X-Newsletter-Token: {token}",
        "unsubscribe": f"List-Unsubscribe: <https://news.example.org/u/x>, <mailto:{mailbox}>",
    }[place]
    returned = [f"From: news@example.org{newline}To: {ADA}", field, "Subject: " + draw(words).strip()]
    machine = [
        f"Final-Recipient: rfc822; {draw(st.sampled_from([ADA, 'old@lake.example']))}",
        f"Action: {draw(st.sampled_from(['failed', 'delayed']))}",
        f"Status: {draw(statuses)}",
        f"Diagnostic-Code: smtp; 550 {draw(words).strip()}",
    ]
    if shape == "plain text":
        lines = ["From: MAILER-DAEMON@mx.example", "Subject: failed", "", f"<{ADA}>: {draw(words)}", ""]
        return Written(newline.join([*lines, "--- a copy ---", *returned]).encode("latin-1"), recipients)
    kinds = {
        "report": ("message/delivery-status", "text/rfc822-headers"),
        "headers only": ("message/delivery-status", "text/rfc822-headers"),
        "whole message": ("message/delivery-status", "message/rfc822"),
        "complaint": ("message/feedback-report", "message/rfc822"),
    }[shape]
    said = ["Feedback-Type: abuse"] if shape == "complaint" else machine
    parts = [["Content-Type: text/plain", "", draw(words)]] if shape != "headers only" else []
    parts += [[f"Content-Type: {kinds[0]}", "", *said, ""]]
    text = ["", "text"] if kinds[1] == "message/rfc822" else []
    parts += [[f"Content-Type: {kinds[1]}", "", *returned, *text]]
    lines = ["From: MAILER-DAEMON@mx.example", 'Content-Type: multipart/report; boundary="b"', ""]
    for part in parts:
        lines += ["--b", *part]
    return Written(newline.join([*lines, "--b--", ""]).encode("latin-1"), recipients)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 2**32 - 1))
def test_a_report_about_our_delivery_always_comes_back_to_it(data: st.DataObject, delivery_id: int):
    report = data.draw(written(KEYS, delivery_id))

    assert find_delivery(cut(report.raw), report.recipients, KEYS) == delivery_id


@settings(max_examples=200, deadline=None)
@given(st.data(), st.integers(1, 2**32 - 1), st.binary(max_size=200))
def test_a_report_without_our_signature_is_about_no_delivery(
    data: st.DataObject, delivery_id: int, noise: bytes
):
    report = data.draw(written(OTHERS, delivery_id))

    read_report(report.raw + noise)
    assert find_delivery(cut(report.raw + noise), report.recipients, KEYS) is None


failures = st.builds(
    Failure,
    address=st.sampled_from([ADA, ADA.upper(), "old@lake.example"]),
    reason=st.sampled_from(list(Reason)),
    permanent=st.booleans(),
    delayed=st.booleans(),
    unexplained=st.booleans(),
)
reports = st.builds(
    Report,
    kind=st.sampled_from(list(Kind)),
    failures=st.lists(failures, max_size=3).map(tuple),
    complaints=st.lists(st.sampled_from([ADA, "old@lake.example"]), max_size=2).map(tuple),
)
facts = st.builds(
    Facts,
    addresses=st.just(frozenset({ADA})),
    attempted_at=st.sampled_from([None, NOW, NOW - STALE, NOW - STALE - timedelta(seconds=1)]),
    later_accepted=st.booleans(),
    used_since=st.booleans(),
    said=st.frozensets(st.sampled_from(list(ReportOutcome)), max_size=2),
)


def suppresses_sooner_or_later(decision: Decision) -> bool:
    return decision.outcome in {ReportOutcome.HARD, ReportOutcome.COMPLAINT}


@given(reports, facts)
def test_only_a_dead_mailbox_of_ours_or_a_complaint_can_suppress(report: Report, known: Facts):
    decision = decide(report, known, NOW)

    if suppresses_sooner_or_later(decision):
        assert known.attempted_at is not None
        assert NOW - known.attempted_at <= STALE
        assert decision.outcome not in known.said
    if decision.outcome is ReportOutcome.HARD:
        assert decision.failure is not None
        assert decision.failure.hard
        assert decision.failure.address.lower() == ADA
        assert not (known.later_accepted or known.used_since)


@given(reports, facts)
def test_stale_and_repeated_reports_and_those_about_policy_never_suppress(report: Report, known: Facts):
    old = decide(report, replace(known, attempted_at=NOW - STALE - timedelta(days=1)), NOW)
    again = decide(report, replace(known, said=frozenset({ReportOutcome.HARD, ReportOutcome.COMPLAINT})), NOW)
    owners = [Reason.POLICY, Reason.CONTENT, Reason.RATE]
    softened = tuple(replace(each, reason=Reason.POLICY, unexplained=False) for each in report.failures)
    policy = decide(replace(report, kind=Kind.BOUNCE, failures=softened), known, NOW)

    assert old.outcome in CHANGES_NOTHING
    assert again.outcome in CHANGES_NOTHING
    assert policy.outcome in {*CHANGES_NOTHING, ReportOutcome.POLICY}
    assert all(not reason.is_dead for reason in owners)


@given(st.integers(0, 3000), st.integers(2, 10), st.integers(1, 60), st.integers(1, 100))
def test_soft_failures_of_one_email_never_ask_for_a_probe(
    minutes: int, emails: int, days: int, half_life: int
):
    one = [Sent(NOW, failed=True)]

    assert not wants_probe(one, SoftRule(emails, days, half_life), NOW + timedelta(minutes=minutes))
