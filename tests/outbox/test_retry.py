"""The next step after an attempt, for every outcome."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from newsletter.models import DeliveryState
from newsletter.outbox.retry import (
    Backoff,
    asks_to_slow_down,
    blames_the_sender,
    next_step,
    says_no_such_mailbox,
)
from newsletter.smtp.outcomes import Fate, Outcome, Step
from newsletter.smtp.refusals import setup_fault
from newsletter.smtp.replies import Reply

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
FINAL = {DeliveryState.ACCEPTED, DeliveryState.REJECTED, DeliveryState.UNCERTAIN}

replies = st.builds(
    Reply, st.integers(200, 599), st.lists(st.text(max_size=40), max_size=3).map(tuple), st.booleans()
)
outcomes = st.builds(
    Outcome, st.sampled_from(Fate), st.none() | st.sampled_from(Step), st.none() | replies, st.text()
)
attempts = st.integers(1, 10**6)
# If a clock was set back, the age of a delivery may be negative.
ages = st.timedeltas(timedelta(hours=-30), timedelta(days=400))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
chances = st.floats(0, 1)
seconds = st.floats(1, 86400).map(lambda value: timedelta(seconds=value))
backoffs = st.builds(Backoff, seconds, seconds, st.timedeltas(timedelta(hours=1), timedelta(days=10)))


@given(outcomes, attempts, ages, moments, st.booleans(), chances, backoffs)
def test_every_outcome_has_exactly_one_sequel(outcome, attempt, age, now, resend, jitter, backoff):
    step = next_step(
        outcome, attempt=attempt, age=age, now=now, resend_uncertain=resend, jitter=jitter, backoff=backoff
    )

    # A waiting state has a due time, and a final one has none.
    assert (step.due_at is None) == (step.state in FINAL)
    assert step.state in {*FINAL, DeliveryState.QUEUED, DeliveryState.DEFERRED}
    assert step.due_at is None or step.due_at >= now
    # A delivery is accepted only by a positive reply to the whole message.
    positive = outcome.reply is not None and 200 <= outcome.reply.code < 300
    taken = outcome.fate is Fate.REPLIED and outcome.step is Step.CONTENT and positive
    assert (step.state is DeliveryState.ACCEPTED) == taken
    # A delivery that was tried is never queued as if it was not.
    never_offered = outcome.fate is Fate.UNSENT and outcome.step is None
    assert (step.state is DeliveryState.QUEUED) == (outcome.fate is Fate.SKIPPED or never_offered)
    # A message that may have arrived is sent again only if that is requested.
    unknown = outcome.fate is Fate.UNCERTAIN
    assert (step.state is DeliveryState.UNCERTAIN) == (unknown and not (resend and age <= backoff.give_up))
    assert not step.hard_bounce or step.state is DeliveryState.REJECTED


@given(
    outcomes, attempts, moments, chances, backoffs, st.booleans(),
    st.timedeltas(timedelta(seconds=1), timedelta(days=9)),
)  # fmt: skip
def test_nobody_is_tried_for_longer_than_the_limit(outcome, attempt, now, jitter, backoff, resend, over):
    step = next_step(
        outcome, attempt=attempt, age=backoff.give_up + over, now=now, resend_uncertain=resend,
        jitter=jitter, backoff=backoff,
    )  # fmt: skip

    # Refused settings and build failures say nothing about the recipient, at any age.
    about_us = setup_fault(outcome) is not None or outcome.fate is Fate.UNBUILT
    assert step.state is not DeliveryState.DEFERRED or about_us


@given(attempts, chances, backoffs)
def test_the_wait_doubles_up_to_its_longest_within_a_quarter(attempt, jitter, backoff):
    wait = backoff.delay(attempt, jitter)

    middle = min(backoff.first * 2 ** min(attempt - 1, 16), backoff.longest)
    assert timedelta(0) < wait
    assert middle * 0.75 - timedelta(milliseconds=1) <= wait <= middle * 1.25 + timedelta(milliseconds=1)
    assert backoff.delay(attempt, 0.0) <= wait <= backoff.delay(attempt, 1.0)


@pytest.mark.parametrize(
    ("attempt", "minutes"), [(1, 2), (2, 4), (3, 8), (7, 128), (8, 240), (17, 240), (10**6, 240)]
)
def test_the_waits_are_spread_over_half_their_length(attempt, minutes):
    wait = timedelta(minutes=minutes)

    assert Backoff().delay(attempt, 0.0) == wait * 0.75
    assert Backoff().delay(attempt, 0.5) == wait
    assert Backoff().delay(attempt, 1.0) == wait * 1.25


def test_a_delivery_counts_as_tried_only_while_it_waited_between_attempts():
    backoff, long_ago = Backoff(), timedelta(days=30)

    assert backoff.tried_for(1, long_ago) == timedelta()
    assert backoff.tried_for(2, long_ago) == timedelta(minutes=2.5)
    assert backoff.tried_for(4, long_ago) == timedelta(minutes=2.5 + 5 + 10)
    assert backoff.tried_for(4, timedelta(minutes=7)) == timedelta(minutes=7)


def step_after(outcome: Outcome, **more: object):
    given: dict[str, object] = {
        "attempt": 1, "age": timedelta(), "now": NOON, "resend_uncertain": False, "jitter": 0.5
    }  # fmt: skip
    return next_step(outcome, **{**given, **more})  # type: ignore[arg-type]


SENDER_REFUSED = Outcome(Fate.REPLIED, Step.MAIL, Reply(550, ("5.7.1 sender rejected",)))


@pytest.mark.parametrize(
    ("made_ago", "jitter", "wait"),
    [
        (timedelta(), 0.5, timedelta(minutes=2)),
        (timedelta(minutes=10), 0.5, timedelta(minutes=10)),
        (timedelta(days=1), 0.5, timedelta(minutes=20)),
        (timedelta(days=1), 0.0, timedelta(minutes=15)),
        (timedelta(days=1), 1.0, timedelta(minutes=25)),
    ],
)
def test_while_our_settings_are_refused_a_delivery_waits_twenty_minutes_at_most(made_ago, jitter, wait):
    assert setup_fault(SENDER_REFUSED) is not None

    step = step_after(SENDER_REFUSED, made_ago=made_ago, jitter=jitter)

    assert (step.state, step.due_at, step.counted) == (DeliveryState.DEFERRED, NOON + wait, False)


@pytest.mark.parametrize(
    ("made_ago", "others_accepted", "state"),
    [
        (timedelta(days=4), True, DeliveryState.DEFERRED),
        (timedelta(days=4, seconds=1), True, DeliveryState.REJECTED),
        (timedelta(days=5), False, DeliveryState.DEFERRED),
    ],
)
def test_a_refusal_of_our_settings_rejects_only_what_is_old_while_others_are_accepted(
    made_ago, others_accepted, state
):
    step = step_after(SENDER_REFUSED, made_ago=made_ago, others_accepted=others_accepted)

    assert step.state is state


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 22.5), (0.5, 30), (1.0, 37.5)])
def test_a_message_that_was_never_offered_waits_half_a_minute_and_counts_nothing(jitter, seconds):
    step = step_after(Outcome(Fate.UNSENT, None), jitter=jitter)

    assert (step.state, step.due_at, step.counted) == (
        DeliveryState.QUEUED, NOON + timedelta(seconds=seconds), False
    )  # fmt: skip


def test_a_skipped_message_is_due_at_once_and_counts_nothing():
    step = step_after(Outcome(Fate.SKIPPED))

    assert (step.state, step.due_at, step.counted) == (DeliveryState.QUEUED, NOON, False)


def test_a_deferred_attempt_counts_and_follows_the_back_off():
    later = Outcome(Fate.REPLIED, Step.RCPT, Reply(451, ("4.3.0 later",)))

    step = step_after(later, attempt=3, jitter=1.0)

    assert (step.state, step.due_at, step.counted, step.hard_bounce) == (
        DeliveryState.DEFERRED, NOON + timedelta(minutes=10), True, False
    )  # fmt: skip
    assert step_after(later, age=timedelta(days=4)).state is DeliveryState.DEFERRED
    assert step_after(later, age=timedelta(days=4, seconds=1)).state is DeliveryState.REJECTED


def test_an_uncertain_message_is_sent_again_for_four_days_if_that_is_chosen():
    unknown = Outcome(Fate.UNCERTAIN, Step.CONTENT)

    assert step_after(unknown).state is DeliveryState.UNCERTAIN
    assert step_after(unknown, resend_uncertain=True, age=timedelta(days=4)).state is DeliveryState.DEFERRED
    late = step_after(unknown, resend_uncertain=True, age=timedelta(days=4, seconds=1))
    assert late.state is DeliveryState.UNCERTAIN


def test_a_message_that_cannot_be_built_is_never_too_old():
    unbuilt = Outcome(Fate.UNBUILT, reason="no template")

    assert step_after(unbuilt, age=timedelta(days=90)).state is DeliveryState.DEFERRED


@given(st.lists(chances, min_size=200, max_size=200))
def test_a_relay_that_always_defers_ends_in_a_rejection_within_five_days(jitters):
    outcome = Outcome(Fate.REPLIED, Step.RCPT, Reply(451, ("4.7.1 later",)))
    now, attempt = NOON, 0

    while True:
        attempt += 1
        step = next_step(
            outcome, attempt=attempt, age=now - NOON, now=now, resend_uncertain=False,
            jitter=jitters[attempt],
        )  # fmt: skip
        if step.due_at is None:
            break
        assert step.due_at > now
        now = step.due_at

    assert step.state is DeliveryState.REJECTED
    # RFC 5321, section 4.5.4.1: four to five days.
    assert timedelta(days=4) < now - NOON < timedelta(days=5)


@given(
    st.integers(500, 599), attempts, st.sampled_from(Step), st.sampled_from(["5.1.1", "5.7.1", "4.1.1", ""])
)
def test_only_a_mailbox_that_does_not_exist_is_a_hard_bounce(code, attempt, at, status):
    outcome = Outcome(Fate.REPLIED, at, Reply(code, (f"{status} no",)))
    assume(setup_fault(outcome) is None)  # such as 530, which asks us to sign in

    step = next_step(outcome, attempt=attempt, age=timedelta(0), now=NOON, resend_uncertain=False, jitter=0.5)

    assert step.state is DeliveryState.REJECTED
    assert step.hard_bounce == (status == "5.1.1")


# RFC 3463, section 3.2: the codes about the recipient's address. 5.1.7 and 5.1.8 are about the sender's.
@pytest.mark.parametrize("digit", range(10))
def test_each_code_about_the_recipients_address_says_that_there_is_no_such_mailbox(digit):
    outcome = Outcome(Fate.REPLIED, Step.RCPT, Reply(550, (f"5.1.{digit} no",)))

    about_the_recipient = digit not in {7, 8}
    assert says_no_such_mailbox(outcome) is about_the_recipient
    assert blames_the_sender(550, f"5.1.{digit}") is not about_the_recipient


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Fate.UNSENT, Step.MAIL),
        Outcome(Fate.REPLIED, Step.RCPT, Reply(550, ("5.1.1 not ours",), local=True)),
        Outcome(Fate.REPLIED, Step.RCPT, Reply(552, ("5.2.2 mailbox full",))),
        Outcome(Fate.REPLIED, Step.RCPT, Reply(553, ("5.6.7 no such characters",))),
    ],
)
def test_other_outcomes_do_not_say_that_there_is_no_such_mailbox(outcome):
    assert not says_no_such_mailbox(outcome)


def refusal(code: int, text: str, step: Step = Step.RCPT, *, local: bool = False) -> Outcome:
    return Outcome(Fate.REPLIED, step, Reply(code, (text,), local))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (421, "4.7.28 Our system has detected an unusual rate of mail"),
        (421, "closing"),
        (454, "Throttling failure: Maximum sending rate exceeded."),
        (450, "4.7.1 Error: too much mail from 192.0.2.1"),
        (451, "4.7.500 Server busy. Please try again later"),
        (451, "4.3.2 not accepting network messages"),
        (452, "4.3.1 Insufficient system storage"),
        (452, "Too many messages in this hour"),
    ],
)
def test_a_relay_that_has_too_much_asks_to_slow_down(code, text):
    assert asks_to_slow_down(refusal(code, text, Step.CONTENT))


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (450, "4.2.0 Greylisted, try again in 5 minutes"),
        (451, "4.7.1 Greylisting in action, please come back later"),
        (450, "4.2.1 The user you are trying to contact is receiving mail too quickly"),
        (452, "4.2.2 mailbox over quota"),
        (452, "Requested mail action aborted: exceeded storage allocation"),
        (450, "mailbox busy"),
        (451, "4.3.0 temporary lookup failure"),
        (550, "5.7.1 rate limit exceeded"),
        (250, "2.0.0 ok, rate limit far"),
    ],
)
def test_what_is_about_one_message_says_nothing_about_the_pace(code, text):
    assert not asks_to_slow_down(refusal(code, text))


def test_our_own_replies_and_lost_connections_say_nothing_about_the_pace():
    assert not asks_to_slow_down(refusal(452, "4.3.1 the disk is full", local=True))
    assert not asks_to_slow_down(Outcome(Fate.UNSENT, Step.MAIL, reason="421 too many connections"))


@pytest.mark.parametrize(
    ("code", "status", "blamed"),
    [
        (550, "5.7.1", True),
        (554, "", True),
        (530, "5.7.0", True),
        (550, "5.1.1", False),
        (552, "5.2.2", False),
        (450, "4.7.1", False),
        (553, "5.6.7", False),
        (None, None, False),
    ],
)
def test_a_refusal_for_good_that_is_not_about_a_mailbox_blames_the_sender(code, status, blamed):
    assert blames_the_sender(code, status) is blamed


@pytest.mark.parametrize("status", ["5.1.7", "5.1.8"])
def test_what_speaks_of_the_senders_address_blames_the_sender(status):
    assert blames_the_sender(550, status)
    assert not blames_the_sender(550, "5.1.10")
