"""Store negated rules and groups of rules, tags of releases, and which sources need approval."""

import sqlalchemy as sa
from alembic import op


revision = "0030"
down_revision = "0029"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = "ck_topic_rule_rule_field"
BEFORE = "field IN ('publisher', 'words')"
SINCE = "field IN ('publisher', 'words', 'language', 'tag', 'source')"


def upgrade() -> None:
    with op.batch_alter_table("topic_rule") as batch:
        batch.drop_constraint(op.f(NAME), type_="check")
        batch.create_check_constraint(op.f(NAME), SINCE)
        batch.add_column(sa.Column("is_not", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch.add_column(sa.Column("group_number", sa.Integer(), nullable=True))
    op.create_table(
        "topic_rule_group",
        sa.Column("topic_id", ID, sa.ForeignKey("topic.id", ondelete="CASCADE"), primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column(
            "match",
            sa.Enum("any", "all", name="rule_group_match", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("is_not", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("release", sa.Column("tags", sa.JSON(none_as_null=True), nullable=True))
    op.add_column(
        "source", sa.Column("needs_approval", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("source", "needs_approval")
    op.drop_column("release", "tags")
    op.drop_table("topic_rule_group")
    rules = sa.table("topic_rule", sa.column("field", sa.String), sa.column("group_number", sa.Integer), sa.column("is_not", sa.Boolean))
    op.execute(sa.delete(rules).where(sa.or_(rules.c.field.not_in(["publisher", "words"]), rules.c.is_not)))
    with op.batch_alter_table("topic_rule") as batch:
        batch.drop_column("group_number")
        batch.drop_column("is_not")
        batch.drop_constraint(op.f(NAME), type_="check")
        batch.create_check_constraint(op.f(NAME), BEFORE)
