"""Count followed links: by issue, release and place, and never by person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, case, func, select, update
from sqlalchemy.orm import Session

from newsletter.errors import NotFound, TokenInvalid
from newsletter.limits.keys import limit_key, network_of
from newsletter.limits.spend import spend
from newsletter.messages.counted_links import Place, with_counted_links
from newsletter.models import (
    ClickCount,
    ClickCounting,
    Delivery,
    Issue,
    Newsletter,
    Release,
    insert_new,
)
from newsletter.throttle import Limit
from newsletter.tokens import Purpose, Tokens

# A person follows one link after another, but a scanner opens all links of an email at once. So from one
# network, two links of an issue count at once, and then one each second.
PER_NETWORK = Limit(burst=2, period_seconds=2)


@dataclass(frozen=True, slots=True)
class Followed:
    """The issue, the release and the place that a counted link names."""

    issue_public_id: str
    release_public_id: str
    place: Place


@dataclass(frozen=True, slots=True)
class ClicksOfRelease:
    """How often the links to a release were followed from one issue."""

    public_id: str
    title: str
    from_release: int
    from_contents: int

    @property
    def total(self) -> int:
        """The clicks of all places."""
        return self.from_release + self.from_contents


def read_counted(tokens: Tokens, token: str, now: datetime) -> Followed:
    """Return the issue, release and place in a counted link. Raises NotFound if we did not make the link."""
    try:
        issue, release, place = tokens.read(Purpose.COUNTED, token, now)
        return Followed(str(issue), str(release), Place(place))
    except (TokenInvalid, ValueError) as fault:
        raise NotFound("no such link") from fault


def count_click(session: Session, tokens: Tokens, followed: Followed, ip_address: str, now: datetime) -> bool:
    """Add one to the counter of a link; return whether it was counted. Commits nothing.

    It is not counted if the newsletter does not count, or if this network opened other links of the issue
    within the same second.
    """
    counting = Newsletter.click_counting == ClickCounting.AGREED
    issues = select(Issue.id).join(Newsletter, Newsletter.id == Issue.newsletter_id).where(counting)
    issue_id = session.scalar(issues.where(Issue.public_id == followed.issue_public_id))
    release_id = session.scalar(select(Release.id).where(Release.public_id == followed.release_public_id))
    if issue_id is None or release_id is None:
        return False
    network = network_of(ip_address) or "unknown"
    if spend(session, limit_key(tokens, "click", followed.issue_public_id, network), PER_NETWORK, now):
        return False
    row = {"issue_id": issue_id, "release_id": release_id, "place": followed.place.value}
    session.execute(insert_new(session, ClickCount), [{**row, "clicks": 0}])
    mine = (
        ClickCount.issue_id == issue_id,
        ClickCount.release_id == release_id,
        ClickCount.place == followed.place.value,
    )
    session.execute(update(ClickCount).where(*mine).values(clicks=ClickCount.clicks + 1))
    return True


def clicks_of(session: Session, issue_id: int) -> Sequence[ClicksOfRelease]:
    """Return the counts of an issue, the most followed release first."""

    def at(place: Place) -> ColumnElement[int]:
        return func.sum(case((ClickCount.place == place.value, ClickCount.clicks), else_=0))

    counts = (
        select(Release.public_id, Release.title, at(Place.RELEASE), at(Place.CONTENTS))
        .join(Release, Release.id == ClickCount.release_id)
        .where(ClickCount.issue_id == issue_id)
        .group_by(Release.id, Release.public_id, Release.title)
        .order_by(func.sum(ClickCount.clicks).desc(), Release.id)
    )
    return [ClicksOfRelease(*row) for row in session.execute(counts)]


def count_agreed(session: Session, issue_id: int) -> int:
    """Return how many deliveries of an issue have counted links."""
    marked = Delivery.language.endswith(with_counted_links(""))
    return session.scalar(select(func.count()).where(Delivery.issue_id == issue_id, marked)) or 0
