"""What follows from a report: every row of the table, and reports that change nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.bounces.read.reasons import Reason
from newsletter.bounces.read.report import Failure, Kind, Report
from newsletter.bounces.rules.policy import STALE, Facts, decide
from newsletter.models import ReportOutcome

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ADA = "ada@example.org"
FACTS = Facts(frozenset({ADA}), NOW - timedelta(hours=1))
DEAD = Failure(ADA, Reason.NO_SUCH_USER, permanent=True, status="5.1.1", final=ADA)


def bounced(*failures):
    return Report(Kind.BOUNCE, failures)


def outcome(report, facts=FACTS):
    return decide(report, facts, NOW).outcome


def test_a_dead_mailbox_is_handed_to_the_judge():
    assert outcome(bounced(DEAD)) is ReportOutcome.HARD


@pytest.mark.parametrize(
    ("reason", "follows"),
    [
        (Reason.MAILBOX_FULL, ReportOutcome.SOFT),
        (Reason.TOO_BIG, ReportOutcome.SOFT),
        (Reason.NETWORK, ReportOutcome.SOFT),
        (Reason.UNKNOWN, ReportOutcome.SOFT),
        (Reason.POLICY, ReportOutcome.POLICY),
        (Reason.CONTENT, ReportOutcome.POLICY),
        (Reason.RATE, ReportOutcome.POLICY),
    ],
)
def test_other_reasons_never_count_against_the_address(reason, follows):
    assert outcome(bounced(replace(DEAD, reason=reason))) is follows


def test_an_address_that_we_did_not_mail_is_a_forward():
    assert outcome(bounced(replace(DEAD, address="old@lake.example"))) is ReportOutcome.SOFT


def test_the_address_that_we_mailed_counts_although_another_one_failed():
    assert outcome(bounced(replace(DEAD, final="old@lake.example"))) is ReportOutcome.HARD


@pytest.mark.parametrize("sign", ["later_accepted", "used_since"])
def test_a_sign_of_life_makes_a_hard_report_soft(sign):
    assert outcome(bounced(DEAD), replace(FACTS, **{sign: True})) is ReportOutcome.SOFT


def test_a_delay_changes_nothing():
    late = replace(DEAD, permanent=False, delayed=True)

    assert outcome(bounced(late)) is ReportOutcome.LATE
    assert outcome(bounced(DEAD), replace(FACTS, said=frozenset({ReportOutcome.LATE}))) is ReportOutcome.HARD


def test_a_complaint_is_about_the_address_that_we_mailed():
    assert outcome(Report(Kind.COMPLAINT, complaints=(ADA.upper(),))) is ReportOutcome.COMPLAINT
    assert outcome(Report(Kind.COMPLAINT)) is ReportOutcome.COMPLAINT
    assert outcome(Report(Kind.COMPLAINT, complaints=("ben@lake.example",))) is ReportOutcome.NOTHING


@pytest.mark.parametrize("report", [bounced(DEAD), Report(Kind.COMPLAINT)])
def test_an_old_report_changes_nothing(report):
    facts = replace(FACTS, attempted_at=NOW - STALE - timedelta(seconds=1))

    assert outcome(report, facts) is ReportOutcome.STALE


@pytest.mark.parametrize("before", [ReportOutcome.HARD, ReportOutcome.SOFT, ReportOutcome.POLICY])
def test_a_second_report_about_one_email_changes_nothing(before):
    facts = replace(FACTS, said=frozenset({before}))

    assert outcome(bounced(DEAD), facts) is ReportOutcome.REPEATED


def test_a_report_about_an_email_that_the_relay_refused_brings_no_news():
    assert outcome(bounced(DEAD), replace(FACTS, attempted_at=None)) is ReportOutcome.REPEATED


def test_automatic_replies_and_other_mail_change_nothing():
    assert outcome(Report(Kind.AUTOREPLY)) is ReportOutcome.AUTOREPLY
    assert outcome(Report(Kind.OTHER)) is ReportOutcome.NOTHING
    assert outcome(Report(Kind.BOUNCE)) is ReportOutcome.NOTHING
