"""Security headers, the client's address, and the rule that safe requests do not write."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence

from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin

from newsletter.models import db
from newsletter.web.http.by_address import depends_on_address_only

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Our forms are small. A larger body is not one of them.
MAX_FORM_BYTES = 64 * 1024
# A form with a logo, which may have 100 KB. The web server accepts little more (service/web_worker.py).
MAX_FILE_FORM_BYTES = 120 * 1024
WITH_FILE = frozenset({
    "admin.edit_newsletter", "admin.add_newsletter", "admin.preview_newsletter", "admin.import_suppressions",
})  # fmt: skip
# A form with the image and the whole text of a release. The web server lets few of them in at a time.
MAX_IMAGE_FORM_BYTES = 11 * 1024 * 1024
MAX_RELEASE_TEXT_BYTES = 512 * 1024
WITH_IMAGE = frozenset({"admin.edit_release", "admin.write_release", "admin.preview_release"})

POLICY = (
    "default-src 'none'",
    "script-src 'self'{nonce}",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "frame-src 'self'",
    "form-action 'self'{form_targets}",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)

# For an email in a frame of our page: its styles are inline. Nothing in it may run, and only images of this
# site load, such as the logo.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


def csp_nonce() -> str:
    """Return the nonce of this response. All scripts of one page share it.

    A page that caches keep has none: it is "" there, and such a page has only scripts of this site.
    """
    if depends_on_address_only():
        return ""
    if "csp_nonce" not in g:
        g.csp_nonce = secrets.token_urlsafe(16)
    return str(g.csp_nonce)


def allow_form_target(origin: str) -> None:
    """Let the forms on this page redirect to `origin`, which comes from the settings."""
    g.form_targets = f" {origin}"


def mail_answer(html: str) -> Response:
    """Return a response with an email's HTML, for a frame of our page."""
    answer = Response(html, mimetype="text/html")
    answer.headers["Content-Security-Policy"] = MAIL_POLICY
    return answer


def guard_tokens(answer: Response) -> Response:
    """Keep a page whose URL contains a token out of caches, indexes and Referer headers."""
    answer.headers["Referrer-Policy"] = "no-referrer"
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Robots-Tag"] = "noindex"
    return answer


def client_address(asked: Request, trusted: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> str:
    """Return the client's IP address: the nearest one that is not a trusted proxy.

    X-Forwarded-For is read from the right, and only as far as the proxies that wrote it are trusted. Anyone
    can invent what is left of that. Several such headers are one list. Reading stops at an invalid address,
    and the proxy before it is returned.
    """
    chain = [part.strip() for part in asked.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    nearest = _read_address(asked.remote_addr or "")
    if nearest is None:
        return asked.remote_addr or ""
    while chain and any(nearest in network for network in trusted):
        candidate = _read_address(chain.pop())
        if candidate is None:
            break
        nearest = candidate
    return str(nearest)


def _read_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a server or a proxy wrote, perhaps in brackets or with a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    # A dual-stack socket gives IPv4 clients as IPv6. A trusted proxy is listed by its IPv4 network.
    return getattr(found, "ipv4_mapped", None) or found


class _Sessions(SecureCookieSessionInterface):
    """Sessions in a signed cookie, but none on pages that depend on their address alone.

    Flask-Login looks into the session after every request. The answer would then vary by cookie.
    """

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not depends_on_address_only():
            super().save_session(app, session, response)


def init_security(app: Flask, *, secure: bool) -> None:
    """Set the cookies, limits and headers of every response, and let only unsafe methods write."""
    app.session_interface = _Sessions()
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session" if secure else "session",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        # Flask-Login reads a second cookie, which we never set, and some values in it make it fail. No cookie
        # can have this name.
        REMEMBER_COOKIE_NAME=";",
        MAX_CONTENT_LENGTH=MAX_FORM_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FORM_BYTES,
        MAX_FORM_PARTS=200,
        WTF_CSRF_TIME_LIMIT=24 * 3600,
        # Our own pages send no Referer (see below, and guard_tokens). Behind an https proxy, a check of it
        # would reject the confirmation button.
        WTF_CSRF_SSL_STRICT=False,
        # Our forms have their own texts. WTForms would read its catalogue from disk for each request.
        WTF_I18N_ENABLED=False,
    )
    app.jinja_env.globals["csp_nonce"] = csp_nonce

    @app.before_request
    def choose_session() -> None:
        db.session.info["writes"] = request.method not in SAFE_METHODS
        if request.endpoint in WITH_FILE:
            request.max_content_length = MAX_FILE_FORM_BYTES
        elif request.endpoint in WITH_IMAGE:
            request.max_content_length = MAX_IMAGE_FORM_BYTES
            request.max_form_memory_size = MAX_RELEASE_TEXT_BYTES

    @app.after_request
    def add_headers(answer: Response) -> Response:
        nonce = "" if depends_on_address_only() else g.get("csp_nonce") or secrets.token_urlsafe(16)
        headers = answer.headers
        policy = "; ".join(POLICY).format(
            nonce=nonce and f" 'nonce-{nonce}'", form_targets=g.get("form_targets", "")
        )
        headers.setdefault("Content-Security-Policy", policy)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
        if secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return answer
