"""Events of webhooks on both databases: each counts once, and only with a signed value of ours."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bounces.reports.test_receive import keys
from house import House, meanwhile
from webhook_calls import ADA

from newsletter.bounces.history.queries import read_message
from newsletter.bounces.providers.event import NOTHING, Event, bounce, complaint, failure
from newsletter.bounces.read.report import Report
from newsletter.bounces.reports.take_events import REMEMBERED, forget_events, take_call, take_event
from newsletter.bounces.rules.policy import STALE
from newsletter.errors import CallRefused
from newsletter.mail.verp import delivery_token
from newsletter.models import Delivery, DeliveryState, ReportOutcome, ReturnedMail, Suppression
from newsletter.models.tables.webhook_event import WebhookEvent

DEAD = bounce(failure(ADA, "550 5.1.1 user unknown", permanent=True))


def token(house: House) -> str:
    (delivery,) = house.all(Delivery)
    return delivery_token(str(delivery.id), keys(house).return_path)


def take(house: House, key: str, report: Report, *signed: str, provider: str = "generic") -> ReportOutcome:
    event = Event(key, report, signed, f'{{"{provider}": "{key}"}}'.encode())
    with house.runtime.session() as session:
        found = take_event(session, house.runtime.tokens, keys(house), provider, event, house.clock())
        session.commit()
    return found


def test_a_bounce_with_our_signed_value_counts_once(sent: House):
    assert take(sent, "e1", DEAD, token(sent)) is ReportOutcome.HARD
    assert take(sent, "e1", DEAD, token(sent)) is ReportOutcome.REPEATED
    assert take(sent, "e2", DEAD, token(sent)) is ReportOutcome.REPEATED

    assert [each.state for each in sent.all(Delivery)] == [DeliveryState.REJECTED]
    assert [each.outcome for each in sent.all(ReturnedMail)] == [ReportOutcome.HARD, ReportOutcome.REPEATED]
    with sent.runtime.session() as session:
        assert read_message(session, sent.all(ReturnedMail)[0].id) == b'{"generic": "e1"}'


def test_an_id_counts_for_its_provider_only(sent: House):
    assert take(sent, "e1", DEAD, token(sent), provider="ses") is ReportOutcome.HARD

    assert take(sent, "e1", complaint(ADA), token(sent), provider="brevo") is ReportOutcome.COMPLAINT


@pytest.mark.parametrize(
    "form", ["%s", "<%s.5@example.org>", "%s@bounce.example", '{"newsletter_token": "%s"}']
)
def test_the_signed_value_may_stand_in_any_form_a_provider_gives_back(sent: House, form: str):
    assert take(sent, "e1", complaint(), "other", form % token(sent)) is ReportOutcome.COMPLAINT
    assert len(sent.all(Suppression)) == 1


def test_without_a_genuine_value_nothing_follows(sent: House):
    own = token(sent)
    forged = own[:-1] + ("a" if own[-1] != "a" else "b")
    second = delivery_token("999", keys(sent).return_path)

    assert take(sent, "e1", complaint(ADA)) is ReportOutcome.UNSIGNED
    assert take(sent, "e2", complaint(ADA), forged) is ReportOutcome.UNSIGNED
    assert take(sent, "e3", complaint(ADA), own, second) is ReportOutcome.UNSIGNED
    assert take(sent, "e4", complaint(ADA), second) is ReportOutcome.GONE
    assert sent.all(Suppression) == []
    assert [each.state for each in sent.all(Delivery)] == [DeliveryState.ACCEPTED]


def test_an_event_that_is_no_report_leaves_no_row(sent: House):
    assert take(sent, "e1", NOTHING, token(sent)) is ReportOutcome.NOTHING

    assert sent.all(WebhookEvent) == sent.all(ReturnedMail) == []


def test_two_processes_take_an_event_once(big_house: House):
    big_house.add_subscriber(big_house.topic("harbours"), name="ada")
    big_house.release("Harbours open")
    big_house.send()
    event = Event("e1", DEAD, (token(big_house),), b"{}")
    outcomes: list[ReportOutcome] = []
    with big_house.runtime.session() as session:
        first = take_event(
            session, big_house.runtime.tokens, keys(big_house), "generic", event, big_house.clock()
        )
        with meanwhile(big_house, lambda: outcomes.append(take(big_house, "e1", DEAD, *event.signed))):
            session.commit()

    assert (first, outcomes) == (ReportOutcome.HARD, [ReportOutcome.REPEATED])


def call(house: House, name: str, *events: bytes, provider: str = "mailgun") -> None:
    with house.runtime.session() as session:
        listed = [Event("k", NOTHING, (), each) for each in events]
        take_call(session, provider, name, listed, house.clock())
        session.commit()


def test_a_call_may_come_again_but_not_with_other_events(sent: House):
    call(sent, "nonce", b"{}")
    call(sent, "nonce", b"{}")
    call(sent, "nonce", b'{"other": 1}', provider="other")

    for events in ((b'{"other": 1}',), (), (b"{}", b"{}")):
        with pytest.raises(CallRefused, match="replay"):
            call(sent, "nonce", *events)
    call(sent, "another nonce", b'{"other": 1}')


def test_rows_are_deleted_once_a_repetition_would_be_stale(sent: House):
    take(sent, "e1", DEAD, token(sent))

    def forget() -> int:
        with sent.runtime.session() as session:
            forget_events(session, sent.clock())
            session.commit()
        return len(sent.all(WebhookEvent))

    sent.clock.moment += REMEMBERED - timedelta(seconds=1)
    assert forget() == 1
    sent.clock.pass_(seconds=1)
    assert forget() == 0
    assert REMEMBERED > STALE
    assert take(sent, "e1", DEAD, token(sent)) in {ReportOutcome.STALE, ReportOutcome.REPEATED}
    assert len([each for each in sent.all(ReturnedMail) if each.outcome is ReportOutcome.HARD]) == 1
