"""Judge refused addresses by the relay's and the domain's replies just before and after. Adds suppressions.

Recording an outcome suppresses nobody. If a relay says that there is no such mailbox, the delivery is
rejected, bounced and *unjudged*. Only `judge_bounces` adds suppressions for hard bounces. The sweep calls it,
and so does each worker when it has sent all that it can. Replaying a journal only records outcomes.
`outbox/refused/verdict.py` has the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session, aliased

from newsletter import bounce_steps
from newsletter.bounce_steps import Step
from newsletter.messages.build import MessageMaker
from newsletter.models import (
    BounceVerdict,
    Delivery,
    DeliveryState,
    Issue,
    Lane,
    StepKind,
    is_one_of,
)
from newsletter.notices import NoticeKind, settle_quiet
from newsletter.outbox.refused.ask_owner import ask_about_domain, ask_about_relay, ask_about_unreached
from newsletter.outbox.refused.held_domains import release_domains
from newsletter.outbox.refused.notices import look_at_confirmations
from newsletter.outbox.refused.outcome_keys import microseconds
from newsletter.outbox.refused.outcome_rows import (
    DomainOutcomes,
    Row,
    after,
    before,
    has_unsettled,
    is_unjudged,
    of_relay,
    read,
)
from newsletter.outbox.refused.reported import hand_to_judge
from newsletter.outbox.refused.verdict import (
    AROUND,
    DOMAIN_OUTCOMES,
    DOMAIN_TIME,
    REFUSALS,
    REFUSED_FOR,
    DigestOutcome,
    Verdict,
    is_wrong,
    judge,
)
from newsletter.suppression import add_bounced

# After this time every process has recorded its replies.
SETTLED = timedelta(minutes=2)
# The notice about returned emails closes if none has come for this time.
RETURNED_QUIET = timedelta(days=7)
# The most refusals that one call judges, because it holds database locks meanwhile: for SQLite the only write
# lock, which each sign-up needs. A refusal takes some milliseconds.
AT_ONCE = 100
# How many outcomes one reading has, and how many readings one call makes.
READ_AT_ONCE = 1000
READINGS = 50


@dataclass
class Judged:
    """The result of one call: how many refusals it believed, did not believe, and asked the owner about.

    If `more`, another call after a commit will find more to do.
    """

    gone: int = 0
    wait: int = 0
    asked: int = 0
    more: bool = False

    @property
    def decided(self) -> int:
        """How many refusals were decided."""
        return self.gone + self.wait


def judge_all(
    session: Session, maker: MessageMaker, now: datetime, ending: Callable[[], bool] = lambda: False
) -> None:
    """Judge every refusal that can be judged, or stop between two parts if `ending` says so.

    Commits after each part, to hold no locks for long. What is left unjudged keeps its issue from finishing.
    """
    more = True
    while more:
        more = judge_bounces(session, maker, now).more and not ending()
        session.commit()


def judge_bounces(session: Session, maker: MessageMaker, now: datetime) -> Judged:
    """Judge up to `AT_ONCE` refusals, or ask the owner one question. Commits nothing.

    One call never does both. A question must lock issues before their deliveries, and a decision has already
    locked deliveries (outbox/refused/ask_owner.py).
    """
    judged = Judged()
    hand_to_judge(session, now)
    relays = select(Delivery.relay_key).where(is_unjudged(), Delivery.relay_key.is_not(None)).distinct()
    judges = [
        _Judge(session, maker, relay, now, judged)
        for relay in sorted(each for each in session.scalars(relays) if each is not None)
    ]
    for each in judges:
        each.begin()
    if not judged.more:
        judged.asked += ask_about_unreached(session, maker, now)
        judged.more = judged.asked > 0
    for each in judges:
        if not judged.more:
            each.run()
    look_at_confirmations(session, now)
    release_domains(session, now)
    settle_quiet(session, NoticeKind.MAIL_RETURNED, now - RETURNED_QUIET, now)
    return judged


def pause_if_wrong(session: Session, maker: MessageMaker, relay: int, now: datetime) -> bool:
    """Read the newest outcomes of a relay; pause its issues if the relay is wrong. Commits nothing.

    A worker calls this after several refusals, because the sweep runs too rarely to stop sending in time. If
    another process is judging now, this returns False at once, because a worker must not wait for that.
    """
    on_postgresql = session.get_bind().dialect.name == "postgresql"
    if on_postgresql and not session.scalar(select(func.pg_try_advisory_xact_lock(relay))):
        return False
    judged = Judged()
    _Judge(session, maker, relay, now, judged).pause_if_wrong()
    return judged.asked > 0


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

    def begin(self) -> None:
        """Lock this relay against other judging processes until the commit; check if the relay is wrong."""
        if self._judged.more:
            return
        if self._session.get_bind().dialect.name == "postgresql":
            self._session.execute(select(func.pg_advisory_xact_lock(self._relay)))
        self._forget_alive()
        if not self._judged.more:
            self.pause_if_wrong()

    def run(self) -> None:
        """Judge refusals in their order, up to the limits of one call."""
        place: tuple[int, int] | None = None
        for _ in range(READINGS):
            ready = self._next_ready(place)
            if ready is None:
                return
            place = self._judge_stretch(ready)
            if self._judged.more:
                return
        self._judged.more = self._judged.decided > 0

    def pause_if_wrong(self) -> None:
        """Ask about the relay if its newest outcomes are wrong, even if they cannot be judged yet."""
        newest = read(self._session, of_relay(self._relay), newest_first=True, limit=2 * AROUND)
        if is_wrong([each.outcome for each in newest]):
            self._ask_about_relay()

    def _forget_alive(self) -> None:
        """Do not believe a refusal if the same subscriber accepted a later email."""
        later = aliased(Delivery)
        accepted = exists().where(
            later.subscriber_id == Delivery.subscriber_id,
            later.id > Delivery.id,
            later.state == DeliveryState.ACCEPTED,
        )
        alive = select(Delivery.id, Delivery.subscriber_id).where(
            is_unjudged(), Delivery.relay_key == self._relay, accepted
        )
        found = self._session.execute(alive.limit(AT_ONCE)).all()
        if found:
            self._decide([delivery_id for delivery_id, _ in found], BounceVerdict.WAIT)
            for delivery_id, person in found:
                self._doubt(delivery_id, person)
            self._judged.wait += len(found)
            self._judged.more = True

    def _next_ready(self, place: tuple[int, int] | None) -> Row | None:
        """Return the first refusal after `place` that can be judged: an old one, or one of an ended issue."""
        query = of_relay(self._relay).where(is_unjudged())
        old = Delivery.answered_microseconds <= microseconds(self._now - SETTLED)
        for can_be in (old, ~has_unsettled(Delivery.issue_id)):
            found = read(self._session, query.where(can_be, *after(place)), newest_first=False, limit=1)
            if found:
                return found[0]
        return None

    def _judge_stretch(self, first: Row) -> tuple[int, int]:
        """Judge the refusals in one reading of outcomes, starting at `first`; return the last place judged.

        If a refusal has too few outcomes after it in this reading, the next reading judges it. `more` is set
        if this call must end here.
        """
        outcomes = of_relay(self._relay)
        earlier = outcomes.where(*before(first.place))
        rows_before = read(self._session, earlier, newest_first=True, limit=AROUND)
        from_here = outcomes.where(*after(first.place, itself=True))
        read_now = read(self._session, from_here, newest_first=False, limit=READ_AT_ONCE)
        is_last_reading = len(read_now) < READ_AT_ONCE
        rows = rows_before + read_now
        outcomes = [each.outcome for each in rows]
        domains = DomainOutcomes(self._session, self._relay, first, rows[-1])
        ended = self._ended({each.issue_id for each in rows if each.verdict is BounceVerdict.UNJUDGED})
        settled = microseconds(self._now - SETTLED)
        for at in range(len(rows_before), len(rows)):
            row = rows[at]
            later = outcomes[at + 1 : at + 1 + AROUND]
            if len(later) < AROUND and not is_last_reading:
                return rows[at - 1].place
            if row.verdict is not BounceVerdict.UNJUDGED:
                continue
            if row.issue_id not in ended and (len(later) < AROUND or row.answered > settled):
                continue
            self._judge_one(row, outcomes[max(0, at - AROUND) : at], later, domains)
            if self._judged.decided >= AT_ONCE:
                self._judged.more = True
            if self._judged.more:
                return row.place
        return rows[-1].place

    def _judge_one(
        self,
        row: Row,
        earlier: Sequence[DigestOutcome],
        later: Sequence[DigestOutcome],
        domains: DomainOutcomes,
    ) -> None:
        """Decide one refusal, or ask the owner."""
        domain_before, domain_after, wrong = _others_of_domain(row, domains)
        if wrong and not is_wrong([*earlier, row.outcome, *later]):
            self._ask_about_domain(row)
            return
        verdict = judge(earlier, row.outcome, later, domain_before, domain_after)
        if verdict is Verdict.WRONG:
            self._ask_about_relay()
        elif verdict is Verdict.GONE or self._is_gone_for_long(row):
            self._decide([row.outcome.delivery_id], BounceVerdict.GONE)
            domains.note_gone(row)
            self._judged.gone += 1
            add_bounced(self._session, self._maker.tokens, [row.outcome.delivery_id], self._now)
        else:
            self._wait(row)

    def _wait(self, row: Row) -> None:
        self._decide([row.outcome.delivery_id], BounceVerdict.WAIT)
        self._doubt(row.outcome.delivery_id, row.outcome.person)
        self._judged.wait += 1

    def _doubt(self, delivery_id: int, person: int | None) -> None:
        """Record in the person's history that a refusal was not believed."""
        if person:
            step = Step(StepKind.DOUBTED, person, delivery_id=delivery_id)
            bounce_steps.add(self._session, step, self._now)

    def _is_gone_for_long(self, row: Row) -> bool:
        """Return whether an address was refused several times, over a week, with no acceptance between.

        Only refusals that are unjudged or were not believed count. Any other outcome ends the count.
        """
        query = (
            select(Delivery.verdict, Delivery.answered_microseconds)
            .where(
                Delivery.subscriber_id == row.outcome.person,
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

    def _ask_about_relay(self) -> None:
        """Ask the owner about the relay. If this call has decided a refusal, leave it to the next call."""
        if not self._judged.decided:
            self._judged.asked += ask_about_relay(self._session, self._maker, self._relay, self._now)
        self._judged.more = self._judged.asked + self._judged.decided > 0

    def _ask_about_domain(self, row: Row) -> None:
        """Ask the owner about the domain. If this call has decided a refusal, leave it to the next call."""
        if not self._judged.decided:
            domain = row.domain or 0
            asked = ask_about_domain(self._session, self._maker, self._relay, domain, self._now)
            if not asked:
                self._wait(row)
                return
            self._judged.asked += asked
        self._judged.more = True

    def _ended(self, issue_ids: Iterable[int | None]) -> set[int | None]:
        """Return those of these issues that have nothing left to send."""
        wanted = [each for each in issue_ids if each is not None]
        ended = select(Issue.id).where(Issue.id.in_(wanted), ~has_unsettled(Issue.id))
        return set(self._session.scalars(ended))

    def _decide(self, delivery_ids: Sequence[int], verdict: BounceVerdict) -> None:
        self._session.execute(
            update(Delivery)
            .where(is_one_of(self._session, Delivery.id, delivery_ids))
            .values(verdict=verdict)
            .execution_options(synchronize_session=False)
        )


def _others_of_domain(
    row: Row, domains: DomainOutcomes
) -> tuple[list[DigestOutcome], list[DigestOutcome], bool]:
    """Return the domain's outcomes for other people before and after, and whether the domain is wrong.

    A domain is wrong if its server refuses too many addresses (verdict.py).
    """
    sides = domains.around(row)
    everything = [each.outcome for each in (*sides[0], row, *sides[1])]
    wrong = len(everything) >= DOMAIN_OUTCOMES and is_wrong(everything)
    day = DOMAIN_TIME // timedelta(microseconds=1)
    others = [
        [
            each.outcome for each in side
            if each.outcome.person != row.outcome.person and abs(each.answered - row.answered) <= day
        ]
        for side in sides
    ]  # fmt: skip
    return others[0], others[1], wrong
