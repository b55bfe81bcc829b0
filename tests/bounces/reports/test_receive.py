"""The intake of reports on both databases: what follows from each, once, and nothing from forged ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from house import House
from sqlalchemy import select, update

from newsletter.bounces.history.queries import list_reports, read_message
from newsletter.bounces.reports.match import SigningKeys
from newsletter.bounces.reports.receive import BARE_A_DAY, receive
from newsletter.errors import NotFound, ReportsLimited
from newsletter.mail.verp import LEAVE_KEY, RETURN_KEY, delivery_token
from newsletter.models import (
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Notice,
    Subscriber,
    Subscription,
    Suppression,
    SuppressionReason,
)
from newsletter.models.tables.returned_mail import ReportOutcome, ReturnedMail
from newsletter.outbox.refused.judge import judge_all
from newsletter.outbox.refused.reported import WAIT_FOR_OTHERS
from newsletter.subscribers.privacy.erase import erase
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.run import Purger
from newsletter.throttle import Limit


def keys(house: House) -> SigningKeys:
    tokens = house.runtime.tokens
    return SigningKeys(tokens.derived_key(RETURN_KEY), tokens.derived_key(LEAVE_KEY))


def the_delivery(house: House) -> Delivery:
    return house.all(Delivery)[0]


def report(
    house: House,
    status: str = "5.1.1",
    words: str = "user unknown",
    delivery: int | None = None,
    to: str = "",
) -> bytes:
    delivery_id = delivery or the_delivery(house).id
    to = to or house.all(Subscriber)[0].email or ""
    token = delivery_token(str(delivery_id), keys(house).return_path)
    return f"""\
From: MAILER-DAEMON@mx.example
Content-Type: multipart/report; boundary=b

--b
Content-Type: message/delivery-status

Final-Recipient: rfc822; {to}
Action: failed
Status: {status}
Diagnostic-Code: smtp; 550 {status} <{to}> {words}

--b
Content-Type: text/rfc822-headers

Message-ID: <{token}.1@example.org>
--b--
""".encode()


COMPLAINT = b"""\
Content-Type: multipart/report; boundary=b

--b
Content-Type: message/feedback-report

Feedback-Type: abuse

--b
Content-Type: text/rfc822-headers

X-Newsletter-Token: %s
--b--
"""


def take(
    house: House, raw: bytes, *recipients: str, most_idle: int = 100, bare: Limit = BARE_A_DAY
) -> ReportOutcome:
    tokens, now = house.runtime.tokens, house.clock()
    with house.runtime.session() as session:
        found = receive(session, tokens, keys(house), raw, recipients, now, most_idle=most_idle, bare=bare)
        session.commit()
    return found


def judge(house: House) -> None:
    with house.runtime.session() as session:
        judge_all(session, house.runtime.messages, house.clock())
        session.commit()


def test_a_dead_mailbox_bounces_its_delivery_and_suppresses_nobody_yet(sent: House):
    assert take(sent, report(sent)) is ReportOutcome.HARD

    delivery = the_delivery(sent)
    assert (delivery.state, delivery.verdict) == (DeliveryState.REJECTED, BounceVerdict.REPORTED)
    assert delivery.bounced_at == sent.clock()
    assert "@" not in (delivery.reply_text or "")
    assert sent.all(Suppression) == []


def test_the_same_report_and_another_one_about_it_are_recorded_and_change_nothing(sent: House):
    take(sent, report(sent))

    assert take(sent, report(sent)) is ReportOutcome.REPEATED
    assert take(sent, report(sent, words="once more: user unknown")) is ReportOutcome.REPEATED
    assert [each.outcome for each in sent.all(ReturnedMail)] == [ReportOutcome.HARD, ReportOutcome.REPEATED]


def test_a_reported_bounce_is_judged_by_its_neighbours_after_others_could_come(either_house: House):
    house = either_house
    topic = house.topic("harbours")
    for number in range(60):
        house.add_subscriber(topic, name=f"p{number}")
    for title in ("Harbours open", "Harbours close"):
        house.release(title)
        issue_id = house.send()
        house.clock.pass_(days=1)
    with house.runtime.session() as session:
        query = select(Delivery).where(Delivery.issue_id == issue_id)
        middle = session.scalars(query.order_by(Delivery.answered_microseconds, Delivery.id)).all()[30]
        person = session.get_one(Subscriber, middle.subscriber_id)
    take(house, report(house, delivery=middle.id, to=person.email))
    judge(house)
    assert house.all(Suppression) == []

    house.clock.pass_(seconds=WAIT_FOR_OTHERS.total_seconds() + 1)
    judge(house)

    (row,) = house.all(Suppression)
    assert (row.subscriber_id, row.reason) == (person.id, SuppressionReason.HARD_BOUNCE)


def test_a_relay_that_lets_everybody_come_back_suppresses_nobody(either_house: House):
    house = either_house
    topic = house.topic("harbours")
    for number in range(12):
        house.add_subscriber(topic, name=f"p{number}")
    house.release("Harbours open")
    house.send()
    people = {each.id: each.email or "" for each in house.all(Subscriber)}
    for each in house.all(Delivery):
        take(house, report(house, delivery=each.id, to=people[each.subscriber_id or 0]))

    house.clock.pass_(seconds=WAIT_FOR_OTHERS.total_seconds() + 1)
    judge(house)

    assert house.all(Suppression) == []
    assert {each.kind for each in house.all(Notice)} & {"relay_refuses", "issue_refused"}


def test_a_complaint_suppresses_the_address_for_all_newsletters(sent: House):
    token = delivery_token(str(the_delivery(sent).id), keys(sent).return_path)

    assert take(sent, COMPLAINT % token.encode()) is ReportOutcome.COMPLAINT

    assert [each.reason for each in sent.all(Suppression)] == [SuppressionReason.COMPLAINT]
    assert the_delivery(sent).complained_at == sent.clock()
    assert the_delivery(sent).state is DeliveryState.ACCEPTED


@pytest.mark.parametrize("raw", [b"From: x@y.example\n\nhello", b"Auto-Submitted: auto-replied\n\naway"])
def test_mail_that_is_no_report_leaves_no_row(sent: House, raw: bytes):
    take(sent, raw)

    assert sent.all(ReturnedMail) == []


def test_a_report_without_our_signature_is_kept_and_changes_nothing(sent: House):
    forged = report(sent).replace(b"b-", b"c-")

    assert take(sent, forged, "ada@example.org") is ReportOutcome.UNSIGNED

    assert the_delivery(sent).state is DeliveryState.ACCEPTED
    (row,) = sent.all(ReturnedMail)
    assert (row.delivery_id, row.subscriber_id) == (None, None)


@pytest.mark.parametrize(
    ("status", "words", "outcome"),
    [
        ("5.7.1", "listed at a blocklist", ReportOutcome.POLICY),
        ("5.2.2", "over quota", ReportOutcome.SOFT),
        ("4.4.7", "expired", ReportOutcome.SOFT),
    ],
)
def test_other_failures_leave_the_delivery_as_it_was(
    sent: House, status: str, words: str, outcome: ReportOutcome
):
    assert take(sent, report(sent, status, words)) is outcome

    assert the_delivery(sent).state is DeliveryState.ACCEPTED
    assert sent.all(Suppression) == []
    assert [each.kind for each in sent.all(Notice)] == (["mail_returned"] * (outcome is ReportOutcome.POLICY))


def test_the_notice_about_policy_counts_and_names_no_address(sent: House):
    take(sent, report(sent, "5.7.1", "listed at a blocklist"))
    sent.release("Harbours close")
    sent.clock.pass_(days=1)
    sent.send()

    take(sent, report(sent, "5.7.1", "\x1b[31mlisted", delivery=sent.all(Delivery)[-1].id))

    (notice,) = sent.all(Notice)
    assert notice.detail["returned"] == 2
    assert "@" not in notice.detail["said"]
    assert notice.detail["said"].isprintable()


def test_a_forwarded_email_counts_against_nobody(sent: House):
    assert take(sent, report(sent, to="old@lake.example")) is ReportOutcome.SOFT


def test_an_address_that_accepted_a_later_email_is_not_dead(sent: House):
    first = the_delivery(sent).id
    sent.release("Harbours close")
    sent.clock.pass_(days=1)
    sent.send()

    assert take(sent, report(sent, delivery=first)) is ReportOutcome.SOFT


def test_an_old_report_changes_nothing(sent: House):
    sent.clock.pass_(days=8)

    assert take(sent, report(sent)) is ReportOutcome.STALE
    assert the_delivery(sent).state is DeliveryState.ACCEPTED


def test_a_report_about_an_unknown_delivery_changes_nothing(sent: House):
    assert take(sent, report(sent, delivery=987_654)) is ReportOutcome.GONE


def test_what_a_bounce_in_a_cancelled_issue_held_waits_again(sent: House):
    with sent.runtime.session() as session:
        session.execute(update(Issue).values(state=IssueState.CANCELLED))
        session.commit()
    (before,) = sent.all(Subscription)

    take(sent, report(sent))

    (after,) = sent.all(Subscription)
    assert after.covered_to < before.covered_to


def test_messages_are_kept_for_the_set_time_and_deleted_with_the_person(sent: House):
    raw = report(sent)
    take(sent, raw)
    with sent.runtime.reading() as session:
        (row,) = list_reports(session, outcome=ReportOutcome.HARD)
        assert read_message(session, row.id) == raw

    later = sent.clock() + timedelta(days=31)
    policy = Policy.of(sent.runtime.settings, later)
    list(Purger(sent.runtime.session, sent.runtime.reading, sent.runtime.tokens, policy).run(lambda _: None))

    with sent.runtime.reading() as session, pytest.raises(NotFound):
        read_message(session, row.id)


def test_an_erased_person_leaves_no_words_in_reports(sent: House):
    take(sent, report(sent))
    with sent.runtime.session() as session:
        erase(session, sent.runtime.tokens, house_person(sent).public_id, "page", sent.clock())
        session.commit()

    (row,) = sent.all(ReturnedMail)
    assert (row.raw, row.words) == (None, "")


def house_person(house: House) -> Subscriber:
    return house.all(Subscriber)[0]


def unsigned(house: House, number: int) -> bytes:
    return report(house, words=f"try {number}").partition(b"Message-ID")[0] + b"--b--\n"


def test_reports_that_change_nothing_are_kept_with_their_message_up_to_a_limit_a_day(sent: House):
    outcomes = [take(sent, unsigned(sent, number), most_idle=2) for number in range(4)]
    real = take(sent, report(sent), most_idle=2)

    assert outcomes == [ReportOutcome.UNSIGNED] * 4
    assert real is ReportOutcome.HARD
    rows = sent.all(ReturnedMail)
    assert [each.outcome for each in rows] == ["unsigned"] * 4 + ["hard"]
    assert [each.raw is None for each in rows] == [False, False, True, True, False]
    assert take(sent, unsigned(sent, 3), most_idle=2) is ReportOutcome.UNSIGNED
    sent.clock.pass_(days=2)
    take(sent, unsigned(sent, 9), most_idle=2)
    assert sent.all(ReturnedMail)[-1].raw is not None


def test_a_report_that_would_not_be_recorded_is_refused_and_others_still_count(sent: House):
    bare = Limit(burst=1, period_seconds=86_400)
    take(sent, unsigned(sent, 1), most_idle=0, bare=bare)
    take(sent, unsigned(sent, 1), most_idle=0, bare=bare)  # the same bytes again spend nothing

    with pytest.raises(ReportsLimited) as limited:
        take(sent, unsigned(sent, 2), most_idle=0, bare=bare)

    assert (limited.value.is_signed, limited.value.wait_seconds) == (False, pytest.approx(86_400))
    assert len(sent.all(ReturnedMail)) == 1
    assert take(sent, report(sent), most_idle=0, bare=bare) is ReportOutcome.HARD
    with pytest.raises(ReportsLimited) as limited:
        take(sent, report(sent, words="once more: user unknown"), most_idle=0, bare=bare)
    assert limited.value.is_signed
    sent.clock.pass_(days=1)
    assert take(sent, unsigned(sent, 2), most_idle=0, bare=bare) is ReportOutcome.UNSIGNED
