"""List suppressions fast, import and undo them, and have rules for domains."""

import sqlalchemy as sa
from alembic import op


revision = "0044"
down_revision = "0043"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
IMPORTED = sa.text("import_id IS NOT NULL")
KINDS = ("never_accepted", "never_mailed", "allowed")


def upgrade() -> None:
    op.add_column("suppression", sa.Column("import_id", sa.BigInteger(), nullable=True))
    op.create_index("ix_suppression_since", "suppression", ["since", "id"])
    op.create_index("ix_suppression_reason", "suppression", ["reason", "since", "id"])
    op.create_index(
        "ix_suppression_import_id",
        "suppression",
        ["import_id"],
        sqlite_where=IMPORTED,
        postgresql_where=IMPORTED,
    )
    op.create_table(
        "suppression_import",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(320), nullable=False),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("unreadable", sa.Integer(), nullable=False),
        sa.Column("undone_at", MOMENT, nullable=True),
    )
    op.create_table(
        "address_rule",
        sa.Column("id", ID, primary_key=True, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("local", sa.String(64), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(*KINDS, name="rule_kind", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.UniqueConstraint("host", "local", name="uq_address_rule_host_local"),
    )


def downgrade() -> None:
    op.drop_table("address_rule")
    op.drop_table("suppression_import")
    for name in ("import_id", "reason", "since"):
        op.drop_index(f"ix_suppression_{name}", table_name="suppression")
    op.drop_column("suppression", "import_id")
