"""Health endpoints: whether the process lives, can serve visitors, and whether everything works."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import cast

from flask import Blueprint, Flask, Response, current_app
from sqlalchemy.exc import SQLAlchemyError

from newsletter.models import SERVING_KINDS, applied_version, db, newest_version, seen_lately
from newsletter.notices import open_notices, words
from newsletter.runtime import Runtime, data_folder
from newsletter.web.http.extensions import runtime

# Everybody can request /health, and building an email takes a tenth of a second. So the result is kept.
BUILT_FOR_SECONDS = 60

log = logging.getLogger(__name__)

health = Blueprint("health", __name__)


@health.get("/livez")
def livez() -> Response:
    """Return 200: this process answers. Nothing else is checked."""
    return _answer([])


@health.get("/readyz")
def readyz() -> Response:
    """Return 200 if the database answers and has every migration that this code needs, else 503."""
    return _answer(_database_faults())


@health.get("/health")
def check_everything() -> Response:
    """Return 200 if everything works, else 503 with a line for each fault.

    Besides /readyz, it checks that each worker and beat were seen within two minutes, and that an email can
    be built. A notice to the owner that stops sending is a fault, too.
    """
    faults = _database_faults()
    if not faults:
        faults += _silent_processes(runtime().now()) + _notices()
    return _answer(faults + _email_trial().faults(runtime()))


def _email_trial() -> _EmailTrial:
    return cast("_EmailTrial", current_app.extensions["newsletter.email_trial"])


def _answer(faults: list[str]) -> Response:
    text = "".join(f"{each}\n" for each in faults) or "ok\n"
    answer = Response(text, 503 if faults else 200, mimetype="text/plain")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _database_faults() -> list[str]:
    try:
        found = applied_version(db.session.connection())
    except SQLAlchemyError:
        db.session.rollback()
        return ["database: does not answer"]
    if found is None:
        return ["database: empty; run newsletter db upgrade"]
    # A newer database is fine for older code, because hosts are upgraded one after the other.
    if found < newest_version(data_folder("migrations")):
        return ["database: older than this program; run newsletter db upgrade"]
    return []


def _silent_processes(now: datetime) -> list[str]:
    try:
        seen = seen_lately(db.session(), now)
    except SQLAlchemyError:
        db.session.rollback()
        return ["database: does not answer"]
    return [f"{name}: not seen for two minutes" for kind, name in SERVING_KINDS.items() if kind not in seen]


def _notices() -> list[str]:
    """Return the titles of what stops sending. Everybody can see this page, so it names nothing else."""
    try:
        found = [words(each) for each in open_notices(db.session())]
    except SQLAlchemyError:
        db.session.rollback()
        return ["database: does not answer"]
    return sorted({f"notice: {each.title}" for each in found if each.urgent})


class _EmailTrial:
    """Builds an email as a newly started process would, and keeps the result for a minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept_until = 0.0
        self._faults: list[str] = []

    def faults(self, parts: Runtime) -> list[str]:
        """Return why no email can be built; empty if one can."""
        with self._lock:
            if time.monotonic() >= self._kept_until:
                self._faults = self._build(parts)
                self._kept_until = time.monotonic() + BUILT_FOR_SECONDS
            return list(self._faults)

    def _build(self, parts: Runtime) -> list[str]:
        # A runtime of its own: what was read long ago would hide files that are damaged now.
        fresh = Runtime(parts.settings, parts.now)
        try:
            senders = parts.senders()
            for sender in senders:
                # All newsletters have the same templates, so one language shows whether its keys can be used.
                languages = (
                    sender.identity.languages if sender is senders[0] else sender.identity.languages[:1]
                )
                for language in languages:
                    fresh.messages.build_sample(sender, language, parts.now())
        except Exception as fault:
            # Any error counts, because the workers' emails would fail with it too. Its text could contain a
            # path.
            log.error("event=no_email_can_be_built fault=%s", fault)
            return ["email: none can be built; the log says why"]
        return [f"email: {each.missing_key}" for each in senders if each.missing_key is not None]


def init_health(app: Flask) -> None:
    """Register these pages. Each application keeps its own result of the last build."""
    app.extensions["newsletter.email_trial"] = _EmailTrial()
    app.register_blueprint(health)
