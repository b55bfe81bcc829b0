"""Check whether the broker can be reached. Workers and beat wait for it; the web server only warns."""

from __future__ import annotations

import logging
from functools import partial

from newsletter.errors import ServiceError
from newsletter.jobs.app import make_celery
from newsletter.service.database.schema import AWAIT_SECONDS, patiently
from newsletter.settings import Settings

log = logging.getLogger(__name__)


def await_broker(settings: Settings, seconds: float = AWAIT_SECONDS) -> None:
    """Wait up to `seconds` for the broker, then raise ServiceError. A queue folder needs no wait."""
    if settings.broker_url is not None:
        patiently(partial(_reach, settings), "broker", seconds)


def warn_without_broker(settings: Settings) -> None:
    """Log a warning if the broker does not answer."""
    if settings.broker_url is None:
        return
    try:
        _reach(settings)
    except ServiceError as fault:
        log.warning("event=no_broker fault=%s effect=%s", fault, "due emails wait for a worker's sweep")


def _reach(settings: Settings) -> None:
    with make_celery(settings).connection_for_write() as connection:
        try:
            connection.ensure_connection(
                max_retries=1, interval_start=0, interval_step=0, reraise_as_library_errors=False
            )
        except Exception as fault:
            # The brokers' client libraries have no common error class.
            port = f":{connection.port}" if connection.port else ""
            place = f"{connection.transport_cls}://{connection.hostname}{port}"
            words = str(fault).strip() or type(fault).__name__
            raise ServiceError(f"The broker {place} cannot be reached: {words}") from fault
