"""A page for machines that ask whether the web server and its database answer."""

from __future__ import annotations

from flask import Blueprint, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from newsletter.models import db

health = Blueprint("health", __name__)


@health.get("/health")
def check() -> Response:
    """Answer 200 "ok", or 503 when the database cannot be asked."""
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return Response("database unavailable\n", 503, mimetype="text/plain")
    return Response("ok\n", mimetype="text/plain")
