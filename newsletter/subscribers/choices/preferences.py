"""Read and save a subscriber's preferences: topics, frequencies, language, time zone and hour."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.calendar.changes import move_hour
from newsletter.calendar.store import hour_of, tell_clock
from newsletter.messages.counted_links import use_plain_links
from newsletter.models import (
    TOPIC_ORDER,
    ConsentAct,
    EndedReason,
    Frequency,
    Release,
    Subscriber,
    Subscription,
    SubscriptionState,
    Topic,
)
from newsletter.models.release_languages import UNKNOWN, base_language, read_choice, write_choice
from newsletter.subscribers import subscription_rows
from newsletter.subscribers.choices import pauses
from newsletter.subscribers.consent.ledger import note, note_topics
from newsletter.subscribers.leaving.unsubscribe import Unsubscribed, tell_leaver, unsubscribe
from newsletter.subscribers.link import LinkFault, emailed_lately, read_link_subscriber
from newsletter.subscribers.offered_topics import offered_topics
from newsletter.subscribers.signup.email_limits import allow_email
from newsletter.subscribers.signup.pending import add_pending, is_news, send_confirmation
from newsletter.subscribers.subscription_rows import topics_of
from newsletter.tokens import Purpose, Tokens


@dataclass(frozen=True)
class Choice:
    """One topic and the frequency that a subscriber chose; None if they do not get it."""

    slug: str
    name: str
    description: str
    frequency: Frequency | None
    newsletter_id: int
    # The name of the group that the page shows it in, or "".
    group: str = ""


@dataclass(frozen=True)
class PersonalSettings:
    """A subscriber's language, IANA time zone, and the hour (0 to 23) at which they want issues, or None.

    `release_languages` has the languages in which they want releases; none for all. `clicks`: they agree that
    the links of their issues are counted; None leaves this as it is. `clicks_wording` is the sentence that
    they saw.
    """

    language: str
    time_zone: str
    preferred_hour: int | None
    release_languages: frozenset[str] = frozenset()
    clicks: bool | None = None
    clicks_wording: str = ""


@dataclass(frozen=True)
class Preferences:
    """All topics with this subscriber's choices, their personal settings, and their pause.

    `release_languages` has the languages that releases have, to choose from.
    """

    public_id: str
    email: str
    choices: tuple[Choice, ...]
    personal_settings: PersonalSettings
    snoozed_until: datetime | None
    release_languages: tuple[str, ...] = ()

    @property
    def on_the_list(self) -> bool:
        """Whether this subscriber gets any topic."""
        return any(each.frequency for each in self.choices)


class Saved(enum.StrEnum):
    """The result of saving. ASKED: a former subscriber chose topics and gets a confirmation email.

    WITHHELD: a rate limit means that no confirmation was sent for some or all of these topics.
    """

    KEPT = "kept"
    ASKED = "asked"
    WITHHELD = "withheld"


def make_preferences_token(tokens: Tokens, public_id: str, email_key: str, now: datetime) -> str:
    """Return the token of a subscriber's preferences link, which a change of address ends."""
    return tokens.make(Purpose.PREFERENCES, [public_id, tokens.fingerprint(email_key)], now)


def read_preferences(session: Session, tokens: Tokens, token: str, now: datetime) -> Preferences | LinkFault:
    """Return a subscriber's preferences, or why the link cannot be used; changes nothing."""
    subscriber = read_link_subscriber(session, tokens, token, now)
    if isinstance(subscriber, LinkFault):
        return subscriber
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE)
    chosen = {row.topic_id: row.frequency for row in active}
    choices = tuple(
        Choice(
            topic.slug,
            topic.name,
            topic.description,
            chosen.get(topic.topic_id),
            topic.newsletter_id,
            topic.group,
        )
        for topic in (each.shown_in(subscriber.language) for each in offered_topics(session))
    )
    return Preferences(
        subscriber.public_id,
        subscriber.email or "",
        choices,
        PersonalSettings(
            subscriber.language,
            subscriber.time_zone,
            subscriber.preferred_hour,
            read_choice(subscriber.release_languages),
            subscriber.clicks_agreed_at is not None,
        ),
        subscriber.snoozed_until if pauses.is_paused(subscriber, now) else None,
        _languages_of_releases(session),
    )


def _languages_of_releases(session: Session) -> tuple[str, ...]:
    """Return the known languages of all releases, without regions, in the order of their tags."""
    found = session.scalars(select(Release.language).distinct())
    return tuple(sorted({base_language(each) for each in found if each not in UNKNOWN}))


def save_preferences(
    session: Session,
    tokens: Tokens,
    token: str,
    wanted: Mapping[str, Frequency],
    now: datetime,
    *,
    personal_settings: PersonalSettings | None = None,
    welcome_releases: int = 0,
    ip_address: str | None = None,
    notice: bool = False,
) -> Saved | Unsubscribed | LinkFault:
    """Set a subscriber's topics to exactly `wanted` (frequency by slug), and save `personal_settings`.

    A new topic is active at once, because the link proves the address. A row with a new frequency takes over
    the old marks. If `wanted` is empty, the subscriber is unsubscribed, and `notice` is passed on
    (leaving/unsubscribe.py). If one newsletter has no wanted topic left, they left that newsletter, and with
    `notice` they get the same email. There is none if the link was emailed on request within the last hour,
    because then the subscriber did this. A former subscriber has to confirm again, because another person may
    have an old email with this link.
    """
    subscriber = read_link_subscriber(session, tokens, token, now, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    notice = notice and emailed_lately(tokens, token, now) is None
    if personal_settings is not None:
        before = hour_of(subscriber)
        subscriber.language, subscriber.time_zone = personal_settings.language, personal_settings.time_zone
        subscriber.preferred_hour = personal_settings.preferred_hour
        subscriber.release_languages = write_choice(personal_settings.release_languages)
        move_hour(session, subscriber.id, before, hour_of(subscriber), now)
        _note_clicks(session, subscriber, personal_settings, now, ip_address)
    topics = select(Topic).outerjoin(Topic.group).where(Topic.slug.in_(wanted)).order_by(*TOPIC_ORDER)
    chosen = [(topic, wanted[topic.slug]) for topic in session.scalars(topics)]
    if not chosen:
        return unsubscribe(
            session, tokens, subscriber.public_id, None, now, "preferences", ip_address, notice=notice
        )
    active = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.ACTIVE, lock=True)
    if not active:
        return _ask_again(session, tokens, subscriber, chosen, now, ip_address)
    # These choices replace everything, so requests that still wait for a confirmation end.
    waiting = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    subscription_rows.end(session, waiting, EndedReason.CHANGED, now)
    left = _newsletters_left(active, chosen)
    changed = _change(session, subscriber, active, chosen, welcome_releases, now)
    # With another frequency or language, releases may wait for the next issue "as it happens".
    tell_clock(session, {topic.newsletter_id for topic, _ in chosen})
    kept = [(topic, frequency) for topic, frequency in chosen if topic.newsletter_id in changed]
    if kept:
        note_topics(
            session, subscriber.id, ConsentAct.CHANGED, "preferences", now, kept, ip_address=ip_address
        )
    for ended in left.values():
        note_topics(
            session, subscriber.id, ConsentAct.LEFT, "preferences", now, topics_of(ended),
            ip_address=ip_address,
        )  # fmt: skip
        if notice:
            tell_leaver(session, subscriber, ended, [], now)
    return Saved.KEPT


def _note_clicks(
    session: Session,
    subscriber: Subscriber,
    given: PersonalSettings,
    now: datetime,
    ip_address: str | None,
) -> None:
    """Store whether the subscriber agrees to counted links, and note a change in the ledger."""
    if given.clicks is None or given.clicks == (subscriber.clicks_agreed_at is not None):
        return
    subscriber.clicks_agreed_at = now if given.clicks else None
    if not given.clicks:
        use_plain_links(session, subscriber.id)
    answer = "agreed" if given.clicks else "refused"
    note(
        session, subscriber.id, ConsentAct.CHANGED, "preferences", now,
        ip_address=ip_address, counted_links=answer, words=given.clicks_wording,
    )  # fmt: skip


def pause(
    session: Session, tokens: Tokens, token: str, weeks: int, now: datetime, ip_address: str | None = None
) -> bool | LinkFault:
    """Pause a subscriber for some weeks; return whether there was anything to pause. Commits nothing."""
    subscriber = read_link_subscriber(session, tokens, token, now, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    return pauses.pause(session, subscriber, weeks, now, "preferences", ip_address)


def resume(
    session: Session, tokens: Tokens, token: str, catch_up: int, now: datetime, ip_address: str | None = None
) -> bool | LinkFault:
    """End a subscriber's pause; return whether there was one. Commits nothing."""
    subscriber = read_link_subscriber(session, tokens, token, now, lock=True)
    if isinstance(subscriber, LinkFault):
        return subscriber
    return pauses.resume(session, subscriber, catch_up, now, "preferences", ip_address)


def _newsletters_left(
    active: Sequence[Subscription], chosen: Sequence[tuple[Topic, Frequency]]
) -> Mapping[int, list[Subscription]]:
    """Return the subscriptions of each newsletter that has no chosen topic any more."""
    still = {topic.newsletter_id for topic, _ in chosen}
    parts = subscription_rows.by_newsletter(active)
    return {number: rows for number, rows in parts.items() if number not in still}


def _change(
    session: Session,
    subscriber: Subscriber,
    active: Sequence[Subscription],
    chosen: Sequence[tuple[Topic, Frequency]],
    welcome_releases: int,
    now: datetime,
) -> set[int]:
    """End, add and replace active rows to match `chosen`; return the newsletters that this changed."""
    wanted = {topic.id: frequency for topic, frequency in chosen}
    served = {row.topic_id: row for row in active}
    dropped = [row for row in active if row.topic_id not in wanted]
    retimed = [row for row in active if wanted.get(row.topic_id, row.frequency) is not row.frequency]
    added = [(topic, frequency) for topic, frequency in chosen if topic.id not in served]
    subscription_rows.end(session, dropped, EndedReason.UNSUBSCRIBED, now)
    subscription_rows.end(session, retimed, EndedReason.CHANGED, now)
    for row in retimed:
        subscription_rows.follow(session, row, wanted[row.topic_id], now)
    for topic, frequency in added:
        subscription_rows.take_up(session, subscriber.id, topic.id, frequency, now, welcome_releases)
    session.flush()
    changed = {row.newsletter_id for row in (*dropped, *retimed)}
    return changed | {topic.newsletter_id for topic, _ in added}


def _ask_again(
    session: Session,
    tokens: Tokens,
    subscriber: Subscriber,
    chosen: Sequence[tuple[Topic, Frequency]],
    now: datetime,
    ip_address: str | None,
) -> Saved:
    """Send a confirmation email for each newsletter with chosen topics, as far as the limits allow."""
    parts: dict[int, dict[int, Frequency]] = {}
    for topic, frequency in chosen:
        parts.setdefault(topic.newsletter_id, {})[topic.id] = frequency
    waiting = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    asked, result = False, Saved.ASKED
    for newsletter_id, wanted in parts.items():
        fresh = is_news(session, subscriber.id, wanted)
        # Another person may have this link, so the rate limit of sign-ups counts here too. If it means that
        # no email is sent, change nothing, so that the link in the last email still works.
        if not allow_email(session, tokens, subscriber.email_key or "", now, changed=fresh or asked):
            result = Saved.WITHHELD
            break
        asked = True
        theirs = subscription_rows.in_newsletter(waiting, newsletter_id)
        given_up = [row for row in theirs if row.topic_id not in wanted]
        subscription_rows.end(session, given_up, EndedReason.CHANGED, now)
        _ask(session, subscriber, newsletter_id, wanted, now, ip_address, fresh=fresh)
    if asked:
        others = [row for row in waiting if row.newsletter_id not in parts]
        subscription_rows.end(session, others, EndedReason.CHANGED, now)
    return result


def _ask(
    session: Session,
    subscriber: Subscriber,
    newsletter_id: int,
    wanted: Mapping[int, Frequency],
    now: datetime,
    ip_address: str | None,
    *,
    fresh: bool,
) -> None:
    add_pending(session, subscriber.id, wanted, now)
    waiting = subscription_rows.of_subscriber(session, subscriber.id, SubscriptionState.PENDING)
    pending = subscription_rows.in_newsletter(waiting, newsletter_id)
    upto = max(row.id for row in pending)
    send_confirmation(session, subscriber, pending, f"return:{upto}:{now.astimezone(UTC):%Y%m%dT%H%M}", now)
    if fresh:
        note_topics(
            session, subscriber.id, ConsentAct.ASKED, "preferences", now, topics_of(pending),
            ip_address=ip_address,
        )  # fmt: skip
