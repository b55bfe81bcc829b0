"""The oracle of the random lives: the rules that it checks after every commit and at the end of a life.

The oracle has its own log of what the program was asked to do and what the relay accepted. It reads rows with
plain SQL and uses no code of the program. The rules are those of newsletter/coverage.py:

(a) Take an active subscription and a ready release that is new to it. The release still waits, or a delivery
    of the topic's newsletter that counts holds it.

(b) At most one delivery of a person and newsletter that may still be sent or may have arrived holds a
    release.

(twice) The relay accepted no release twice for one person and newsletter, unless somebody chose to send it
    again.

(newsletter) A subscription has the newsletter of its topic, and a digest has only topics of its newsletter.

(unwanted) Suppose that a hold, an exclusion, a pause or the end of a topic was committed before a claim. Then
    the claimed email does not have such a release.

(backlog) A release of a source's backlog has no sequence until an editor sends it after all.

(hold) A ready release has no hold.

(text) A claimed email has the text of a release that was the present one at some time between the beginning
    of the claim and its commit, or the present one when it was sent.

(embargo) A release is not ready while its embargo lasts.

(mark) A subscription begins at the counter. It continues where it was if somebody comes back within the time
    for undo. It skips only releases that the end of a pause may skip.

(languages) A person who chose languages of releases gets only releases in these languages, and those whose
    language is not known. When a mark passes another release, it is no longer expected, until the mark falls
    below it again.

(urgent) An urgent email has no other release, and a person gets at most one for a release, also from several
    newsletters.

(notice) A correction notice is taken once for each person and revision, and the person had the text that it
    corrects. At the end, those who always got emails have a notice for each earlier text that they had.

(merge) A release is merged only if no email with it was sent or is being sent. Afterwards, a delivery that
    holds it holds the other one too: (a) and (never) are met by either. Nobody who got one, or is being sent
    it, is given the other one later. The topics of the merged one are topics of the other one, unless an
    editor took them off that, or it was part of a source's backlog.

(report) Only a genuine report that a mailbox does not exist makes an accepted delivery rejected: it never
    arrived, so it may be sent again. A report that was forged, repeated, or about a temporary failure changes
    no subscription, no delivery and no suppression.

(suppressed) Each suppression has a cause: an editor, a complaint, an erasure, or emails that came back. A
    complaint about an email of the last week suppresses the address to which that went, and no other one of
    that person. Suppose that a suppression was committed
    before a claim, and was not lifted. Then the claimed email is not sent, of any newsletter.

(never) At the end, with nothing open, everybody has every release, except what an editor dropped.

(stuck) At the end, nothing waits.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

# Runs one SELECT without parameters and returns its rows.
Query = Callable[[str], Sequence[Sequence[Any]]]

# States of deliveries that may still be sent or may have arrived.
LIVE = {"queued", "leased", "deferred", "accepted", "uncertain"}
# How long somebody can come back to a topic, and the uncertainty of it, because hosts' clocks differ.
UNDO = timedelta(days=7)
UNSURE = timedelta(hours=3)
_NUMBER = re.compile(r"Bulletin (\d+) text (\d+) ")


class Subscription(NamedTuple):
    """A row of `subscription`."""

    id: int
    person: int
    newsletter: int
    topic: int
    frequency: str
    state: str
    started: int
    covered_to: int
    ended_reason: str | None


class Delivery(NamedTuple):
    """A digest's row of `delivery`, with its issue; `releases` and `topics` are those of its rendition."""

    id: int
    person: int
    newsletter: int
    issue: int
    state: str
    attempt: int
    leased_by: str | None
    bounced: bool
    issue_state: str
    dropped: bool
    releases: frozenset[int]
    topics: frozenset[int]

    @property
    def counts(self) -> bool:
        """Whether it counts: the releases that it holds need not wait any more."""
        if self.state == "rejected":
            return self.issue_state != "cancelled"
        return self.state in LIVE or self.is_dropped

    @property
    def is_sent(self) -> bool:
        """Whether it was sent, or is being sent."""
        return self.state in {"leased", "accepted", "uncertain"}

    @property
    def is_dropped(self) -> bool:
        """Whether it was cancelled unsent, in an issue that was cancelled with "drop"."""
        return self.state == "cancelled" and self.dropped


@dataclass(frozen=True)
class Snapshot:
    """The rows that the rules use, after one commit."""

    subscriptions: Mapping[int, Subscription]
    deliveries: Mapping[int, Delivery]
    # The latest sequence of each release under each topic; None if it has none yet.
    pairs: Mapping[tuple[int, int], int | None]
    ready: frozenset[int]
    issues: Mapping[int, str]
    # The newsletter of each topic.
    newsletters: Mapping[int, int]
    # The language of each release, and the languages that each person chose; nothing stands for all.
    languages: Mapping[int, str]
    chosen: Mapping[int, frozenset[str]]
    # The number in each release's title, which identifies it in messages, and the number of its present text.
    numbers: Mapping[int, int]
    texts: Mapping[int, int]
    embargoes: Mapping[int, datetime]
    deleted: frozenset[int]
    paused_until: Mapping[int, datetime]
    # Merged rows of one person, and the row that replaced each.
    joined: Mapping[int, int]
    counter: int
    # The releases that have a hold.
    held: frozenset[int]
    # The address of each person, and why each person's address is suppressed.
    addresses: Mapping[int, str]
    suppressed: Mapping[int, str]
    # The release of each urgent issue.
    urgent: Mapping[int, int]
    # Each merged release, and the one that stays.
    merged: Mapping[int, int]
    # The releases and topics that an editor took apart.
    taken_off: frozenset[tuple[int, int]]

    def wants(self, person: int, release: int) -> bool:
        """Return whether a person wants the language of a release."""
        language = self.languages[release]
        chosen = self.chosen.get(person)
        return not chosen or language == "und" or language.split("-")[0] in chosen

    def active(self) -> list[Subscription]:
        return [each for each in self.subscriptions.values() if each.state == "active"]

    def sent_to(self, person: int, newsletter: int) -> list[Delivery]:
        return [
            each for each in self.deliveries.values()
            if each.newsletter == newsletter
            and (each.person == person or self.joined.get(each.person) == person)
        ]  # fmt: skip

    def topics(self, person: int, newsletter: int) -> set[int]:
        return {
            each.topic for each in self.active()
            if (each.person, self.newsletters[each.topic]) == (person, newsletter)
        }  # fmt: skip


def read(query: Query, dropped: str) -> Snapshot:
    """Read a snapshot; `dropped` is the SQL condition that an issue was cancelled with "drop"."""
    renditions = {row: (_releases(key), _topics(key)) for row, key in query("SELECT id, key FROM rendition")}
    deliveries = query(
        "SELECT d.id, d.subscriber_id, i.newsletter_id, d.issue_id, d.state, d.attempt, d.leased_by,"
        f" d.bounced_at IS NOT NULL, i.state, CASE WHEN {dropped} THEN 1 ELSE 0 END, d.rendition_id"
        " FROM delivery d JOIN issue i ON i.id = d.issue_id WHERE d.subscriber_id IS NOT NULL"
    )
    pairs = query("SELECT release_id, topic_id, sequence FROM release_topic")
    people = query("SELECT id, snoozed_until, moved_to, release_languages, email_key FROM subscriber")
    releases = query("SELECT id, state, title, language, embargo_until, deleted_at FROM release")
    subscriptions = query(
        "SELECT id, subscriber_id, newsletter_id, topic_id, frequency, state, started_sequence, covered_to,"
        " ended_reason FROM subscription ORDER BY id"
    )
    return Snapshot(
        {row[0]: Subscription(*row) for row in subscriptions},
        {
            row[0]: Delivery(*row[:7], bool(row[7]), row[8], bool(row[9]), *renditions[row[10]])
            for row in deliveries
        },
        {(row[0], row[1]): row[2] for row in pairs},
        frozenset(row[0] for row in releases if row[1] == "ready"),
        dict(query("SELECT id, state FROM issue")),
        dict(query("SELECT id, newsletter_id FROM topic")),
        {row[0]: row[3] for row in releases},
        {row[0]: frozenset(row[3].split(",")) for row in people if row[3]},
        {row[0]: int(_NUMBER.findall(row[2])[0][0]) for row in releases},
        {row[0]: int(_NUMBER.findall(row[2])[0][1]) for row in releases},
        {row[0]: _moment(row[4]) for row in releases if row[4] is not None},
        frozenset(row[0] for row in releases if row[5] is not None),
        {row[0]: _moment(row[1]) for row in people if row[1] is not None},
        {row[0]: row[2] for row in people if row[2] is not None},
        query("SELECT value FROM sequence_counter")[0][0],
        frozenset(row[0] for row in query("SELECT release_id FROM release_hold")),
        {row[0]: row[4] for row in people if row[4] is not None},
        dict(query("SELECT subscriber_id, reason FROM suppression WHERE subscriber_id IS NOT NULL")),
        dict(query("SELECT id, urgent_release_id FROM issue WHERE urgent_release_id IS NOT NULL")),
        dict(query("SELECT release_id, stays_id FROM release_merge")),
        frozenset(
            (row[0], row[1])
            for row in query(
                "SELECT release_id, topic_id, is_taken_off FROM topic_choice WHERE set_by = 'editor'"
            )
            if row[2]
        ),
    )  # fmt: skip


def _releases(key: str) -> frozenset[int]:
    """Return the releases in the key of a rendition, which is written as `3w:12,15.2;5d:18`.

    The number behind a dot is that of a correction.
    """
    return frozenset(
        int(each.partition(".")[0])
        for part in key.split(";")
        if part
        for each in part.partition(":")[2].split(",")
    )


def _topics(key: str) -> frozenset[int]:
    return frozenset(int(part.partition(":")[0][:-1]) for part in key.split(";") if part)


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Report(NamedTuple):
    """A report that comes back: hard, soft, complaint, forged or repeated."""

    kind: str
    delivery: int


@dataclass
class Asked:
    """A request to the program in one transaction, as far as it changes what the oracle expects.

    `skips_ahead` has the people whose pause or suppression ends. `moves` says that an address changes,
    and `moves_back` that a change is undone. `sends_after_all` names a release of a source's backlog.
    `suppresses` and `lifts` are the people whose address an editor suppresses, or lets be emailed again.
    """

    skips_ahead: frozenset[int] = frozenset()
    moves: bool = False
    moves_back: bool = False
    # The number of a release that was kept back until now.
    sends_after_all: int = 0
    suppresses: int = 0
    lifts: int = 0
    report: Report | None = None


@dataclass
class Oracle:
    """Checks each commit. `fault` describes the first rule that was broken."""

    query: Query
    dropped: str
    catch_up: int
    now: Callable[[], datetime]
    latest_clock: Callable[[], datetime]
    # Whether one transaction ends before the next begins. If not, a concurrent change allows a skip that went
    # a little further.
    strict: bool = True
    fault: str | None = None
    history: list[Snapshot] = field(default_factory=list)
    # People, newsletters and releases that somebody chose to send again.
    chosen_again: set[tuple[int, int, int]] = field(default_factory=set)
    # The suppressed address of each person who must get no email, and these after each commit.
    stopped: dict[int, str] = field(default_factory=dict)
    _stopped: list[Mapping[int, str]] = field(default_factory=list)
    # The addresses that were suppressed, and not let be emailed again.
    _barred: set[str] = field(default_factory=set)
    # When the relay accepted each delivery.
    _taken_at: dict[int, datetime] = field(default_factory=dict)
    # The address to which each of them went, and the addresses of each person with the start of each.
    _mailed: dict[int, str] = field(default_factory=dict)
    _lived: dict[int, list[tuple[datetime, str]]] = field(default_factory=dict)
    # The deliveries that have a complaint.
    _complained: set[int] = field(default_factory=set)
    # People with a genuine report about an email: a probe may have failed.
    _reported: set[int] = field(default_factory=set)
    # The numbers of releases that were old when their source was added.
    kept_back: set[int] = field(default_factory=set)
    _first: dict[tuple[int, int], int] = field(default_factory=dict)
    _start: dict[tuple[int, int], int] = field(default_factory=dict)
    _left_at: dict[tuple[int, int], datetime] = field(default_factory=dict)
    # Those of the keys in `_left_at` that ended because their person changed to another address.
    _moved: set[tuple[int, int]] = field(default_factory=set)
    _before_move: dict[tuple[int, int], int] = field(default_factory=dict)
    _unwanted: dict[int, Mapping[int, str]] = field(default_factory=dict)
    # The texts that each claimed delivery may have of a release.
    _texts: dict[int, Mapping[int, set[int]]] = field(default_factory=dict)
    # The person, topic and release of each release that a mark passed while its language was not chosen.
    _passed: set[tuple[int, int, int]] = field(default_factory=set)
    emails: int = 0
    # The texts that each person has of each release, and the notices that they got: person and notice.
    _had: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    _told: set[tuple[int, int]] = field(default_factory=set)
    # People who paused, left or were suppressed at some time.
    _were_away: set[int] = field(default_factory=set)
    # How often the relay accepted a release for a person from a newsletter.
    _taken: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    _unbuilt: dict[int, str] = field(default_factory=dict)

    def begin(self) -> None:
        """Take the present rows as the beginning of the story."""
        first = read(self.query, self.dropped)
        self.history, self._stopped = [first], [{}]
        self._see_sequences(first)
        self._lived = {person: [(self.now(), address)] for person, address in first.addresses.items()}
        for each in first.active():
            self._start[each.person, each.topic] = each.started

    @property
    def commits(self) -> int:
        """The number of snapshots. A transaction keeps it when it begins."""
        return len(self.history)

    def committed(self, since: int, asked: Asked) -> None:
        """Check the rows after a commit; `since` is the value of `commits` when its transaction began."""
        before, after = self.history[-1], read(self.query, self.dropped)
        self.history.append(after)
        self.kept_back.discard(asked.sends_after_all)
        self._see_sequences(after)
        self._see_beginnings(before, after, asked)
        self._see_languages(before, after)
        self._see_suppressions(before, after, asked)
        self._see_claims(before, after, since)
        self._see_rejections(before, after)
        self._were_away |= after.paused_until.keys() | after.suppressed.keys() | after.joined.keys()
        self._were_away |= {each.person for each in after.subscriptions.values() if each.state == "ended"}
        self._see_merges(before, after, self.history[since - 1 :])
        self._check_rows(after)

    def chose_again(self, issue: int) -> None:
        """Note that somebody sends the uncertain deliveries of an issue again: they may arrive twice."""
        self.chosen_again |= {
            (each.person, each.newsletter, release)
            for each in self.history[-1].deliveries.values()
            if each.issue == issue and each.state == "uncertain"
            for release in each.releases
        }

    def took(self, delivery: int, recipient: str, numbers: frozenset[tuple[int, int]]) -> None:
        """Note a message that the relay accepted."""
        now = self.history[-1]
        row = now.deliveries[delivery]
        self.emails += 1
        self._taken_at[delivery] = self.now()
        self._mailed[delivery] = recipient.lower()
        by_number = {number: release for release, number in now.numbers.items()}
        sent = {by_number[each] for each, _ in numbers}
        for number, text in sorted(numbers):
            release = by_number[number]
            allowed = {*self._texts.get(delivery, {}).get(release, ()), now.texts[release]}
            if text not in allowed:
                self.broken(
                    f"(text) delivery {delivery} sent text {text} of release {release}, not {sorted(allowed)}"
                )
        if sent != row.releases:
            self.broken(f"(content) delivery {delivery} says {sorted(row.releases)}, sent {sorted(sent)}")
        for release in sorted(sent):
            if reason := self._unwanted.get(delivery, {}).get(release):
                self.broken(f"(unwanted) delivery {delivery} sent release {release}: {reason}")
            sent_once = (row.person, row.newsletter, release)
            texts = {text for number, text in numbers if by_number[number] == release}
            self._had.setdefault((row.person, release), set()).update(texts)
            self._taken[sent_once] += 1
            if self._taken[sent_once] > 1 and sent_once not in self.chosen_again:
                self.broken(
                    f"(twice) newsletter {row.newsletter} sent release {release} twice to person {row.person}"
                )

    def told(self, delivery: int) -> None:
        """Note a single email that the relay accepted: it may be a correction notice."""
        rows = self.query(
            "SELECT d.subscriber_id, n.id, n.release_id, d.context FROM delivery d"
            f" JOIN correction_notice n ON n.id = d.correction_notice_id WHERE d.id = {int(delivery)}"
        )
        for person, notice, release, context in rows:
            had = (json.loads(context) if isinstance(context, str) else context)["had"]
            if (person, notice) in self._told:
                self.broken(f"(notice) person {person} got notice {notice} twice")
            self._told.add((person, notice))
            if had not in self._had.get((person, release), ()) and not self._may_have(person, release):
                self.broken(f"(notice) person {person} never had text {had} of release {release}")

    def _may_have(self, person: int, release: int) -> bool:
        """Return whether the reply to an email with this release was lost."""
        return any(
            each.person == person and release in each.releases and each.state == "uncertain"
            for snapshot in self.history
            for each in snapshot.deliveries.values()
        )

    def could_not_build(self, delivery: int, reason: str) -> None:
        """Note that a message could not be built, which says nothing about its recipient."""
        self._unbuilt[delivery] = reason

    def broken(self, words: str) -> None:
        """Keep the first rule that was broken."""
        self.fault = self.fault or words

    # What the oracle learns from each commit.

    def _see_sequences(self, after: Snapshot) -> None:
        for pair, sequence in after.pairs.items():
            if sequence is not None:
                self._first.setdefault(pair, sequence)
                if after.numbers[pair[0]] in self.kept_back:
                    self.broken(f"(backlog) release {pair[0]} was kept back and has sequence {sequence}")
        for release in sorted(after.ready & after.held):
            self.broken(f"(hold) release {release} is ready and has a hold")

    def _see_beginnings(self, before: Snapshot, after: Snapshot, asked: Asked) -> None:
        """Note where each person's subscription to a topic begins: it may skip nothing after that."""
        had = {(each.person, each.topic) for each in before.active()}
        has = {(each.person, each.topic): each for each in after.active()}
        for key in had - has.keys():
            last = [each for each in after.subscriptions.values() if (each.person, each.topic) == key][-1]
            self._left_at.pop(key, None)
            self._moved.discard(key)
            if last.ended_reason in {"unsubscribed", "moved"}:
                self._left_at[key] = self.now()
                if last.ended_reason == "moved":
                    self._moved.add(key)
            else:
                self._start.pop(key, None)
        for key, row in has.items():
            if key not in had:
                self._begin(key, row, after, asked)
                if key[0] in asked.skips_ahead:
                    self._start[key] = max(self._start[key], row.started)
            elif key[0] in asked.skips_ahead:
                skipped = self._skipped(row, before)
                self._start[key] = max(self._start[key], skipped if self.strict else row.started)
            if row.started > self._start[key]:
                self.broken(
                    f"(mark) person {key[0]}, topic {key[1]}: begins at {row.started}, not {self._start[key]}"
                )
        self._see_skips_of_ended(before, has.keys(), asked)

    def _see_skips_of_ended(
        self, before: Snapshot, active: Collection[tuple[int, int]], asked: Asked
    ) -> None:
        """Note what the end of a pause skips in ended subscriptions that the person can still restore."""
        for key in self._start.keys() - active:
            theirs = [each for each in before.subscriptions.values() if (each.person, each.topic) == key]
            if key[0] in asked.skips_ahead and theirs:
                self._start[key] = max(self._start[key], self._skipped(theirs[-1], before))

    def _begin(self, key: tuple[int, int], row: Subscription, after: Snapshot, asked: Asked) -> None:
        if asked.moves and not asked.moves_back:
            # The subscriptions of the old address go on under the new one, from where they were.
            self._start[key], self._before_move[key] = row.started, row.covered_to
            return
        # A sign-up with the old address is a new start: it may belong to somebody else now.
        carries_over = key in self._left_at and (asked.moves_back or key not in self._moved)
        away = self.now() - self._left_at[key] if carries_over else None
        if away is not None and key in self._start and away < UNDO - UNSURE:
            return  # carried over
        self._before_move.pop(key, None)
        if asked.moves:
            self._start[key], self._before_move[key] = row.started, row.covered_to
        elif away is not None and away < UNDO + UNSURE:
            self._start[key] = row.started
        else:
            self._start[key] = after.counter

    def _skipped(self, row: Subscription, before: Snapshot) -> int:
        """Return the first sequence of the newest release that the end of a pause may leave out."""
        held = {
            release for each in before.sent_to(row.person, row.newsletter)
            if each.state in LIVE or each.is_dropped for release in each.releases
        }  # fmt: skip
        was = next(
            (
                each for each in before.active()
                if (each.person, each.topic) == (row.person, row.topic)
            ),
            row,
        )  # fmt: skip
        waiting = sorted(
            self._first[release, topic]
            for (release, topic), sequence in before.pairs.items()
            if topic == row.topic and release in before.ready and release not in held
            and before.wants(row.person, release)
            and sequence is not None and sequence > was.covered_to
            and self._first[release, topic] > was.started
        )  # fmt: skip
        return waiting[-self.catch_up - 1] if len(waiting) > self.catch_up else 0

    def _see_languages(self, before: Snapshot, after: Snapshot) -> None:
        """Note which releases in languages that were not chosen a mark passed in this commit."""
        was = {(each.person, each.topic): each.covered_to for each in before.active()}
        for row in after.active():
            key = (row.person, row.topic)
            for (release, topic), latest in after.pairs.items():
                if topic != row.topic or latest is None:
                    continue
                if latest > row.covered_to:
                    self._passed.discard((*key, release))
                elif latest > was.get(key, row.covered_to) and not before.wants(row.person, release):
                    self._passed.add((*key, release))
        for each in after.deliveries.values():
            if each.id not in before.deliveries:
                for release in each.releases:
                    if not after.wants(each.person, release):
                        self.broken(f"(languages) delivery {each.id} has release {release}")

    def _see_suppressions(self, before: Snapshot, after: Snapshot, asked: Asked) -> None:
        """Check what followed from a report, and that each new suppression has a cause."""
        for person, address in after.addresses.items():
            if before.addresses.get(person) != address:
                self._lived.setdefault(person, []).append((self.now(), address))
        if asked.report is not None:
            self._see_report(before, after, asked.report)
        for each in after.deliveries.values():
            was = before.deliveries.get(each.id)
            if was is not None and was.state == "accepted" and each.state != "accepted":
                self._see_return(was, each, asked)
        for person in after.suppressed.keys() - before.suppressed.keys():
            reason = after.suppressed[person]
            has_cause = {
                "manual": asked.suppresses == person,
                "complaint": asked.report is not None and self._may_complain(before, asked.report, person),
                "hard_bounce": any(
                    each.bounced and each.person == person for each in before.deliveries.values()
                ),
                "soft_bounce": person in self._reported,
                "erased": True,
            }[reason]
            address = after.addresses.get(person, "")
            # A suppression stays with its address, which another person may have later.
            if not has_cause and address not in self._barred:
                self.broken(f"(suppressed) person {person}: {reason}, without a cause")
            self.stopped[person] = address
            self._barred.add(address)
        # A person who changes to another address gets email there.
        for person, address in list(self.stopped.items()):
            if person == asked.lifts:
                self._barred.discard(address)
            if after.addresses.get(person) != address or person == asked.lifts:
                del self.stopped[person]
        self._stopped.append(dict(self.stopped))

    def _see_report(self, before: Snapshot, after: Snapshot, report: Report) -> None:
        was = before.deliveries.get(report.delivery)
        rows = [(each.subscriptions, each.deliveries, each.suppressed) for each in (before, after)]
        if report.kind in {"forged", "repeated", "soft"} and rows[0] != rows[1]:
            self.broken(
                f"(report) the {report.kind} report about delivery {report.delivery} changed something"
            )
        if report.kind in {"hard", "soft"}:
            self._reported |= {
                row[0]
                for row in self.query(f"SELECT subscriber_id FROM delivery WHERE id = {report.delivery}")
            }
        if report.kind != "complaint" or was is None:
            return
        is_new = report.delivery not in self._complained and was.state == "accepted"
        age = self.now() - self._taken_at[report.delivery]
        if is_new and age < UNDO - UNSURE and was.person in before.addresses:
            self._complained.add(report.delivery)
            mailed = self._mailed[report.delivery]
            self._barred.add(mailed)
            if before.addresses[was.person] == mailed and was.person not in after.suppressed and self.strict:
                self.broken(f"(suppressed) person {was.person} complained, and is not suppressed")
        elif not is_new and rows[0] != rows[1] and self.strict:
            self.broken(f"(report) another complaint about delivery {report.delivery} changed something")

    def _may_complain(self, before: Snapshot, report: Report, person: int) -> bool:
        """Return whether a report may suppress this person's address: it is a complaint about an email to it.

        The program may be in doubt in two cases. The address changed as the email was sent. Or a change was
        undone, so that the person has an address again which they had before.
        """
        was = before.deliveries.get(report.delivery)
        if report.kind != "complaint":
            return False
        if was is None:
            return True  # about a single email, which is not watched here
        if before.addresses.get(person) == self._mailed[report.delivery] or not self.strict:
            return True
        lived = self._lived[person]
        in_doubt = self._taken_at[report.delivery] >= lived[-1][0]
        return was.person == person and (in_doubt or lived[-1][1] in {each for _, each in lived[:-1]})

    def _see_return(self, was: Delivery, now: Delivery, asked: Asked) -> None:
        """Note that an accepted email came back: its releases never arrived."""
        report = asked.report
        if now.state != "rejected" or report is None or report != ("hard", was.id):
            self.broken(f"(report) delivery {was.id} was accepted, and is {now.state}")
        for release in was.releases:
            self._taken[was.person, was.newsletter, release] -= 1
        # Which texts they still have from other emails is not clear.
        self._were_away.add(was.person)

    def _see_claims(self, before: Snapshot, after: Snapshot, since: int) -> None:
        """Note what a claim should have left out: conditions that held before it began until its commit."""
        span, stopped = self.history[since - 1 :], self._stopped[since - 1 :]
        for each in after.deliveries.values():
            was = before.deliveries.get(each.id)
            if each.state != "leased" or (
                was and (was.leased_by, was.attempt) == (each.leased_by, each.attempt)
            ):
                continue
            reasons = {}
            for release in each.releases:
                if not any(release in one.ready for one in span):
                    reasons[release] = "it was held or excluded"
                elif not any(
                    _topics_of(release, one) & one.topics(each.person, each.newsletter) for one in span
                ):
                    reasons[release] = "they had left its topics"
                elif all(one.paused_until.get(each.person, self.now()) > self.latest_clock() for one in span):
                    reasons[release] = "they had paused"
                elif all(each.person in one for one in stopped):
                    reasons[release] = "their address was suppressed"
            self._unwanted[each.id] = reasons
            self._texts[each.id] = {
                release: {one.texts[release] for one in span if release in one.texts}
                for release in each.releases
            }

    def _see_rejections(self, before: Snapshot, after: Snapshot) -> None:
        for each in after.deliveries.values():
            was = before.deliveries.get(each.id)
            if was is None or was.state == each.state:
                continue
            if each.state == "rejected" and each.id in self._unbuilt:
                self.broken(f"(stuck) delivery {each.id} was rejected: {self._unbuilt[each.id]}")
            if was.state == "leased":
                self._unbuilt.pop(each.id, None)

    def _see_merges(self, before: Snapshot, after: Snapshot, span: Sequence[Snapshot]) -> None:
        """Check what was merged, and that no new delivery brings what another one has sent as the other."""
        for release in after.merged.keys() - before.merged.keys():
            sent = [
                each.id for each in before.deliveries.values() if release in each.releases and each.is_sent
            ]
            if sent and self.strict:
                self.broken(f"(merge) release {release} was merged, but deliveries {sent} have it")
            stays = after.merged[release]
            has = {topic for each, topic in after.pairs if each == stays} | {
                topic for each, topic in after.taken_off if each == stays
            }
            kept_back = after.numbers[release] in self.kept_back
            lost = {
                topic for (each, topic), sequence in before.pairs.items()
                if each == release and sequence is not None
            } - has  # fmt: skip
            if lost and self.strict and not kept_back:
                self.broken(f"(merge) release {release} was merged, and its topics {lost} are lost")
        if not after.merged:
            return
        for each in after.deliveries.values():
            if each.id in before.deliveries:
                continue
            for other in after.sent_to(each.person, each.newsletter):
                same = {stays for merged, stays in after.merged.items() if merged in other.releases}
                if same & each.releases and all(
                    other.id in one.deliveries and one.deliveries[other.id].is_sent
                    and same <= set(one.merged.values())
                    for one in span
                ):  # fmt: skip
                    self.broken(f"(merge) delivery {each.id} has what delivery {other.id} sent: {same}")

    # The rules.

    def _check_rows(self, now: Snapshot) -> None:
        holders = _holders(now)
        for release in now.ready & now.embargoes.keys():
            if now.embargoes[release] > self.latest_clock():
                self.broken(f"(embargo) release {release} is ready before {now.embargoes[release]}")
        for row in now.subscriptions.values():
            if row.newsletter != now.newsletters[row.topic]:
                self.broken(f"(newsletter) subscription {row.id} has newsletter {row.newsletter}")
        for each in now.deliveries.values():
            if {now.newsletters[topic] for topic in each.topics} - {each.newsletter}:
                self.broken(f"(newsletter) delivery {each.id} has topics {sorted(each.topics)}")
        for row in now.active():
            for release, latest in self._new_to(row, now):
                held_by = holders.get((row.person, row.newsletter, release), [])
                either = [
                    *held_by,
                    *(
                        each for merged, stays in now.merged.items() if stays == release
                        for each in holders.get((row.person, row.newsletter, merged), [])
                    ),
                ]  # fmt: skip
                who = f"person {row.person}, topic {row.topic}, release {release}"
                if latest <= row.covered_to and not any(each.counts for each in either):
                    self.broken(
                        f"(a) {who}: served up to {row.covered_to}, but no delivery that counts holds it"
                    )
                live = [each.id for each in held_by if each.state in LIVE and each.person == row.person]
                if len(live) > 1:
                    self.broken(f"(b) {who}: held by {live}")

        urgent: Counter[tuple[int, int]] = Counter()
        for each in now.deliveries.values():
            release = now.urgent.get(each.issue)
            if release is not None and each.state in LIVE:
                urgent[each.person, release] += 1
                if each.releases != {release} or urgent[each.person, release] > 1:
                    self.broken(
                        f"(urgent) delivery {each.id} has {sorted(each.releases)}, or is a second one"
                    )

    def _new_to(self, row: Subscription, now: Snapshot) -> Iterable[tuple[int, int]]:
        """Return the ready releases that a subscription should bring, with their latest sequences."""
        key = (row.person, row.topic)
        for (release, topic), latest in now.pairs.items():
            if topic != row.topic or release not in now.ready or latest is None:
                continue
            if not now.wants(row.person, release) or (*key, release) in self._passed:
                continue
            if self._first[release, topic] > row.started and latest > self._before_move.get(key, 0):
                yield release, latest

    def check_end(self) -> None:
        """Check at the end, when nothing waits to be sent, that everybody has every release."""
        now = self.history[-1]
        waiting = [each for each in now.deliveries.values() if each.state in {"queued", "deferred", "leased"}]
        if waiting:
            self.broken(f"(stuck) at the end delivery {waiting[0].id} is {waiting[0].state}")
        self._check_notices(now)
        holders = _holders(now)
        # People whose address was refused as dead may get no more emails.
        refused = {each.person for each in now.deliveries.values() if each.bounced}
        for row in now.active():
            if row.person in now.suppressed or row.person in refused:
                continue
            for release, _ in self._new_to(row, now):
                same = [release, *(each for each, stays in now.merged.items() if stays == release)]
                if any(self._taken[row.person, row.newsletter, each] for each in same) or any(
                    each.state == "uncertain" or each.is_dropped
                    for one in same
                    for each in holders.get((row.person, row.newsletter, one), [])
                ):
                    continue
                merged = [old for old, new in now.joined.items() if new == row.person]
                if any(self._taken[old, row.newsletter, each] for old in merged for each in same):
                    continue
                self.broken(f"(never) person {row.person}, topic {row.topic}, release {release}")

    def _check_notices(self, now: Snapshot) -> None:
        """Check that everybody who had an earlier text, and never paused or left, was told."""
        refused = {each.person for each in now.deliveries.values() if each.bounced}
        for notice, release, revision in self.query("SELECT id, release_id, revision FROM correction_notice"):
            for (person, of), texts in self._had.items():
                skipped = person in self._were_away | refused
                if of != release or skipped or release not in now.ready or min(texts) >= revision:
                    continue
                if (person, notice) not in self._told:
                    self.broken(f"(notice) person {person} was not told of text {revision} of {release}")


def _topics_of(release: int, now: Snapshot) -> set[int]:
    return {
        topic for (each, topic), sequence in now.pairs.items() if each == release and sequence is not None
    }


def _holders(now: Snapshot) -> Mapping[tuple[int, int, int], list[Delivery]]:
    """Return the deliveries of each person and newsletter that hold a release."""
    found: dict[tuple[int, int, int], list[Delivery]] = {}
    for each in now.deliveries.values():
        for person in {each.person, now.joined.get(each.person, each.person)}:
            for release in each.releases:
                found.setdefault((person, each.newsletter, release), []).append(each)
    return found
