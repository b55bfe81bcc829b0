"""Error pages: the only module of the site that turns errors into HTTP status codes."""

from __future__ import annotations

import logging

from flask import Flask, Response, make_response, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from newsletter.errors import NotFound, StateConflict
from newsletter.models import db

log = logging.getLogger(__name__)

WORDS = {
    400: (_("That did not work"), _("The request could not be understood. Go back and try once more.")),
    403: (_("Not allowed"), _("You are not allowed to see or do this.")),
    404: (
        _("Nothing here"),
        _("There is no page at this address. It may have moved, or the link was cut short."),
    ),
    405: (_("That did not work"), _("This page cannot be used that way.")),
    409: (_("Something changed meanwhile"), _("Load the page again and see how things stand now.")),
    413: (_("Too much at once"), _("What was sent is larger than anything this page accepts.")),
    422: (_("Please check the form"), _("Something in the form cannot be used.")),
    429: (_("One moment, please"), _("That was more often than we can answer. Wait a little and try again.")),
    500: (_("Our fault"), _("Something broke on our side. It has been noted; please try again later.")),
    503: (_("Not ready yet"), _("The service is starting or busy. Please try again in a minute.")),
}


def error_page(status: int, message: str | None = None, title: str | None = None) -> Response:
    """Return an error page for `status`, with a text that helps."""
    usual_title, usual_message = WORDS.get(status, WORDS[400 if status < 500 else 500])
    page = render_template(
        "web/error.html", status=status, title=title or usual_title, message=message or usual_message
    )
    return make_response(page, status)


def init_error_pages(app: Flask) -> None:
    """Register an error page for every error."""

    @app.errorhandler(CSRFError)
    def expired_form(fault: CSRFError) -> Response:
        return error_page(
            400,
            gettext(
                "This form had been open for too long, or your browser does not keep cookies for this site. "
                "Load the page again and send the form once more."
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

    @app.errorhandler(StateConflict)
    def conflict(fault: StateConflict) -> Response:
        db.session.rollback()
        return error_page(409, str(fault))

    @app.errorhandler(Exception)
    def broken(fault: Exception) -> Response:
        db.session.rollback()
        log.error("request failed method=%s endpoint=%s", request.method, request.endpoint, exc_info=fault)
        return error_page(500)
