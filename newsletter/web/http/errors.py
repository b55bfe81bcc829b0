"""Error pages: the only module of the site that turns errors into HTTP status codes."""

from __future__ import annotations

import logging

from flask import Flask, Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from newsletter.errors import NotFound, ReleaseMerged, ReleaseWithdrawn, StateConflict
from newsletter.models import db

log = logging.getLogger(__name__)

WORDS = {
    400: (_("That did not work"), _("The server could not read this request. Go back and try again.")),
    403: (_("Not allowed"), _("You are not allowed to see or do this.")),
    404: (
        _("Page not found"),
        _("There is no page at this address. It may have moved, or the link may be incomplete."),
    ),
    405: (_("That did not work"), _("This page does not accept this kind of request.")),
    409: (_("Something has changed in the meantime"), _("Reload the page to see the current state.")),
    410: (
        _("This release was withdrawn"),
        _("It was published here before. It is no longer available."),
    ),
    413: (_("Too much data"), _("The data you sent is larger than this page accepts.")),
    422: (
        _("Please check the form"),
        _("A value in the form is not valid. Go back, correct it and send the form again."),
    ),
    429: (_("Too many requests"), _("There were too many requests. Please wait a little and try again.")),
    500: (
        _("Something went wrong"),
        _("An error happened on our side. It was recorded. Please try again later."),
    ),
    503: (_("Service not available"), _("The service is starting or busy. Please try again in a minute.")),
}


def error_page(status: int, message: str | None = None, title: str | None = None) -> Response:
    """Return an error page for `status`, with a text that helps."""
    usual_title, usual_message = WORDS.get(status, WORDS[400 if status < 500 else 500])
    page = render_template(
        "web/error.html", status=status, title=title or usual_title, message=message or usual_message
    )
    answer = make_response(page, status)
    answer.headers["X-Robots-Tag"] = "noindex"
    # Browsers keep a 410 forever unless told otherwise, but a release may come back.
    answer.headers["Cache-Control"] = "no-store"
    return answer


def init_error_pages(app: Flask) -> None:
    """Register an error page for every error."""

    @app.errorhandler(CSRFError)
    def expired_form(fault: CSRFError) -> Response:
        return error_page(
            400,
            gettext(
                "The form was open for too long, or your browser does not keep cookies for this site. "
                "Reload the page and send the form again."
            ),
            gettext("The form has expired"),
        )

    @app.errorhandler(HTTPException)
    def http_error(fault: HTTPException) -> Response:
        answer = error_page(fault.code or 500)
        if fault.code == 405:
            answer.headers["Allow"] = ", ".join(sorted(getattr(fault, "valid_methods", None) or ["GET"]))
        return answer

    @app.errorhandler(NotFound)
    def not_found(fault: NotFound) -> Response:
        return error_page(404)

    @app.errorhandler(ReleaseWithdrawn)
    def withdrawn(fault: ReleaseWithdrawn) -> Response:
        return error_page(410)

    @app.errorhandler(ReleaseMerged)
    def merged(fault: ReleaseMerged) -> Response:
        answer = make_response(redirect(url_for("archive.release", public_id=fault.stays), code=301))
        # Browsers keep a 301 forever unless told otherwise, but a merge can be undone.
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @app.errorhandler(StateConflict)
    def conflict(fault: StateConflict) -> Response:
        db.session.rollback()
        return error_page(409, str(fault))

    @app.errorhandler(Exception)
    def broken(fault: Exception) -> Response:
        db.session.rollback()
        log.error(
            "event=request_failed method=%s endpoint=%s", request.method, request.endpoint, exc_info=fault
        )
        return error_page(500)
