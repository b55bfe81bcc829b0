"""The cleanup task, every ten minutes: reminders, retention, and the signed head of the consent ledger."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from newsletter.errors import InputError
from newsletter.images.store import delete_unused
from newsletter.jobs.tasks import DRAIN, Engine
from newsletter.limits.spend import refill, spend
from newsletter.models import Lane
from newsletter.notices import NoticeKind, settle, tell_owner
from newsletter.runtime import Runtime
from newsletter.service.database.fingerprints import fill_fingerprints
from newsletter.service.database.search_index import fill_index
from newsletter.subscribers.consent.head import FILE_NAME, Stopped, renew_head
from newsletter.subscribers.privacy.retention.policy import Policy
from newsletter.subscribers.privacy.retention.run import Purger
from newsletter.subscribers.signup.reminders import remind
from newsletter.throttle import Limit

TIDY = "newsletter.tidy"
TIDY_SECONDS = 600
# Once an hour, even with several beat processes or hosts, and after any number of restarts.
TURN = "job:retention"
HOURLY = Limit(burst=1, period_seconds=3600)
# The head of the consent ledger is renewed once a day.
HEAD_TURN = "job:consent-head"
DAILY = Limit(burst=1, period_seconds=86400)
# Other tasks in the same queue wait meanwhile. If work is left, the next run continues ten minutes later.
PURGE_SECONDS = 30

log = logging.getLogger(__name__)


def tidy(engine: Engine) -> None:
    """Remind people who have not confirmed, if enabled. Hourly: clean up. Daily: renew the ledger's head."""
    _remind(engine)
    runtime = engine.runtime
    # Hosts that still run the version before add releases without indexing them.
    fill_index(runtime.engine, engine.stopping)
    fill_fingerprints(runtime.engine, engine.stopping)
    if _take_turn(runtime, TURN, HOURLY) and not _purge(engine):
        _give_turn_back(runtime, TURN)
    if _take_turn(runtime, HEAD_TURN, DAILY):
        _renew_head(engine)


TASKS: Mapping[str, Callable[..., None]] = {TIDY: tidy}


def _take_turn(runtime: Runtime, turn: str, limit: Limit) -> bool:
    with runtime.session() as session:
        mine = not spend(session, turn, limit, runtime.now())
        session.commit()
    return mine


def _give_turn_back(runtime: Runtime, turn: str) -> None:
    with runtime.session() as session:
        refill(session, turn)
        session.commit()


def _renew_head(engine: Engine) -> None:
    """Check the consent ledger against its signed head. If nothing is wrong, write a new head."""
    runtime = engine.runtime
    path = runtime.settings.data_dir / FILE_NAME
    try:
        report = renew_head(runtime.reading, runtime.tokens, path, runtime.now(), engine.stopping)
    except Stopped:
        _give_turn_back(runtime, HEAD_TURN)
    except InputError as fault:
        log.error("event=consent_head_refused fault=%r", str(fault))
        _tell_of_ledger(runtime, str(fault))
    else:
        if report.fault_count:
            log.error("event=consent_ledger_changed faults=%d", report.fault_count)
            _tell_of_ledger(runtime, f"The check found faults: {report.fault_count}.")
        else:
            log.info("event=consent_head people=%d entries=%d", report.people, report.entries)
            _tell_of_ledger(runtime, None)


def _tell_of_ledger(runtime: Runtime, what: str | None) -> None:
    """Tell the owner which fault the consent ledger has. With None, settle the notice: the fault is gone."""
    with runtime.session() as session:
        if what is None:
            settle(session, NoticeKind.CONSENT_LEDGER, "", runtime.now())
        else:
            tell_owner(session, NoticeKind.CONSENT_LEDGER, "", runtime.now(), what=what)
        session.commit()


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


def _delete_images(runtime: Runtime) -> None:
    """Delete the images that were uploaded and never saved with a release."""
    with runtime.session() as session:
        count = delete_unused(session, runtime.now())
        session.commit()
    if count:
        log.info("event=purged what=images count=%d", count)


def _purge(engine: Engine) -> bool:
    """Run the retention steps for up to `PURGE_SECONDS`; return whether all of them are complete."""
    runtime = engine.runtime
    until = time.monotonic() + PURGE_SECONDS
    _delete_images(runtime)
    policy = Policy.of(runtime.settings, runtime.now())
    purger = Purger(runtime.session, runtime.reading, runtime.tokens, policy)
    complete = True
    for purged in purger.run(time.sleep, lambda: engine.stopping() or time.monotonic() > until):
        complete &= purged.complete
        if purged.count:
            log.info("event=purged what=%s count=%d", purged.step.name, purged.count)
    return complete
