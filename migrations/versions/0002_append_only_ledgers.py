"""Make the consent ledger and the audit log append-only by database triggers."""

from alembic import op


revision = "0002"
down_revision = "0001"

FIXED = ("id", "subscriber_id", "at", "act", "how", "wording_version", "wording_hash", "digest")
ERASED = "EXISTS (SELECT 1 FROM subscriber WHERE id = OLD.subscriber_id AND erased_at IS NOT NULL)"


def consent_may_change(same: str, cast_text: str) -> str:
    """Return the SQL condition for an update: it empties the IP address, or an erased person's details."""
    return " AND ".join(
        (
            *(f"NEW.{column} {same} OLD.{column}" for column in FIXED),
            f"(NEW.ip_address IS NULL OR NEW.ip_address {same} OLD.ip_address)",
            f"(NEW.detail{cast_text} {same} OLD.detail{cast_text} "
            f"OR (NEW.detail{cast_text} = '{{}}' AND {ERASED}))",
        )
    )


ALLOWED = {
    "sqlite": {"audit_entry": "0", "consent_entry": consent_may_change("IS", "")},
    "postgresql": {
        "audit_entry": "FALSE",
        "consent_entry": consent_may_change("IS NOT DISTINCT FROM", "::text"),
    },
}

TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER {table}_keeps_rows BEFORE DELETE ON {table} "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        # REPLACE deletes a row without running the trigger above.
        "CREATE TRIGGER {table}_keeps_places BEFORE INSERT ON {table} "
        "WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id) "
        "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
        "CREATE TRIGGER {table}_keeps_words BEFORE UPDATE ON {table} "
        "WHEN NOT ({allowed}) BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION {table}_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$",
        "CREATE OR REPLACE FUNCTION {table}_keeps() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN IF {allowed} THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION '{table} is append-only' USING ERRCODE = 'restrict_violation'; END $$",
        "CREATE TRIGGER {table}_keeps_rows BEFORE DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION {table}_refuses()",
        "CREATE TRIGGER {table}_keeps_all BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuses()",
        "CREATE TRIGGER {table}_keeps_words BEFORE UPDATE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION {table}_keeps()",
    ),
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for table, allowed in ALLOWED[dialect].items():
        for statement in TRIGGERS[dialect]:
            op.get_bind().exec_driver_sql(statement.format(table=table, allowed=allowed))


def downgrade() -> None:
    connection = op.get_bind()
    for table in ALLOWED[connection.dialect.name]:
        if connection.dialect.name == "postgresql":
            # Dropping the functions drops the triggers that call them.
            connection.exec_driver_sql(f"DROP FUNCTION {table}_refuses, {table}_keeps CASCADE")
            continue
        for trigger in ("rows", "places", "words"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_keeps_{trigger}")
