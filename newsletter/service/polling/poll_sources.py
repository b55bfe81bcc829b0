"""Poll sources: fetch those that are due with many threads, then read and store one after another.

Threads only wait for servers. What they fetch is read in a process of its own and stored by the calling
thread, a transaction for each release. Slow servers hold up a part of the threads, and never all of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property

from newsletter.images.encoder import ImageEncoder
from newsletter.ingest.isolated_reader import IsolatedReader
from newsletter.ingest.retrieve import Retriever
from newsletter.ingest.sources.lease import (
    Claimed,
    SourceLeaseLost,
    any_due,
    claim,
    find_all_leased,
    release_lease,
)
from newsletter.ingest.sources.listing import (
    where_anything_waits,
)
from newsletter.ingest.sources.reading.fetch import Fetched, make_retriever
from newsletter.ingest.sources.record import Counts, newest_fetches, record_fetch
from newsletter.models import FetchOutcome
from newsletter.notices import NoticeKind, settle_quiet
from newsletter.runtime import Runtime
from newsletter.service.polling.fetch_threads import Done, FetchThreads
from newsletter.service.polling.read_source import read_source
from newsletter.service.polling.write_source import SourceWriter

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
# Notices about single items close by themselves.
ITEM_NOTICES = (
    NoticeKind.SOURCE_MOVED, NoticeKind.ITEMS_GONE, NoticeKind.ITEMS_REMOVED, NoticeKind.ITEMS_NOT_CORRECTED,
)  # fmt: skip
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
    # Without it, releases come without their images.
    encoder: ImageEncoder | None = None

    @cached_property
    def _writer(self) -> SourceWriter:
        return SourceWriter(self.runtime)

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
            counts = self._writer.store(claimed, fetched)
        except SourceLeaseLost as fault:
            log.warning("event=source_lease_lost source=%s fault=%s", claimed.public_id, fault)
            return
        except Exception as fault:
            # Whatever one source provokes, the others are polled.
            log.exception("event=source_not_stored source=%s", claimed.public_id)
            fetched.outcome, counts = FetchOutcome.FAILED, Counts()
            fetched.message = f"Not stored: {type(fault).__name__}. The log of the service says more."
            self._writer.record(claimed, fetched, counts)
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
            # A source that somebody asks for is fetched, however slow it is.
            found = claim(session, free, now, slow=bool(only) or room >= free, only=only)
            if not (found or only) and 0 < room < free:
                found = claim(session, room, now)
            session.commit()
        return found

    def _fetch(self, claimed: Claimed) -> Fetched:
        pages = self.page_reader or self.reader
        return read_source(self.runtime, self.retriever, self.reader, pages, self.encoder, claimed)

    def _give_back(self, sources: Sequence[Claimed]) -> None:
        if not sources:
            return
        with self.runtime.session() as session:
            for each in sources:
                release_lease(session, each)
            session.commit()


def poll_sources(runtime: Runtime, stopping: Callable[[], bool], *, only: str | None = None) -> Tally:
    """Poll what is due for up to 50 seconds, or the source `only` whether it is due or not."""
    with IsolatedReader() as reader, IsolatedReader() as pages, ImageEncoder() as encoder:
        retriever = make_retriever(runtime.settings)
        poller = Poller(runtime, reader, retriever, page_reader=pages, encoder=encoder)
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
