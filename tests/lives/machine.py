"""The state machine: hypothesis draws a number for each step, which decides the act."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lives.databases import Database
from lives.relay import ANSWERS
from lives.returned_mail import KINDS as REPORTS
from lives.world import TOPICS, TOPICS_OF, WEEKS, World

# Chooses a value. One number for each step is drawn from hypothesis, because it takes long for each draw, and
# prefers the first of several values. It draws numbers of at most 24 bits with equal chances.
Choice = Callable[[Random], Any]
NUMBERS = st.integers(0, 2**24 - 1)
SKEWS = (0, 0, 20, -20, 400, -400)
FREQUENCIES = ("daily", "weekly")
# A life leaves out up to this many kinds of acts.
MOST_LEFT_OUT = 10


def one_of(*values: object) -> Choice:
    return lambda chance: chance.choice(values)


def under(chance: Random) -> list[str]:
    return chance.sample(TOPICS, chance.randint(1, 2))


def wanted(chance: Random) -> dict[str, str]:
    """Choose one to three topics, with a frequency for each."""
    return {each: chance.choice(FREQUENCIES) for each in chance.sample(TOPICS, chance.randint(1, 3))}


def languages(chance: Random) -> list[str]:
    return sorted(chance.sample(("en", "de", "pt"), chance.randint(0, 3)))


def several_replies(chance: Random) -> list[str]:
    return [ONE_REPLY(chance) for _ in range(chance.randint(0, 3))]


HOSTS = one_of(0, 1)
PICKS = one_of(0, 1, 2)
LEFT = one_of(*[None] * 3, *TOPICS, *TOPICS_OF)
SERVED = one_of(("daily",), ("weekly",), ("daily", "weekly"))
ONE_REPLY = one_of(*["accepted"] * 9, "rejected", "rejected", *ANSWERS)
DIES = one_of(*[None] * 12, 0, 1, 2, 3, 4)


class Act(NamedTuple):
    """An act with its weight and its arguments. A life may leave out all acts of one `kind`."""

    weight: int
    kind: str
    given: Mapping[str, Choice]


ACTS: Mapping[str, Act] = {
    "join": Act(4, "joining", {"name": one_of(*range(6)), "wanted": wanted}),
    "choose": Act(3, "choices", {"pick": PICKS, "wanted": wanted}),
    "choose_languages": Act(2, "languages", {"pick": PICKS, "chosen": languages}),
    "unsubscribe": Act(2, "leaving", {"pick": PICKS, "only": LEFT}),
    "undo": Act(3, "leaving", {"pick": PICKS}),
    "pause": Act(2, "pauses", {"pick": PICKS, "weeks": one_of(*WEEKS)}),
    "resume": Act(2, "pauses", {"pick": PICKS}),
    "move": Act(1, "moves", {"pick": PICKS, "name": one_of(*range(8))}),
    "undo_move": Act(2, "moves", {"pick": PICKS}),
    "erase": Act(1, "erasure", {"pick": PICKS}),
    "suppress": Act(1, "suppressions", {"pick": PICKS}),
    "lift": Act(2, "suppressions", {"pick": PICKS}),
    "report": Act(
        9, "returned mail", {"pick": PICKS, "kind": one_of(*REPORTS), "forged": one_of(False, False, True)}
    ),
    "report_again": Act(1, "returned mail", {"pick": PICKS}),
    "report_probe": Act(5, "returned mail", {"pick": PICKS, "kind": one_of(*REPORTS)}),
    "add": Act(
        8,
        "",
        {
            "topics": under,
            "held": one_of(*[False] * 5, True),
            "days_ago": one_of(0, 9),
            "language": one_of("en", "en", "de", "pt-BR", "und"),
        },
    ),
    "arrive": Act(
        2,
        "sources",
        {
            "topics": under,
            "kept_back": one_of(False, True),
            "days_ago": one_of(0, 9),
            "approval": one_of(False, True),
        },
    ),
    "approve": Act(3, "sources", {"pick": PICKS}),
    "change_rules": Act(1, "rules", {"topic": one_of(*TOPICS), "words": one_of(*TOPICS)}),
    "urgent": Act(2, "urgent", {"pick": PICKS, "chunks": one_of(0, 1, 9, 9)}),
    "tell": Act(2, "notices", {"pick": PICKS}),
    "enqueue_notices": Act(3, "notices", {"pick": PICKS}),
    "settle": Act(3, "sources", {"pick": PICKS}),
    "send_after_all": Act(2, "sources", {"pick": PICKS}),
    "name_topic": Act(2, "topics", {"pick": PICKS, "topic": one_of(*TOPICS)}),
    "correct": Act(2, "corrections", {"pick": PICKS}),
    "take_off": Act(2, "choices of topics", {"pick": PICKS, "topics": under}),
    "embargo": Act(1, "embargoes", {"pick": PICKS, "hours": one_of(1, 24)}),
    "lift_embargo": Act(1, "embargoes", {"pick": PICKS}),
    "delete": Act(1, "deletions", {"pick": PICKS}),
    "undo_delete": Act(2, "deletions", {"pick": PICKS}),
    "merge": Act(2, "merges", {"pick": PICKS, "other": PICKS}),
    "undo_merge": Act(2, "merges", {"pick": PICKS}),
    "hold": Act(2, "holds", {"pick": PICKS, "action": one_of("hold", "exclude")}),
    "free": Act(3, "holds", {"pick": PICKS}),
    "open": Act(
        12,
        "",
        {
            "frequencies": SERVED,
            "chunks": one_of(0, 1, 9, 9, 9),
            "of": one_of("first", "first", "second"),
        },
    ),
    "prepare": Act(10, "", {"pick": PICKS, "chunks": one_of(1, 2, 9, 9)}),
    "cancel": Act(5, "cancels", {"pick": PICKS, "drop": one_of(False, False, True)}),
    "pause_issue": Act(1, "stops", {"pick": PICKS}),
    "resume_issue": Act(3, "stops", {"pick": PICKS}),
    "retry": Act(6, "retries", {"pick": PICKS}),
    "resend": Act(2, "resends", {"pick": PICKS}),
    "start_drain": Act(7, "", {"dies_in": DIES}),
    "continue_drain": Act(10, "", {"answer": ONE_REPLY, "seconds": one_of(0, 5)}),
    "send": Act(14, "", {"answers": several_replies, "dies_in": DIES}),
    "recover": Act(5, "", {}),
    "pass_time": Act(2, "time", {"hours": one_of(1, 1, 24, 8 * 24, 31 * 24)}),
}
KINDS = sorted({each.kind for each in ACTS.values()} - {""})
# How often a race chooses whose turn it is. After that, the first one goes on.
MOST_TURNS = 60
# These acts commit more than once, or already run in their own thread.
ALONE = {"start_drain", "continue_drain", "send", "recover", "pass_time"}


class Lives(RuleBasedStateMachine):
    """One life on `database`."""

    database: ClassVar[Database]
    strict: ClassVar[bool] = True
    # How many lives this process ran, and how many commits it checked.
    tally: ClassVar[dict[str, int]] = {"lives": 0, "commits": 0, "emails": 0, "deadlocks": 0}

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-", dir=shared_memory()))
        self.world: World | None = None
        self.steps = 0

    @initialize(number=NUMBERS)
    def begin(self, number: int) -> None:
        chance = Random(number)
        skews = (chance.choice(SKEWS), chance.choice(SKEWS))
        self.without = set(chance.sample(KINDS, chance.randint(0, MOST_LEFT_OUT)))
        self.database.begin()
        self.world = World(self.database, self.folder, skews, self.strict)
        self.world.story.append(f"clocks{skews}")

    @rule(number=NUMBERS)
    def happens(self, number: int) -> None:
        assert self.world is not None
        names, chance = self.possible(), self.chance(number)
        if names:
            self.act(*self.choose(chance, names))

    def possible(self, but: Collection[str] = ()) -> list[str]:
        """Return the acts that are possible now, each repeated by its weight."""
        assert self.world is not None
        can = self.world.possible()
        return [
            name for name, each in ACTS.items()
            if name in can and name not in but and each.kind not in self.without
            for _ in range(each.weight)
        ]  # fmt: skip

    def chance(self, number: int) -> Random:
        """Return what chooses a step. Hypothesis often repeats a number, but each step is another one."""
        self.steps += 1
        return Random(number + (self.steps << 24))

    def choose(self, chance: Random, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
        """Choose an act and its arguments."""
        name = chance.choice(names)
        return name, {key: each(chance) for key, each in {"host": HOSTS, **ACTS[name].given}.items()}

    def act(self, name: str, given: Mapping[str, Any]) -> None:
        assert self.world is not None
        told = ", ".join(f"{key}={value!r}" for key, value in given.items())
        self.world.story.append(f"{name}({told})")
        getattr(self.world, name)(**given)

    @invariant()
    def holds(self) -> None:
        if self.world is not None and self.world.oracle.fault is not None:
            raise AssertionError("\n".join([self.world.oracle.fault, *self.world.story]))

    def teardown(self) -> None:
        try:
            if self.world is not None:
                if self.world.oracle.fault is None:
                    self.world.story.append("to the end")
                    self.world.live_to_the_end()
                    self.holds()
                self.tally["lives"] += 1
                self.tally["commits"] += self.world.oracle.commits
                self.tally["emails"] += self.world.oracle.emails
                self.tally["deadlocks"] += self.world.deadlocks
        finally:
            if self.world is not None:
                self.world.close()
            shutil.rmtree(self.folder, ignore_errors=True)


class LivesAtOnce(Lives):
    """The same on PostgreSQL, where two acts may also run at the same time."""

    strict = False

    @rule(number=NUMBERS)
    def race(self, number: int) -> None:
        assert self.world is not None
        chance = self.chance(number)
        names = self.possible(but=ALONE)
        if not names:
            return
        acts = []
        for _ in range(2):
            name, given = self.choose(chance, names)
            self.world.story.append(f"at once: {name}({given})")
            acts.append(partial(getattr(self.world, name), **given))
        self.world.race(acts, [chance.random() < 0.5 for _ in range(MOST_TURNS)])


def shared_memory() -> str | None:
    """Return a folder in memory if this machine has one, else None for the default folder."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
