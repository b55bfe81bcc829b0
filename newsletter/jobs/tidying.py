"""What is done now and then: reminding once, and letting go of what has been kept long enough."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from sqlalchemy import delete

from newsletter.jobs.tasks import DRAIN, Engine
from newsletter.models import Lane, ThrottleBucket, spend
from newsletter.retention.policy import Policy
from newsletter.retention.run import Purger
from newsletter.subscriptions.reminders import remind
from newsletter.throttle import Limit

TIDY = "newsletter.tidy"
TIDY_SECONDS = 600
# Once an hour, however many clocks and hosts there are, and however often they start anew.
TURN = "job:retention"
HOURLY = Limit(burst=1, period_seconds=3600)
# The mails of its queue wait meanwhile. What is left then follows ten minutes later.
PURGE_SECONDS = 30

log = logging.getLogger(__name__)


def tidy(engine: Engine) -> None:
    """Remind those who have not confirmed, if the settings say so; once an hour, clean up."""
    _remind(engine)
    runtime = engine.runtime
    with runtime.session() as session:
        mine = not spend(session, TURN, HOURLY, runtime.now())
        session.commit()
    if mine and not _purge(engine):
        with runtime.session() as session:
            session.execute(delete(ThrottleBucket).where(ThrottleBucket.key == TURN))
            session.commit()


TASKS: Mapping[str, Callable[..., None]] = {TIDY: tidy}


def _remind(engine: Engine) -> None:
    runtime = engine.runtime
    settings = runtime.settings
    if not settings.reminder_hours:
        return
    with runtime.session() as session:
        pending_days = max(settings.pending_days, settings.confirm_days)
        count = remind(session, runtime.tokens, settings.reminder_hours, pending_days, runtime.now())
        session.commit()
    if count:
        log.info("event=reminded count=%d", count)
        engine.send(Lane.SINGLE, DRAIN, Lane.SINGLE.value, at_most=1)


def _purge(engine: Engine) -> bool:
    """Clean up for half a minute at most; return whether nothing was left."""
    runtime = engine.runtime
    until = time.monotonic() + PURGE_SECONDS
    policy = Policy.of(runtime.settings, runtime.now())
    purger = Purger(runtime.session, runtime.reading, runtime.tokens, policy)
    whole = True
    for purged in purger.run(time.sleep, lambda: engine.stopping() or time.monotonic() > until):
        whole &= purged.whole
        if purged.count:
            log.info("event=purged what=%s count=%d", purged.step.name, purged.count)
    return whole
