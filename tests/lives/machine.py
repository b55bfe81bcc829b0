"""The state machine: hypothesis draws the next act, and the oracle checks each commit."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from lives.databases import Database
from lives.relay import ANSWERS
from lives.world import TOPICS, TOPICS_OF, WEEKS, World

HOSTS = st.integers(0, 1)
PICKS = st.integers(0, 2)
SKEWS = st.sampled_from([0, 0, 20, -20, 400, -400])
FREQUENCIES = st.sampled_from(["daily", "weekly"])
WANTED = st.dictionaries(st.sampled_from(TOPICS), FREQUENCIES, min_size=1, max_size=3)
LEFT = st.none() | st.sampled_from([*TOPICS, *TOPICS_OF])
SERVED = st.sampled_from([("daily",), ("weekly",), ("daily", "weekly")])
UNDER = st.lists(st.sampled_from(TOPICS), min_size=1, max_size=2, unique=True)
ANSWER = st.sampled_from(["accepted", "accepted", "rejected", "rejected", *ANSWERS])
CHOSEN = st.sets(st.sampled_from(["en", "de", "pt"])).map(sorted)
DIES = st.sampled_from([None, None, None, None, 0, 1, 2, 3, 4])


class Act(NamedTuple):
    """An act with its weight and its arguments. A life may leave out all acts of one `kind`."""

    weight: int
    kind: str
    given: Mapping[str, st.SearchStrategy[Any]]


ACTS: Mapping[str, Act] = {
    "join": Act(1, "joining", {"name": st.integers(0, 5), "wanted": WANTED}),
    "choose": Act(3, "choices", {"pick": PICKS, "wanted": WANTED}),
    "choose_languages": Act(2, "languages", {"pick": PICKS, "chosen": CHOSEN}),
    "unsubscribe": Act(2, "leaving", {"pick": PICKS, "only": LEFT}),
    "undo": Act(3, "leaving", {"pick": PICKS}),
    "pause": Act(2, "pauses", {"pick": PICKS, "weeks": st.sampled_from(WEEKS)}),
    "resume": Act(2, "pauses", {"pick": PICKS}),
    "move": Act(1, "moves", {"pick": PICKS, "name": st.integers(0, 7)}),
    "undo_move": Act(2, "moves", {"pick": PICKS}),
    "erase": Act(1, "erasure", {"pick": PICKS}),
    "suppress": Act(1, "suppressions", {"pick": PICKS}),
    "lift": Act(2, "suppressions", {"pick": PICKS}),
    "add": Act(
        6,
        "",
        {
            "topics": UNDER,
            "held": st.sampled_from([False] * 5 + [True]),
            "days_ago": st.sampled_from([0, 9]),
            "language": st.sampled_from(["en", "en", "de", "pt-BR", "und"]),
        },
    ),
    "arrive": Act(
        2,
        "sources",
        {
            "topics": UNDER,
            "kept_back": st.booleans(),
            "days_ago": st.sampled_from([0, 9]),
            "approval": st.booleans(),
        },
    ),
    "approve": Act(3, "sources", {"pick": PICKS}),
    "change_rules": Act(1, "rules", {"topic": st.sampled_from(TOPICS), "words": st.sampled_from(TOPICS)}),
    "urgent": Act(2, "urgent", {"pick": PICKS, "chunks": st.sampled_from([0, 1, 9, 9])}),
    "tell": Act(2, "notices", {"pick": PICKS}),
    "enqueue_notices": Act(3, "notices", {"pick": PICKS}),
    "settle": Act(3, "sources", {"pick": PICKS}),
    "send_after_all": Act(2, "sources", {"pick": PICKS}),
    "name_topic": Act(2, "topics", {"pick": PICKS, "topic": st.sampled_from(TOPICS)}),
    "correct": Act(2, "corrections", {"pick": PICKS}),
    "take_off": Act(2, "choices of topics", {"pick": PICKS, "topics": UNDER}),
    "embargo": Act(1, "embargoes", {"pick": PICKS, "hours": st.sampled_from([1, 24])}),
    "lift_embargo": Act(1, "embargoes", {"pick": PICKS}),
    "delete": Act(1, "deletions", {"pick": PICKS}),
    "undo_delete": Act(2, "deletions", {"pick": PICKS}),
    "merge": Act(2, "merges", {"pick": PICKS, "other": PICKS}),
    "undo_merge": Act(2, "merges", {"pick": PICKS}),
    "hold": Act(2, "holds", {"pick": PICKS, "action": st.sampled_from(["hold", "exclude"])}),
    "free": Act(3, "holds", {"pick": PICKS}),
    "open": Act(
        6,
        "",
        {
            "frequencies": SERVED,
            "chunks": st.sampled_from([0, 1, 9, 9, 9]),
            "of": st.sampled_from(["first", "first", "second"]),
        },
    ),
    "prepare": Act(6, "", {"pick": PICKS, "chunks": st.sampled_from([1, 2, 9, 9])}),
    "cancel": Act(4, "cancels", {"pick": PICKS, "drop": st.sampled_from([False, False, True])}),
    "pause_issue": Act(1, "stops", {"pick": PICKS}),
    "resume_issue": Act(3, "stops", {"pick": PICKS}),
    "retry": Act(4, "retries", {"pick": PICKS}),
    "resend": Act(2, "resends", {"pick": PICKS}),
    "start_drain": Act(3, "", {"dies_in": DIES}),
    "continue_drain": Act(5, "", {"answer": ANSWER, "seconds": st.sampled_from([0, 5])}),
    "send": Act(5, "", {"answers": st.lists(ANSWER, max_size=3), "dies_in": DIES}),
    "recover": Act(3, "", {}),
    "pass_time": Act(2, "time", {"hours": st.sampled_from([1, 1, 24, 8 * 24, 31 * 24])}),
}
KINDS = sorted({each.kind for each in ACTS.values()} - {""})
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

    @initialize(skews=st.tuples(SKEWS, SKEWS), without=st.sets(st.sampled_from(KINDS)))
    def begin(self, skews: tuple[int, int], without: set[str]) -> None:
        self.database.begin()
        self.without = without
        self.world = World(self.database, self.folder, skews, self.strict)
        self.world.story.append(f"clocks {skews}")

    @rule(data=st.data())
    def happens(self, data: st.DataObject) -> None:
        assert self.world is not None
        names = self.possible()
        if names:
            self.act(*self.draw(data, names))

    def possible(self, but: Collection[str] = ()) -> list[str]:
        """Return the acts that are possible now, each repeated by its weight."""
        assert self.world is not None
        can = self.world.possible()
        return [
            name for name, each in ACTS.items()
            if name in can and name not in but and each.kind not in self.without
            for _ in range(each.weight)
        ]  # fmt: skip

    def draw(self, data: st.DataObject, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
        name = data.draw(st.sampled_from(names))
        return name, data.draw(st.fixed_dictionaries({"host": HOSTS, **ACTS[name].given}))

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

    @rule(data=st.data(), picks=st.lists(st.booleans(), max_size=60))
    def race(self, data: st.DataObject, picks: list[bool]) -> None:
        assert self.world is not None
        names = self.possible(but=ALONE)
        if not names:
            return
        acts = []
        for _ in range(2):
            name, given = self.draw(data, names)
            self.world.story.append(f"at once: {name}({given})")
            acts.append(partial(getattr(self.world, name), **given))
        self.world.race(acts, picks)


def shared_memory() -> str | None:
    """Return a folder in memory if this machine has one, else None for the default folder."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
