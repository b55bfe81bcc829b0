"""Keep the result of a relay check for each sender and its settings, so that a trial replaces no other."""

from alembic import op


revision = "0052"
down_revision = "0051"

NAME = "pk_relay_check"


def upgrade() -> None:
    with op.batch_alter_table("relay_check") as batch:
        batch.drop_constraint(op.f(NAME), type_="primary")
        batch.create_primary_key(op.f(NAME), ["key", "settings"])


def downgrade() -> None:
    # Only one result of a sender can stay: the last one.
    op.execute(
        "DELETE FROM relay_check WHERE EXISTS (SELECT 1 FROM relay_check AS other "
        "WHERE other.key = relay_check.key AND (other.checked_at, other.settings) > "
        "(relay_check.checked_at, relay_check.settings))"
    )
    with op.batch_alter_table("relay_check") as batch:
        batch.drop_constraint(op.f(NAME), type_="primary")
        batch.create_primary_key(op.f(NAME), ["key"])
