"""What SQLite's files still hold of rows that were changed is overwritten at once."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Engine

# Whoever reads at this moment keeps the log from being emptied; it is then overwritten by and by.
PATIENCE_SECONDS = 2


def empty_log(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log, which holds pages as they were; return whether that was possible.

    What was deleted in the file itself is overwritten by every connection (PRAGMA secure_delete, see
    models/base.py). On PostgreSQL old versions of rows go when its vacuum comes: nothing is done here.
    """
    if engine.dialect.name != "sqlite":
        return True
    connection = sqlite3.connect(engine.url.database or "", timeout=PATIENCE_SECONDS, isolation_level=None)
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return bool(busy == 0)
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
