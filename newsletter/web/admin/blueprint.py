"""The admin blueprint, and the guard that asks everyone who they are."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, request, session, url_for

from newsletter.web.admin.session import current_admin, stay_signed_in
from newsletter.web.http.security import SAFE_METHODS

admin = Blueprint("admin", __name__, url_prefix="/admin")

# The only pages that somebody who is not signed in may see: everything else is closed by default.
OPEN_TO_ALL = frozenset({"admin.sign_in"})

# What somebody may do before they have chosen a password of their own.
BEFORE_OWN_PASSWORD = frozenset({"admin.change_password", "admin.sign_out"})

# A page left open asks for this by itself: nobody need be there.
ASKS_BY_ITSELF = frozenset({"admin.issue_progress"})


@admin.before_request
def ask_who() -> Response | None:
    """Send strangers to the sign-in page, and newcomers to the page where they choose a password."""
    if any("\0" in str(part) for part in (request.view_args or {}).values()):
        abort(404)  # PostgreSQL will not even look for such an id
    if request.endpoint in OPEN_TO_ALL:
        return None
    user = current_admin()
    if user is None:
        return _to_sign_in()
    if user.must_change and request.endpoint not in BEFORE_OWN_PASSWORD:
        return _go(url_for("admin.change_password"))
    if request.endpoint not in ASKS_BY_ITSELF:
        stay_signed_in(session)
    return None


@admin.after_request
def keep_private(answer: Response) -> Response:
    """Keep these pages out of caches and indexes."""
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _to_sign_in() -> Response:
    # A POST cannot be repeated by a redirect, and a partial is no page to come back to.
    if request.method not in SAFE_METHODS or request.headers.get("HX-Request"):
        return _go(url_for("admin.sign_in"))
    return _go(url_for("admin.sign_in", next=request.full_path.rstrip("?")))


def _go(place: str) -> Response:
    if request.headers.get("HX-Request"):
        # htmx follows a redirect by itself and would put the whole page into the part: this header
        # makes the browser go there instead.
        answer = make_response("", 401)
        answer.headers["HX-Redirect"] = place
        return answer
    return make_response(redirect(place, code=303))
