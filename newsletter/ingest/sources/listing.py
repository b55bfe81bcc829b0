"""Compare what a source lists now with what it listed before: what is new, changed, settled or removed.

A list is compared in one transaction, and each of its consequences then gets one of its own. If the process
is killed in between, the next fetch finds what is left to do.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sqlalchemy import exists, or_, select, update
from sqlalchemy.orm import Session, aliased

from newsletter.ingest.feeds.feed import Item
from newsletter.ingest.sources.choices import kept_back
from newsletter.ingest.sources.identity import ambiguous_urls, item_key, shared_keys, url_key
from newsletter.ingest.sources.neighbours import MISSES, is_missing
from newsletter.models import (
    HoldReason,
    Release,
    ReleaseHold,
    ReleaseKey,
    ReleaseState,
    Source,
    SourceItem,
    SourceKind,
    insert_new,
    is_one_of,
)

# Items of one list that look like earlier ones. More of them look like a site that moved.
MOST_REPEATED = 3
# The editor is told that an item was removed if it came this lately.
TOLD_FOR = timedelta(days=7)
# Equal texts whose dates are further apart are two releases (releases/from_sources/arrive.py).
RECURS_AFTER = timedelta(days=1)
# An item whose release has one of these holds is looked at again, also in an unchanged list.
_WAITS = (HoldReason.SETTLING, HoldReason.GONE)


@dataclass(frozen=True)
class Listed:
    """An item with its key in its source."""

    key: str
    item: Item


@dataclass(frozen=True)
class NewItem:
    """An item that the source did not have before. `same_as` is the id of the release that it repeats."""

    key: str
    item: Item
    shared: tuple[str, ...] = ()
    is_kept_back: bool = False
    recurs: bool = False
    same_as: int | None = None


@dataclass
class Plan:
    """What is to be done about a list. Ids are those of source items; `new` has the oldest item first."""

    number: int
    new: list[NewItem] = field(default_factory=list)
    rewrite: list[tuple[int, Item]] = field(default_factory=list)
    # Items that changed after they had settled.
    correct: list[tuple[int, Item]] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    back: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    changed: int = 0
    looks_moved: bool = False


def as_listed(items: Sequence[Item]) -> list[Listed]:
    """Return the items of a feed with their keys."""
    return [Listed(item_key(each), each) for each in items]


def compare_list(
    session: Session,
    source: Source,
    listed: Sequence[Listed],
    site_url: str,
    now: datetime,
    today: date,
    *,
    lost: Collection[str] = (),
    pictured: Collection[str] = (),
) -> Plan:
    """Note which items are listed now, and return what is to be done. `listed` has each key once.

    `lost` has the keys of items that are listed although their own page is gone, `pictured` those of items
    that have another image now.
    """
    plan = Plan(source.lists + 1)
    known = _rows(session, source, [each.key for each in listed])
    before = _earlier_rows(session, source)
    waiting = _waiting(session, source)
    fresh: list[Listed] = []
    for each in listed:
        row = known.get(each.key)
        if row is None:
            fresh.append(each)
        elif each.key in lost:
            _lose(plan, row, waiting.get(row.id), now)
        else:
            is_new = row.stored_hash != each.item.text_hash or each.key in pictured
            _compare_item(plan, source, row, each.item, waiting.get(row.id), now, is_new=is_new)
    ids = [row.id for row in known.values()]
    session.flush()
    _see_missing(session, plan, source, before, waiting, ids, now)
    marked = update(SourceItem).where(is_one_of(session, SourceItem.id, ids))
    session.execute(marked.values(last_list=plan.number))
    stays = [row.id for key, row in known.items() if key not in lost]
    session.execute(update(SourceItem).where(is_one_of(session, SourceItem.id, stays)).values(misses=0))
    source.lists = plan.number
    plan.new = _judge_new(session, source, fresh, [each.item for each in listed], site_url, today)
    repeated = [each for each in plan.new if each.recurs and not each.is_kept_back]
    plan.looks_moved = len(repeated) > MOST_REPEATED
    return plan


def same_list(session: Session, source: Source, now: datetime) -> Plan:
    """Return what is to be done when a source is unchanged: its last list was seen once more."""
    plan = Plan(source.lists)
    for row_id, reason in _waiting(session, source).items():
        row = session.get_one(SourceItem, row_id)
        if row.last_list == source.lists:
            if reason is HoldReason.SETTLING and _has_settled(source, row, now):
                plan.settled.append(row.id)
        elif reason is HoldReason.SETTLING and 0 < row.misses < MISSES:
            row.misses += 1
            if row.misses >= MISSES:
                plan.gone.append(row.id)
    return plan


def is_leading(session: Session, row: SourceItem) -> bool:
    """Return whether this source was the first to list the release of an item. Only that one corrects it."""
    earlier = exists().where(SourceItem.release_id == row.release_id, SourceItem.id < row.id)
    return not session.scalar(select(earlier))


def where_anything_waits(session: Session, source_ids: Collection[int]) -> set[int]:
    """Return the sources with an item that settles or is gone. For them, even an unchanged list matters."""
    chosen = select(SourceItem.source_id).join(ReleaseHold, ReleaseHold.release_id == SourceItem.release_id)
    waiting = chosen.where(SourceItem.source_id.in_(source_ids), ReleaseHold.reason.in_(_WAITS))
    return set(session.scalars(waiting.distinct()))


def add_item(
    session: Session, source_id: int, new: NewItem, release_id: int, number: int, now: datetime
) -> None:
    """Store that a source listed an item, which is this release."""
    row = insert_new(session, SourceItem).values(
        source_id=source_id,
        release_id=release_id,
        key=new.key,
        url=new.item.url,
        text_hash=new.item.text_hash,
        stored_hash=new.item.text_hash,
        image_url=new.item.image_url,
        first_seen_at=now,
        same_since=now,
        last_list=number,
        misses=0,
    )
    session.execute(row)


def note_stored(row: SourceItem, item: Item) -> None:
    """Note that the release of a stored item has the text and the image that it has now."""
    row.stored_hash = item.text_hash
    if row.image_url is not None:
        row.image_url = item.image_url


def waiting_keys(session: Session, source_id: int) -> set[str]:
    """Return the keys of the items of a source that settle or are gone."""
    source = session.get_one(Source, source_id)
    ids = list(_waiting(session, source))
    return set(session.scalars(select(SourceItem.key).where(is_one_of(session, SourceItem.id, ids))))


def settles_in(session: Session, source: Source, now: datetime) -> timedelta | None:
    """Return how long it takes until an item of the source can settle, or None if none is settling."""
    ids = [row_id for row_id, why in _waiting(session, source).items() if why is HoldReason.SETTLING]
    if not ids:
        return None
    since = min(session.scalars(select(SourceItem.same_since).where(is_one_of(session, SourceItem.id, ids))))
    return since + timedelta(minutes=source.settle_minutes) - now


def _compare_item(
    plan: Plan,
    source: Source,
    row: SourceItem,
    item: Item,
    waits: HoldReason | None,
    now: datetime,
    *,
    is_new: bool,
) -> None:
    """Note what is to be done about a stored item. `is_new`: its release has another text, or image."""
    if row.text_hash != item.text_hash:
        row.text_hash, row.same_since = item.text_hash, now
        plan.changed += 1
    if waits is HoldReason.GONE:
        row.same_since = now
        plan.back.append(row.id)
    if waits is not None and is_new:
        plan.rewrite.append((row.id, item))
    elif waits is None and is_new:
        plan.correct.append((row.id, item))
    elif waits is HoldReason.SETTLING and _has_settled(source, row, now):
        plan.settled.append(row.id)


def _has_settled(source: Source, row: SourceItem, now: datetime) -> bool:
    is_stored = row.stored_hash == row.text_hash
    return is_stored and now - row.same_since >= timedelta(minutes=source.settle_minutes)


def _see_missing(
    session: Session,
    plan: Plan,
    source: Source,
    before: Sequence[SourceItem],
    waiting: Mapping[int, HoldReason],
    listed: Collection[int],
    now: datetime,
) -> None:
    """Count the items that were removed from between others that stay."""
    if source.kind is SourceKind.FOLDER:
        return
    present = set(listed)
    beside = {row.id for row in before if row.last_list == source.lists}
    for row in before:
        if row.id in present or not is_missing(row.id, beside, present):
            continue
        row.misses += 1
        if row.misses == MISSES:
            _note_removed(plan, row, waiting.get(row.id), now)
    session.flush()


def _lose(plan: Plan, row: SourceItem, waits: HoldReason | None, now: datetime) -> None:
    """Note that an item's own page is gone, once."""
    if row.misses < MISSES:
        row.misses = MISSES
        _note_removed(plan, row, waits, now)


def _note_removed(plan: Plan, row: SourceItem, waits: HoldReason | None, now: datetime) -> None:
    if waits is HoldReason.SETTLING:
        plan.gone.append(row.id)
    elif now - row.first_seen_at <= TOLD_FOR and row.release.state is ReleaseState.READY:
        plan.removed.append(row.id)


def _rows(session: Session, source: Source, keys: Sequence[str]) -> dict[str, SourceItem]:
    mine = SourceItem.source_id == source.id
    found: dict[str, SourceItem] = {}
    for at in range(0, len(keys), 500):
        query = select(SourceItem).where(mine, SourceItem.key.in_(keys[at : at + 500]))
        found.update({row.key: row for row in session.scalars(query)})
    return found


def _earlier_rows(session: Session, source: Source) -> Sequence[SourceItem]:
    """Return the items of the last list, and those that it was missing although an earlier one had them."""
    missed = SourceItem.misses.between(1, MISSES - 1)
    query = select(SourceItem).where(
        SourceItem.source_id == source.id, or_(SourceItem.last_list == source.lists, missed)
    )
    return session.scalars(query).all()


def _waiting(session: Session, source: Source) -> dict[int, HoldReason]:
    """Return the items of a source whose release settles or is gone. A release's first source decides."""
    other = aliased(SourceItem)
    earlier = exists().where(other.release_id == SourceItem.release_id, other.id < SourceItem.id)
    query = (
        select(SourceItem.id, ReleaseHold.reason)
        .join(ReleaseHold, ReleaseHold.release_id == SourceItem.release_id)
        .where(
            SourceItem.source_id == source.id,
            ReleaseHold.reason.in_(_WAITS),
            ~earlier,
        )
    )
    return {row_id: reason for row_id, reason in session.execute(query)}


def _judge_new(
    session: Session,
    source: Source,
    fresh: Sequence[Listed],
    listed: Sequence[Item],
    site_url: str,
    today: date,
) -> list[NewItem]:
    """Return the new items, the oldest first, with what is to be done about each."""
    ambiguous = ambiguous_urls(listed, site_url or source.site_url)
    mine = _own_url_keys(session, source, [url_key(each.item, ambiguous) for each in fresh])
    earlier = _earlier_texts(session, source, [each.item.text_hash for each in fresh])
    is_backlog = source.backlog_done_at is None
    kept = kept_back(source.backlog, listed, today) if is_backlog else [False] * len(listed)
    kept_items = {id(item) for item, is_kept in zip(listed, kept, strict=True) if is_kept}
    made = []
    for each in _oldest_first(fresh, today):
        shared = tuple(key for key in shared_keys(each.item, ambiguous) if key not in mine)
        new = NewItem(each.key, each.item, shared, is_kept_back=id(each.item) in kept_items)
        day = each.item.published or today
        twin = earlier.get(each.item.text_hash)
        if twin is not None and (each.item.guid or abs(day - twin[1]) > RECURS_AFTER):
            new = replace(new, recurs=True)
        elif twin is not None:
            new = replace(new, same_as=twin[0])
        earlier[each.item.text_hash] = (twin[0] if twin else None, day)
        made.append(new)
    return made


def _oldest_first(fresh: Sequence[Listed], today: date) -> list[Listed]:
    """Return items by date. Among those of one day, feeds list the newest first."""
    newest_last = list(reversed(fresh))
    newest_last.sort(key=lambda each: each.item.published or today)
    return newest_last


def _own_url_keys(session: Session, source: Source, keys: Sequence[str | None]) -> set[str]:
    """Return the URL keys that already belong to a release of this source: its guids tell its items apart."""
    wanted = [key for key in keys if key]
    if not wanted:
        return set()
    mine = select(SourceItem.release_id).where(SourceItem.source_id == source.id)
    query = select(ReleaseKey.key).where(ReleaseKey.key.in_(wanted), ReleaseKey.release_id.in_(mine))
    return set(session.scalars(query))


def _earlier_texts(
    session: Session, source: Source, hashes: Sequence[str]
) -> dict[str, tuple[int | None, date]]:
    """Return the release and the date of the newest item of this source with each of these texts."""
    if not hashes:
        return {}
    query = (
        select(SourceItem.text_hash, Release.id, Release.published_on)
        .join(Release, Release.id == SourceItem.release_id)
        .where(SourceItem.source_id == source.id, SourceItem.text_hash.in_(hashes))
        .order_by(SourceItem.id)
    )
    return {text: (release_id, day) for text, release_id, day in session.execute(query)}
