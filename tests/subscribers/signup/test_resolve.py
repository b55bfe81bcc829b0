"""Resolving sign-up requests: the subscriber, the pending rows, the email, and the limits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select

from newsletter.address_rules.pattern import parse_pattern
from newsletter.address_rules.rules import add_rule
from newsletter.mail.addresses import address_hash
from newsletter.messages.claimed import load_claimed
from newsletter.models import (
    Frequency,
    RuleKind,
    SignupRequest,
    Subscriber,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.signup.resolve import resolve_signups

ANN = "ann@example.org"
DAILY, WEEKLY, MONTHLY = Frequency.DAILY, Frequency.WEEKLY, Frequency.MONTHLY


def suppress(people, email):
    with people.house.runtime.session() as session:
        mark = address_hash(email, people.house.runtime.tokens.derived_key("suppression"))
        session.add(
            Suppression(address_hash=mark, reason=SuppressionReason.ERASED, since=people.house.clock())
        )
        session.commit()


def requests(people):
    with people.house.runtime.session() as session:
        return list(session.scalars(select(SignupRequest).order_by(SignupRequest.id)))


def test_a_request_writes_one_row_and_nothing_else(people):
    people.house.topic("energy")

    people.ask(ANN, {"energy": DAILY})

    assert len(requests(people)) == 1
    assert people.house.all(Subscriber) == []


def test_a_request_becomes_a_pending_row_one_email_and_one_ledger_entry(everywhere):
    people = everywhere
    energy, sea = people.house.topic("energy"), people.house.topic("sea")

    people.ask(ANN, {"energy": DAILY, "sea": WEEKLY}, ip_address="192.0.2.0")
    resolved = people.resolve()

    assert resolved == 1
    pending = people.subscriptions(ANN, SubscriptionState.PENDING)
    assert {row.topic_id: row.frequency for row in pending} == {energy: DAILY, sea: WEEKLY}
    (mail,) = people.mails(ANN)
    assert (mail.template, mail.context) == (
        "confirm",
        {"topics": ["Energy", "Sea"], "upto": max(row.id for row in pending), "subscribed": False},
    )
    (asked,) = people.ledger(ANN)
    assert (asked.act, asked.wording_version, asked.wording_hash, asked.ip_address) == (
        "asked",
        current_wording().version,
        current_wording().hash,
        "192.0.2.0",
    )
    assert people.person(ANN).confirmed_at is None


def test_the_worker_can_build_the_confirmation_email(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})

    people.house.drain("single")

    assert people.house.recipients() == [ANN]
    with people.house.runtime.session() as session:
        (claimed,) = load_claimed(session, [people.mails(ANN)[0].id])
    assert claimed.template == "confirm"


def test_the_address_leaves_the_request_once_it_is_resolved(people):
    people.house.topic("energy")
    people.ask(ANN, {"energy": DAILY}, ip_address="192.0.2.0")

    people.resolve()

    (request,) = requests(people)
    assert (request.email, request.email_key, request.ip_address) == (None, None, None)
    assert request.resolved_at == people.house.clock()


def test_resolving_twice_sends_one_email(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.ask(ANN, {"energy": DAILY})

    counts = [people.resolve(), people.resolve()]

    assert counts == [1, 0]
    assert people.templates(ANN) == ["confirm"]


def test_a_crash_before_the_commit_repeats_nothing(people):
    people.house.topic("energy")
    people.ask(ANN, {"energy": DAILY})
    with people.house.runtime.session() as session:
        resolve_signups(session, people.house.runtime.tokens, people.house.clock())
        session.rollback()

    people.resolve()

    assert people.templates(ANN) == ["confirm"]
    assert people.acts(ANN) == ["asked"]


def test_two_workers_share_the_work(everywhere):
    people = everywhere
    people.house.topic("energy")
    subscribers = [f"reader{number}@example.org" for number in range(8)]
    for subscriber in [*subscribers, *subscribers]:
        people.ask(subscriber, {"energy": DAILY})

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: people.resolve(limit=5), range(4)))
    people.resolve()

    assert all(request.resolved_at for request in requests(people))
    assert [people.templates(subscriber) for subscriber in subscribers] == [["confirm"]] * 8


def test_asking_for_the_same_again_is_answered_only_after_ten_minutes(everywhere):
    people = everywhere
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})

    people.house.clock.pass_(minutes=9)
    people.sign_up(ANN, {"energy": DAILY})
    soon = people.templates(ANN)
    people.house.clock.pass_(minutes=2)
    people.sign_up(ANN, {"energy": DAILY})

    assert soon == ["confirm"]
    assert people.templates(ANN) == ["confirm", "confirm"]
    assert len(people.subscriptions(ANN)) == 1


def test_asking_for_another_topic_at_once_is_answered_at_once(people):
    people.house.topic("energy")
    people.house.topic("sea")
    people.sign_up(ANN, {"energy": DAILY})

    people.sign_up(ANN, {"sea": DAILY})

    assert [mail.context["topics"] for mail in people.mails(ANN)] == [["Energy"], ["Energy", "Sea"]]


def test_typing_the_same_address_repeatedly_causes_few_emails(people):
    topics = [f"topic{number}" for number in range(6)]
    for slug in topics:
        people.house.topic(slug)

    for slug in topics:
        people.sign_up(ANN, {slug: DAILY})
        people.sign_up(ANN, {slug: WEEKLY})

    assert len(people.mails(ANN)) <= 3


def test_typing_an_address_repeatedly_does_not_void_the_emailed_link(everywhere):
    people = everywhere
    energy = people.house.topic("energy")

    for frequency in (DAILY, WEEKLY, MONTHLY, DAILY, MONTHLY):
        people.sign_up(ANN, {"energy": frequency})

    assert people.templates(ANN) == ["confirm", "confirm"]
    assert people.acts(ANN) == ["asked", "asked"]
    assert people.confirm(people.confirmation(ANN)).started == 1
    assert people.reads(ANN) == {energy: WEEKLY}


def test_typing_an_address_all_day_causes_at_most_five_emails(people):
    people.house.topic("energy")

    for _hour in range(12):
        people.sign_up(ANN, {"energy": DAILY})
        people.house.clock.pass_(hours=2)

    assert 5 <= len(people.mails(ANN)) <= 10


def test_asking_for_another_frequency_ends_the_first_request(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})

    people.sign_up(ANN, {"energy": WEEKLY})

    (pending,) = people.subscriptions(ANN, SubscriptionState.PENDING)
    assert pending.frequency is WEEKLY
    assert people.endings(ANN) == ["changed"]


def test_a_subscriber_who_requests_what_they_have_gets_their_preferences_link(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    people.house.clock.pass_(hours=1)

    people.sign_up(ANN, {"energy": DAILY})

    assert people.templates(ANN) == ["confirm", "link"]
    assert people.acts(ANN) == ["asked", "confirmed"]


def test_a_subscriber_who_requests_another_topic_confirms_only_that(people):
    energy, sea = people.house.topic("energy"), people.house.topic("sea")
    people.join(ANN, {"energy": DAILY})
    people.house.clock.pass_(hours=1)

    people.sign_up(ANN, {"energy": DAILY, "sea": WEEKLY})
    before = people.reads(ANN)
    people.confirm(people.confirmation(ANN))

    assert people.mails(ANN)[-1].context["topics"] == ["Sea"]
    assert before == {energy: DAILY}
    assert people.reads(ANN) == {energy: DAILY, sea: WEEKLY}


def test_a_suppressed_address_gets_no_email_and_no_row(people):
    people.house.topic("energy")
    suppress(people, ANN)

    people.ask("Ann@Example.org", {"energy": DAILY})
    people.ask_for_link(ANN)

    assert people.resolve() == 2
    assert people.house.all(Subscriber) == []
    assert people.house.states() == []


def test_an_address_that_a_rule_refuses_gets_no_email_and_no_row(people):
    people.house.topic("energy")
    for pattern, kind in (("*.org", RuleKind.NEVER_ACCEPTED), ("news*@other.net", RuleKind.NEVER_MAILED)):
        with people.house.runtime.session() as session:
            add_rule(session, parse_pattern(pattern), kind, "", "owner", people.house.clock())
            session.commit()

    for address in (ANN, "newsroom@other.net", "ann@other.net"):
        people.ask(address, {"energy": DAILY})

    assert people.resolve() == 3
    assert [each.email for each in people.house.all(Subscriber)] == ["ann@other.net"]
    assert all(each.email is None for each in requests(people))


def test_spellings_of_one_address_are_one_person(people):
    people.house.topic("energy")

    people.sign_up("Ann@example.org", {"energy": DAILY})
    people.sign_up("ann@EXAMPLE.org", {"energy": DAILY})

    assert people.person(ANN).email == "Ann@example.org"
    assert people.templates(ANN) == ["confirm"]


def test_topics_that_are_gone_are_left_out(people):
    energy = people.house.topic("energy")

    people.sign_up(ANN, {"energy": DAILY, "gone": DAILY})
    people.sign_up("bob@example.org", {"gone": DAILY})

    assert [row.topic_id for row in people.subscriptions(ANN)] == [energy]
    assert len(people.house.all(Subscriber)) == 1


def test_a_failing_request_does_not_stop_the_others_and_is_dropped_in_the_end(everywhere):
    people = everywhere
    people.house.topic("energy")
    with people.house.runtime.session() as session:
        broken = {"topics": {"energy": "hourly"}}
        for number in range(3):
            session.add(
                SignupRequest(
                    email=f"broken{number}@example.org", choices=broken, created_at=people.house.clock()
                )
            )
        session.commit()
    people.ask(ANN, {"energy": DAILY})

    first = people.resolve(limit=2)
    people.house.clock.pass_(hours=2)
    later = people.resolve()

    assert (first, later) == (1, 3)
    assert people.templates(ANN) == ["confirm"]
    assert all(request.email is None for request in requests(people))


def test_only_a_confirmed_subscriber_gets_a_preferences_link(people):
    people.house.topic("energy")
    people.join(ANN, {"energy": DAILY})
    people.house.clock.pass_(hours=1)

    people.ask_for_link(ANN)
    people.ask_for_link("bob@example.org")
    people.resolve()

    assert people.templates(ANN) == ["confirm", "link"]
    assert len(people.house.all(Subscriber)) == 1


def test_somebody_who_never_confirmed_gets_another_confirmation_link(people):
    people.house.topic("energy")
    people.sign_up(ANN, {"energy": DAILY})
    people.house.clock.pass_(days=8)

    people.ask_for_link(ANN, renew=True)
    people.resolve()

    assert people.templates(ANN) == ["confirm", "confirm"]
    people.confirm(people.confirmation(ANN))
    assert len(people.reads(ANN)) == 1
