"""Fill the first newsletter from the settings, and report former settings that no longer count."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.identity import load_identity
from newsletter.models import FIRST_NEWSLETTER, open_engine
from newsletter.newsletters.edit import differing_settings, fill_first
from newsletter.settings import Settings


def fill_first_newsletter(settings: Settings, now: datetime) -> list[str]:
    """Fill the first newsletter, if it has no content yet, and commit.

    Returns a sentence for each former setting that is still set and differs. The database must have its
    tables.
    """
    engine = open_engine(settings.database)
    with Session(engine) as session:
        fill_first(session, settings, now)
        session.commit()
        identity = load_identity(session, settings, FIRST_NEWSLETTER)
    engine.dispose()
    return [
        f"{variable} is not used: the newsletter was edited and has another value. Change the setting to "
        "that value, or the newsletter by `newsletter edit`."
        for variable in differing_settings(settings, identity)
    ]
