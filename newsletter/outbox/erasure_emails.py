"""Delete the address of the email that confirms an erasure, once that email is settled."""

from __future__ import annotations

from sqlalchemy import null, update
from sqlalchemy.orm import Session

from newsletter.models import UNSETTLED, Delivery

# The template of that email. Its row belongs to no subscriber.
LAST_EMAIL = "erased"


def forget_recipients(session: Session) -> int:
    """Empty the address of each settled email that confirms an erasure; return how many. Commits nothing.

    Few rows have a recipient, and a partial index finds them.
    """
    emptied = (
        update(Delivery)
        .where(
            Delivery.recipient.is_not(None),
            Delivery.template == LAST_EMAIL,
            Delivery.state.not_in(UNSETTLED),
        )
        .values(recipient=None, context=null(), reply_text=None)
        .execution_options(synchronize_session=False)
    )
    return session.connection().execute(emptied).rowcount
