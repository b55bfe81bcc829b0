"""The newsletter and the topic that an address of the archive is about."""

from __future__ import annotations

from newsletter.errors import NotFound
from newsletter.models import db
from newsletter.subscribers.offered_topics import OfferedTopic, find_newsletter_of, offered_topics
from newsletter.web.archive.caching import kept
from newsletter.web.http.language import page_language
from newsletter.web.http.this_newsletter import is_only_one, named_newsletter


def asked_newsletter() -> int | None:
    """Return the newsletter of the URL. None if there is one: it has all releases, also those in no topic."""
    named = None if is_only_one() else named_newsletter()
    return None if named is None else named.newsletter_id


def shown_topics(newsletter_id: int | None) -> list[OfferedTopic]:
    """Return the topics (of a newsletter) in the language of the page."""
    language = page_language()
    return [
        topic.shown_in(language)
        for topic in kept("topics", lambda: offered_topics(db.session()))
        if newsletter_id is None or topic.newsletter_id == newsletter_id
    ]


def find_topic(slug: str, newsletter_id: int | None) -> OfferedTopic:
    """Return a topic (of a newsletter) in the language of the page. Raises NotFound."""
    found = next((each for each in shown_topics(newsletter_id) if each.slug == slug), None)
    if found is None:
        raise NotFound("no such topic")
    return found


def owner_of_topic(slug: str) -> int | None:
    """Return the newsletter that a topic belongs to."""
    return find_newsletter_of(db.session(), slug)
