"""The admin blueprint, and the check that every request is signed in."""

from __future__ import annotations

from flask import Blueprint, Response, abort, make_response, redirect, request, session, url_for

from newsletter.web.admin.session import current_admin, stay_signed_in
from newsletter.web.http.security import SAFE_METHODS

admin = Blueprint("admin", __name__, url_prefix="/admin")

# The only pages that are open without a sign-in. All others are closed by default.
OPEN_TO_ALL = frozenset({"admin.sign_in"})

# The only pages for a user who has not chosen a password of their own yet.
BEFORE_OWN_PASSWORD = frozenset({"admin.change_password", "admin.sign_out"})

# An open page requests this by itself, so it does not show that anybody is there.
ASKS_BY_ITSELF = frozenset({"admin.issue_progress"})


@admin.before_request
def ask_who() -> Response | None:
    """Redirect to the sign-in page, or to the password page if the user has a one-time password."""
    if any("\0" in str(part) for part in (request.view_args or {}).values()):
        abort(404)  # PostgreSQL refuses a query with such an id
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
    """Keep these pages out of caches and search indexes. A browser may keep images."""
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def _to_sign_in() -> Response:
    # A POST cannot be repeated by a redirect, and a partial is not a page to return to.
    if request.method not in SAFE_METHODS or request.headers.get("HX-Request"):
        return _go(url_for("admin.sign_in"))
    return _go(url_for("admin.sign_in", next=request.full_path.rstrip("?")))


def _go(place: str) -> Response:
    if request.headers.get("HX-Request"):
        # htmx follows a redirect by itself and would put the whole page into the partial. With this header,
        # the browser goes there instead.
        answer = make_response("", 401)
        answer.headers["HX-Redirect"] = place
        return answer
    return make_response(redirect(place, code=303))
