"""Runs the steps: a few rows at a time, so that nobody who sends or signs up waits for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.steps import STEPS, Step
from newsletter.tokens import Tokens

# SQLite has one writer: between two transactions the others get their turn.
REST_SECONDS = 0.05
# To find what is due may take seconds where there are a million rows: it is not done for each transaction.
CHUNKS_AT_ONCE = 50


@dataclass(frozen=True)
class Purged:
    """What went (or would go) in one step; `whole` when nothing of it is left."""

    step: Step
    count: int
    whole: bool = True


@dataclass(frozen=True)
class Purger:
    """Cleans up one installation's database. `reading` gives sessions that stand in no writer's way."""

    session: Callable[[], Session]
    reading: Callable[[], Session]
    tokens: Tokens
    policy: Policy

    def count(self) -> list[Purged]:
        """Return what each step would delete now; changes nothing.

        What one step leaves for another is not foreseen.
        """
        found = []
        with self.reading() as session:
            for step in STEPS:
                due = (step.counted or step.due)(self.policy)
                number = 0
                if due is not None:
                    rows = due.order_by(None).subquery()
                    number = session.scalar(select(func.count()).select_from(rows)) or 0
                found.append(Purged(step, number))
        return found

    def run(
        self, sleep: Callable[[float], None], stopping: Callable[[], bool] = lambda: False
    ) -> Iterator[Purged]:
        """Do every step to its end, or until `stopping`; yield what each came to.

        Safe to run twice, at the same time too, and while mails are being sent: each transaction
        looks again at what it is about to change.
        """
        for step in STEPS:
            count, whole = self._do(step, sleep, stopping)
            yield Purged(step, count, whole)

    def _do(
        self, step: Step, sleep: Callable[[float], None], stopping: Callable[[], bool]
    ) -> tuple[int, bool]:
        due = step.due(self.policy)
        count = 0
        while due is not None:
            with self.reading() as session:
                ids = list(session.scalars(due.limit(CHUNKS_AT_ONCE * step.chunk)))
            if not ids:
                break
            done = 0
            for start in range(0, len(ids), step.chunk):
                if stopping():
                    return count + done, False
                with self.session() as session:
                    done += step.act(session, self.tokens, self.policy, ids[start : start + step.chunk])
                    session.commit()
                sleep(REST_SECONDS)
            if not done:
                return count, False  # somebody else has them in hand
            count += done
        return count, True
