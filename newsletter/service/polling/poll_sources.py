"""Poll sources: fetch those that are due with many threads, then read and store one after another.

Threads only wait for servers. What they fetch is read in a process of its own and stored by the calling
thread, a transaction for each release. Slow servers hold up a part of the threads, and never all of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.errors import FetchError
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.fetch import Fetched, make_retriever
from newsletter.ingest.sources.folder import read_folder
from newsletter.ingest.sources.known_pages import store_pages
from newsletter.ingest.sources.lease import (
    Claimed,
    SourceLeaseLost,
    any_due,
    claim,
    find_all_leased,
    keep_lease,
    release_lease,
)
from newsletter.ingest.sources.listing import (
    Listed,
    NewItem,
    Plan,
    add_item,
    compare_list,
    is_leading,
    same_list,
    where_anything_waits,
)
from newsletter.ingest.sources.record import Counts, newest_fetches, record_fetch, tell_of_items, titles_of
from newsletter.models import FetchOutcome, HoldReason, Release, Source, SourceItem, SourceKind
from newsletter.notices import NoticeKind, settle_quiet
from newsletter.releases.duplicates.judge import end_settling
from newsletter.releases.from_sources.approve import count_of_source
from newsletter.releases.from_sources.arrive import Arrival, rewrite_held, store_arrival
from newsletter.releases.from_sources.correct import Correction, correct_from_source
from newsletter.releases.holds import end_hold, hold, lock_release
from newsletter.releases.store import today_of
from newsletter.runtime import Runtime
from newsletter.service.polling.fetch_threads import Done, FetchThreads
from newsletter.service.polling.read_source import read_source

# Fetches at the same time. A thread that waits for a server needs little.
THREADS = 64
# Sources are claimed when this part of the threads is free: an eighth. New sources whose servers are slow may
# take most of the threads, until they are known to be slow.
CLAIM_PART = 8
# How many of them may serve sources whose last fetch took long.
SLOW_THREADS = 24
ROUND_SECONDS = 50.0
# How long the calling thread waits for a fetch before it looks for further sources.
LOOK_SECONDS = 1.0
# Unchanged sources that are recorded in one transaction.
AT_ONCE = 32
# An item that changes at every fetch is not held for longer than this.
SETTLES_AT_MOST = timedelta(minutes=60)
# Notices about single items close by themselves.
ITEM_NOTICES = (
    NoticeKind.SOURCE_MOVED, NoticeKind.ITEMS_GONE, NoticeKind.ITEMS_REMOVED, NoticeKind.ITEMS_NOT_CORRECTED,
)  # fmt: skip
# Why the text of a source is not taken, in words for the owner.
NOT_CORRECTED = {
    Correction.EDITED: "an editor has corrected it",
    Correction.RESTLESS: "its source has corrected it three times already",
    Correction.REFUSED: "another release has the new text, or the new title is empty",
}
NOTICE_KEPT = timedelta(days=3)

log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What a round has done."""

    fetched: int = 0
    added: int = 0
    failed: int = 0
    results: list[tuple[str, Fetched, Counts]] = field(default_factory=list)


@dataclass
class Poller:
    """Polls sources of one installation."""

    runtime: Runtime
    reader: IsolatedReader
    retriever: Retriever
    clock: Callable[[], float] = time.monotonic
    # Reads pages, so that a page that takes long does not hold up feeds.
    page_reader: IsolatedReader | None = None

    def round(
        self,
        stopping: Callable[[], bool],
        *,
        seconds: float = ROUND_SECONDS,
        threads: int = THREADS,
        only: str | None = None,
    ) -> Tally:
        """Poll what is due, or the source `only`, until nothing is due or the time is over."""
        tally = Tally()
        until = self.clock() + seconds
        looked_at = self.clock() - LOOK_SECONDS
        with FetchThreads(self._fetch, threads) as pool:
            while not stopping():
                is_time = self.clock() < until and self.clock() >= looked_at + LOOK_SECONDS
                has_room = threads - pool.running >= max(1, threads // CLAIM_PART)
                if is_time and has_room and not (only and tally.fetched):
                    found = self._claim(pool, threads, only)
                    pool.start(found)
                    if not found:
                        looked_at = self.clock()
                if not pool.running:
                    break
                for each in self._store_unchanged(pool.next(LOOK_SECONDS, AT_ONCE), tally):
                    self.store(*each, tally)
            self._give_back(pool.claimed)
        return tally

    def poll_one(self, claimed: Claimed) -> Tally:
        """Fetch and store one source that was claimed."""
        tally = Tally()
        self.store(claimed, self._fetch(claimed), tally)
        return tally

    def _store_unchanged(self, done: Sequence[Done], tally: Tally) -> list[Done]:
        """Record the sources that are unchanged in one transaction; return the others."""
        left = [each for each in done if each[1].outcome is not FetchOutcome.UNCHANGED]
        unchanged = [each for each in done if each[1].outcome is FetchOutcome.UNCHANGED]
        if not unchanged:
            return left
        results = []
        with self.runtime.session() as session:
            now = self.runtime.now()
            sources = find_all_leased(session, [claimed for claimed, _ in unchanged])
            waits = where_anything_waits(session, sources)
            newest = newest_fetches(session, sources)
            for claimed, fetched in unchanged:
                source = sources.get(claimed.id)
                if source is None or source.id in waits:
                    left.append((claimed, fetched))
                    continue
                record_fetch(
                    session, source, fetched, now, failing_days=self.runtime.settings.source_failing_days,
                    nothing_waits=True, last=newest.get(source.id),
                )  # fmt: skip
                results.append((claimed.public_id, fetched, Counts()))
            session.commit()
        tally.fetched += len(results)
        tally.results.extend(results)
        return left

    def store(self, claimed: Claimed, fetched: Fetched, tally: Tally) -> None:
        """Read what was fetched and store it. If another process has the source meanwhile, drop it."""
        tally.fetched += 1
        try:
            counts = self._store(claimed, fetched)
        except SourceLeaseLost as fault:
            log.warning("event=source_lease_lost source=%s fault=%s", claimed.public_id, fault)
            return
        except Exception as fault:
            # Whatever one source provokes, the others are polled.
            log.exception("event=source_not_stored source=%s", claimed.public_id)
            fetched.outcome, counts = FetchOutcome.FAILED, Counts()
            fetched.message = f"Not stored: {type(fault).__name__}. The log of the service says more."
            self._record(claimed, fetched, counts)
        finally:
            fetched.close()
        tally.added += counts.added
        is_good = fetched.outcome in {FetchOutcome.READ, FetchOutcome.UNCHANGED}
        tally.failed += not is_good
        tally.results.append((claimed.public_id, fetched, counts))
        if counts.added or not is_good:
            log.info(
                "event=source_polled source=%s outcome=%s added=%d changed=%d",
                claimed.public_id, fetched.outcome, counts.added, counts.changed,
            )  # fmt: skip

    def _claim(self, pool: FetchThreads, threads: int, only: str | None) -> list[Claimed]:
        """Claim as many sources as there are free threads."""
        free = threads - pool.running
        with self.runtime.session() as session:
            now = self.runtime.now()
            room = SLOW_THREADS - pool.slow
            found = claim(session, free, now, slow=room >= free, only=only)
            if not found and 0 < room < free:
                found = claim(session, room, now)
            session.commit()
        return found

    def _fetch(self, claimed: Claimed) -> Fetched:
        pages = self.page_reader or self.reader
        return read_source(self.runtime, self.retriever, self.reader, pages, claimed)

    def _give_back(self, sources: Sequence[Claimed]) -> None:
        if not sources:
            return
        with self.runtime.session() as session:
            for each in sources:
                release_lease(session, each)
            session.commit()

    def _store(self, claimed: Claimed, fetched: Fetched) -> Counts:
        counts = Counts()
        if fetched.outcome is FetchOutcome.READ:
            counts = self._store_list(claimed, fetched)
        elif fetched.outcome is FetchOutcome.UNCHANGED:
            with self._owned(claimed) as (session, source, now):
                plan = same_list(session, source, now)
            self._settle(claimed, plan)
            self._tell(claimed, plan)
        self._record(claimed, fetched, counts)
        return counts

    def _record(self, claimed: Claimed, fetched: Fetched, counts: Counts) -> None:
        days = self.runtime.settings.source_failing_days
        with self._owned(claimed) as (session, source, now):
            record_fetch(session, source, fetched, now, failing_days=days, counts=counts)

    def _store_list(self, claimed: Claimed, fetched: Fetched) -> Counts:
        listed, site_url = self._listed(claimed, fetched)
        if listed is None:
            return Counts()
        with self._owned(claimed) as (session, source, now):
            lost = fetched.read.lost if fetched.read else set()
            if fetched.feed:
                # Take name and site from the feed where the editor gave none.
                source.name = source.name or fetched.feed.title
                source.site_url = source.site_url or fetched.feed.site_url
            if fetched.read:
                store_pages(session, source.id, fetched.read.pages, now)
            today = today_of(session, now)
            plan = compare_list(session, source, listed, site_url, now, today, lost=lost)
            publisher, settle_minutes = source.publisher, source.settle_minutes
            needs_approval = source.needs_approval
        settles = settle_minutes > 0 and claimed.kind is not SourceKind.FOLDER
        added = sum([self._add(claimed, each, plan, publisher, settles=settles) for each in plan.new])
        for row_id, item in plan.rewrite:
            with self._owned(claimed) as (session, _source, now):
                row = session.get_one(SourceItem, row_id)
                rewrite_held(session, lock_release(session, row.release_id), item.named(publisher), now)
                row.stored_hash = item.text_hash
        corrected = [self._correct(claimed, row_id, item.named(publisher)) for row_id, item in plan.correct]
        self._settle(claimed, plan)
        self._tell(claimed, plan)
        if added and needs_approval:
            self._tell_of_approvals(claimed)
        unread = fetched.read.unread if fetched.read else 0
        return Counts(len(listed), added, plan.changed, corrected.count(Correction.LATER) + unread)

    def _listed(self, claimed: Claimed, fetched: Fetched) -> tuple[list[Listed] | None, str]:
        """Return what a source lists, or None. Then `fetched` says why."""
        if claimed.kind is SourceKind.FOLDER:
            return self._files(claimed, fetched), ""
        assert fetched.feed is not None
        assert fetched.read is not None
        return fetched.read.listed, fetched.feed.site_url

    def _files(self, claimed: Claimed, fetched: Fetched) -> list[Listed] | None:
        with self._owned(claimed) as (_session, source, now):
            since = source.last_read_at
        try:
            content = read_folder(claimed.request.url, since, now)
        except FetchError as fault:
            fetched.outcome, fetched.message = FetchOutcome.FAILED, f"Not read: {fault.reason}."
            return None
        more = f" and {len(content.problems) - 3} more" if len(content.problems) > 3 else ""
        fetched.message = "; ".join(content.problems[:3]) + more
        fetched.is_early = content.waits > 0
        return list(content.listed)

    def _add(self, claimed: Claimed, new: NewItem, plan: Plan, publisher: str, *, settles: bool) -> bool:
        with self._owned(claimed) as (session, source, now):
            if new.same_as is not None:
                add_item(session, source.id, new, new.same_as, plan.number, now)
                return False
            is_held = plan.looks_moved and new.recurs and not new.is_kept_back
            arrival = Arrival(
                new.item.named(publisher),
                keys=new.shared,
                is_kept_back=new.is_kept_back,
                settles_until=now + SETTLES_AT_MOST if settles else None,
                held_because="its source lists old texts again" if is_held else "",
                recurs=new.recurs,
                source=source.public_id,
                needs_approval=source.needs_approval,
                source_id=None if claimed.kind is SourceKind.FOLDER else source.id,
            )
            # It may take sequences, which locks their counter. What follows waits for no other process,
            # because the source's row is locked already.
            release, is_new = store_arrival(session, arrival, now)
            add_item(session, source.id, new, release.id, plan.number, now)
        return is_new

    def _correct(self, claimed: Claimed, row_id: int, item: Item) -> Correction:
        """Store the new text of an item that had settled. If it is not taken, the owner is told once."""
        with self._owned(claimed) as (session, source, now):
            row = session.get_one(SourceItem, row_id)
            release = lock_release(session, row.release_id)
            judged = Correction.SAME
            if release.deleted_at is None and is_leading(session, row):
                judged = correct_from_source(session, release, item, now)
            if judged is not Correction.LATER:
                row.stored_hash = item.text_hash
            if judged in NOT_CORRECTED:
                words = f"“{release.title[:120]}” ({NOT_CORRECTED[judged]})"
                tell_of_items(session, NoticeKind.ITEMS_NOT_CORRECTED, source, words, now)
        return judged

    def _settle(self, claimed: Claimed, plan: Plan) -> None:
        for row_id in plan.settled:
            with self._owned(claimed) as (session, _source, now):
                end_settling(session, session.get_one(SourceItem, row_id).release_id, now)
        for row_id in plan.gone:
            with self._owned(claimed) as (session, _source, now):
                release = _locked(session, row_id)
                hold(release, HoldReason.GONE, "source", now)
                session.flush()
                end_hold(session, release, HoldReason.SETTLING, now)
        for row_id in plan.back:
            with self._owned(claimed) as (session, _source, now):
                release = _locked(session, row_id)
                hold(release, HoldReason.SETTLING, "source", now, until=now + SETTLES_AT_MOST)
                session.flush()
                end_hold(session, release, HoldReason.GONE, now)

    def _tell(self, claimed: Claimed, plan: Plan) -> None:
        if not (plan.looks_moved or plan.gone or plan.removed):
            return
        repeated = sum(each.recurs and not each.is_kept_back for each in plan.new)
        with self._owned(claimed) as (session, source, now):
            if plan.looks_moved:
                tell_of_items(session, NoticeKind.SOURCE_MOVED, source, str(repeated), now)
            if plan.gone:
                tell_of_items(session, NoticeKind.ITEMS_GONE, source, titles_of(session, plan.gone), now)
            if plan.removed:
                words = titles_of(session, plan.removed)
                tell_of_items(session, NoticeKind.ITEMS_REMOVED, source, words, now)

    def _tell_of_approvals(self, claimed: Claimed) -> None:
        """Tell the owner once for each batch: again only after all of the source were approved."""
        with self._owned(claimed) as (session, source, now):
            waiting = count_of_source(session, source.id) if source.needs_approval else 0
            if waiting:
                words = "1 release waits" if waiting == 1 else f"{waiting} releases wait"
                tell_of_items(session, NoticeKind.APPROVALS_WAIT, source, words, now)

    @contextmanager
    def _owned(self, claimed: Claimed) -> Iterator[tuple[Session, Source, datetime]]:
        """Begin a transaction with the source's row, and commit it. Raises SourceLeaseLost."""
        with self.runtime.session() as session:
            now = self.runtime.now()
            source = keep_lease(session, claimed, now)
            yield session, source, now
            session.commit()


def poll_sources(runtime: Runtime, stopping: Callable[[], bool], *, only: str | None = None) -> Tally:
    """Poll what is due for up to 50 seconds, or the source `only` whether it is due or not."""
    with IsolatedReader() as reader, IsolatedReader() as pages:
        poller = Poller(runtime, reader, make_retriever(runtime.settings), page_reader=pages)
        tally = poller.round(stopping, only=only)
    with runtime.session() as session:
        for kind in ITEM_NOTICES:
            settle_quiet(session, kind, runtime.now() - NOTICE_KEPT, runtime.now())
        session.commit()
    return tally


def sources_wait(runtime: Runtime) -> bool:
    """Return whether a source is due."""
    with runtime.reading() as session:
        return any_due(session, runtime.now())


def _locked(session: Session, row_id: int) -> Release:
    return lock_release(session, session.get_one(SourceItem, row_id).release_id)
