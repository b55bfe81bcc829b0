"""Rate limits for emails to one mailbox that a form caused."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from newsletter.limits.keys import limit_key, mailbox_of
from newsletter.limits.spend import spend, spend_all
from newsletter.throttle import Limit
from newsletter.tokens import Tokens

# Anybody can type an address into a form. The same request brings another email after ten minutes (AGAIN).
# Other choices bring an email at once (CHANGED). DAILY limits both together.
AGAIN = Limit(burst=1, period_seconds=600)
CHANGED = Limit(burst=2, period_seconds=1200)
DAILY = Limit(burst=5, period_seconds=86400)


def allow_email(
    session: Session, tokens: Tokens, email_key: str, now: datetime, *, changed: bool = False
) -> bool:
    """Return whether a form may cause one more email to this mailbox, and count it unless refused.

    `changed`: the form asks for something else than before.
    """
    mailbox = mailbox_of(email_key)
    again, daily = limit_key(tokens, "again", mailbox), limit_key(tokens, "daily", mailbox)
    if not changed:
        return not spend_all(session, {again: AGAIN, daily: DAILY}, now).wait_seconds
    of_changes = limit_key(tokens, "changed", mailbox)
    if spend_all(session, {of_changes: CHANGED, daily: DAILY}, now).wait_seconds:
        return False
    # Also take the token of AGAIN, if there is one, so that a repeat of this request has to wait.
    spend(session, again, AGAIN, now)
    return True
