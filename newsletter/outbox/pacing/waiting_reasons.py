"""Explain to people why sending waits or is slow: sending hours, limits, refusals, outages. Pure."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from newsletter.messages.sender import Sender
from newsletter.outbox.pacing.backup_relay import is_replaced
from newsletter.outbox.pacing.pace import BULK_SHARE, Limits, book, catch_up
from newsletter.outbox.pacing.sending_window import is_open, opens_at
from newsletter.outbox.pacing.setup_wait import remedy, waiting, what_is_refused
from newsletter.outbox.pacing.standings import SenderStanding
from newsletter.outbox.pacing.warm_up import in_words, stage_of
from newsletter.smtp.refusals import SetupFault


def reasons_to_wait(both: SenderStanding, sender: Sender, now: datetime) -> list[str]:
    """Return a sentence for each reason why sending waits, or is slower than the settings allow.

    Times are in the newsletter's time zone.
    """
    zone = sender.zone
    limits = Limits.of(sender.relay)
    reasons = []
    window = sender.settings.sending_window
    standing = both.relay
    if window is not None and not is_open(window, zone, now):
        opens = _at(opens_at(window, zone, now), zone)
        reasons.append(f"Outside the hours for sending; goes on at {opens}.")
    refusals = waiting(both, sender)
    if refusals is not None and refusals.try_at is not None:
        fault = SetupFault(refusals.fault)
        row = both.sender if fault is SetupFault.SENDER else standing
        since, again = (_at(row.on_clock(at), zone) for at in (refusals.since, refusals.try_at))
        reasons.append(
            f"The relay refuses {what_is_refused(fault, sender)} since {since}, so all emails "
            f"of this newsletter wait: {refusals.said.rstrip('.')}. {remedy(fault, sender)} One email is "
            f"tried at {again}."
        )
    if standing.down_since is not None and sender.backup is not None and is_replaced(standing, sender, now):
        since = _at(standing.on_clock(standing.down_since), zone)
        usual, backup = sender.relay, sender.backup.relay
        reasons.append(
            f"The relay {usual.host} could not be used since {since}. Emails go through the backup relay "
            f"{backup.host} until it answers; it is tried each minute."
        )
    elif standing.down_since is not None:
        since = _at(standing.on_clock(standing.down_since), zone)
        reasons.append(f"The relay could not be used since {since}; it is tried again each minute.")
    _, booking = book(standing, limits, 1, now, ahead_seconds=60, share=BULK_SHARE)
    if not booking.count and (limits.per_hour or limits.per_day):
        minutes = max(1, round(booking.wait_seconds / 60))
        reasons.append(f"The relay's limit is used up; there is room again in {minutes} min.")
    stage = stage_of(sender.settings, sender.identity, now)
    if stage is not None and both.warm_up is not None:
        reasons.append(in_words(both.warm_up, stage, now))
    standing, now = catch_up(standing, now)
    learnt = standing.learnt.pace(now) if standing.learnt else None
    if learnt is not None and learnt < (limits.per_second or learnt + 1):
        reasons.append(f"The relay asked for less: {learnt:.3g} messages a second just now, rising.")
    return reasons


def own_hours_in_words(later: int, last_at: datetime | None, zone: ZoneInfo) -> list[str]:
    """Return a sentence about how many subscribers wait for their own hour, or nothing."""
    if not later or last_at is None:
        return []
    who = "1 subscriber waits" if later == 1 else f"{later:,} subscribers wait"
    return [f"{who} for an hour of their own; the last is at {_at(last_at, zone)}."]


def _at(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
