"""Issues in the browser: by their number for everybody, and by a link for the subscriber who got one."""

from __future__ import annotations

from flask import Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from newsletter.digest.archive import read_issue
from newsletter.errors import NotFound, TokenError
from newsletter.models import db
from newsletter.releases.publishing.archive import find_issue
from newsletter.tokens import Purpose
from newsletter.web.archive.blueprint import archive
from newsletter.web.archive.caching import cacheable
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import guard_tokens, mail_answer
from newsletter.web.http.this_newsletter import named_newsletter, this_newsletter


@archive.get("/issues/<int:number>")
@archive.get("/n/<newsletter>/issues/<int:number>")
@cacheable
def numbered_issue(number: int) -> str | AnyResponse:
    """Show the releases that an issue brought and that are public now."""
    named = named_newsletter()
    if named is None:
        # An address from the time when there was one newsletter.
        slug = this_newsletter().slug
        return redirect(url_for("archive.numbered_issue", newsletter=slug, number=number), code=308)
    found = find_issue(db.session(), named.newsletter_id, number, runtime().now())
    return render_template("web/numbered_issue.html", issue=found)


@archive.get("/issues/<token>")
def issue(token: str) -> Response:
    """Show the issue of one subscriber, as it was in their email."""
    parts = runtime()
    try:
        payload = parts.tokens.read(Purpose.VIEW, token, parts.now())
    except TokenError as fault:
        raise NotFound("no such issue") from fault
    match payload:
        case [str(subscriber_public_id), int(delivery_id)]:
            html = read_issue(db.session(), parts.messages, subscriber_public_id, delivery_id, parts.now())
        case _:
            raise NotFound("no such issue")
    return guard_tokens(mail_answer(html))
