"""Counted links: they lead to a release, and add one to a counter. No other GET writes."""

from __future__ import annotations

import logging

from flask import Response, make_response, redirect, request
from sqlalchemy.exc import SQLAlchemyError

from newsletter.digest.clicks.count import Followed, count_click, read_counted
from newsletter.digest.clicks.robots import is_robot
from newsletter.models import ClickCounting
from newsletter.runtime import Runtime
from newsletter.web.http.extensions import runtime
from newsletter.web.http.language import asked_language
from newsletter.web.http.security import client_address, guard_tokens
from newsletter.web.http.this_newsletter import all_newsletters
from newsletter.web.public.blueprint import public

log = logging.getLogger(__name__)


@public.get("/follow/<token>")
def follow_link(token: str) -> Response:
    """Lead to the release that a counted link names, and count it after the response was sent.

    The address of the release comes from our own settings, so the link can lead nowhere else.
    """
    parts = runtime()
    followed = read_counted(parts.tokens, token, parts.now())
    place = parts.links.in_language(asked_language() or "").release(followed.release_public_id)
    answer = guard_tokens(make_response(redirect(place, code=302)))
    purpose = request.headers.get("Sec-Purpose", "") + request.headers.get("Purpose", "")
    counting = any(each.click_counting is ClickCounting.AGREED for each in all_newsletters())
    if counting and not is_robot(request.method, request.headers.get("User-Agent", ""), purpose):
        address = client_address(request, parts.settings.trusted_proxies)
        # Nobody waits for the database: on SQLite, a large issue may hold its only write lock.
        answer.call_on_close(lambda: _count(parts, followed, address))
    return answer


def _count(parts: Runtime, followed: Followed, address: str) -> None:
    try:
        with parts.session() as session:
            count_click(session, parts.tokens, followed, address, parts.now())
            session.commit()
    except SQLAlchemyError as fault:
        log.warning("event=click_not_counted fault=%s", type(fault).__name__)
