"""Enqueue the emails of correction notices, as many at a time as may wait in the outbox."""

from __future__ import annotations

from newsletter.releases.correction_notice.send import enqueue_next, open_notices
from newsletter.runtime import Runtime


def enqueue_notices(runtime: Runtime) -> bool:
    """Enqueue the next emails of each open notice; return whether there were any.

    Call it again after they are sent, and at each sweep. Each notice is a transaction of its own. Without an
    open notice, this takes no lock.
    """
    with runtime.reading() as session:
        waiting = open_notices(session)
    enqueued = False
    for notice_id in waiting:
        with runtime.session() as session:
            enqueued |= enqueue_next(session, notice_id, runtime.now())
            session.commit()
    return enqueued
