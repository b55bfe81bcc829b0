"""Fill a database with releases, topics and subscribers to measure with: any size, the same each time.

Rows are inserted in bulk, as an import would. Everything after that is the program itself.

    python -m benchmarks.corpus fill KIND SUBSCRIBERS    make an empty database an installation
    python -m benchmarks.corpus prepare                  open and prepare its next issue

The settings come from the environment, as for `newsletter`.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations, cycle, islice
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from newsletter.digest.issues import Preparer, open_issue
from newsletter.models import (
    Base,
    Frequency,
    Release,
    ReleaseState,
    ReleaseTopic,
    SequenceCounter,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
)
from newsletter.runtime import Runtime
from newsletter.service.database.schema import upgrade
from newsletter.service.processes.before_fork import prepare_to_fork
from newsletter.settings import load_settings

MOMENT = datetime(2026, 3, 10, 12, tzinfo=UTC)
ROWS = 5000
WORDS = (  # noqa: SIM905 (a list of them would be a page)
    "harbour council energy cable quay minister agreement northern coast railway island ferry research "
    "clinic winter measure border permit heat metro turbine meadow programme region public service new"
).split()

# The topics of each subscriber in turn, counted from 1.
Choices = Iterator[tuple[int, ...]]


@dataclass(frozen=True)
class Kind:
    """The contents of an installation.

    It has `topics` topics of `each` releases, whose summaries have `words` words. These numbers give messages
    of 40 KB. `choices` yields the topics of each subscriber.
    """

    topics: int
    each: int
    words: int
    choices: Callable[[], Choices]


def one_of(topics: int) -> Choices:
    """Give each subscriber one topic: as many different digests as topics."""
    return cycle([(number,) for number in range(1, topics + 1)])


def pairs(topics: int, selections: int) -> Choices:
    """Give each subscriber one of the first `selections` pairs of topics."""
    return cycle(islice(combinations(range(1, topics + 1), 2), selections))


def own(topics: int, chosen: int) -> Choices:
    """Give each subscriber a combination of topics that no other subscriber has."""
    chance = random.Random(11)  # noqa: S311
    numbers = range(1, topics + 1)
    given: set[tuple[int, ...]] = set()
    while True:
        choice = tuple(sorted(chance.sample(numbers, chosen)))
        if choice not in given:
            given.add(choice)
            yield choice


KINDS = {
    "fifty": Kind(50, 16, 42, lambda: one_of(50)),
    "thousand": Kind(46, 8, 40, lambda: pairs(46, 1000)),
    "own": Kind(40, 1, 40, lambda: own(40, 14)),
}


def fill(runtime: Runtime, kind: Kind, readers: int) -> None:
    """Fill an empty database with `readers` subscribers who wait for their first issue."""
    chance = random.Random(7)  # noqa: S311
    count = kind.topics * kind.each
    with runtime.session() as session:
        _insert(session, Topic, (_topic(number) for number in range(1, kind.topics + 1)))
        _insert(session, Release, (_release(number, kind.words, chance) for number in range(1, count + 1)))
        places = (
            {"release_id": number, "topic_id": (number - 1) // kind.each + 1, "sequence": number}
            for number in range(1, count + 1)
        )
        _insert(session, ReleaseTopic, places)
        session.get_one(SequenceCounter, 1).value = count
        _insert(session, Subscriber, (_reader(number) for number in range(1, readers + 1)))
        chosen = enumerate(islice(kind.choices(), readers), start=1)
        _insert(
            session, Subscription, (_interest(number, topic) for number, mine in chosen for topic in mine)
        )
        session.commit()


def prepare(runtime: Runtime) -> None:
    """Open the next issue and prepare it as the service does, one transaction for each chunk."""
    prepare_to_fork()
    with runtime.session() as session:
        issue = open_issue(session, [Frequency.WEEKLY], actor="benchmark", now=runtime.now())
        session.commit()
        preparer, more = Preparer(runtime.renderer, issue.id), True
        while more:
            more = preparer.step(session, runtime.now())
            session.commit()


def _insert(session: Session, model: type[Base], rows: Iterable[dict[str, Any]]) -> None:
    waiting = iter(rows)
    while batch := list(islice(waiting, ROWS)):
        session.execute(insert(model), batch)


def _topic(number: int) -> dict[str, Any]:
    name = f"Topic {number}"
    return {"id": number, "slug": f"topic-{number}", "name": name, "created_at": MOMENT, "position": number}


def _release(number: int, words: int, chance: random.Random) -> dict[str, Any]:
    title = " ".join(chance.choices(WORDS, k=9)).capitalize()
    summary = " ".join(chance.choices(WORDS, k=words)).capitalize() + "."
    return {
        "id": number, "public_id": f"release{number:05}", "title": f"{title} {number:05}",
        "publisher": "Ministry of Transport of Veldoria", "published_at": MOMENT,
        "published_on": MOMENT.date(), "language": "en",
        "body_html": f"<p>{summary}</p>", "body_text": summary, "summary": summary,
        "content_hash": f"{number:064}", "state": ReleaseState.READY, "created_at": MOMENT,
    }  # fmt: skip


def _reader(number: int) -> dict[str, Any]:
    email = f"reader{number:07}@example.com"
    return {
        "id": number, "public_id": f"r{number:010}", "email": email, "email_key": email,
        "created_at": MOMENT, "confirmed_at": MOMENT,
    }  # fmt: skip


def _interest(reader: int, topic: int) -> dict[str, Any]:
    return {
        "subscriber_id": reader, "topic_id": topic, "frequency": Frequency.WEEKLY,
        "state": SubscriptionState.ACTIVE, "created_at": MOMENT, "confirmed_at": MOMENT,
    }  # fmt: skip


def main() -> None:
    """Read the command line and run one of the two steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("step", choices=("fill", "prepare"))
    parser.add_argument("kind", nargs="?", choices=sorted(KINDS))
    parser.add_argument("readers", nargs="?", type=int)
    words = parser.parse_args()
    runtime = Runtime(load_settings(os.environ))
    if words.step == "fill":
        upgrade(runtime.settings.database)
        fill(runtime, KINDS[words.kind], words.readers)
    else:
        prepare(runtime)
    runtime.engine.dispose()


if __name__ == "__main__":
    main()
