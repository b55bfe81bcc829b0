"""Remove old versions of rows from SQLite's files, by emptying its write-ahead log."""

from __future__ import annotations

import sqlite3

from sqlalchemy import Engine

# A reading transaction prevents emptying the log. After this wait we leave it: later writes overwrite it.
PATIENCE_SECONDS = 2


def empty_log(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log, which holds old pages; return whether that was possible.

    In the database file itself, every connection overwrites what it deletes (PRAGMA secure_delete, see
    models/base.py). On PostgreSQL this does nothing: vacuum removes old versions of rows.
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
