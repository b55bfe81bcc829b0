"""Issues are opened, prepared chunk by chunk, and shown to one address first."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from newsletter import audit
from newsletter.digest.compose import Catalogue
from newsletter.digest.render import LANGUAGES, Press, mail_language, render_edition
from newsletter.digest.select import audience, count_readers, floor, interests_of, load_catalogue, sent_before
from newsletter.errors import StateConflict
from newsletter.models import (
    Delivery,
    Fragment,
    Frequency,
    Issue,
    IssueState,
    Release,
    Rendition,
    RenditionRelease,
    Subscriber,
    Subscription,
    Topic,
    current_sequence,
    insert_new,
)
from newsletter.outbox.edition import Selection, release_ids, write_key
from newsletter.outbox.enqueue import Addressee, enqueue_issue, enqueue_test

# Readers whose deliveries are written by one transaction.
CHUNK = 1000


def open_issue(
    session: Session,
    frequencies: Iterable[Frequency],
    *,
    actor: str,
    now: datetime,
    request_key: str | None = None,
    title: str = "",
) -> Issue:
    """Open an issue by hand for every reader of these frequencies who has something new; return it.

    Raises StateConflict when there is nothing new for anybody: an issue without releases is
    never sent. The same `request_key` again returns the issue that it opened before, so a form
    sent twice sends once. Preparing follows (`prepare_step`). Commits nothing.
    """
    if request_key is not None:
        known = session.scalar(select(Issue).where(Issue.request_key == request_key))
        if known is not None:
            return known
    chosen = sorted(set(frequencies), key=list(Frequency).index)
    to_sequence = current_sequence(session)
    if not chosen or not count_readers(session, chosen, to_sequence):
        raise StateConflict("There is nothing new for any reader of these frequencies, so nothing is sent.")
    issue = Issue(
        title=title or f"No. {_next_number(session)}",
        frequencies=[str(each) for each in chosen],
        state=IssueState.PREPARING,
        to_sequence=to_sequence,
        request_key=request_key,
        created_by=actor,
        created_at=now,
    )
    session.add(issue)
    session.flush()
    audit.record(session, actor, "issue.open", issue.public_id, now, frequencies=issue.frequencies)
    return issue


def prepare_step(session: Session, press: Press, issue_id: int, now: datetime) -> bool:
    """Prepare one chunk of an issue's readers; return whether more follow. The caller commits each.

    The first step also renders the fragments. Deliveries, renditions and `covered_to` change in
    one transaction, and `prepared_to` says how far it got: run again after a crash, or by two
    workers, it goes on where it stopped and nobody is enqueued twice.
    """
    issue = session.scalars(select(Issue).where(Issue.id == issue_id).with_for_update()).one()
    if issue.state is not IssueState.PREPARING:
        return False
    frequencies = [Frequency(each) for each in issue.frequencies]
    catalogue = load_catalogue(session, floor(session, frequencies) or 0, issue.to_sequence)
    if issue.prepared_to == 0:
        _render(session, press, issue, catalogue.release_ids())
    readers = audience(frequencies).with_only_columns(Subscription.subscriber_id)
    chunk = session.scalars(
        readers.where(Subscription.subscriber_id > issue.prepared_to)
        .distinct()
        .order_by(Subscription.subscriber_id)
        .limit(CHUNK)
    ).all()
    if not chunk:
        _start(session, issue, now)
        return False
    _prepare_chunk(session, issue, catalogue, chunk, now)
    issue.prepared_to = chunk[-1]
    return True


def _prepare_chunk(
    session: Session, issue: Issue, catalogue: Catalogue, chunk: Sequence[int], now: datetime
) -> None:
    frequencies = [Frequency(each) for each in issue.frequencies]
    theirs = audience(frequencies).where(Subscription.subscriber_id.between(chunk[0], chunk[-1]))
    # Locked, so that a reader's change of mind comes before or after this, never in the middle.
    interests = interests_of(session.scalars(theirs.with_for_update()))
    sent = sent_before(session, chunk)
    languages = session.execute(
        select(Subscriber.id, Subscriber.language).where(Subscriber.id.in_(chunk))
    ).all()
    language_of = {reader: mail_language(tag) for reader, tag in languages}
    selections = {
        reader: selection
        for reader in chunk
        if (selection := catalogue.compose(interests[reader], sent.get(reader, frozenset())))
    }
    renditions = _renditions(session, issue.id, set(selections.values()))
    addressees = [
        Addressee(reader, renditions[selection], language_of[reader])
        for reader, selection in selections.items()
    ]
    enqueue_issue(session, issue.id, addressees, now)
    session.execute(
        update(Subscription)
        .where(
            Subscription.id.in_(theirs.with_only_columns(Subscription.id)),
            Subscription.covered_to < issue.to_sequence,
        )
        .values(covered_to=issue.to_sequence)
        .execution_options(synchronize_session=False)
    )


def _renditions(session: Session, issue_id: int, selections: set[Selection]) -> Mapping[Selection, int]:
    """Return the id of each selection's rendition, made if it is new."""
    by_hash = {_hash(write_key(each)): each for each in selections}
    for key_hash, selection in by_hash.items():
        fresh = insert_new(session, Rendition).values(
            issue_id=issue_id, key_hash=key_hash, key=write_key(selection)
        )
        rendition_id = session.scalar(fresh.returning(Rendition.id))
        if rendition_id is not None:
            rows = [{"rendition_id": rendition_id, "release_id": each} for each in release_ids(selection)]
            session.execute(insert_new(session, RenditionRelease), rows)
    found = session.execute(
        select(Rendition.key_hash, Rendition.id).where(
            Rendition.issue_id == issue_id, Rendition.key_hash.in_(by_hash)
        )
    )
    return {by_hash[key_hash]: rendition_id for key_hash, rendition_id in found}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _render(session: Session, press: Press, issue: Issue, shown: Iterable[int]) -> None:
    """Render and store the fragments of every language, once."""
    releases = session.scalars(select(Release).where(Release.id.in_(list(shown))).order_by(Release.id)).all()
    topics = session.scalars(select(Topic).order_by(Topic.position, Topic.id)).all()
    facts = press.issue_facts(issue.title, issue.created_at)
    for language in LANGUAGES:
        parts = render_edition(press, facts, language, topics, releases)
        rows = [
            {"issue_id": issue.id, "language": language, "part": part, "html": each.html, "text": each.text}
            for part, each in parts.items()
        ]
        session.execute(insert_new(session, Fragment), rows)


def _start(session: Session, issue: Issue, now: datetime) -> None:
    enqueued = session.scalar(select(func.count()).where(Delivery.issue_id == issue.id))
    issue.started_at = now
    issue.state = IssueState.SENDING if enqueued else IssueState.FINISHED
    if not enqueued:
        issue.finished_at = now
        issue.note = "Nothing new for any reader: nothing was sent."


def _next_number(session: Session) -> int:
    return (session.scalar(select(func.count()).where(Issue.is_test.is_(False))) or 0) + 1


def send_test(
    session: Session,
    press: Press,
    selection: Selection,
    *,
    recipient: str,
    actor: str,
    now: datetime,
) -> Issue:
    """Enqueue a digest of `selection` to one address, which need not be a reader's. Commits nothing.

    It serves nobody: no `covered_to` moves, and no reader's next issue is smaller for it.
    Raises StateConflict for an empty selection.
    """
    if not selection:
        raise StateConflict("There is no release to show, so nothing is sent.")
    issue = Issue(
        title=f"No. {_next_number(session)}",
        frequencies=[],
        state=IssueState.DRAFT,
        to_sequence=current_sequence(session),
        is_test=True,
        created_by=actor,
        created_at=now,
    )
    session.add(issue)
    session.flush()
    shown = release_ids(selection)
    _render(session, press, issue, shown)
    rendition_id = _renditions(session, issue.id, {selection})[selection]
    enqueue_test(session, issue, rendition_id, recipient, f"test:{secrets.token_hex(8)}", now)
    audit.record(session, actor, "issue.test", issue.public_id, now, releases=len(shown))
    return issue
