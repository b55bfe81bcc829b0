"""Open an issue, prepare its deliveries chunk by chunk, and send a test digest to one address."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from newsletter import audit, coverage
from newsletter.digest.by_hand import first_state
from newsletter.digest.fragments import names_in, render_issue, rendered_names
from newsletter.digest.merge_unsent import merge_unsent
from newsletter.digest.order.store import AS_IT_HAPPENS, BY_HAND, store_for_test, take_up
from newsletter.digest.own_hour import by_moment, own_hours
from newsletter.digest.select import MOST_KEPT, Audience, Chunk, Selector
from newsletter.errors import StateConflict
from newsletter.languages import choose_language
from newsletter.messages.counted_links import somebody_agreed, use_counted_links, with_counted_links
from newsletter.messages.digests.note import read_note
from newsletter.messages.digests.render import (
    DigestRenderer,
    NewsletterRenderer,
)
from newsletter.messages.digests.renditions import make_renditions
from newsletter.models import (
    FIRST_NEWSLETTER,
    ClickCounting,
    Delivery,
    Frequency,
    Issue,
    IssueState,
    Newsletter,
    Subscriber,
    current_sequence,
)
from newsletter.models.hand_order import HandOrder
from newsletter.models.rendition_key import Selection, read_key, release_names, write_key
from newsletter.outbox.enqueue import enqueue_issue, enqueue_test
from newsletter.outbox.pacing.warm_up import stage_of

# How many subscribers' deliveries one transaction writes.
CHUNK = 20_000
# To learn whether the issue has a recipient, these first subscribers are usually enough.
FIRST_LOOK = 500


def open_issue(
    session: Session,
    frequencies: Iterable[Frequency],
    *,
    actor: str,
    now: datetime,
    request_key: str | None = None,
    title: str = "",
    own_hour: bool = False,
    newsletter_id: int = FIRST_NEWSLETTER,
    note: str = "",
    note_language: str = "",
    starts_at: datetime | None = None,
    by_hand: bool = True,
) -> Issue:
    """Open an issue of a newsletter for its subscribers of these frequencies; return it.

    `note` is the editor's note in Markdown. Raises InputError if it cannot be used, and StateConflict
    when no release waits for anybody: an issue without releases is never sent. A second call with the
    same `request_key` returns the same issue, so a form that is sent twice opens one. With `own_hour`,
    subscribers who chose an hour of their day get it at that hour, a day later at the latest. Subscribers
    with a topic as it happens get it at once. With `starts_at` the issue waits until then, and with `by_hand`
    for a second person if the newsletter asks for one. It always has the releases that are ready now, in the
    order that an editor made for it (digest/order). Next, prepare it (`Preparer`). Commits nothing.
    """
    if request_key is not None:
        known = find_opened(session, request_key)
        if known is not None:
            return known
    read_note(note, note_language)
    chosen = tuple(sorted(set(frequencies), key=list(Frequency).index))
    audience = Audience(newsletter_id, chosen)
    to_sequence = current_sequence(session)
    first = next((each for each in _with_something(session, audience, to_sequence)), None)
    if first is None:
        raise StateConflict("No release waits for a subscriber of these frequencies, so nothing is sent.")
    number = take_number(session, newsletter_id)
    issue = Issue(
        newsletter_id=newsletter_id,
        number=number,
        title=title or f"No. {number}",
        frequencies=[str(each) for each in audience.frequencies],
        state=first_state(session, newsletter_id, starts_at) if by_hand else IssueState.PREPARING,
        starts_at=starts_at,
        to_sequence=to_sequence,
        request_key=request_key,
        own_hour=own_hour,
        editors_note=note.strip(),
        note_language=note_language,
        created_by=actor,
        created_at=now,
    )
    session.add(issue)
    session.flush()
    take_up(session, issue, BY_HAND if by_hand else AS_IT_HAPPENS)
    audit.record(session, actor, "issue.open", issue.public_id, now, frequencies=issue.frequencies)
    return issue


def something_waits(
    session: Session, newsletter_id: int, frequencies: Iterable[Frequency], to_sequence: int
) -> bool:
    """Return whether a release waits for any subscriber with these frequencies now."""
    audience = Audience(newsletter_id, tuple(frequencies))
    return next(_with_something(session, audience, to_sequence), None) is not None


def find_opened(session: Session, request_key: str) -> Issue | None:
    """Return the issue that the form with this key opened, if any."""
    return session.scalar(select(Issue).where(Issue.request_key == request_key))


def _with_something(session: Session, audience: Audience, to_sequence: int) -> Iterator[Chunk]:
    # This floor costs no query of all subscriptions. If a release below it waits for these subscribers, the
    # selector loads it.
    first = Selector(session, audience, to_sequence, floor=to_sequence).chunk(session, 0, FIRST_LOOK)
    if first is None or first.selections:
        return iter([first] if first else [])
    selector = Selector(session, audience, to_sequence)
    if not selector.catalogue.release_ids():
        return iter(())  # no subscriber need be looked at
    rest = selector.chunks(session, CHUNK, after=first.last)
    return (chunk for chunk in rest if chunk.selections)


class Preparer:
    """Prepares one issue, a chunk of subscribers at a time, and caches compositions between chunks."""

    def __init__(self, renderer: DigestRenderer, issue_id: int | None, chunk: int = CHUNK) -> None:
        self._renderers = renderer
        self._renderer: NewsletterRenderer | None = None
        # None: the wave has no issue yet.
        self._issue_id = issue_id
        self._chunk = chunk
        self._selector: Selector | None = None
        self._renditions: dict[str, int] = {}
        # The digest's language for each language tag of a subscriber.
        self._languages: dict[str, str] = {}
        # The names of releases that have fragments, by language, and those in renditions of the issue.
        self._rendered: dict[str, set[str]] | None = None
        self._named: set[str] = set()
        # When the digests were due that are merged into those of this chunk, by subscriber.
        self._merged: Mapping[int, datetime] = {}
        # The last subscriber id that this preparer prepared. Another one may have prepared more since.
        self._prepared_to: int | None = None

    def step(self, session: Session, now: datetime) -> bool:
        """Prepare one chunk; return whether more follow. The caller commits each chunk.

        Fragments are rendered with the first chunk that needs them. Fragments, deliveries, renditions and
        `covered_to` change in one transaction with `prepared_to`. So after a crash, or with two workers, the
        work continues at `prepared_to` and nobody is enqueued twice. If an older issue of the newsletter is
        still being prepared, this does nothing, so that the older issue brings what both could bring. But an
        issue as it happens waits for none, and none waits for an urgent one. After a failed transaction make
        a new Preparer, because this one has cached what it wrote.
        """
        known = select(Issue.newsletter_id, Issue.frequencies).where(Issue.id == self._issue_id)
        newsletter_id, frequencies = session.execute(known).one()
        # Lock all preparing issues of the newsletter, so that two workers on two of them take turns too.
        mine = (
            Issue.id == self._issue_id
            if frequencies == [Frequency.IMMEDIATE]
            else and_(Issue.newsletter_id == newsletter_id, Issue.urgent_release_id.is_(None))
        )
        preparing = select(Issue).where(Issue.state == IssueState.PREPARING, mine)
        locked = preparing.order_by(Issue.id).with_for_update(key_share=True)
        issue = next(iter(session.scalars(locked).all()), None)
        if issue is None or issue.id != self._issue_id:
            return False
        audience = Audience(issue.newsletter_id, tuple(Frequency(each) for each in issue.frequencies))
        chunk = self.select_chunk(session, audience, issue.to_sequence, issue.prepared_to, now, issue.id)
        if chunk is None:
            start_sending(session, issue, now)
            return False
        self.write_chunk(session, issue, chunk, issue.to_sequence, now)
        issue.prepared_to = chunk.last
        return True

    def select_chunk(
        self,
        session: Session,
        audience: Audience,
        to_sequence: int,
        prepared_to: int,
        now: datetime,
        issue_id: int | None,
    ) -> Chunk | None:
        """Lock the next subscribers and return what they get, or None when there are no more.

        While the From domain warms up, their digests that still wait are merged into this one.
        """
        if self._selector is None:
            self._selector = Selector(session, audience, to_sequence)
        if prepared_to != self._prepared_to:
            self._rendered = None  # another preparer has rendered since
        self._merged = {}

        def merge(ids: Sequence[int]) -> None:
            if not self.nothing_waits() and self._warms_up(session, audience.newsletter_id, now):
                self._merged = merge_unsent(session, audience, issue_id, ids, now)

        return self._selector.chunk(session, prepared_to, self._chunk, lock=True, once_locked=merge)

    def _warms_up(self, session: Session, newsletter_id: int, now: datetime) -> bool:
        settings = self._renderers.settings
        if not settings.warm_up:
            return False
        identity = self._renderers.of_newsletter(session, newsletter_id).identity
        return stage_of(settings, identity, now) is not None

    def nothing_waits(self) -> bool:
        """Return whether there is no release for anybody, so that no subscriber need be looked at."""
        return self._selector is not None and not self._selector.catalogue.release_ids()

    def write_chunk(
        self, session: Session, issue: Issue | None, chunk: Chunk, to_sequence: int, now: datetime
    ) -> None:
        """Write the deliveries of a chunk, and mark its subscriptions as served.

        Without an issue, the chunk has no selections.
        """
        if issue is not None:
            if self._renderer is None:
                self._renderer = self._renderers.of_newsletter(session, issue.newsletter_id)
            self._enqueue(session, issue, self._renderer, chunk, now)
        coverage.serve(session, chunk.subscription_ids, to_sequence)
        self._prepared_to = chunk.last

    def _enqueue(
        self, session: Session, issue: Issue, renderer: NewsletterRenderer, chunk: Chunk, now: datetime
    ) -> None:
        keys = {key for _, key in chunk.selections}
        if len(self._renditions) > MOST_KEPT:
            self._renditions.clear()
        fresh = sorted(keys - self._renditions.keys())
        self._render_for(session, issue, renderer, chunk, fresh, now)
        self._renditions |= make_renditions(session, issue.id, fresh)
        due = {**self._merged, **(own_hours(session, chunk, now) if issue.own_hour else {})}
        pairs = [(subscriber, self._renditions[key]) for subscriber, key in chunk.selections]
        usual = renderer.languages[0]
        # All hours in all time zones are only some dozens of moments, even with a million subscribers.
        for due_at, theirs in by_moment(pairs, due, now).items():
            enqueue_issue(session, issue.id, theirs, self._languages, usual, now, due_at)
        if renderer.identity.click_counting is ClickCounting.AGREED:
            use_counted_links(session, issue.id, chunk.covers(session, Subscriber.id))

    def _render_for(
        self,
        session: Session,
        issue: Issue,
        renderer: NewsletterRenderer,
        chunk: Chunk,
        fresh: Sequence[str],
        now: datetime,
    ) -> None:
        """Render, in each language needed, the releases of this chunk's renditions that have no fragments.

        The first time in a language, all releases of the catalogue are rendered. Releases that were put back
        to subscriptions later are rendered when a chunk needs them.
        """
        if not chunk.selections or self._selector is None:
            return
        begins = self._rendered is None
        if self._rendered is None:
            self._rendered = rendered_names(session, issue.id)
            self._named = names_in(session, issue.id)
        self._named |= {each for key in fresh for each in release_names(read_key(key))}
        subscribers = select(Subscriber.language).where(chunk.covers(session, Subscriber.id))
        offered = renderer.languages
        read = {tag: choose_language(tag, offered) for tag in session.scalars(subscribers.distinct())}
        # The first language is always needed: somebody may choose another language while we write the chunk.
        needed = {offered[0], *read.values()}
        languages = [each for each in offered if each in needed]
        if renderer.identity.click_counting is ClickCounting.AGREED and somebody_agreed(
            session, chunk.covers(session, Subscriber.id)
        ):
            languages += [with_counted_links(each) for each in languages]
        for language in languages:
            known = self._rendered.get(language, set())
            shown = self._named | self._selector.catalogue.names() if not known else self._named - known
            # A topic may have been added since an earlier wave.
            if shown or begins:
                render_issue(session, renderer, issue, shown, language, now, before=len(known))
                self._rendered[language] = shown | known
        self._languages |= {tag: language for tag, language in read.items() if language != offered[0]}


def start_sending(session: Session, issue: Issue, now: datetime) -> None:
    """Let an issue be sent whose deliveries are written, or finish it if it has none."""
    enqueued = session.scalar(select(func.count()).where(Delivery.issue_id == issue.id))
    issue.started_at = now
    issue.state = IssueState.SENDING if enqueued else IssueState.FINISHED
    if not enqueued:
        issue.finished_at = now
        issue.note = "No release waited for any subscriber, so nothing was sent."


def next_number(session: Session, newsletter_id: int) -> int:
    """Return the number of the newsletter's next issue."""
    opened = select(func.count(), func.max(Issue.number)).where(
        Issue.is_test.is_(False), Issue.newsletter_id == newsletter_id
    )
    count, highest = session.execute(opened).one()
    # An issue has no number if a host with the previous version opened it.
    return max(int(count), highest or 0) + 1


def take_number(session: Session, newsletter_id: int) -> int:
    """Return the number of a new issue. If two are opened at the same time, the second one waits here."""
    row = select(Newsletter.id).where(Newsletter.id == newsletter_id)
    session.execute(row.with_for_update(key_share=True))
    return next_number(session, newsletter_id)


def send_test(
    session: Session,
    renderer: DigestRenderer,
    selection: Selection,
    *,
    recipient: str,
    actor: str,
    now: datetime,
    newsletter_id: int = FIRST_NEWSLETTER,
    note: str = "",
    note_language: str = "",
    order: HandOrder = (),
) -> Issue:
    """Enqueue a test digest of `selection` to one address, which may be no subscriber's. Commits nothing.

    `order` is the manual order of the issue that is tested. `note` is the editor's note in Markdown. Raises
    InputError if it cannot be used. No `covered_to` moves, so the test changes no subscriber's next issue.
    Raises StateConflict for an empty selection.
    """
    if not selection:
        raise StateConflict("There is no release to show, so nothing is sent.")
    issue = Issue(
        newsletter_id=newsletter_id,
        title=f"No. {next_number(session, newsletter_id)}",
        frequencies=[],
        state=IssueState.DRAFT,
        to_sequence=current_sequence(session),
        is_test=True,
        editors_note=note.strip(),
        note_language=note_language,
        created_by=actor,
        created_at=now,
    )
    session.add(issue)
    session.flush()
    store_for_test(session, issue, order)
    shown = release_names(selection)
    own = renderer.of_newsletter(session, issue.newsletter_id)
    language = own.languages[0]
    render_issue(session, own, issue, shown, language, now)
    key = write_key(selection)
    rendition_id = make_renditions(session, issue.id, [key])[key]
    enqueue_test(session, issue, rendition_id, recipient, f"test:{secrets.token_hex(8)}", language, now)
    audit.record(session, actor, "issue.test", issue.public_id, now, releases=len(shown))
    return issue
