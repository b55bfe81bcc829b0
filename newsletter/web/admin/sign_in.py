"""The pages to sign in, sign out and change a password."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flask import Response, flash, make_response, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _lazy
from flask_login import logout_user

from newsletter.accounts.create import change_password as store_password
from newsletter.accounts.create import end_sessions
from newsletter.accounts.passwords import (
    RETRY_SECONDS,
    check_password,
    hash_password,
    password_fault,
    places,
)
from newsletter.accounts.sign_in import (
    Candidate,
    Refused,
    TooMany,
    begin_try,
    device_mark,
    finish_try,
    is_known_browser,
)
from newsletter.models import db
from newsletter.web.admin.blueprint import admin
from newsletter.web.admin.forms import ChangePasswordForm, SignInForm
from newsletter.web.admin.session import SignedIn, current_admin, safe_path, signed_in, start_session
from newsletter.web.http.errors import error_page
from newsletter.web.http.extensions import runtime
from newsletter.web.http.security import client_address

DEVICE_DAYS = 180

REFUSALS = {
    Refused.WRONG: _lazy("Wrong email address or password."),
    Refused.EXPIRED: _lazy(
        "This one-time password has expired. Make a new one with: newsletter account reset"
    ),
}


@dataclass(frozen=True)
class Busy:
    """The limit of password checks at the same time in this process was reached."""


@admin.route("/sign-in", methods=["GET", "POST"])
def sign_in() -> Response:
    """Ask for address and password. The response and its time are the same for unknown addresses."""
    target = safe_path(request.values.get("next"))
    form = SignInForm()
    if request.method == "GET":
        if current_admin() is not None:
            return _see(target or url_for("admin.overview"))
        return _page(form, target)
    if not form.validate():
        return _page(form, target, status=422)
    tried = _try(form.email.data, form.password.data)
    if isinstance(tried, Busy | TooMany):
        return _come_again(tried)
    if isinstance(tried, Refused):
        form.form_errors.append(REFUSALS[tried])
        return _page(form, target, status=422)
    user, mark = tried
    start_session(user)
    place = url_for("admin.change_password", next=target) if user.must_change else target
    answer = _see(place or url_for("admin.overview"))
    _mark_device(answer, mark)
    return answer


@admin.post("/sign-out")
def sign_out() -> Response:
    """End every session of this account. Otherwise a copied cookie would stay valid."""
    user = current_admin()
    assert user is not None  # the guard lets nobody else in
    end_sessions(db.session(), user.public_id, runtime().now())
    db.session.commit()
    logout_user()
    session.clear()
    return _see(url_for("admin.sign_in"))


@admin.route("/password", methods=["GET", "POST"])
def change_password() -> Response:
    """Let the signed-in user choose a new password. All their other sessions end."""
    user = current_admin()
    assert user is not None  # the guard lets nobody else in
    target = safe_path(request.values.get("next"))
    form = ChangePasswordForm()
    if user.must_change:
        # They entered the one-time password a moment ago.
        del form.current
    if request.method == "GET":
        return _password_page(form, user, target)
    db.session.rollback()  # no transaction stays open while passwords are hashed
    fine = form.validate()
    if fine and not user.must_change:
        tried = _try(user.email, form.current.data or "", signing_in=False)
        if isinstance(tried, Busy | TooMany):
            return _come_again(tried)
        if isinstance(tried, Refused):
            form.current.errors = [*form.current.errors, _("This is not your current password.")]
            fine = False
    if fine:
        fault = password_fault(form.password.data, user.email)
        if fault is None and form.password.data != form.again.data:
            form.again.errors = [*form.again.errors, _("The two passwords are not the same.")]
            fine = False
        elif fault is not None:
            form.password.errors = [*form.password.errors, fault]
            fine = False
    if not fine:
        return _password_page(form, user, target, status=422)
    with places.place(known=True) as admitted:
        if not admitted:
            return _come_again(Busy())
        stored = hash_password(form.password.data)
    changed = store_password(db.session(), user.public_id, stored, runtime().now())
    db.session.flush()
    fresh, mark = signed_in(changed), device_mark(runtime().tokens, changed)
    db.session.commit()
    start_session(fresh)
    flash(_("Your password has been changed. You are signed out on all other devices."), "ok")
    answer = _see(target or url_for("admin.overview"))
    _mark_device(answer, mark)
    return answer


def _try(
    email: str, password: str, *, signing_in: bool = True
) -> tuple[SignedIn, str] | Busy | TooMany | Refused:
    """Check one password. No transaction is open while it is hashed."""
    parts = runtime()
    device = request.cookies.get(_device_cookie())
    known = not signing_in or is_known_browser(db.session(), email, device, parts.tokens)
    db.session.rollback()
    # Before anything else: an attempt that is turned away here is not counted.
    with places.place(known=known) as admitted:
        return _try_counted(email, password, device, signing_in) if admitted else Busy()


def _try_counted(
    email: str, password: str, device: str | None, signing_in: bool
) -> tuple[SignedIn, str] | TooMany | Refused:
    parts = runtime()
    asker = client_address(request, parts.settings.trusted_proxies)
    candidate = begin_try(db.session(), email, asker, device, parts.tokens, parts.now())
    db.session.commit()
    if not isinstance(candidate, Candidate):
        return candidate
    fits, renewed_hash = check_password(password, candidate.password_hash)
    user = finish_try(db.session(), candidate, fits, renewed_hash, parts.now(), signing_in=signing_in)
    db.session.flush()
    answer = user if isinstance(user, Refused) else (signed_in(user), device_mark(parts.tokens, user))
    db.session.commit()
    return answer


def _device_cookie() -> str:
    return "__Host-device" if runtime().settings.secure else "device"


def _mark_device(answer: Response, mark: str) -> None:
    answer.set_cookie(
        _device_cookie(),
        mark,
        max_age=DEVICE_DAYS * 24 * 3600,
        secure=runtime().settings.secure,
        httponly=True,
        samesite="Lax",
    )


def _come_again(refused: Busy | TooMany) -> Response:
    if isinstance(refused, Busy):
        answer = error_page(503, _("Many people are signing in. Please try again in a few seconds."))
        seconds = RETRY_SECONDS
    else:
        seconds = math.ceil(refused.wait_seconds)
        minutes = math.ceil(seconds / 60)
        words = _("Too many tries. Please wait %(minutes)s minutes and try again.", minutes=minutes)
        answer = error_page(429, words)
    answer.headers["Retry-After"] = str(seconds)
    return answer


def _page(form: SignInForm, target: str | None, status: int = 200) -> Response:
    return make_response(render_template("admin/sign_in.html", form=form, next=target or ""), status)


def _password_page(
    form: ChangePasswordForm, user: SignedIn, target: str | None, status: int = 200
) -> Response:
    page = render_template("admin/change_password.html", form=form, first=user.must_change, next=target or "")
    return make_response(page, status)


def _see(place: str) -> Response:
    return make_response(redirect(place, code=303))
