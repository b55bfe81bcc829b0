"""The only module of the lives that calls the program, as an edge would.

A world is one installation with two hosts, whose clocks differ, and the oracle, which checks each commit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from house import NOON, make_settings
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lives.databases import Database, PostgreSQLDatabase
from lives.oracle import Asked, Oracle, Report
from lives.relay import ScriptedRelay
from lives.returned_mail import write_report
from lives.turns import SimulatedCrash, Strand, current, interleave, stop_here
from newsletter.bounces.reports.match import SigningKeys
from newsletter.bounces.reports.receive import receive
from newsletter.digest.issues import Preparer, open_issue
from newsletter.digest.urgent import UrgentPreparer, open_urgent
from newsletter.errors import InputError, NotFound, StateConflict
from newsletter.ingest.press.parse import PressRelease
from newsletter.mail.addresses import parse_address
from newsletter.mail.verp import LEAVE_KEY, RETURN_KEY, delivery_token
from newsletter.models import (
    FIRST_NEWSLETTER,
    Frequency,
    Issue,
    Lane,
    ReleaseState,
    RuleField,
    RuleMatch,
)
from newsletter.outbox import control
from newsletter.outbox.drain.worker import drain, journal_folder
from newsletter.outbox.record import finish
from newsletter.outbox.recover import recover
from newsletter.outbox.refused.judge import judge_all
from newsletter.releases.correction_notice.send import ask_notice, enqueue_next
from newsletter.releases.due_holds import end_due_holds
from newsletter.releases.duplicates.judge import end_settling
from newsletter.releases.duplicates.merge import merge_releases, undo_merge
from newsletter.releases.editing.delete import delete_release, undo_delete
from newsletter.releases.editing.edit import ReleaseAction, change_release, find_release
from newsletter.releases.editing.embargo import lift_embargo, set_embargo
from newsletter.releases.editing.urgent import mark_urgent
from newsletter.releases.from_sources.approve import approve
from newsletter.releases.from_sources.arrive import Arrival, store_arrival
from newsletter.releases.from_sources.backlog import send_after_all
from newsletter.releases.revisions.revise import revise
from newsletter.releases.revisions.store import Texts
from newsletter.releases.rules.edit import set_rules
from newsletter.releases.rules.match import Rule, RuleSet
from newsletter.releases.store import add_release
from newsletter.releases.topics.choose import choose_topics
from newsletter.runtime import Runtime
from newsletter.service.returned_mail import follow_up
from newsletter.subscribers.choices import preferences
from newsletter.subscribers.choices.change_address import move, request_address_change
from newsletter.subscribers.choices.pauses import end_pauses
from newsletter.subscribers.consent.wording import current_wording
from newsletter.subscribers.leaving.undo import make_undo_token, undo
from newsletter.subscribers.leaving.unsubscribe import Unsubscribed, unsubscribe
from newsletter.subscribers.link import LinkFault
from newsletter.subscribers.privacy.erase import erase, stop_first
from newsletter.subscribers.signup.confirm import confirm
from newsletter.subscribers.signup.request import Signup, request_signups
from newsletter.subscribers.signup.resolve import resolve_signups
from newsletter.suppression import add_by_hand, lift
from newsletter.tokens import Purpose

# The topics of each newsletter. A release under topics of both is in both newsletters.
TOPICS_OF = {"first": ("alpha", "beta", "gamma"), "second": ("delta",)}
TOPICS = tuple(topic for topics in TOPICS_OF.values() for topic in topics)
CATCH_UP = 2
CHUNK = 1
# At the end of a life, issues are prepared in one chunk, which is faster.
LAST_CHUNK = 100
WEEKS = (1, 4)
# Deferred deliveries are due again after hours, and refused ones may be tried once more.
MOST_DAYS = 6
# The condition that an issue was cancelled with "drop", in SQL, on a row `i` of `issue`.
DROPPED = "i.drops_unsent"


def newsletter_id(name: str) -> int:
    """Return the id of a newsletter of `TOPICS_OF`."""
    return FIRST_NEWSLETTER + list(TOPICS_OF).index(name)


class Person(NamedTuple):
    """A person with an address."""

    id: int
    public_id: str
    email_key: str


class WatchedSession(Session):
    """A session whose commits are stops. The process may die at a commit, and the oracle checks each one."""

    def commit(self) -> None:
        world: World = self.info["world"]
        world.before_commit()
        super().commit()
        since = self.info.pop("since", world.oracle.commits)
        world.oracle.committed(since, self.info.get("asked", Asked()))
        world.after_commit()


@event.listens_for(WatchedSession, "after_begin")
def _note_beginning(session: Session, *_: object) -> None:
    session.info.setdefault("since", session.info["world"].oracle.commits)


@event.listens_for(WatchedSession, "after_rollback")
def _forget_beginning(session: Session) -> None:
    session.info.pop("since", None)


@dataclass(frozen=True, kw_only=True)
class Host(Runtime):
    """The parts of one host. Engines are kept between worlds, because making them is slow."""

    opened: Engine
    world: World

    @property
    def engine(self) -> Engine:  # type: ignore[override]
        return self.opened

    def session(self) -> Session:
        return WatchedSession(self.opened, info={"world": self.world})


@dataclass
class World:
    """One life. `skews` says by how many seconds each host's clock is ahead of the true time."""

    database: Database
    folder: Path
    skews: tuple[int, int]
    strict: bool = True
    moment: datetime = NOON
    story: list[str] = field(default_factory=list)
    deadlocks: int = 0
    # The clock of workers, in seconds, by which they decide when to check again.
    elapsed: float = 0.0
    # The language of each release, by its number.
    _languages: dict[int, str] = field(default_factory=dict)
    # What acts can pick from, with the state of this world that it belongs to.
    _found: tuple[object, Mapping[str, Collection[int]]] | None = None
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.oracle = Oracle(
            self.database.query,
            DROPPED,
            CATCH_UP,
            now=lambda: self.moment,
            latest_clock=lambda: self.moment + timedelta(seconds=max(0, *self.skews)),
            strict=self.strict,
        )
        self.hosts = [self._host(at) for at in (0, 1)]
        self.relays = [
            ScriptedRelay(self._is_digest, self._took, self._not_built, self._told) for _ in self.hosts
        ]
        self.drains: list[Strand | None] = [None, None]
        self.preparers: dict[tuple[int, int], Preparer | UrgentPreparer] = {}
        self.left: dict[int, Unsubscribed] = {}
        self.moved: set[int] = set()
        # The texts of releases that sources brought, by number.
        self.bodies: dict[int, str] = {}
        # The reports that came back, as their bytes and the delivery that each is about.
        self.reports: list[tuple[bytes, int]] = []
        self.dies_in: list[int | None] = [None, None]
        self.oracle.begin()

    def _host(self, at: int) -> Host:
        folder = self.folder / f"host{at}"
        settings = make_settings(folder, database_url=self.database.url, snooze_catch_up=str(CATCH_UP))

        def now() -> datetime:
            return self.moment + timedelta(seconds=self.skews[at])

        return Host(settings=settings, now=now, opened=self.database.engines[at], world=self)

    # Callbacks of the sessions and the relays.

    def before_commit(self) -> None:
        stop_here("commit")
        self._die_if_it_is_time()

    def after_commit(self) -> None:
        self._die_if_it_is_time()

    def _die_if_it_is_time(self) -> None:
        """Let a drain die at the commit that the story gives."""
        here = current()
        for at, strand in enumerate(self.drains):
            left = self.dies_in[at]
            if strand is here is not None and left is not None:
                self.dies_in[at] = left - 1
                if left == 0:
                    self.dies_in[at] = None
                    raise SimulatedCrash

    def _is_digest(self, delivery: int) -> bool:
        return self.database.query(f"SELECT lane FROM delivery WHERE id = {int(delivery)}")[0][0] == "bulk"

    def _took(self, delivery: int, recipient: str, numbers: frozenset[tuple[int, int]]) -> None:
        self.story.append(f"    the relay takes delivery {delivery} to {recipient}: {sorted(numbers)}")
        self.oracle.took(delivery, recipient, numbers)

    def _told(self, delivery: int) -> None:
        self.oracle.told(delivery)

    def _not_built(self, delivery: int, error: Exception) -> None:
        self.story.append(f"    delivery {delivery} cannot be built: {error!r}")
        self.oracle.could_not_build(delivery, repr(error))

    # Calls as an edge makes them.

    def ask(self, host: int, act: Callable[[Host, Session], object], asked: Asked | None = None) -> object:
        """Make one request in its own transaction; return the result, or None if it is refused."""
        parts = self.hosts[host]
        self.moment += timedelta(milliseconds=1)
        try:
            with parts.session() as session:
                session.info["asked"] = asked or Asked()
                result = act(parts, session)
                session.commit()
                return result
        except (StateConflict, NotFound, InputError):
            return None
        except OperationalError as fault:
            if "deadlock" not in str(fault):
                raise
            self.deadlocks += 1
            self.story.append("    deadlock")
            return None

    # The people and things that an act can pick.

    def people(self) -> Sequence[Person]:
        """Return all people with an address."""
        rows = self.database.query(
            "SELECT id, public_id, email_key FROM subscriber WHERE email_key IS NOT NULL ORDER BY id"
        )
        return [Person(*row) for row in rows]

    def possible(self) -> set[str]:
        """Return the acts that can change something now."""
        now = self.oracle.history[-1]
        least = min((each.covered_to for each in now.active()), default=now.counter)
        due = any(each.state in {"queued", "deferred"} for each in now.deliveries.values())
        return {
            *("join", "add", "arrive", "change_rules", "pass_time"),
            *(name for name, found in self._candidates().items() if found),
            *(("open",) if least < now.counter else ()),
            *(("start_drain", "send") if due else ()),
            *(("continue_drain",) if any(self.drains) else ()),
        }

    def _candidates(self) -> Mapping[str, Collection[int]]:
        """Return, for each act that picks something, the ids that it can pick from. Kept until a change."""
        state = (self.oracle.commits, len(self.left), len(self.moved), len(self.reports))
        if self._found is None or self._found[0] != state:
            self._found = (state, self._find_candidates())
        return self._found[1]

    def _find_candidates(self) -> Mapping[str, Collection[int]]:
        now = self.oracle.history[-1]
        states = {
            state: {each.issue for each in now.deliveries.values() if each.state == state}
            for state in ("rejected", "uncertain", "leased")
        }
        active = {each.person for each in now.active()}
        ended = {
            each.person for each in now.subscriptions.values()
            if each.ended_reason == "unsubscribed" and each.person in self.left
        }  # fmt: skip
        issues = {
            state: {issue for issue, each in now.issues.items() if each == state}
            for state in set(now.issues.values())
        }

        probes = self.database.query(
            "SELECT p.delivery_id FROM probe p JOIN delivery d ON d.id = p.delivery_id"
            " WHERE p.ended_at IS NULL AND d.state = 'accepted'"
        )
        holds = self.database.query("SELECT release_id, reason FROM release_hold")
        open_notices = self.database.query("SELECT id FROM correction_notice WHERE finished_at IS NULL")

        def among(*names: str) -> set[int]:
            return set().union(*(issues.get(each, set()) for each in names))

        return {
            "choose": active | ended,
            "choose_languages": active,
            "unsubscribe": active,
            "undo": ended,
            "pause": active - now.paused_until.keys(),
            "resume": now.paused_until.keys(),
            "move": active,
            "undo_move": self.moved,
            "erase": active,
            "suppress": active - now.suppressed.keys(),
            "lift": now.suppressed.keys() & {each.id for each in self.people()},
            "report": {each.id for each in now.deliveries.values() if each.state == "accepted"},
            "report_again": range(1, len(self.reports) + 1),
            "report_probe": {row[0] for row in probes},
            "name_topic": now.numbers.keys(),
            "correct": now.numbers.keys(),
            "take_off": now.numbers.keys(),
            "embargo": now.numbers.keys(),
            "lift_embargo": now.embargoes.keys(),
            "delete": now.numbers.keys() - now.deleted,
            "undo_delete": now.deleted,
            "merge": now.numbers.keys() if len(now.numbers) > 1 else (),
            "undo_merge": now.merged.keys(),
            "settle": {row[0] for row in holds if row[1] == "settling"},
            "approve": {row[0] for row in holds if row[1] == "approval"},
            "urgent": now.numbers.keys() - now.deleted,
            "tell": {release for release in now.ready if now.texts[release] > 1},
            "enqueue_notices": {row[0] for row in open_notices},
            "send_after_all": {
                each for each, number in now.numbers.items() if number in self.oracle.kept_back
            },
            "hold": now.ready,
            "free": now.numbers.keys() - now.ready - now.deleted,
            "prepare": among("preparing"),
            "cancel": among("preparing", "sending", "paused"),
            "pause_issue": among("sending"),
            "resume_issue": among("paused"),
            "retry": states["rejected"],
            "resend": states["uncertain"],
            "recover": states["leased"],
        }

    def pick(self, act: str, number: int) -> int:
        """Return the id that an act picks, counted from the newest; 0 if there is none."""
        found = sorted(self._candidates()[act], reverse=True)
        return found[number % len(found)] if found else 0

    def person(self, act: str, number: int) -> Person:
        chosen = self.pick(act, number)
        return next((each for each in self.people() if each.id == chosen), Person(0, "", ""))

    def _preferences_token(self, host: int, person: Person) -> str:
        return self._token(Purpose.PREFERENCES, host, person)

    def _token(self, purpose: Purpose, host: int, person: Person) -> str:
        tokens, now = self.hosts[host].tokens, self.hosts[host].now()
        return tokens.make(purpose, [person.public_id, tokens.fingerprint(person.email_key)], now)

    def _forget_limits(self) -> None:
        """Empty the rate limits, which these lives do not test."""
        self.database.run("DELETE FROM throttle_bucket")

    # People.

    def join(self, host: int, name: int, wanted: Mapping[str, str]) -> None:
        """Sign up, and confirm by the link in the email."""
        self._forget_limits()
        address = parse_address(f"person{name}@example.org")
        choices = {slug: Frequency(each) for slug, each in wanted.items()}
        signup = Signup(address=address, choices=choices, wording=current_wording())
        self.ask(host, lambda parts, session: request_signups(session, [signup], parts.now()))
        self.ask(host, lambda parts, session: resolve_signups(session, parts.tokens, parts.now()))
        found = [each for each in self.people() if each.email_key == address.canonical]
        pending = self.database.query(
            "SELECT max(id), subscriber_id FROM subscription WHERE state = 'pending' GROUP BY subscriber_id"
        )
        upto = {row[1]: row[0] for row in pending}
        if not found or found[0].id not in upto:
            return
        parts = self.hosts[host]
        payload = [found[0].public_id, parts.tokens.fingerprint(found[0].email_key), upto[found[0].id]]
        token = parts.tokens.make(Purpose.CONFIRM, payload, parts.now())
        person = found[0]
        (until,) = self.database.query(f"SELECT snoozed_until FROM subscriber WHERE id = {person.id}")[0]
        self.ask(
            host,
            lambda parts, session: confirm(session, parts.tokens, token, parts.now(), catch_up=CATCH_UP),
            # A person who comes back after unsubscribing from everything has ended their pause.
            Asked(skips_ahead=frozenset({person.id} if until else ())),
        )

    def choose(self, host: int, pick: int, wanted: Mapping[str, str]) -> None:
        """Save the preferences page."""
        self._forget_limits()
        token = self._preferences_token(host, self.person("choose", pick))
        choices = {slug: Frequency(each) for slug, each in wanted.items()}
        self.ask(
            host,
            lambda parts, session: preferences.save_preferences(
                session, parts.tokens, token, choices, parts.now()
            ),
        )

    def choose_languages(self, host: int, pick: int, chosen: Sequence[str]) -> None:
        """Save the preferences page with other languages of releases, and the same topics."""
        person = self.person("choose_languages", pick)
        token = self._preferences_token(host, person)
        now = self.oracle.history[-1]
        slugs = dict(self.database.query("SELECT id, slug FROM topic"))
        choices = {
            slugs[each.topic]: Frequency(each.frequency)
            for each in now.active() if each.person == person.id
        }  # fmt: skip
        settings = preferences.PersonalSettings("en", "UTC", None, frozenset(chosen))
        self.ask(
            host,
            lambda parts, session: preferences.save_preferences(
                session, parts.tokens, token, choices, parts.now(), personal_settings=settings
            ),
        )

    def unsubscribe(self, host: int, pick: int, only: str | None) -> None:
        """Unsubscribe from one topic, from a newsletter, or from everything."""
        person = self.person("unsubscribe", pick)
        left = self.ask(
            host,
            lambda parts, session: unsubscribe(
                session, parts.tokens, person.public_id, None, parts.now(), "one-click",
                newsletter_id=newsletter_id(only) if only in TOPICS_OF else None,
                only={only} if only in TOPICS else None,
            ),
        )  # fmt: skip
        if isinstance(left, Unsubscribed) and left.ended:
            self.left[person.id] = left

    def undo(self, host: int, pick: int) -> None:
        """Use the undo link of the last unsubscribing."""
        person = self.person("undo", pick)
        left, parts = self.left.get(person.id), self.hosts[host]
        if left is None or left.ended_at is None:
            return
        token = make_undo_token(
            parts.tokens, person.public_id, left.ended_at, left.ended_at, person.email_key
        )
        self.ask(host, lambda parts, session: undo(session, parts.tokens, token, parts.now()))

    def pause(self, host: int, pick: int, weeks: int) -> None:
        token = self._preferences_token(host, self.person("pause", pick))
        self.ask(
            host, lambda parts, session: preferences.pause(session, parts.tokens, token, weeks, parts.now())
        )

    def resume(self, host: int, pick: int) -> None:
        person = self.person("resume", pick)
        token = self._preferences_token(host, person)
        self.ask(
            host,
            lambda parts, session: preferences.resume(session, parts.tokens, token, CATCH_UP, parts.now()),
            Asked(skips_ahead=frozenset({person.id})),
        )

    def move(self, host: int, pick: int, name: int) -> None:
        """Request a change of address, and confirm it by the email to the new address."""
        self._forget_limits()
        person = self.person("move", pick)
        token = self._token(Purpose.NEW_ADDRESS, host, person)
        address = parse_address(f"person{name}@example.org")
        asked = self.ask(
            host,
            lambda parts, session: request_address_change(session, parts.tokens, token, address, parts.now()),
        )
        # On PostgreSQL, the other act of the same moment may have changed or erased the address.
        assert asked != LinkFault.DAMAGED, "the link is not the one that the program emails"
        self._press_move(host, person, is_undo=False)
        self.moved.add(person.id)

    def undo_move(self, host: int, pick: int) -> None:
        """Undo the change by the link that was sent to the old address."""
        self._press_move(host, self.person("undo_move", pick), is_undo=True)

    def _press_move(self, host: int, person: Person, *, is_undo: bool) -> None:
        wishes = self.database.query(
            "SELECT id, email_key FROM address_change WHERE settled_at IS NULL"
            f" AND subscriber_id = {person.id} AND {'' if is_undo else 'NOT'} is_undo ORDER BY id"
        )
        if not wishes:
            return
        parts = self.hosts[host]
        payload = [person.public_id, wishes[-1][0], parts.tokens.fingerprint(wishes[-1][1])]
        token = parts.tokens.make(Purpose.CHANGE_ADDRESS, payload, parts.now())
        self.ask(
            host,
            lambda parts, session: move(session, parts.tokens, token, parts.now(), catch_up=CATCH_UP),
            # A pause ends, unless it continues at the new address.
            Asked(
                skips_ahead=frozenset(self.oracle.history[-1].paused_until), moves=True, moves_back=is_undo
            ),
        )

    def erase(self, host: int, pick: int) -> None:
        person = self.person("erase", pick)
        self.ask(
            host, lambda parts, session: stop_first(session, parts.tokens, person.public_id, parts.now())
        )
        self.ask(
            host, lambda parts, session: erase(session, parts.tokens, person.public_id, "page", parts.now())
        )

    def suppress(self, host: int, pick: int) -> None:
        person = self.person("suppress", pick)
        self.ask(
            host,
            lambda parts, session: add_by_hand(
                session, parts.tokens, person.email_key, "editor", parts.now()
            ),
            Asked(suppresses=person.id),
        )

    def lift(self, host: int, pick: int) -> None:
        person = self.person("lift", pick)
        self.ask(
            host,
            lambda parts, session: lift(
                session,
                parts.tokens,
                person.email_key,
                "editor",
                parts.now(),
                parts.settings.snooze_catch_up,
                "asked by phone",
            ),
            Asked(skips_ahead=frozenset({person.id}), lifts=person.id),
        )

    # Returned mail.

    def report(self, host: int, pick: int, kind: str, forged: bool) -> None:
        """Let a report about an accepted digest come back. A forged one has a value that we did not sign."""
        self._report(host, self.pick("report", pick), kind, forged=forged)

    def report_probe(self, host: int, pick: int, kind: str) -> None:
        """Let a report about an accepted probe email come back."""
        self._report(host, self.pick("report_probe", pick), kind)

    def report_again(self, host: int, pick: int) -> None:
        """Let the same bytes come back once more."""
        number = self.pick("report_again", pick)
        if number:
            raw, delivery = self.reports[number - 1]
            self._receive(host, raw, Report("repeated", delivery))

    def _report(self, host: int, delivery: int, kind: str, *, forged: bool = False) -> None:
        rows = self.database.query(
            "SELECT s.email FROM delivery d JOIN subscriber s ON s.id = d.subscriber_id"
            f" WHERE d.id = {delivery}"
        )
        if not rows or rows[0][0] is None:
            return
        key = b"not our key" if forged else self.hosts[host].tokens.derived_key(RETURN_KEY)
        raw = write_report(kind, delivery_token(str(delivery), key), rows[0][0], len(self.reports) + 1)
        if self._receive(host, raw, Report("forged" if forged else kind, delivery)) is not None:
            self.reports.append((raw, delivery))

    def _receive(self, host: int, raw: bytes, report: Report) -> object:
        def act(parts: Host, session: Session) -> object:
            keys = SigningKeys(parts.tokens.derived_key(RETURN_KEY), parts.tokens.derived_key(LEAVE_KEY))
            return receive(session, parts.tokens, keys, raw, (), parts.now())

        outcome = self.ask(host, act, Asked(report=report))
        self.story.append(f"    the report about delivery {report.delivery}: {outcome}")
        return outcome

    # Releases.

    def add(self, host: int, topics: Sequence[str], held: bool, days_ago: int, language: str = "en") -> None:
        number = next(self._numbers)
        self._languages[number] = language
        self._store(host, number, topics, held=held, days_ago=days_ago)

    def name_topic(self, host: int, pick: int, topic: str) -> None:
        """Put a release under one more topic."""
        release = self.pick("name_topic", pick)
        if release:
            number = self.oracle.history[-1].numbers[release]
            self._store(host, number, [topic], held=False, days_ago=0)

    def _store(self, host: int, number: int, topics: Sequence[str], *, held: bool, days_ago: int) -> None:
        day = (NOON - timedelta(days=days_ago)).date()
        language, title = self._languages[number], f"Bulletin {number} text 1 is out"
        body = self.bodies.get(number, f"Text {number}.")
        press = PressRelease(title, "Port", day, language, (body,))
        state = ReleaseState.HELD if held else ReleaseState.READY
        self.ask(
            host,
            lambda parts, session: add_release(session, press, now=parts.now(), topics=topics, state=state),
        )

    def arrive(
        self, host: int, topics: Sequence[str], kept_back: bool, days_ago: int, approval: bool = False
    ) -> None:
        """Let a source bring a release: one that settles, and may need approval, or one of its backlog."""
        number = next(self._numbers)
        # A topic's rules match its name. Only releases of sources have names of topics in their text.
        self._languages[number] = "en"
        self.bodies[number] = f"Text {number} on {' and '.join(topics)}."
        day = (NOON - timedelta(days=days_ago)).date()
        press = PressRelease(f"Bulletin {number} text 1 is out", "Port", day, "en", (self.bodies[number],))
        if kept_back:
            self.oracle.kept_back.add(number)

        def act(parts: Host, session: Session) -> None:
            until = parts.now() + timedelta(hours=1)
            arrival = Arrival(
                press,
                (f"key {number}",),
                is_kept_back=kept_back,
                settles_until=until,
                needs_approval=approval,
            )
            store_arrival(session, arrival, parts.now())

        self.ask(host, act)

    def settle(self, host: int, pick: int) -> None:
        """End the settling of a release."""
        release = self.pick("settle", pick)
        if release:
            self.ask(
                host,
                lambda parts, session: end_settling(session, release, parts.now()),
            )

    def approve(self, host: int, pick: int) -> None:
        """Approve a release that its source brought."""
        name = self._release("approve", pick)
        self.ask(host, lambda parts, session: approve(session, name, "editor", parts.now()))

    def change_rules(self, host: int, topic: str, words: str) -> None:
        """Change the rules of a topic, and put stored releases under it, which no email brings."""
        rules = RuleSet(RuleMatch.ANY, (Rule(RuleField.WORDS, topic), Rule(RuleField.WORDS, words)))
        self.ask(
            host,
            lambda parts, session: set_rules(
                session, topic, rules, actor="editor", now=parts.now(), existing=True
            ),
        )

    def urgent(self, host: int, pick: int, chunks: int) -> None:
        """Mark a release as urgent, open its issues if it is ready, and prepare some chunks of them."""
        release, name = self.pick("urgent", pick), self._release("urgent", pick)
        self.ask(host, lambda parts, session: mark_urgent(session, name, 0, "editor", parts.now()))
        self._open_urgent(host, release, chunks)

    def _open_urgent(self, host: int, release: int, chunks: int) -> None:
        def act(parts: Host, session: Session) -> list[int]:
            return [each.id for each in open_urgent(session, parts.renderer, release, parts.now())]

        opened = self.ask(host, act)
        for issue in opened if isinstance(opened, list) else []:
            self._prepare(host, issue, chunks)

    def tell(self, host: int, pick: int) -> None:
        """Tell those who have an earlier text of a release about its correction."""
        name = self._release("tell", pick)
        self.ask(host, lambda parts, session: ask_notice(session, name, actor="editor", now=parts.now()))

    def enqueue_notices(self, host: int, pick: int) -> None:
        """Enqueue the next emails of a correction notice."""
        notice = self.pick("enqueue_notices", pick)
        if notice:
            self.ask(host, lambda parts, session: enqueue_next(session, notice, parts.now()))

    def send_after_all(self, host: int, pick: int) -> None:
        """Let a release that was kept back be mailed."""
        release = self.pick("send_after_all", pick)
        rows = self.database.query(f"SELECT public_id FROM release WHERE id = {release}")
        if rows:
            asked = Asked(sends_after_all=self.oracle.history[-1].numbers[release])
            self.ask(
                host,
                lambda parts, session: send_after_all(session, rows[0][0], "editor", parts.now()),
                asked,
            )

    def correct(self, host: int, pick: int) -> None:
        """Give a release its next text."""
        release = self.pick("correct", pick)
        rows = self.database.query(f"SELECT public_id FROM release WHERE id = {release}")
        number, text = (
            each[release] for each in (self.oracle.history[-1].numbers, self.oracle.history[-1].texts)
        )

        def act(parts: Host, session: Session) -> None:
            found = find_release(session, rows[0][0])
            texts = replace(Texts.of(found), title=f"Bulletin {number} text {text + 1} is out")
            revise(session, found, texts, made_by="editor", now=parts.now())

        self.ask(host, act)

    def take_off(self, host: int, pick: int, topics: Sequence[str]) -> None:
        """Leave a release only under these topics, or put it under them again."""
        rows = self._release("take_off", pick)
        self.ask(
            host,
            lambda parts, session: choose_topics(
                session, find_release(session, rows), topics, "editor", parts.now()
            ),
        )

    def embargo(self, host: int, pick: int, hours: int) -> None:
        name = self._release("embargo", pick)
        self.ask(
            host,
            lambda parts, session: set_embargo(
                session, name, parts.now() + timedelta(hours=hours), "editor", parts.now()
            ),
        )

    def lift_embargo(self, host: int, pick: int) -> None:
        name = self._release("lift_embargo", pick)
        self.ask(host, lambda parts, session: lift_embargo(session, name, "editor", parts.now()))

    def delete(self, host: int, pick: int) -> None:
        name = self._release("delete", pick)
        self.ask(host, lambda parts, session: delete_release(session, name, "editor", parts.now()))

    def undo_delete(self, host: int, pick: int) -> None:
        name = self._release("undo_delete", pick)
        self.ask(host, lambda parts, session: undo_delete(session, name, "editor", parts.now()))

    def merge(self, host: int, pick: int, other: int) -> None:
        """Say that two releases are one. The first one stays."""
        names = self._release("merge", pick), self._release("merge", other)
        self.ask(host, lambda parts, session: merge_releases(session, *names, "editor", parts.now()))

    def undo_merge(self, host: int, pick: int) -> None:
        name = self._release("undo_merge", pick)
        self.ask(host, lambda parts, session: undo_merge(session, name, "editor", parts.now()))

    def _release(self, act: str, pick: int) -> str:
        """Return the public id of the release that an act picks; "" if there is none."""
        rows = self.database.query(f"SELECT public_id FROM release WHERE id = {self.pick(act, pick)}")
        return str(rows[0][0]) if rows else ""

    def hold(self, host: int, pick: int, action: str) -> None:
        """Hold or exclude a release."""
        self._edit(host, self.pick("hold", pick), ReleaseAction(action))

    def free(self, host: int, pick: int) -> None:
        """Make a held or excluded release ready again."""
        self._edit(host, self.pick("free", pick), ReleaseAction.READY)

    def _edit(self, host: int, release: int, action: ReleaseAction) -> None:
        rows = self.database.query(f"SELECT public_id FROM release WHERE id = {release}")
        if rows:
            self.ask(
                host,
                lambda parts, session: change_release(session, rows[0][0], action, "editor", parts.now()),
            )

    # Issues.

    def open(self, host: int, frequencies: Sequence[str], chunks: int, of: str = "first") -> None:
        """Open an issue of a newsletter and prepare some chunks of it."""
        chosen = [Frequency(each) for each in frequencies]
        newsletter = newsletter_id(of)

        def act(parts: Host, session: Session) -> int:
            issue = open_issue(session, chosen, actor="editor", now=parts.now(), newsletter_id=newsletter)
            session.flush()
            return issue.id

        opened = self.ask(host, act)
        if isinstance(opened, int):
            self._prepare(host, opened, chunks)

    def prepare(self, host: int, pick: int, chunks: int) -> None:
        issue = self.pick("prepare", pick)
        if issue:
            self._prepare(host, issue, chunks)

    def _prepare(self, host: int, issue: int, chunks: int, size: int = CHUNK) -> None:
        preparer = self.preparers.get((host, issue))
        if preparer is None:
            is_urgent = self.database.query(f"SELECT urgent_release_id FROM issue WHERE id = {issue}")[0][0]
            prepares = UrgentPreparer if is_urgent else Preparer
            preparer = self.preparers[host, issue] = prepares(self.hosts[host].renderer, issue, size)
        for _ in range(chunks):
            if not self.ask(host, lambda parts, session: preparer.step(session, parts.now())):
                return

    def cancel(self, host: int, pick: int, drop: bool = False) -> None:
        self._steer(
            host,
            self.pick("cancel", pick),
            lambda session, issue, actor, now: control.cancel(
                session, issue, actor, now, session.commit, drop=drop
            ),
        )

    def pause_issue(self, host: int, pick: int) -> None:
        self._steer(host, self.pick("pause_issue", pick), control.pause)

    def resume_issue(self, host: int, pick: int) -> None:
        self._steer(host, self.pick("resume_issue", pick), control.resume)

    def retry(self, host: int, pick: int) -> None:
        self._steer(host, self.pick("retry", pick), control.retry_rejected)

    def resend(self, host: int, pick: int) -> None:
        issue = self.pick("resend", pick)
        if issue:
            self.oracle.chose_again(issue)
            self._steer(host, issue, control.resend_uncertain)

    def _steer(self, host: int, issue: int, act: Callable[[Session, Issue, str, datetime], object]) -> None:
        if issue:
            public_id = self.database.query(f"SELECT public_id FROM issue WHERE id = {issue}")[0][0]
            self.ask(
                host,
                lambda parts, session: act(
                    session, control.find_issue(session, public_id), "editor", parts.now()
                ),
            )

    # The outbox.

    def start_drain(self, host: int, dies_in: int | None = None) -> None:
        """Begin to send on a host, up to the first message. With `dies_in` it dies at that commit."""
        if self.drains[host] is None:
            self.relays[host].answers.clear()
            self.drains[host] = Strand(lambda: self._drain(host), {"relay"})
            self.dies_in[host] = dies_in
            self._step_drain(host)

    def _drain(self, host: int) -> None:
        parts, relay = self.hosts[host], self.relays[host]
        drain(parts, lambda _: relay, lane=Lane.BULK, seconds=1e9, elapsed=lambda: self.elapsed)

    def continue_drain(self, host: int, answer: str, seconds: int = 0) -> None:
        """Let a drain continue by one step, some seconds later; `answer` is the relay's next reply."""
        self.elapsed += seconds
        if self.drains[host] is not None:
            self.relays[host].answers[:] = [answer]
            self._step_drain(host)

    def send(self, host: int, answers: Sequence[str], dies_in: int | None = None) -> None:
        """Send everything that is due on a host. If it is already sending, let it finish."""
        self.start_drain(host, dies_in)
        strand = self.drains[host]
        if strand is not None:
            self.relays[host].answers[:] = answers
            strand.finish()
            self._see_drain(host)

    def _step_drain(self, host: int) -> None:
        strand = self.drains[host]
        if strand is not None:
            strand.step()
            self._see_drain(host)

    def _see_drain(self, host: int) -> None:
        strand = self.drains[host]
        if strand is not None and strand.ended:
            self.drains[host] = None
            self.dies_in[host] = None
            if strand.error is not None:
                raise strand.error

    def recover(self, host: int) -> None:
        """Read the journals of this host's dead processes."""
        parts = self.hosts[host]
        with parts.session() as session:
            recover(session, parts.messages, journal_folder(parts.settings), parts.now())

    def pass_time(self, host: int, hours: int) -> None:
        """Let some time pass, and then run the sweep of a host."""
        self.moment += timedelta(hours=hours)
        over = frozenset(self.oracle.history[-1].paused_until)
        self.ask(
            host, lambda parts, session: end_pauses(session, CATCH_UP, parts.now()), Asked(skips_ahead=over)
        )
        self.ask(host, lambda parts, session: end_due_holds(session, parts.now()))
        self.ask(host, lambda parts, session: judge_all(session, parts.messages, parts.now()))
        follow_up(self.hosts[host])
        for row in self.database.query("SELECT id FROM release WHERE urgent AND state = 'ready' ORDER BY id"):
            self._open_urgent(host, row[0], 9)
        self.ask(host, lambda parts, session: finish(session, parts.now()))

    # Several acts at the same time (PostgreSQL).

    def race(self, acts: Sequence[Callable[[], None]], picks: Sequence[bool]) -> None:
        """Run two acts at the same time; `picks` chooses whose next statement or commit is next."""
        assert isinstance(self.database, PostgreSQLDatabase)  # SQLite has one writer
        strands = [Strand(act, {"statement", "commit"}) for act in acts]
        interleave(strands, picks, self.database.is_blocked, until=lambda each: each.ended)
        for each in strands:
            if each.error is not None:
                raise each.error

    # The end.

    def close(self) -> None:
        """End the drains that still run."""
        for at, strand in enumerate(self.drains):
            if strand is not None:
                strand.crash()
                self.drains[at] = None

    def live_to_the_end(self) -> None:
        """Send everything: end pauses, lift suppressions, and let every relay accept."""
        self.close()
        for act in ("resume", "lift"):
            for number in range(len(self._candidates()[act])):
                getattr(self, act)(0, -1 - number)
        for _ in range(MOST_DAYS):
            if not self._one_more_day() or self.oracle.fault:
                break
        self.oracle.check_end()

    def _one_more_day(self) -> bool:
        """Send what is due, and refused deliveries once more; return whether there was anything to send."""
        for host in (0, 1):
            if self._candidates()["recover"]:
                self.recover(host)
        # The sweep cancels deliveries of a cancelled issue that came back unsent.
        self.ask(0, lambda parts, session: finish(session, parts.now()))
        for issue in self._candidates()["resume_issue"]:
            self._steer(0, issue, control.resume)
        rejected = self._candidates()["retry"]
        for issue in rejected:
            self._steer(0, issue, control.retry_rejected)
        if "open" in self.possible():
            for each in TOPICS_OF:
                self.open(0, ["daily", "weekly"], 0, each)
        preparing = sorted(self._candidates()["prepare"])
        for issue in preparing:
            self._prepare(0, issue, 100, LAST_CHUNK)
        # Notices are enqueued again after the digests were sent.
        notices = sorted(self._candidates()["enqueue_notices"])
        for each in notices:
            self.ask(0, lambda parts, session, each=each: enqueue_next(session, each, parts.now()))
        waits = "send" in self.possible()
        if waits:
            self.send(0, [])
        self.moment += timedelta(days=1)
        return bool(preparing or rejected or waits)
