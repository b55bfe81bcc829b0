"""The log format of every process: key=value lines with ids, and never an address or a token."""

from __future__ import annotations

import logging
import sys
import time

from newsletter.mail.redact import without_addresses


class KeyValueFormatter(logging.Formatter):
    """`time=... level=info logger=newsletter.jobs`, then the message, which is key=value too."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("time=%(asctime)s level=%(level)s logger=%(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the level in lower case.

        A traceback may quote a value that a database was asked to store (`Key (email_key)=(…) already
        exists`). So addresses are removed here, whichever code logged the line.
        """
        record.level = record.levelname.lower()
        return without_addresses(super().format(record))


def configure_logging(level: int = logging.INFO) -> None:
    """Send every log line of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValueFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These libraries log every task and connection. Our own lines log what matters of them.
    for talkative in ("celery", "kombu", "amqp", "alembic", "gunicorn.access", "mail.log"):
        logging.getLogger(talkative).setLevel(max(level, logging.WARNING))
