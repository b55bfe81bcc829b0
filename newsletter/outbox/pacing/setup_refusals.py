"""Count refusals of our own settings by the relay, and time the next attempt. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

# This many refusals of our settings in a row are not chance.
IN_A_ROW = 3
# The waits between two test messages while the relay refuses our settings. They double.
FIRST_TRY = timedelta(minutes=1)
LONGEST_TRY = timedelta(minutes=15)
# A process has this long for its test message. Then it counts as dead, and another may send one.
TRYING = timedelta(minutes=2)
# Refusals within this time were of messages under way together, and count as one.
TOGETHER = timedelta(seconds=10)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENTS = ("since", "round_at", "try_at")


@dataclass(frozen=True)
class Refusals:
    """The relay refused our settings, `count` times in a row (outbox/pacing/setup/wait.py).

    `settings` is a hash of the refused settings. If `try_at` is set, both lanes wait until then, and then one
    test message is sent. `rounds` counts the tests; `round_at` is when the last one was refused. `doubted`
    has the ids of deliveries whose refusal may have been about their recipient alone.
    """

    fault: str
    said: str
    settings: str
    count: int
    since: datetime
    round_at: datetime
    rounds: int = 0
    try_at: datetime | None = None
    doubted: tuple[int, ...] = ()

    def trying(self, now: datetime) -> Refusals:
        """Return the refusals while a test message is sent. A refusal of it counts as a new round."""
        return replace(self, try_at=now + TRYING, round_at=now - TOGETHER)

    def try_next(self, now: datetime) -> Refusals:
        """Return the refusals after a test message proved nothing: another may be sent at once."""
        return self if self.try_at is None else replace(self, try_at=now, round_at=now - TOGETHER)

    def to_state(self) -> dict[str, Any]:
        """Return the refusals in JSON types, to be stored; times are in microseconds."""
        return {
            name: (value - _EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Refusals:
        """Return the refusals that `to_state` stored."""
        stored = {name: state[name] for name in _MOMENTS}
        moments = {
            name: None if micros is None else _EPOCH + timedelta(microseconds=micros)
            for name, micros in stored.items()
        }
        return cls(**{**state, **moments, "doubted": tuple(state.get("doubted", ()))})


def one_more(
    found: Refusals | None, fault: str, said: str, settings: str, now: datetime, *, doubted: int | None
) -> Refusals:
    """Return the refusals after another one. `settings` is the hash of the refused settings.

    `doubted` is the id of a delivery whose refusal may be about its recipient alone. A wait then begins only
    after refusals of `IN_A_ROW` different deliveries. Several refusals of one delivery are no new evidence.
    """
    if found is None or found.settings != settings:
        found = Refusals(fault, said, settings, 0, now, now)
    found = replace(found, fault=fault, said=said, count=found.count + 1)
    if found.try_at is None and doubted is not None:
        if doubted not in found.doubted:
            found = replace(found, doubted=(*found.doubted, doubted))
        if len(found.doubted) < IN_A_ROW:
            return found
    if found.try_at is not None and now - found.round_at < TOGETHER:
        return found
    wait = min(FIRST_TRY * 2 ** min(found.rounds, 10), LONGEST_TRY)
    return replace(found, rounds=found.rounds + 1, round_at=now, try_at=now + wait)
