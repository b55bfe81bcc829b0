"""Store what a source lists: a transaction for each release, each of which keeps the lease of the source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from newsletter.errors import FetchError
from newsletter.images.encoder import EncodedImage
from newsletter.images.store import store_image
from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.sources.lease import (
    Claimed,
    keep_lease,
)
from newsletter.ingest.sources.listing import (
    Listed,
    NewItem,
    Plan,
    add_item,
    compare_list,
    is_leading,
    note_stored,
    same_list,
)
from newsletter.ingest.sources.reading.fetch import Fetched
from newsletter.ingest.sources.reading.folder import read_folder
from newsletter.ingest.sources.reading.known_pages import store_pages
from newsletter.ingest.sources.reading.read_images import note_imageless
from newsletter.ingest.sources.record import Counts, record_fetch, tell_of_items, titles_of
from newsletter.mail.clean_html import LONGEST_HTML
from newsletter.models import FetchOutcome, HoldReason, Release, Source, SourceItem, SourceKind
from newsletter.notices import NoticeKind
from newsletter.releases.duplicates.judge import end_settling
from newsletter.releases.from_sources.approve import count_of_source
from newsletter.releases.from_sources.arrive import Arrival, rewrite_held, store_arrival
from newsletter.releases.from_sources.correct import Correction, correct_from_source
from newsletter.releases.holds import end_hold, hold, lock_release
from newsletter.releases.store import today_of
from newsletter.runtime import Runtime

# An item that changes at every fetch is not held for longer than this.
SETTLES_AT_MOST = timedelta(minutes=60)
# Why the text of a source is not taken, in words for the owner.
NOT_CORRECTED = {
    Correction.EDITED: "an editor has corrected it",
    Correction.RESTLESS: "its source has corrected it three times already",
    Correction.REFUSED: "another release has the new text, or the new title is empty",
    Correction.TOO_LONG: f"a new field is too long, such as a text of over {LONGEST_HTML:,} characters",
}


@dataclass(frozen=True)
class SourceWriter:
    """Stores the items of sources of one installation."""

    runtime: Runtime

    def store(self, claimed: Claimed, fetched: Fetched) -> Counts:
        """Store what was fetched from a source, and record the fetch. Raises SourceLeaseLost."""
        counts = Counts()
        if fetched.outcome is FetchOutcome.READ:
            counts = self._store_list(claimed, fetched)
        elif fetched.outcome is FetchOutcome.UNCHANGED:
            with self._owned(claimed) as (session, source, now):
                plan = same_list(session, source, now)
            self._settle(claimed, plan)
            self._tell(claimed, plan)
        self.record(claimed, fetched, counts)
        return counts

    def record(self, claimed: Claimed, fetched: Fetched, counts: Counts) -> None:
        """Record the result of a fetch. Raises SourceLeaseLost."""
        days = self.runtime.settings.source_failing_days
        with self._owned(claimed) as (session, source, now):
            record_fetch(session, source, fetched, now, failing_days=days, counts=counts)

    def _store_list(self, claimed: Claimed, fetched: Fetched) -> Counts:
        listed, site_url = self._listed(claimed, fetched)
        images = fetched.read.images if fetched.read else {}
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
                note_imageless(session, source.id, fetched.read.imageless)
            today = today_of(session, now)
            plan = compare_list(session, source, listed, site_url, now, today, lost=lost, pictured=images)
            publisher, settle_minutes = source.publisher, source.settle_minutes
            needs_approval = source.needs_approval
        settles = settle_minutes > 0 and claimed.kind is not SourceKind.FOLDER
        added = sum(
            [
                self._add(claimed, each, images.get(each.key), plan, publisher, settles=settles)
                for each in plan.new
            ]
        )
        for row_id, item in plan.rewrite:
            with self._owned(claimed) as (session, _source, now):
                row = session.get_one(SourceItem, row_id)
                release = lock_release(session, row.release_id)
                shown = _pictured(session, item.named(publisher), images.get(row.key), release, now)
                rewrite_held(session, release, shown, now)
                note_stored(row, item)
        corrected = [
            self._correct(claimed, row_id, item.named(publisher), images) for row_id, item in plan.correct
        ]
        self._settle(claimed, plan)
        self._tell(claimed, plan)
        if added and needs_approval:
            self._tell_of_approvals(claimed)
        unread = fetched.read.unread if fetched.read else 0
        return Counts(len(listed), added, plan.changed, corrected.count(Correction.LATER) + unread)

    def _listed(self, claimed: Claimed, fetched: Fetched) -> tuple[list[Listed] | None, str]:
        """Return the items that a source lists, and the URL of its site.

        If the source could not be read, the first is None, and `fetched` says why.
        """
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

    def _add(
        self,
        claimed: Claimed,
        new: NewItem,
        image: EncodedImage | None,
        plan: Plan,
        publisher: str,
        *,
        settles: bool,
    ) -> bool:
        with self._owned(claimed) as (session, source, now):
            if new.same_as is not None:
                add_item(session, source.id, new, new.same_as, plan.number, now)
                return False
            is_held = plan.looks_moved and new.recurs and not new.is_kept_back
            arrival = Arrival(
                _pictured(session, new.item.named(publisher), image, None, now),
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

    def _correct(
        self, claimed: Claimed, row_id: int, item: Item, images: Mapping[str, EncodedImage]
    ) -> Correction:
        """Store the new text of an item that had settled. If it is not taken, the owner is told once."""
        with self._owned(claimed) as (session, source, now):
            row = session.get_one(SourceItem, row_id)
            release = lock_release(session, row.release_id)
            judged = Correction.SAME
            if release.deleted_at is None and is_leading(session, row):
                shown = _pictured(session, item, images.get(row.key), release, now)
                judged = correct_from_source(session, release, shown, now)
            if judged is not Correction.LATER:
                note_stored(row, item)
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


def _pictured(
    session: Session, item: Item, image: EncodedImage | None, release: Release | None, now: datetime
) -> Item:
    """Return an item with its image, which is stored here if it is new. Else the one of its release stays."""
    if image is not None:
        return replace(item, image_hash=store_image(session, image, now))
    if release is not None and item.image_url:
        alt = item.image_alt or release.image_alt
        return replace(item, image_hash=release.image_hash, image_alt=alt)
    return item


def _locked(session: Session, row_id: int) -> Release:
    return lock_release(session, session.get_one(SourceItem, row_id).release_id)
