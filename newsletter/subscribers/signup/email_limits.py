"""How often one address may be emailed because somebody typed it into a form."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.limits.keys import limit_key, mailbox_of
from newsletter.models import (
    spend,
    spend_all,
)
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

# What one address may be sent because somebody typed it into a form. Asking again for the same
# is answered after ten minutes; other choices are answered at once, but not without end.
AGAIN = Limit(burst=1, period_seconds=600)
CHANGED = Limit(burst=2, period_seconds=1200)
DAILY = Limit(burst=5, period_seconds=86400)


def may_mail(session: Session, tokens: Tokens, email_key: str, limit: Limit, now: datetime) -> bool:
    """Return whether this mailbox may be sent one more email that somebody's typing caused.

    A refusal counts nowhere.
    """
    mailbox = mailbox_of(email_key)
    again, daily = limit_key(tokens, "again", mailbox), limit_key(tokens, "daily", mailbox)
    if limit is not CHANGED:
        return not spend_all(session, {again: AGAIN, daily: DAILY}, now).wait_seconds
    changed = limit_key(tokens, "changed", mailbox)
    if spend_all(session, {changed: CHANGED, daily: DAILY}, now).wait_seconds:
        return False
    # The one for repeating is spent as well, if there is any: what was just sent is not repeated at once.
    spend(session, again, AGAIN, now)
    return True
