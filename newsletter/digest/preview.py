"""Preview a digest as it would be if it were made now. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter import coverage
from newsletter.digest.compose import Interest
from newsletter.digest.issues import next_number
from newsletter.digest.order.store import BY_HAND, version_of
from newsletter.digest.reach import Reach, count_reach
from newsletter.digest.select import Audience, interests_of_subscriber, load_catalogue
from newsletter.errors import NotFound
from newsletter.languages import choose_language
from newsletter.messages.digests.edition import Edition
from newsletter.messages.digests.note import Note
from newsletter.messages.digests.render import DigestRenderer, load_revisions, render_edition
from newsletter.models import (
    FIRST_NEWSLETTER,
    Frequency,
    Issue,
    IssueState,
    Release,
    ReleaseState,
    ReleaseTopic,
    Subscriber,
    Topic,
    current_sequence,
    order_of_target,
)
from newsletter.models.hand_order import HandOrder, arrange
from newsletter.models.release_languages import read_choice, wants_in_sql
from newsletter.models.rendition_key import Selection, release_names, write_key

# If no new release waits, a preview shows this many of the newest ones.
SAMPLE_RELEASES = 10


@dataclass(frozen=True)
class Rendered:
    """A selection as the email in one language.

    `is_cut` means that some releases stand behind a link, because the HTML would be too large.
    """

    language: str
    subject: str
    html: str
    text: str
    html_bytes: int
    is_cut: bool
    releases: Sequence[Release]
    # Why it has the usual templates and not the owner's; "" if that is not so.
    template_fault: str = ""


@dataclass(frozen=True)
class Preview:
    """A digest as it would be now.

    `html_bytes` is the size of the HTML part as it is sent. `reach` counts the people of an issue of these
    frequencies. If `is_sample`, no new release waits for this subscriber or these topics,
    and older releases are shown instead.
    """

    subject: str
    html: str
    text: str
    html_bytes: int
    releases: Sequence[Release]
    selection: Selection
    reach: Reach
    is_sample: bool
    to_sequence: int
    order: HandOrder
    order_version: int


def preview(
    session: Session,
    renderer: DigestRenderer,
    *,
    frequencies: Sequence[Frequency],
    now: datetime,
    topics: Sequence[str] = (),
    email_key: str | None = None,
    newsletter_id: int = FIRST_NEWSLETTER,
    note: Note | None = None,
    to_sequence: int | None = None,
    slot: date | None = None,
    target: str | None = None,
    order: HandOrder | None = None,
    for_anybody: bool = False,
) -> Preview | None:
    """Return a newsletter's digest for a subscriber (a canonical address) or for a choice of its topics.

    Without `email_key` it is the digest of a subscriber who chose `topics` (slugs; if empty, all) and
    got the last issue of these frequencies. If nothing is new for such a subscriber and others still wait
    for a release of that issue, it is the digest of those others. `to_sequence` is the highest sequence
    in it, the newest one by default. `slot` is the date that it shows, today by default. `target` is the
    issue whose manual order it has: that of the slot, or else the next one that a person sends. `order`
    stands in place of the stored order. With `for_anybody`, it has what waits for at least one subscriber
    of these frequencies. Returns None when there is no release at all. Raises NotFound for an unknown
    subscriber, and for a topic that the newsletter does not have.
    """
    if target is None:
        target = BY_HAND if slot is None else str(slot)
    to_sequence = current_sequence(session) if to_sequence is None else to_sequence
    audience = Audience(newsletter_id, tuple(frequencies))
    wanted = _release_languages_of(session, email_key)
    served = (audience.floor(session) or 0) if for_anybody else None
    chosen, is_sample = _choose(session, audience, to_sequence, topics, email_key, wanted, served)
    reach = count_reach(session, frequencies, to_sequence, newsletter_id)
    if is_sample and email_key is None and reach.would_reach_now:
        # The last issue did not reach everybody: it was cancelled, or people were refused or paused.
        served = audience.floor(session) or 0
        chosen, is_sample = _choose(session, audience, to_sequence, topics, email_key, wanted, served)
    if not chosen:
        return None
    language = choose_language(
        _language_of(session, email_key), renderer.of_newsletter(session, newsletter_id).languages
    )
    if order is None:
        order = order_of_target(session, newsletter_id, target)
    made = render_in(
        session, renderer, newsletter_id, chosen, language, now, note=note, slot=slot, order=order
    )
    return Preview(
        subject=made.subject,
        html=made.html,
        text=made.text,
        html_bytes=made.html_bytes,
        releases=made.releases,
        selection=chosen,
        reach=reach,
        is_sample=is_sample,
        to_sequence=to_sequence,
        order=order,
        order_version=version_of(session, newsletter_id, target),
    )


def render_in(
    session: Session,
    renderer: DigestRenderer,
    newsletter_id: int,
    selection: Selection,
    language: str,
    now: datetime,
    *,
    note: Note | None = None,
    slot: date | None = None,
    order: HandOrder = (),
) -> Rendered:
    """Return a selection as the email in one language, with a manual order."""
    releases = load_revisions(session, release_names(selection))
    shelf = select(Topic).where(Topic.newsletter_id == newsletter_id).order_by(Topic.position, Topic.id)
    own = renderer.of_newsletter(session, newsletter_id)
    facts = own.issue_facts(f"No. {next_number(session, newsletter_id)}", now, note=note)
    facts = facts if slot is None else replace(facts, date=slot)
    parts = render_edition(own, facts, language, session.scalars(shelf).all(), releases, order)
    edition = Edition("preview", parts)
    key = write_key(selection)
    # A preview has no personal links: they all lead to the home page.
    home = renderer.links.home()
    fields = dict.fromkeys(("browser_url", "preferences_url", "unsubscribe_url"), home)
    blocks = arrange(selection, [each.release_ids for each in order])
    by_name = {each.name: each.release for each in releases}
    return Rendered(
        language=language,
        subject=edition.subject(key),
        html=edition.html(key, fields),
        text=edition.text(key, fields),
        html_bytes=edition.html_bytes(key),
        is_cut=edition.is_cut(key),
        releases=[by_name[name] for block in blocks for name in block.names],
        template_fault=str(own.failures[0]) if own.failures else "",
    )


def nothing_to_show(topics: Sequence[str] = (), *, for_subscriber: bool = False) -> str:
    """Return a sentence that says why there is no preview."""
    if for_subscriber:
        return "No release on this subscriber's topics is ready yet."
    if topics:
        named = ("topic " if len(topics) == 1 else "topics ") + ", ".join(topics)
        return f"No release on the {named} is ready yet."
    return "No release of this newsletter is ready yet."


def _language_of(session: Session, email_key: str | None) -> str:
    if email_key is None:
        return ""
    return session.scalar(select(Subscriber.language).where(Subscriber.email_key == email_key)) or ""


def _release_languages_of(session: Session, email_key: str | None) -> frozenset[str]:
    """Return the languages in which a subscriber wants releases; empty for all, and without `email_key`."""
    if email_key is None:
        return frozenset()
    return read_choice(
        session.scalar(select(Subscriber.release_languages).where(Subscriber.email_key == email_key))
    )


def _choose(
    session: Session,
    audience: Audience,
    to_sequence: int,
    topics: Sequence[str],
    email_key: str | None,
    wanted: frozenset[str],
    served: int | None = None,
) -> tuple[Selection, bool]:
    """Return what to show, and whether it is a sample of older releases.

    Without `email_key`, it is for a subscriber who was served up to `served`, by default up to the last
    issue.
    """
    if email_key is not None:
        subscriber = session.scalar(select(Subscriber).where(Subscriber.email_key == email_key))
        if subscriber is None:
            raise NotFound("There is no subscriber with this address.")
        interests = interests_of_subscriber(session, audience, subscriber.id)
        held = coverage.held_releases(session, lambda column: column == subscriber.id, audience.newsletter_id)
        sent = held.get(subscriber.id, set())
    else:
        served = _last_served(session, audience) if served is None else served
        frequency = audience.frequencies[0] if audience.frequencies else Frequency.WEEKLY
        chosen = _topic_ids(session, audience.newsletter_id, topics)
        interests = [Interest(topic_id, frequency, served) for topic_id in chosen]
        sent = set()
    above = min((each.covered_to for each in interests), default=to_sequence)
    catalogue = load_catalogue(session, audience.newsletter_id, above, to_sequence)
    selection = catalogue.compose(interests, sent, wanted)
    if selection:
        return selection, False
    return _sample(session, audience.newsletter_id, interests, to_sequence, wanted), True


def _topic_ids(session: Session, newsletter_id: int, slugs: Sequence[str]) -> list[int]:
    topics = select(Topic.slug, Topic.id).where(Topic.newsletter_id == newsletter_id)
    known = {slug: int(topic_id) for slug, topic_id in session.execute(topics)}
    missing = set(slugs) - set(known)
    if missing:
        raise NotFound(f"There is no topic {', '.join(sorted(missing))}.")
    return [known[slug] for slug in slugs] if slugs else list(known.values())


def _last_served(session: Session, audience: Audience) -> int:
    """Return `to_sequence` of the newsletter's last issue that had one of these frequencies, or 0."""
    recent = session.execute(
        select(Issue.frequencies, Issue.to_sequence)
        .where(
            Issue.is_test.is_(False),
            Issue.urgent_release_id.is_(None),
            Issue.newsletter_id == audience.newsletter_id,
            Issue.state.not_in([IssueState.HELD, IssueState.SCHEDULED]),  # nothing of these is sent yet
        )
        .order_by(Issue.id.desc())
        .limit(100)
    )
    for served, to_sequence in recent:
        if set(served) & set(audience.frequencies):
            return int(to_sequence)
    return 0


def _sample(
    session: Session,
    newsletter_id: int,
    interests: Sequence[Interest],
    to_sequence: int,
    wanted: frozenset[str],
) -> Selection:
    """Return the newest releases of these topics, also those that were sent before."""
    newest = session.scalars(
        select(ReleaseTopic.sequence)
        .join(Release, Release.id == ReleaseTopic.release_id)
        .where(
            ReleaseTopic.topic_id.in_([each.topic_id for each in interests]),
            ReleaseTopic.sequence.is_not(None),
            Release.state == ReleaseState.READY,
            wants_in_sql(wanted, Release.language),
        )
        .order_by(ReleaseTopic.sequence.desc())
        .limit(SAMPLE_RELEASES)
    ).all()
    if not newest:
        return ()
    above = (newest[-1] or 0) - 1
    return load_catalogue(session, newsletter_id, above, to_sequence).compose(
        [Interest(each.topic_id, each.frequency, above) for each in interests], languages=wanted
    )
