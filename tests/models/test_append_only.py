"""No row of an append-only table can be changed or deleted, by the program or by SQL."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError

from newsletter import audit
from newsletter.models import AuditEntry


@pytest.fixture
def entry(either_house):
    """An entry of the audit log, which may never change; return the house with it."""
    with either_house.runtime.session() as session:
        audit.record(session, "ann", "tested", "a row", either_house.clock())
        session.commit()
    return either_house


def rows_of(house):
    with house.runtime.reading() as session:
        return [tuple(row) for row in session.execute(select(*AuditEntry.__table__.columns))]


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_entry SET actor = 'bob'", "DELETE FROM audit_entry"],
)
def test_sql_cannot_change_a_row(entry, statement):
    before = rows_of(entry)

    with entry.runtime.session() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(statement))

    assert rows_of(entry) == before


def test_replace_and_truncate_cannot_change_a_row(entry):
    before = rows_of(entry)
    on_sqlite = entry.runtime.engine.dialect.name == "sqlite"
    statement = (
        "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry"
        if on_sqlite
        else "TRUNCATE audit_entry"
    )

    with entry.runtime.session() as session, pytest.raises(DBAPIError, match="append-only"):
        session.execute(text(statement))

    assert rows_of(entry) == before


def test_a_session_refuses_to_change_an_entry_before_the_database_does(entry):
    with entry.runtime.session() as session:
        session.scalars(select(AuditEntry)).one().actor = "bob"
        with pytest.raises(InvalidRequestError, match="append-only"):
            session.flush()
        session.rollback()
        session.delete(session.scalars(select(AuditEntry)).one())
        with pytest.raises(InvalidRequestError, match="append-only"):
            session.flush()
