"""Explain to people why sending waits or is slow: sending hours, limits, refusals, outages. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from newsletter.messages.sender import Sender
from newsletter.outbox.pacing.backup_relay import is_replaced
from newsletter.outbox.pacing.pace import Limits, Standing, book, catch_up
from newsletter.outbox.pacing.priority import Priority
from newsletter.outbox.pacing.sending_window import is_open, opens_at
from newsletter.outbox.pacing.setup.owner_notices import remedy, what_is_refused
from newsletter.outbox.pacing.setup.wait import waiting
from newsletter.outbox.pacing.standings import SenderStanding
from newsletter.outbox.pacing.warm_up import in_words, stage_of
from newsletter.smtp.refusals import SetupFault


def reasons_to_wait(
    both: SenderStanding, sender: Sender, now: datetime, priority: Priority = Priority.ISSUE
) -> list[str]:
    """Return a sentence for each reason why an issue waits, or is sent slower than the settings allow.

    Times are in the newsletter's time zone.
    """
    return [
        *_closed_hours(sender, now),
        *_refused_settings(both, sender),
        *_outage(both.relay, sender, now),
        *_limits(both, sender, now, priority),
        *_slow_down(both.relay, sender, now),
    ]


def _closed_hours(sender: Sender, now: datetime) -> Iterator[str]:
    window, zone = sender.settings.sending_window, sender.zone
    if window is not None and not is_open(window, zone, now):
        yield f"Outside the hours for sending; continues at {_at(opens_at(window, zone, now), zone)}."


def _refused_settings(both: SenderStanding, sender: Sender) -> Iterator[str]:
    refusals = waiting(both, sender)
    if refusals is None or refusals.try_at is None:
        return
    fault = SetupFault(refusals.fault)
    row = both.sender if fault is SetupFault.SENDER else both.relay
    since, again = (_at(row.on_clock(at), sender.zone) for at in (refusals.since, refusals.try_at))
    yield (
        f"The relay refuses {what_is_refused(fault, sender)} since {since}, so all emails of this newsletter "
        f"wait: {refusals.said.rstrip('.')}. {remedy(fault, sender)} One email is tried at {again}."
    )


def _outage(standing: Standing, sender: Sender, now: datetime) -> Iterator[str]:
    if standing.down_since is None:
        return
    since = _at(standing.on_clock(standing.down_since), sender.zone)
    if sender.backup is not None and is_replaced(standing, sender, now):
        yield (
            f"The relay {sender.relay.host} could not be used since {since}. Emails go through the backup "
            f"relay {sender.backup.relay.host} until it answers; it is tried each minute."
        )
    else:
        yield f"The relay could not be used since {since}; it is tried again each minute."


def _limits(both: SenderStanding, sender: Sender, now: datetime, priority: Priority) -> Iterator[str]:
    limits = Limits.of(sender.relay)
    share = priority.share(sender.settings)
    _, booking = book(both.relay, limits, 1, now, ahead_seconds=60, share=share)
    if not booking.count and (limits.per_hour or limits.per_day):
        minutes = max(1, round(booking.wait_seconds / 60))
        yield f"The relay's limit is used up; there is room again in {minutes} min."
    stage = stage_of(sender.settings, sender.identity, now)
    if stage is not None and both.warm_up is not None:
        yield in_words(both.warm_up, stage, now)


def _slow_down(standing: Standing, sender: Sender, now: datetime) -> Iterator[str]:
    standing, now = catch_up(standing, now)
    learnt = standing.learnt.pace(now) if standing.learnt else None
    if learnt is not None and learnt < (sender.relay.per_second or learnt + 1):
        yield f"The relay asked for less: {learnt:.3g} messages a second just now, rising."


def own_hours_in_words(later: int, last_at: datetime | None, zone: ZoneInfo) -> list[str]:
    """Return a sentence about how many subscribers wait for their own hour, or nothing."""
    if not later or last_at is None:
        return []
    who = "1 subscriber waits" if later == 1 else f"{later:,} subscribers wait"
    return [f"{who} for an hour of their own; the last is at {_at(last_at, zone)}."]


def _at(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
