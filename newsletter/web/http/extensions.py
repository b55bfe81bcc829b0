"""The Flask extensions, and `runtime()`, which gives a request the runtime of this installation."""

from __future__ import annotations

from typing import cast

from flask import current_app
from flask_babel import Babel
from flask_login import LoginManager
from flask_wtf import CSRFProtect

from newsletter.runtime import Runtime

babel = Babel()
csrf = CSRFProtect()
login = LoginManager()


def runtime() -> Runtime:
    """Return the runtime that create_app() was given."""
    return cast("Runtime", current_app.extensions["newsletter"])
