"""Queries for a relay's outcomes of digests, in the order of its replies, to judge refused addresses."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, exists, literal_column, select
from sqlalchemy.orm import Session, aliased

from newsletter.models import UNSETTLED, BounceVerdict, Delivery, DeliveryState
from newsletter.outbox.refused.verdict import AROUND, DigestOutcome

# The owner was asked about these refusals, or they were decided.
_HANDLED = (
    BounceVerdict.GONE, BounceVerdict.RELAY, BounceVerdict.DOMAIN, BounceVerdict.ISSUE, BounceVerdict.FINAL,
)  # fmt: skip


class Row:
    """One outcome, with the columns that outbox/refused/judge.py needs."""

    __slots__ = ("answered", "domain", "issue_id", "outcome", "verdict")

    def __init__(self, row: Any) -> None:
        verdict = row.verdict
        self.outcome = DigestOutcome(
            row.id,
            row.subscriber_id or 0,
            row.state is DeliveryState.ACCEPTED,
            verdict is not None and row.bounced_at is not None,
            bool(row.witness),
            verdict in _HANDLED,
        )
        self.answered: int = row.answered_microseconds
        self.domain: int | None = row.domain_key
        self.issue_id: int | None = row.issue_id
        self.verdict: BounceVerdict | None = verdict

    @property
    def place(self) -> tuple[int, int]:
        """Its place in the order of the relay's replies."""
        return self.answered, self.outcome.delivery_id


def of_relay(relay: int, *, by_domain: bool = False) -> Any:
    """Return the query for the outcomes of a relay.

    `by_domain` is for queries that name a domain: the database then uses the index of domains.
    """
    # With 0 added, the index of relays is not used.
    key: ColumnElement[Any] = Delivery.relay_key + 0 if by_domain else Delivery.relay_key.expression
    earlier = aliased(Delivery)
    witness = exists().where(
        earlier.subscriber_id == Delivery.subscriber_id,
        earlier.id < Delivery.id,
        earlier.state == DeliveryState.ACCEPTED,
    )
    return select(
        Delivery.id, Delivery.subscriber_id, Delivery.state, Delivery.verdict, Delivery.bounced_at,
        Delivery.domain_key, Delivery.issue_id, Delivery.answered_microseconds, witness.label("witness"),
    ).where(
        key == relay,
        # With "" appended, no index of states is used.
        Delivery.state.concat("").in_([DeliveryState.ACCEPTED.value, DeliveryState.REJECTED.value]),
    )  # fmt: skip


def read(session: Session, query: Any, *, newest_first: bool, limit: int | None = None) -> list[Row]:
    """Return up to `limit` outcomes, or all, always the oldest first.

    `newest_first` takes the newest ones of the query; otherwise the oldest.
    """
    order: tuple[Any, ...] = (Delivery.answered_microseconds, Delivery.id)
    if newest_first:
        order = tuple(column.desc() for column in order)
    rows = [Row(row) for row in session.execute(query.order_by(*order).limit(limit))]
    return rows[::-1] if newest_first else rows


class DomainOutcomes:
    """The outcomes of each recipient domain of a relay between two places, and just before and after them.

    Each domain is read once, because thousands of refusals of one domain may have to be judged.
    """

    def __init__(self, session: Session, relay: int, first: Row, last: Row) -> None:
        self._session = session
        self._relay = relay
        self._first = first.place
        self._last = last.place
        self._read: dict[int, list[Row]] = {}

    def around(self, row: Row) -> tuple[Sequence[Row], Sequence[Row]]:
        """Return the nearest outcomes of a row's domain before and after it, up to `AROUND` each."""
        if row.domain is None:
            return (), ()
        if row.domain not in self._read:
            self._read[row.domain] = self._of(row.domain)
        rows = self._read[row.domain]
        at = bisect_left(rows, row.place, key=lambda each: each.place)
        return rows[max(0, at - AROUND) : at], rows[at + 1 : at + 1 + AROUND]

    def note_gone(self, row: Row) -> None:
        """Note that a refusal was believed: it is no evidence against the domain any more."""
        for each in self._read.get(row.domain or 0, ()):
            if each.place == row.place:
                each.outcome = each.outcome._replace(handled=True)

    def _of(self, domain: int) -> list[Row]:
        theirs = of_relay(self._relay, by_domain=True).where(Delivery.domain_key == domain)
        between = theirs.where(*after(self._first, itself=True), *before(self._last, itself=True))
        return [
            *read(self._session, theirs.where(*before(self._first)), newest_first=True, limit=AROUND),
            *read(self._session, between, newest_first=False),
            *read(self._session, theirs.where(*after(self._last)), newest_first=False, limit=AROUND),
        ]


def before(place: tuple[int, int], *, itself: bool = False) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the outcomes before a place, with the one at that place if `itself`."""
    answered, delivery_id = place
    return (
        Delivery.answered_microseconds <= answered,
        (Delivery.answered_microseconds < answered) | (Delivery.id < delivery_id + itself),
    )


def after(place: tuple[int, int] | None, *, itself: bool = False) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for the outcomes after a place, with the one at that place if `itself`."""
    if place is None:
        return ()
    answered, delivery_id = place
    return (
        Delivery.answered_microseconds >= answered,
        (Delivery.answered_microseconds > answered) | (Delivery.id > delivery_id - itself),
    )


def is_unjudged() -> ColumnElement[bool]:
    """Return the condition for an unjudged refusal, with a literal, so that its partial index is used."""
    return (Delivery.verdict == literal_column("'unjudged'")) & (Delivery.state == DeliveryState.REJECTED)


def has_unsettled(issue_id: Any) -> ColumnElement[bool]:
    """Return the condition that an issue still has deliveries to send."""
    other = aliased(Delivery)
    return exists().where(other.issue_id == issue_id, other.state.in_(UNSETTLED))


def reached_nobody(issue_id: Any) -> ColumnElement[bool]:
    """Return the condition that no delivery of an issue was accepted, and a refusal is new to the owner."""
    refused, other = aliased(Delivery), aliased(Delivery)
    unknown = (BounceVerdict.UNJUDGED, BounceVerdict.WAIT)
    rejected = exists().where(
        refused.issue_id == issue_id,
        refused.state == DeliveryState.REJECTED,
        refused.verdict.is_(None) | refused.verdict.in_(unknown),
    )
    accepted = exists().where(other.issue_id == issue_id, other.state == DeliveryState.ACCEPTED)
    return rejected & ~accepted
