"""Run the retention steps in small transactions, so that sending and sign-ups do not wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.steps import STEPS, Step
from newsletter.tokens import Tokens

# SQLite has one writer, so other writers get this time between two transactions.
REST_SECONDS = 0.05
# On a million rows, the query for due rows may take seconds. So one query serves this many transactions.
CHUNKS_AT_ONCE = 50


@dataclass(frozen=True)
class Purged:
    """How many rows one step deleted (or would delete). `complete`: none is left."""

    step: Step
    count: int
    complete: bool = True


@dataclass(frozen=True)
class Purger:
    """Deletes old data of one installation. `reading` makes sessions that do not block writers."""

    session: Callable[[], Session]
    reading: Callable[[], Session]
    tokens: Tokens
    policy: Policy

    def count(self) -> list[Purged]:
        """Return how many rows each step would delete now; changes nothing.

        A step may make more rows due for a later step. These are not counted.
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
        """Run every step until nothing is due or `stopping` returns True; yield the result of each.

        It is safe to run this twice, even at the same time, and while emails are sent. Each transaction
        checks again that its rows are still due.
        """
        for step in STEPS:
            count, complete = self._do(step, sleep, stopping)
            yield Purged(step, count, complete)

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
                return count, False  # another process handles these rows
            count += done
        return count, True
