"""The table of the search index. Each database has its own kind, which no model can describe.

Installed databases get it by a migration, which has its own copy of the SQL. A guard test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Table, event

from newsletter.models.tables.release import Release

# SQLite adds tables of its own to it, whose names begin with it.
SEARCH_TABLE = "release_words"
# FTS5 splits only at spaces: its tokenizer keeps all characters beyond ASCII, and those that are named here.
# It keeps no positions, because nothing asks for them.
_SQLITE = (
    (
        "CREATE VIRTUAL TABLE release_words USING fts5("
        "words, detail = none, columnsize = 0, tokenize = \"ascii tokenchars '_=@'\")"
    ),
)
_POSTGRESQL = (
    (
        "CREATE TABLE release_words (place BIGINT NOT NULL CONSTRAINT pk_release_words PRIMARY KEY, "
        "words TSVECTOR NOT NULL)"
    ),
    # Without fastupdate: each search would read its list of pending words to the end.
    "CREATE INDEX ix_release_words_words ON release_words USING gin (words) WITH (fastupdate = off)",
)


@event.listens_for(Release.__table__, "after_create")
def _create(_table: Table, connection: Connection, **_more: Any) -> None:
    for statement in _SQLITE if connection.dialect.name == "sqlite" else _POSTGRESQL:
        connection.exec_driver_sql(statement)


@event.listens_for(Release.__table__, "before_drop")
def _drop(_table: Table, connection: Connection, **_more: Any) -> None:
    connection.exec_driver_sql(f"DROP TABLE {SEARCH_TABLE}")
