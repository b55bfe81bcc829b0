"""Add the tables of duplicates: fingerprints of releases, pairs that may be the same, and merges.

`newsletter db upgrade` stores the fingerprints of older releases afterwards, in small transactions.
"""

import sqlalchemy as sa
from alembic import op


revision = "0035"
down_revision = "0034"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT = sa.DateTime(timezone=True)
STATES = ("suggested", "merged", "linked", "different")


def upgrade() -> None:
    op.create_table(
        "release_band",
        sa.Column("band", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("release_id", ID, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"], ["release.id"], name=op.f("fk_release_band_release_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("band", "day", "release_id", name=op.f("pk_release_band")),
    )
    op.create_index("ix_release_band_release_id", "release_band", ["release_id"])
    op.create_table(
        "release_pair",
        sa.Column("earlier_id", ID, autoincrement=False, nullable=False),
        sa.Column("later_id", ID, autoincrement=False, nullable=False),
        sa.Column(
            "state",
            sa.Enum(*STATES, name="pair_state", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("differs", sa.String(length=120), nullable=False),
        sa.Column("found_at", AT, nullable=False),
        sa.Column("decided_by", sa.String(length=320), nullable=False),
        sa.Column("decided_at", AT, nullable=True),
        sa.ForeignKeyConstraint(
            ["earlier_id"], ["release.id"], name=op.f("fk_release_pair_earlier_id_release"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["later_id"], ["release.id"], name=op.f("fk_release_pair_later_id_release"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("earlier_id", "later_id", name=op.f("pk_release_pair")),
    )
    op.create_index("ix_release_pair_later_id", "release_pair", ["later_id"])
    op.create_index("ix_release_pair_state", "release_pair", ["state", "later_id"])
    op.create_table(
        "release_merge",
        sa.Column("release_id", ID, autoincrement=False, nullable=False),
        sa.Column("into_id", ID, nullable=False),
        sa.Column("stays_id", ID, nullable=False),
        sa.Column("was", sa.String(length=24), nullable=False),
        sa.Column("added_topics", sa.String(length=400), nullable=False),
        sa.Column("merged_by", sa.String(length=320), nullable=False),
        sa.Column("merged_at", AT, nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [name], ["release.id"], name=op.f(f"fk_release_merge_{name}_release"), ondelete="CASCADE"
            )
            for name in ("release_id", "into_id", "stays_id")
        ),
        sa.PrimaryKeyConstraint("release_id", name=op.f("pk_release_merge")),
    )
    op.create_index("ix_release_merge_stays_id", "release_merge", ["stays_id"])


def downgrade() -> None:
    op.drop_table("release_merge")
    op.drop_table("release_pair")
    op.drop_table("release_band")
