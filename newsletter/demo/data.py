"""The demo's sample data: topics, releases, a schedule and an administrator account."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from sqlalchemy import select
from sqlalchemy.orm import Session

from newsletter.accounts.create import create_account, find_account
from newsletter.accounts.passwords import hash_password, one_time_password
from newsletter.calendar.store import find_calendar, start, usual_calendar
from newsletter.clock import utcnow
from newsletter.ingest.press.parse import parse_press
from newsletter.ingest.text.decode import decode
from newsletter.models import FIRST_NEWSLETTER, Release, RuleField, Topic
from newsletter.releases.store import add_release
from newsletter.releases.topics.manage import add_topic

ADMIN = "admin@localhost"
ACTOR = "demo"


@dataclass(frozen=True)
class SampleTopic:
    """A topic of the demo, and its rules. One matching rule is enough for a release.

    `texts` has the name and the description for each language.
    """

    slug: str
    publishers: Sequence[str]
    words: Sequence[str]
    texts: Mapping[str, tuple[str, str]]


def _read_topics() -> Sequence[SampleTopic]:
    found = tomllib.loads((resources.files("newsletter.demo") / "topics.toml").read_text("utf-8"))
    return [SampleTopic(slug, **fields) for slug, fields in found.items()]


TOPICS = _read_topics()


def add_topics(session: Session) -> None:
    """Add the topics of the demo, unless there are topics. Does not commit."""
    if session.scalar(select(Topic.id).limit(1)) is not None:
        return
    for sample in TOPICS:
        rules = [(RuleField.PUBLISHER, pattern) for pattern in sample.publishers]
        rules += [(RuleField.WORDS, pattern) for pattern in sample.words]
        name, description = sample.texts["en"]
        topic = add_topic(
            session,
            slug=sample.slug,
            name=name,
            description=description,
            rules=rules,
            actor=ACTOR,
            now=utcnow(),
        )
        topic.translations = {
            language: {"name": name, "description": description}
            for language, (name, description) in sample.texts.items()
            if language != "en"
        }


def add_samples(session: Session) -> None:
    """Add the sample releases, the oldest first, unless there are releases. Does not commit."""
    if session.scalar(select(Release.id).limit(1)) is not None:
        return
    folder = resources.files("newsletter.demo") / "samples"
    texts = {each.name: decode(each.read_bytes(), each.name) for each in folder.iterdir()}
    parsed = [parse_press(text, name) for name, text in sorted(texts.items())]
    for press in sorted(parsed, key=lambda each: (str(each.published), each.title)):
        add_release(session, press, now=utcnow())


def add_schedule(session: Session, now: datetime) -> None:
    """Start the schedule of the first newsletter, unless it has one. Does not commit.

    A new subscriber as it happens gets the newest releases a minute after confirming. The hour of the other
    issues is half a day away, so that none disturbs the first steps.
    """
    if find_calendar(session, FIRST_NEWSLETTER) is not None:
        return
    row = usual_calendar(FIRST_NEWSLETTER, "UTC")
    row.gather_minutes, row.hour = 1, (now.hour + 12) % 24
    session.add(row)
    start(session, row, now)


def add_admin(session: Session) -> str | None:
    """Add the administrator's account; return its one-time password, None if the account exists."""
    if find_account(session, ADMIN) is not None:
        return None
    password = one_time_password()
    create_account(session, ADMIN, hash_password(password), ACTOR, utcnow())
    return password
