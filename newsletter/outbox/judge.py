"""Refused addresses are judged here, by what is written down of what their relay and domain answered.

Recording an outcome never suppresses. A reply that there is no such mailbox leaves the delivery rejected,
bounced and *unjudged*. `judge_bounces` alone adds hard-bounce suppressions; the sweep, the end of an issue
and the replay of a journal come to it. `outbox/verdict.py` holds the rule.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, literal_column, select, update
from sqlalchemy.orm import Session, aliased

from newsletter import audit
from newsletter.models import (
    UNSETTLED,
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    IssueState,
    Lane,
    Subscriber,
    SuppressionReason,
    is_one_of,
)
from newsletter.outbox.messages import MessageMaker
from newsletter.outbox.outcome_keys import microseconds, relay_name, relay_number
from newsletter.outbox.refusal_notices import look_at_confirmations, tell_about_domain, tell_about_relay
from newsletter.outbox.verdict import (
    AROUND,
    DOMAIN_OUTCOMES,
    DOMAIN_TIME,
    REFUSALS,
    REFUSED_FOR,
    Heard,
    Verdict,
    is_wrong,
    judge,
)
from newsletter.suppression import add_subscribers

ACTOR = "outbox"

# Every process has written down by then what it heard before.
SETTLED = timedelta(minutes=2)
# Refusals that are judged by one call, and the outcomes that are read at a time for them.
AT_ONCE = 1000
READ_AT_ONCE = 2000

_DECIDED = (BounceVerdict.GONE, BounceVerdict.RELAY, BounceVerdict.DOMAIN)

log = logging.getLogger(__name__)


@dataclass
class Judged:
    """What one call decided: refusals believed, not believed, and those that the owner is asked about."""

    gone: int = 0
    wait: int = 0
    asked: int = 0


class _Row:
    """One outcome with what the judging needs beside it."""

    __slots__ = ("answered", "domain", "heard", "issue_id", "verdict")

    def __init__(self, row: Any) -> None:
        verdict = row.verdict
        self.heard = Heard(
            row.id,
            row.subscriber_id or 0,
            row.state is DeliveryState.ACCEPTED,
            verdict is not None,
            bool(row.witness),
            verdict in _DECIDED,
        )
        self.answered: int = row.answered_microseconds
        self.domain: int | None = row.domain_key
        self.issue_id: int | None = row.issue_id
        self.verdict: BounceVerdict | None = verdict


def judge_bounces(session: Session, maker: MessageMaker, now: datetime) -> Judged:
    """Judge what is unjudged and can be; add suppressions for those that are gone. Commits nothing."""
    judged = Judged()
    relays = select(Delivery.relay_key).where(is_unjudged(), Delivery.relay_key.is_not(None)).distinct()
    for relay in sorted(each for each in session.scalars(relays) if each is not None):
        _Judge(session, maker, relay, now, judged).run()
    look_at_confirmations(session, now)
    return judged


def pause_if_wrong(session: Session, maker: MessageMaker, now: datetime) -> bool:
    """Look at the newest outcomes of our relay; pause its issues if it is wrong. Commits nothing.

    For a worker that heard several refusals: the sweep comes too seldom to stop a fast relay.
    """
    relay = relay_number(relay_name(maker.settings))
    judging = _Judge(session, maker, relay, now, Judged())
    judging.lock()
    return judging.pause_if_wrong()


class _Judge:
    """Judges the refusals of one relay."""

    def __init__(
        self, session: Session, maker: MessageMaker, relay: int, now: datetime, judged: Judged
    ) -> None:
        self._session = session
        self._maker = maker
        self._relay = relay
        self._now = now
        self._judged = judged

    def run(self) -> None:
        self.lock()
        self._forget_alive()
        if self.pause_if_wrong() or self._pause_if_none_accepted():
            return
        place: tuple[int, int] | None = None
        for _ in range(AT_ONCE):
            ready = self._next_ready(place)
            if ready is None:
                return
            place = self._judge_stretch(ready)
            if place is None:
                return

    def pause_if_wrong(self) -> bool:
        """Look at the newest outcomes, whatever can be judged yet."""
        newest = self._read(self._of_relay(), newest_first=True, limit=2 * AROUND)
        if not is_wrong([each.heard for each in newest]):
            return False
        return self._ask_about_relay()

    def lock(self) -> None:
        """Let two processes judge one relay one after the other."""
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.execute(select(func.pg_advisory_xact_lock(self._relay)))

    def _forget_alive(self) -> None:
        """Clear refusals of addresses that accepted a later email."""
        later = aliased(Delivery)
        accepted = exists().where(
            later.subscriber_id == Delivery.subscriber_id,
            later.id > Delivery.id,
            later.state == DeliveryState.ACCEPTED,
        )
        alive = select(Delivery.id).where(is_unjudged(), Delivery.relay_key == self._relay, accepted)
        ids = self._session.scalars(alive).all()
        if ids:
            self._decide(ids, BounceVerdict.WAIT)

    def _pause_if_none_accepted(self) -> bool:
        """Ask about issues that ran to their end, and of which nobody was accepted."""
        whole = select(Issue.id).where(Issue.state != IssueState.CANCELLED)
        ended = (
            select(Delivery.issue_id)
            .where(is_unjudged(), Delivery.relay_key == self._relay, ~_has_unsettled(Delivery.issue_id))
            .where(Delivery.issue_id.in_(whole))
            .distinct()
        )
        for issue_id in self._session.scalars(ended).all():
            accepted = exists().where(Delivery.issue_id == issue_id, Delivery.state == DeliveryState.ACCEPTED)
            if not self._session.scalar(select(accepted)):
                return self._ask_about_relay()
        return False

    def _next_ready(self, place: tuple[int, int] | None) -> _Row | None:
        """Return the first refusal after `place` that can be judged, by time or because its issue ended."""
        query = self._of_relay().where(is_unjudged())
        old = Delivery.answered_microseconds <= microseconds(self._now - SETTLED)
        for can_be in (old, ~_has_unsettled(Delivery.issue_id)):
            found = self._read(query.where(can_be, *_after(place)), newest_first=False, limit=1)
            if found:
                return found[0]
        return None

    def _judge_stretch(self, first: _Row) -> tuple[int, int] | None:
        """Judge the refusals from `first` on, as far as one reading goes; return where it ended.

        None once the relay is found to be wrong: what is left then is the owner's.
        """
        place = (first.answered, first.heard.delivery_id)
        before = self._read(self._of_relay().where(*_before(place)), newest_first=True, limit=AROUND)
        from_here = self._of_relay().where(*_after(place, itself=True))
        rows = before + self._read(from_here, newest_first=False, limit=READ_AT_ONCE)
        heard = [each.heard for each in rows]
        whole = len(rows) - len(before) < READ_AT_ONCE
        ended = self._ended({each.issue_id for each in rows if each.verdict is BounceVerdict.UNJUDGED})
        settled = microseconds(self._now - SETTLED)
        for at in range(len(before), len(rows)):
            row = rows[at]
            after = heard[at + 1 : at + 1 + AROUND]
            if len(after) < AROUND and not whole:
                return (rows[at - 1].answered, rows[at - 1].heard.delivery_id)
            if row.verdict is not BounceVerdict.UNJUDGED:
                continue
            complete = row.issue_id in ended
            if not complete and (len(after) < AROUND or row.answered > settled):
                continue
            if self._judge_one(row, heard[max(0, at - AROUND) : at], after) is Verdict.WRONG:
                return None
        return (rows[-1].answered, rows[-1].heard.delivery_id)

    def _judge_one(self, row: _Row, before: Sequence[Heard], after: Sequence[Heard]) -> Verdict:
        """Decide one refusal and act on it."""
        ids = [row.heard.delivery_id]
        mates_before, mates_after, wrong = self._mates(row)
        if wrong and not is_wrong([*before, row.heard, *after]):
            self._ask_about_domain(row)
            return Verdict.WAIT
        verdict = judge(before, row.heard, after, mates_before, mates_after)
        if verdict is Verdict.WRONG:
            self._ask_about_relay()
        elif verdict is Verdict.GONE or self._is_gone_for_long(row):
            self._decide(ids, BounceVerdict.GONE)
            self._judged.gone += 1
            self._suppress(row.heard.person)
        else:
            self._decide(ids, BounceVerdict.WAIT)
            self._judged.wait += 1
        return verdict

    def _suppress(self, subscriber_id: int) -> None:
        reason = SuppressionReason.HARD_BOUNCE
        add_subscribers(self._session, self._maker.tokens, [subscriber_id], reason, self._now)

    def _mates(self, row: _Row) -> tuple[list[Heard], list[Heard], bool]:
        """Return what other people of this domain had before and after, and whether the domain is wrong."""
        if row.domain is None:
            return [], [], False
        theirs = self._of_relay(by_domain=True).where(Delivery.domain_key == row.domain)
        place = (row.answered, row.heard.delivery_id)
        before = self._read(theirs.where(*_before(place)), newest_first=True, limit=AROUND)
        after = self._read(theirs.where(*_after(place)), newest_first=False, limit=AROUND)
        everything = [each.heard for each in before] + [row.heard] + [each.heard for each in after]
        wrong = len(everything) >= DOMAIN_OUTCOMES and is_wrong(everything)
        day = DOMAIN_TIME // timedelta(microseconds=1)
        mates = [
            [each.heard for each in side if each.heard.person != row.heard.person
             and abs(each.answered - row.answered) <= day]
            for side in (before, after)
        ]  # fmt: skip
        return mates[0], mates[1], wrong

    def _is_gone_for_long(self, row: _Row) -> bool:
        """Return whether an address was refused several times, over a week, with no acceptance between."""
        query = (
            select(Delivery.verdict, Delivery.answered_microseconds)
            .where(
                Delivery.subscriber_id == row.heard.person,
                Delivery.lane == Lane.BULK,
                Delivery.state.in_((DeliveryState.ACCEPTED, DeliveryState.REJECTED)),
                Delivery.answered_microseconds <= row.answered,
            )
            .order_by(Delivery.answered_microseconds.desc(), Delivery.id.desc())
            .limit(AROUND)
        )
        refused: list[int] = []
        for verdict, answered in self._session.execute(query):
            if verdict not in (BounceVerdict.UNJUDGED, BounceVerdict.WAIT):
                break
            refused.append(answered or 0)
        span = refused[0] - refused[-1] if refused else 0
        return len(refused) >= REFUSALS and span >= REFUSED_FOR // timedelta(microseconds=1)

    def _ask_about_relay(self) -> bool:
        """Pause this relay's issues, keep what is unjudged for the owner, and tell them."""
        held = self._hold(Delivery.relay_key == self._relay, verdict=BounceVerdict.RELAY)
        if not held:
            return False
        name = self._name()
        paused = self._pause({issue for _, issue in held}, name)
        tell_about_relay(self._session, name, self._relay, paused, self._now)
        self._judged.asked += len(held)
        log.error("event=relay_refuses_everybody relay=%s refused=%d", name, len(held))
        return True

    def _ask_about_domain(self, row: _Row) -> None:
        """Hold this domain's emails, keep what is unjudged of it for the owner, and tell them."""
        email = self._session.scalar(select(Subscriber.email_key).where(Subscriber.id == row.heard.person))
        domain = (email or "").rpartition("@")[2]
        if not domain:
            self._decide([row.heard.delivery_id], BounceVerdict.WAIT)
            return
        held = self._hold(Delivery.domain_key == row.domain, verdict=BounceVerdict.DOMAIN)
        self._judged.asked += len(held)
        tell_about_domain(self._session, domain, row.domain or 0, self._now)
        log.error("event=domain_refuses_everybody refused=%d", len(held))

    def _hold(self, which: ColumnElement[bool], *, verdict: BounceVerdict) -> list[tuple[int, int | None]]:
        changed = (
            update(Delivery)
            .where(is_unjudged(), Delivery.relay_key == self._relay, which)
            .values(verdict=verdict)
            .returning(Delivery.id, Delivery.issue_id)
        )
        done = self._session.execute(changed.execution_options(synchronize_session=False))
        return [(delivery_id, issue_id) for delivery_id, issue_id in done]

    def _pause(self, issue_ids: Iterable[int | None], name: str) -> list[str]:
        """Pause what is being sent over this relay; return the issues' public ids."""
        query = select(Issue).where(Issue.state == IssueState.SENDING).order_by(Issue.id)
        if relay_number(relay_name(self._maker.settings)) != self._relay:
            query = query.where(Issue.id.in_([each for each in issue_ids if each is not None]))
        issues = self._session.scalars(
            query.with_for_update(key_share=True).execution_options(populate_existing=True)
        ).all()
        for issue in issues:
            issue.state = IssueState.PAUSED
            issue.note = (
                f"Paused by itself: the relay {name} says of too many addresses that they do not exist. "
                "Nobody was taken off the list. The overview says what to do."
            )
            audit.record(self._session, ACTOR, "issue.pause", issue.public_id, self._now, relay=name)
        self._session.flush()
        return [issue.public_id for issue in issues]

    def _name(self) -> str:
        settings = self._maker.settings
        known = [settings.relay, *(relay for _, relay in settings.relays)]
        names = {relay_number(each.key): each.key for each in known}
        return names.get(self._relay, f"number {self._relay}")

    def _ended(self, issue_ids: Iterable[int | None]) -> set[int | None]:
        wanted = [each for each in issue_ids if each is not None]
        ended = select(Issue.id).where(Issue.id.in_(wanted), ~_has_unsettled(Issue.id))
        return set(self._session.scalars(ended))

    def _decide(self, delivery_ids: Sequence[int], verdict: BounceVerdict) -> None:
        self._session.execute(
            update(Delivery)
            .where(is_one_of(self._session, Delivery.id, delivery_ids))
            .values(verdict=verdict)
            .execution_options(synchronize_session=False)
        )

    def _of_relay(self, *, by_domain: bool = False) -> Any:
        """Return the query for outcomes of this relay; `by_domain` leaves the relay's index aside."""
        relay: ColumnElement[Any] = Delivery.relay_key + 0 if by_domain else Delivery.relay_key.expression
        earlier = aliased(Delivery)
        witness = exists().where(
            earlier.subscriber_id == Delivery.subscriber_id,
            earlier.id < Delivery.id,
            earlier.state == DeliveryState.ACCEPTED,
        )
        return select(
            Delivery.id, Delivery.subscriber_id, Delivery.state, Delivery.verdict, Delivery.domain_key,
            Delivery.issue_id, Delivery.answered_microseconds, witness.label("witness"),
        ).where(
            relay == self._relay,
            # Joined to nothing, so that the index on the relay or the domain is used, and no other.
            Delivery.state.concat("").in_([DeliveryState.ACCEPTED.value, DeliveryState.REJECTED.value]),
        )  # fmt: skip

    def _read(self, query: Any, *, newest_first: bool, limit: int) -> list[_Row]:
        """Return the nearest outcomes in their order."""
        order: tuple[Any, ...] = (Delivery.answered_microseconds, Delivery.id)
        if newest_first:
            order = tuple(column.desc() for column in order)
        rows = [_Row(row) for row in self._session.execute(query.order_by(*order).limit(limit))]
        return rows[::-1] if newest_first else rows


def is_unjudged() -> ColumnElement[bool]:
    """Return the condition for a refusal that is not judged; written out for its partial index."""
    return (Delivery.verdict == literal_column("'unjudged'")) & (Delivery.state == DeliveryState.REJECTED)


def _has_unsettled(issue_id: Any) -> ColumnElement[bool]:
    other = aliased(Delivery)
    return exists().where(other.issue_id == issue_id, other.state.in_(UNSETTLED))


def _before(place: tuple[int, int]) -> tuple[ColumnElement[bool], ...]:
    answered, delivery_id = place
    return (
        Delivery.answered_microseconds <= answered,
        (Delivery.answered_microseconds < answered) | (Delivery.id < delivery_id),
    )


def _after(place: tuple[int, int] | None, *, itself: bool = False) -> tuple[ColumnElement[bool], ...]:
    if place is None:
        return ()
    answered, delivery_id = place
    return (
        Delivery.answered_microseconds >= answered,
        (Delivery.answered_microseconds > answered) | (Delivery.id > delivery_id - itself),
    )
