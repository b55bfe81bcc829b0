"""Sign-ups of one person for two newsletters: confirmations, limits, reminders and consent of each."""

from __future__ import annotations

import pytest

from newsletter.models import FIRST_NEWSLETTER, Frequency
from newsletter.subscribers.signup.confirm import Confirmed
from newsletter.subscribers.signup.disown import Disowning, disown
from newsletter.subscribers.signup.reminders import remind
from newsletter.tokens import Purpose

ANN = "ann@example.org"
DAILY = Frequency.DAILY


@pytest.fixture
def two(people):
    """A newsletter `harbour` with the topic quays, beside the first with the topic energy."""
    people.house.topic("energy")
    people.harbour = people.house.newsletter("harbour")
    people.house.topic("quays", newsletter=people.harbour)
    return people


def sign_up_for_both(two) -> None:
    two.sign_up(ANN, {"energy": DAILY})
    two.house.clock.pass_(minutes=1)
    two.sign_up(ANN, {"quays": DAILY}, two.harbour)


def test_two_sign_ups_are_two_emails_and_two_consents(two):
    sign_up_for_both(two)

    mails = two.mails(ANN)
    assert [(mail.template, mail.newsletter_id) for mail in mails] == [
        ("confirm", FIRST_NEWSLETTER),
        ("confirm", two.harbour),
    ]
    assert [mail.context["topics"] for mail in mails] == [["Energy"], ["Quays"]]
    assert [entry.detail["newsletter"] for entry in two.ledger(ANN)] == ["news", "harbour"]
    assert mails[1].purpose_key == f"{mails[1].purpose_key.partition(':n')[0]}:n{two.harbour}"


def test_a_topic_of_another_newsletter_is_left_out(two):
    two.sign_up(ANN, {"energy": DAILY, "quays": DAILY}, two.harbour)

    (mail,) = two.mails(ANN)
    assert mail.context["topics"] == ["Quays"]


def test_each_confirmation_starts_its_own_newsletter_and_sends_its_welcome(two):
    sign_up_for_both(two)

    two.confirm(two.confirmation(ANN, 1), welcome_mail=True)
    assert [row.newsletter_id for row in two.subscriptions(ANN) if row.state == "active"] == [two.harbour]
    two.confirm(two.confirmation(ANN, 0), welcome_mail=True)

    welcomes = [mail for mail in two.mails(ANN) if mail.template == "welcome"]
    assert [(mail.newsletter_id, mail.purpose_key) for mail in welcomes] == [
        (two.harbour, f"welcome:n{two.harbour}"),
        (FIRST_NEWSLETTER, "welcome"),
    ]
    assert [(entry.act, entry.detail["newsletter"]) for entry in two.ledger(ANN)[2:]] == [
        ("confirmed", "harbour"),
        ("confirmed", "news"),
    ]


def test_a_confirmation_has_the_wording_of_its_own_request(two):
    sign_up_for_both(two)
    asked = two.ledger(ANN)

    two.confirm(two.confirmation(ANN, 0))

    confirmed = two.ledger(ANN)[-1]
    assert confirmed.wording_hash == asked[0].wording_hash
    assert isinstance(two.confirm(two.confirmation(ANN, 0)), Confirmed)  # pressed again


def test_the_limits_of_an_address_count_over_all_newsletters(two):
    for number in range(8):
        slug = f"quays-{number}"
        two.house.topic(slug, newsletter=two.harbour)
        two.sign_up(ANN, {"energy" if number % 2 else slug: DAILY}, 1 if number % 2 else two.harbour)
        two.house.clock.pass_(minutes=11)

    assert len(two.mails(ANN)) == 5


def test_a_request_for_the_link_brings_the_confirmation_of_each_newsletter(two):
    sign_up_for_both(two)
    two.house.clock.pass_(hours=2)

    two.ask_for_link(ANN)
    two.resolve()

    assert [(mail.template, mail.newsletter_id) for mail in two.mails(ANN)[2:]] == [
        ("confirm", FIRST_NEWSLETTER),
        ("confirm", two.harbour),
    ]


def test_disowning_ends_one_newsletter_and_keeps_the_address_for_the_other(two):
    sign_up_for_both(two)
    tokens, now = two.house.runtime.tokens, two.house.clock()
    token = tokens.make(Purpose.DISOWN, tokens.read(Purpose.CONFIRM, two.confirmation(ANN, 1), now), now)

    with two.house.runtime.session() as session:
        done = disown(session, tokens, token, now)
        session.commit()

    assert done == Disowning(pending=False, done=True, is_subscriber=False)
    assert (two.ledger(ANN)[-1].act, two.ledger(ANN)[-1].detail["newsletter"]) == ("disowned", "harbour")
    assert isinstance(two.confirm(two.confirmation(ANN, 0)), Confirmed)


def test_one_reminder_is_sent_about_the_last_request(two):
    sign_up_for_both(two)
    two.house.drain("single")
    two.house.clock.pass_(hours=30)

    with two.house.runtime.session() as session:
        sent = remind(session, two.house.runtime.tokens, 24, 7, two.house.clock())
        sent += remind(session, two.house.runtime.tokens, 24, 7, two.house.clock())
        session.commit()

    reminders = [mail for mail in two.mails(ANN) if mail.template == "reminder"]
    assert (sent, [mail.newsletter_id for mail in reminders]) == (1, [two.harbour])
    assert reminders[0].context["topics"] == ["Quays"]


def test_a_confirmation_is_not_sent_if_its_newsletter_was_confirmed_or_given_up_meanwhile(two):
    sign_up_for_both(two)
    two.confirm(two.confirmation(ANN, 1))

    two.house.drain("single")

    assert two.house.states() == ["accepted", "skipped"]
