"""Distinguish erased from emptied subscribers; add the digest of details to consent entries."""

import sqlalchemy as sa
from alembic import op


revision = "0005"
down_revision = "0004"

BEFORE = ("id", "subscriber_id", "at", "act", "how", "wording_version", "wording_hash", "digest")
AFTER = (*BEFORE, "detail_digest")
ERASED = "EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id AND erased_at IS NOT NULL)"


def consent_may_change(fixed: tuple[str, ...], same: str, cast_text: str) -> str:
    """Return the SQL condition for an update: it empties the IP address, or an erased person's details."""
    return " AND ".join(
        (
            *(f"NEW.{column} {same} OLD.{column}" for column in fixed),
            f"(NEW.ip_address IS NULL OR NEW.ip_address {same} OLD.ip_address)",
            f"(NEW.detail{cast_text} {same} OLD.detail{cast_text} "
            f"OR (NEW.detail{cast_text} = '{{}}' AND {ERASED}))",
        )
    )


def fix_columns(fixed: tuple[str, ...]) -> None:
    """Have the database refuse to change these columns of an entry."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "CREATE TRIGGER consent_entry_keeps_words BEFORE UPDATE ON consent_entry "
            f"WHEN NOT ({consent_may_change(fixed, 'IS', '')}) "
            "BEGIN SELECT RAISE(ABORT, 'consent_entry is append-only'); END"
        )
    else:
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION consent_entry_keeps() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN IF {consent_may_change(fixed, 'IS NOT DISTINCT FROM', '::text')} "
            "THEN RETURN NEW; END IF; "
            "RAISE EXCEPTION 'consent_entry is append-only' USING ERRCODE = 'restrict_violation'; END $$"
        )


def free_columns() -> None:
    """Take the trigger away that names the columns; on PostgreSQL its function is replaced instead."""
    if op.get_bind().dialect.name == "sqlite":
        op.get_bind().exec_driver_sql("DROP TRIGGER consent_entry_keeps_words")


def upgrade() -> None:
    free_columns()
    # Adding a nullable column rebuilds no table, so the triggers on these tables stay.
    op.add_column("consent_entry", sa.Column("detail_digest", sa.String(length=64), nullable=True))
    op.add_column("subscriber", sa.Column("emptied_at", sa.DateTime(timezone=True), nullable=True))
    fix_columns(AFTER)
    # An erasure has always added an entry to the ledger. Deleting an address because of its age has not.
    op.execute(
        "UPDATE subscriber SET emptied_at = erased_at, erased_at = NULL "
        "WHERE erased_at IS NOT NULL AND NOT EXISTS ("
        "SELECT 1 FROM consent_entry WHERE subscriber_id = subscriber.id AND act = 'erased')"
    )


def downgrade() -> None:
    op.execute("UPDATE subscriber SET erased_at = emptied_at WHERE erased_at IS NULL")
    free_columns()
    # Without batch mode, because a rebuilt table loses its triggers. SQLite can drop columns since 3.35.
    op.execute("ALTER TABLE subscriber DROP COLUMN emptied_at")
    op.execute("ALTER TABLE consent_entry DROP COLUMN detail_digest")
    fix_columns(BEFORE)
