"""The lists of the archive: all releases, one topic, one year or month, and the hits of a search."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import MAXYEAR, date
from itertools import groupby
from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.errors import NotFound
from newsletter.models import Release, db
from newsletter.releases.publishing.archive import (
    ArchivePage,
    Period,
    archive_months,
    archive_years,
    list_archive,
)
from newsletter.releases.search.find import Filters, Found, Order, search_releases
from newsletter.releases.search.highlight import excerpt, mark
from newsletter.subscribers.offered_topics import OfferedTopic
from newsletter.web.archive.blueprint import archive
from newsletter.web.archive.caching import cacheable, kept
from newsletter.web.archive.choice import asked_newsletter, find_topic, owner_of_topic, shown_topics
from newsletter.web.archive.feed import FORMATS
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import page_language
from newsletter.web.http.this_newsletter import all_newsletters, is_only_one, newsletter_of

PER_PAGE = 20
YEAR = "<int(fixed_digits=4):year>"


@archive.get("/releases")
@archive.get("/n/<newsletter>/releases")
@cacheable
def index() -> str:
    """Show the newest releases, or the hits of a search."""
    newsletter_id = asked_newsletter()
    # Earlier versions put addresses with ?topic= into emails.
    slug = request.args.get("topic", "")
    topic = find_topic(slug, newsletter_id) if slug else None
    if request.args.get("q") is not None:
        return _hits(newsletter_id, topic)
    return _list(newsletter_id, topic=topic)


@archive.get(f"/releases/{YEAR}")
@archive.get(f"/n/<newsletter>/releases/{YEAR}")
@archive.get(f"/releases/{YEAR}/<int:month>", endpoint="month")
@archive.get(f"/n/<newsletter>/releases/{YEAR}/<int:month>", endpoint="month")
@cacheable
def year(year: int, month: int | None = None) -> str:
    """Show the releases of a year or a month."""
    return _list(asked_newsletter(), period=_period(year, month))


@archive.get("/topics/<topic>")
@archive.get("/n/<newsletter>/topics/<topic>")
@archive.get(f"/topics/<topic>/{YEAR}", endpoint="topic_year")
@archive.get(f"/n/<newsletter>/topics/<topic>/{YEAR}", endpoint="topic_year")
@archive.get(f"/topics/<topic>/{YEAR}/<int:month>", endpoint="topic_month")
@archive.get(f"/n/<newsletter>/topics/<topic>/{YEAR}/<int:month>", endpoint="topic_month")
@cacheable
def topic(topic: str, year: int | None = None, month: int | None = None) -> str | AnyResponse:
    """Show the releases of one topic."""
    newsletter_id = asked_newsletter()
    if newsletter_id is None and not is_only_one():
        # An address from the time when there was one newsletter.
        return redirect(_under_newsletter(topic), code=308)
    found = find_topic(topic, newsletter_id)
    return _list(newsletter_id, topic=found, period=_period(year, month) if year is not None else None)


def _under_newsletter(topic: str) -> str:
    owner = newsletter_of(owner_of_topic(topic) or 0)
    if owner is None:
        raise NotFound("no such topic")
    values = {**(request.view_args or {}), **request.args.to_dict()}
    return url_for(request.endpoint or "", newsletter=owner.slug, **values)


def _period(year: int, month: int | None) -> Period:
    if not 1 <= year <= MAXYEAR or (month is not None and not 1 <= month <= 12):
        raise NotFound("no such month")
    return Period(year, month)


def page_number() -> int:
    """Return the page that the address asks for; 1 if it is no number."""
    asked = request.args.get("page", 1, type=int)
    return 1 if asked is None else asked


def _list(
    newsletter_id: int | None, *, topic: OfferedTopic | None = None, period: Period | None = None
) -> str:
    now = runtime().now()
    found = list_archive(
        db.session(),
        now,
        topic_id=topic.topic_id if topic else None,
        newsletter_id=newsletter_id,
        period=period,
        page=page_number(),
        per_page=PER_PAGE,
    )
    if period is not None and not found.items:
        raise NotFound("nothing was published then")
    return _render(newsletter_id, topic, period, found=found, groups=by_day(found.items))


def _render(newsletter_id: int | None, topic: OfferedTopic | None, period: Period | None, **more: Any) -> str:
    # The page about all newsletters offers the newsletters, because their topics may be many.
    shared = newsletter_id is None and not is_only_one()
    session, now = db.session(), runtime().now()
    months = archive_months(session, now, period.year) if period is not None else []
    return render_template(
        "web/releases.html",
        topics=[] if shared else shown_topics(newsletter_id),
        topic=topic,
        newsletters=_newsletters() if shared else [],
        period=period,
        years=kept("years", lambda: archive_years(session, now)),
        months=[date(period.year, each, 1) for each in months] if period else [],
        **more,
    )


def _hits(newsletter_id: int | None, topic: OfferedTopic | None) -> str:
    query = request.args.get("q", "")
    page = page_number()
    order = Order.RELEVANCE if request.args.get("order") == Order.RELEVANCE else Order.NEWEST
    filters = Filters(
        topic_id=topic.topic_id if topic else None,
        newsletter_id=newsletter_id,
        publisher=request.args.get("publisher", "")[:300],
        since=day_of("since"),
        until=day_of("until"),
    )
    found = search_releases(
        db.session(), query, filters, public_at=runtime().now(), order=order, page=page, per_page=PER_PAGE
    )
    if page != 1 and not found.page.items:
        raise NotFound("no such page")
    return _render(
        newsletter_id,
        topic,
        None,
        query=query,
        order=order,
        hits=hits_of(found),
        filters=filters,
        found=ArchivePage(found.page.items, page, page < found.page.pages),
        total=found.page.total,
        is_more=found.is_more,
        has_words=bool(found.words),
    )


def hits_of(found: Found) -> list[dict[str, Any]]:
    """Return the hits as the templates show them: title and excerpt in parts, with the words marked."""
    return [
        {
            "public_id": each.public_id,
            "title": mark(each.title, found.words),
            "excerpt": excerpt(each.body_text or each.summary, found.words),
            "publisher": each.publisher,
            "published_on": each.published_on,
            "language": each.language,
        }
        for each in found.page.items
    ]


def day_of(name: str) -> date | None:
    """Return the day that a parameter has, written as 2026-03-05; None if it is not a valid day."""
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None


def by_day(releases: Sequence[Release]) -> list[tuple[date, list[Release]]]:
    """Return the releases by their date."""
    days = groupby(releases, key=lambda release: release.published_on)
    return [(day, list(those)) for day, those in days]


def _newsletters() -> list[tuple[str, str]]:
    """Return the slug and the name of every newsletter."""
    language = page_language()
    return [(each.slug, each.texts_in(language).name) for each in all_newsletters()]


def this_list(page: int) -> str:
    """Return the path of this page without what only changes how it is shown."""
    values = {**(request.view_args or {}), "page": page if page > 1 else None}
    return url_for(request.endpoint or "", **values, lang=None)


@archive.context_processor
def _for_lists() -> dict[str, Any]:
    return {"this_list": this_list, "feed_kinds": list(FORMATS.items())}
