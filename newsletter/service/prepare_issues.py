"""Write the deliveries of every issue that is being prepared."""

from __future__ import annotations

import logging
from collections.abc import Callable

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from newsletter.digest.issues import Preparer
from newsletter.models import Issue, IssueState
from newsletter.releases.holds import end_due_holds
from newsletter.runtime import Runtime
from newsletter.subscribers.choices.pauses import end_pauses

log = logging.getLogger(__name__)


def prepare_issues(runtime: Runtime, ending: Callable[[], bool]) -> bool:
    """Prepare the open issues until all are prepared or `ending` returns true; return whether there were any.

    Expired pauses and holds end first, so that these subscribers and releases are in the issue. Each chunk
    is a transaction of its own. Two processes that prepare the same issue take turns.
    """
    waiting = select(Issue.id).where(Issue.state == IssueState.PREPARING)
    # Reading takes no lock: a drain that waits for another process looks five times a second.
    with runtime.reading() as session:
        preparing = session.scalars(waiting.order_by(Issue.id)).all()  # they are prepared in this order
    if not preparing:
        return False
    end_all_pauses(runtime)
    end_all_holds(runtime)
    with runtime.session() as session:
        for issue_id in preparing:
            preparer, more = Preparer(runtime.renderer, issue_id), True
            while more and not ending():
                more = preparer.step(session, runtime.now())
                session.commit()
            log.info("event=issue_prepared issue=%d complete=%s", issue_id, not more)
    return True


def end_all_pauses(runtime: Runtime) -> None:
    """End expired pauses, a few hundred in each transaction."""
    more = True
    while more:
        with runtime.session() as session:
            more = end_pauses(session, runtime.settings.snooze_catch_up, runtime.now()) > 0
            session.commit()


def end_all_holds(runtime: Runtime) -> None:
    """Make releases ready whose date has come, before an issue of the same moment is prepared."""
    more = True
    while more:
        with runtime.session() as session:
            more = end_due_holds(session, runtime.now()) > 0
            session.commit()


def any_to_prepare(session: Session) -> bool:
    """Return whether an issue is still being prepared."""
    return bool(session.scalar(select(exists().where(Issue.state == IssueState.PREPARING))))
