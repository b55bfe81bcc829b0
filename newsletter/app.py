"""create_app() makes the Flask application: database, extensions, blueprints, error pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flask import Flask

from newsletter.clock import utcnow
from newsletter.models import db, tune
from newsletter.runtime import Runtime, data_folder, no_wake
from newsletter.settings import Settings
from newsletter.web.admin import admin
from newsletter.web.archive import archive
from newsletter.web.http.display import init_display
from newsletter.web.http.errors import init_error_pages
from newsletter.web.http.extensions import csrf, login
from newsletter.web.http.health import init_health
from newsletter.web.http.language import init_language
from newsletter.web.http.security import init_security
from newsletter.web.http.this_newsletter import init_newsletter
from newsletter.web.mailbox.pages import dev
from newsletter.web.public import public
from newsletter.web.webhooks import webhooks


def create_app(
    settings: Settings,
    *,
    now: Callable[[], datetime] = utcnow,
    wake: Callable[[str], None] = no_wake,
) -> Flask:
    """Return the web application of one installation.

    `wake` asks the workers to send a lane's deliveries at once. It must never raise. Without it, the sweep
    finds the work.
    """
    app = Flask("newsletter", template_folder=str(data_folder("templates")))
    # Werkzeug would redirect a URL with extra or missing slashes to the request's Host, which can be forged.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    parts = Runtime(settings, now, wake)
    app.extensions["newsletter"] = parts
    newest, *older = reversed(settings.secret_keys)
    app.config.update(
        SECRET_KEY=newest,
        SECRET_KEY_FALLBACKS=older,
        SQLALCHEMY_DATABASE_URI=settings.database,
        SEND_FILE_MAX_AGE_DEFAULT=31536000,  # one year: each static URL has a hash of the content
    )
    init_security(app, secure=settings.secure)
    db.init_app(app)
    with app.app_context():
        tune(db.engine)
    csrf.init_app(app)
    csrf.exempt(public)  # see PublicForm
    csrf.exempt(webhooks)  # a provider calls, without cookies
    init_newsletter(app)
    init_language(app)
    login.init_app(app)
    init_display(app, parts)
    init_error_pages(app)
    for blueprint in (public, archive, admin, webhooks):
        app.register_blueprint(blueprint)
    init_health(app)
    if settings.demo:
        app.register_blueprint(dev)
    return app
