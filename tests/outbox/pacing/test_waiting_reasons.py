"""The sentences that say why an issue waits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from house import NOON, make_settings

from newsletter.messages.sender import Sender
from newsletter.outbox.pacing.pace import Learnt, Limits, Standing, book, fail
from newsletter.outbox.pacing.standings import SenderStanding
from newsletter.outbox.pacing.waiting_reasons import reasons_to_wait

sender_of = Sender.of_settings


def alone(standing: Standing) -> SenderStanding:
    """Return a relay's standing, with a sender that it does not refuse."""
    return SenderStanding(standing, Standing(NOON))


def test_nothing_is_said_when_nothing_holds_up(tmp_path: Path):
    assert reasons_to_wait(alone(Standing(NOON)), sender_of(make_settings(tmp_path)), NOON) == []


def test_closed_hours_say_when_they_open(tmp_path: Path):
    settings = make_settings(tmp_path, sending_window="Mo-Fr 08:00-13:00", time_zone="Europe/Vilnius")

    (reason,) = reasons_to_wait(alone(Standing(NOON)), sender_of(settings), NOON)

    assert reason == "Outside the hours for sending; continues at 2026-03-11 08:00 (Europe/Vilnius)."


def test_a_used_up_hour_says_when_there_is_room(tmp_path: Path):
    settings = make_settings(tmp_path, relay="smtp://127.0.0.1?per_hour=100")
    standing, _ = book(Standing(NOON), Limits(per_hour=100), 100, NOON, ahead_seconds=1)

    (reason,) = reasons_to_wait(alone(standing), sender_of(settings), NOON + timedelta(minutes=30))

    assert reason == "The relay's limit is used up; there is room again in 32 min."


def test_an_outage_and_a_slow_down_are_told(tmp_path: Path):
    standing, _ = fail(Standing(NOON, learnt=Learnt(2.5, 20, NOON)), NOON)

    reasons = reasons_to_wait(alone(standing), sender_of(make_settings(tmp_path)), NOON)

    assert [each.split(";")[0].split(":")[0] for each in reasons] == [
        "The relay could not be used since 2026-03-10 12",
        "The relay asked for less",
    ]
    assert "2.5 messages a second" in reasons[1]


def test_after_the_clock_was_set_back_times_are_shown_by_the_clock(tmp_path: Path):
    hour = timedelta(hours=1)
    standing, _ = fail(Standing(NOON), NOON)
    standing, _ = fail(standing, NOON - hour)

    (reason,) = reasons_to_wait(alone(standing), sender_of(make_settings(tmp_path)), NOON - hour)

    assert reason.startswith("The relay could not be used since 2026-03-10 11:00 (UTC);")
