"""The session of a signed-in administrator: cookie, lifetime, and the page after the sign-in."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlsplit

from flask import session
from flask.sessions import SessionMixin
from flask_login import current_user, login_user

from newsletter.accounts.create import find_by_public_id, one_time_is_over
from newsletter.models import AdminUser, db
from newsletter.web.http.extensions import login, runtime

# After this time without a request, the user has to sign in again.
IDLE = timedelta(hours=12)
# After this time everybody has to sign in again, so that a copied cookie is not valid forever.
LONGEST = timedelta(days=7)
# The cookie is written again at most this often.
REFRESH = timedelta(minutes=1)

# Characters that browsers drop from a URL before they read it, or that no URL of ours contains.
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@dataclass(frozen=True)
class SignedIn:
    """The user of a request: plain values, which stay usable after the transaction that read them."""

    id: int
    public_id: str
    email: str
    must_change: bool
    session_key: str

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def get_id(self) -> str:
        """Return the cookie's content. A new `session_key` makes all older cookies invalid."""
        return f"{self.public_id}:{self.session_key}"


def signed_in(user: AdminUser) -> SignedIn:
    """Return the SignedIn of `user`."""
    return SignedIn(user.id, user.public_id, user.email, user.must_change, user.session_key)


@login.user_loader  # type: ignore[untyped-decorator]
def load(cookie_id: str) -> SignedIn | None:
    """Return the user that the cookie names; None if it is outdated or was unused for too long."""
    now = runtime().now()
    if not (_within(IDLE, session.get("seen_at"), now) and _within(LONGEST, session.get("began_at"), now)):
        return None
    public_id, _, session_key = cookie_id.partition(":")
    user = find_by_public_id(db.session(), public_id)
    if user is None or user.session_key != session_key or one_time_is_over(user, now):
        return None
    return signed_in(user)


def _within(longest: timedelta, since: object, now: datetime) -> bool:
    return isinstance(since, int) and now - datetime.fromtimestamp(since, UTC) <= longest


def current_admin() -> SignedIn | None:
    """Return the signed-in user, or None."""
    if not current_user.is_authenticated:
        return None
    return cast("SignedIn", current_user._get_current_object())


def actor() -> str:
    """Return the signed-in user's name in the audit log."""
    user = current_admin()
    return user.email if user else ""


def start_session(user: SignedIn) -> None:
    """Start a session for `user`. It keeps nothing of the session before, not even its CSRF token."""
    session.clear()
    login_user(user)
    session["seen_at"] = session["began_at"] = int(runtime().now().timestamp())


def stay_signed_in(cookie: SessionMixin) -> None:
    """Record activity, so that the session does not expire."""
    now = int(runtime().now().timestamp())
    if now - cookie.get("seen_at", 0) >= REFRESH.total_seconds():
        cookie["seen_at"] = now


def safe_path(target: Any) -> str | None:
    """Return `target` if it is a path within the admin pages, else None. Pure.

    Browsers read `//host`, `/\\host` and URLs with a tab or a line break as other hosts. So only a target
    that clearly begins with our own path is accepted.
    """
    if not isinstance(target, str) or len(target) > 500 or target != target.strip():
        return None
    if any(char == "\\" or unicodedata.category(char) in _INVISIBLE for char in target):
        return None
    try:
        scheme, host, path, _query, fragment = urlsplit(target)
    except ValueError:
        return None
    ours = path == "/admin" or path.startswith("/admin/")
    astray = scheme or host or fragment or "//" in path or ".." in path
    return target if ours and not astray else None
