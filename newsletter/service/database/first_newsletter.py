"""Fill the first newsletter from the settings, and report former settings that no longer count."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.errors import ServiceError
from newsletter.identity import Identity, load_identity
from newsletter.models import FIRST_NEWSLETTER, open_engine
from newsletter.newsletters.edit import differing_settings, fill_first
from newsletter.settings import Settings, variable


def fill_first_newsletter(settings: Settings, now: datetime) -> list[str]:
    """Fill the first newsletter, if it has no content yet, and commit.

    Returns a sentence for each former setting that is still set and differs. The database must have its
    tables. Raises ServiceError if neither the newsletter nor the settings have a sender.
    """
    engine = open_engine(settings.database)
    try:
        with Session(engine) as session:
            _require_sender(load_identity(session, settings, FIRST_NEWSLETTER))
            fill_first(session, settings, now)
            session.commit()
            identity = load_identity(session, settings, FIRST_NEWSLETTER)
    finally:
        engine.dispose()
    return [
        f"{variable} is not used: the newsletter has another value. Change the setting to "
        "that value, or the newsletter by `newsletter edit`."
        for variable in differing_settings(settings, identity)
    ]


def require_sender(settings: Settings) -> None:
    """Raise ServiceError if neither the first newsletter nor the settings have a sender.

    The database must have its tables.
    """
    engine = open_engine(settings.database)
    try:
        with Session(engine.execution_options(sqlite_begin="DEFERRED")) as session:
            _require_sender(load_identity(session, settings, FIRST_NEWSLETTER))
    finally:
        engine.dispose()


def _require_sender(identity: Identity) -> None:
    needed = {"from_address": identity.from_address, "postal_address": identity.postal_address}
    missing = [name for name, value in needed.items() if not value]
    if missing:
        options = " ".join(f"--{name.replace('_', '-')} ..." for name in missing)
        raise ServiceError(
            f"The newsletter has no sender yet. Set {' and '.join(variable(name) for name in missing)}, or "
            f"run: newsletter edit {options}"
        )
