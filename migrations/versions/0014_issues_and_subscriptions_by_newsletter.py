"""Index subscriptions by newsletter, and let each newsletter have its own issue for a slot."""

import sqlalchemy as sa
from alembic import op


revision = "0014"
down_revision = "0013"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TOPIC_KEY = "fk_subscription_topic_id_topic"
TOPIC_AND_NEWSLETTER_KEY = "fk_subscription_topic_id_newsletter_id_topic"


def upgrade() -> None:
    # The default serves hosts that still run the version before. Existing rows get it too.
    op.add_column("subscription", sa.Column("newsletter_id", ID, nullable=False, server_default=sa.text("1")))
    op.execute(
        "UPDATE subscription SET newsletter_id = (SELECT t.newsletter_id FROM topic t WHERE t.id = topic_id) "
        "WHERE topic_id IN (SELECT id FROM topic WHERE newsletter_id <> 1)"
    )
    op.create_index("uq_topic_id_newsletter_id", "topic", ["id", "newsletter_id"], unique=True)
    op.drop_index("ix_subscription_state_frequency_subscriber_id", table_name="subscription")
    with op.batch_alter_table("subscription") as batch:
        batch.drop_constraint(TOPIC_KEY, type_="foreignkey")
        batch.create_foreign_key(
            batch.f(TOPIC_AND_NEWSLETTER_KEY),
            "topic",
            ["topic_id", "newsletter_id"],
            ["id", "newsletter_id"],
        )
    op.create_index(
        "ix_subscription_state_newsletter_id_frequency_subscriber_id",
        "subscription",
        ["state", "newsletter_id", "frequency", "subscriber_id"],
    )
    with op.batch_alter_table("issue") as batch:
        batch.drop_constraint("uq_issue_slot", type_="unique")
        batch.create_unique_constraint(batch.f("uq_issue_newsletter_id_slot"), ["newsletter_id", "slot"])


def downgrade() -> None:
    with op.batch_alter_table("issue") as batch:
        batch.drop_constraint("uq_issue_newsletter_id_slot", type_="unique")
        batch.create_unique_constraint(batch.f("uq_issue_slot"), ["slot"])
    op.drop_index("ix_subscription_state_newsletter_id_frequency_subscriber_id", table_name="subscription")
    with op.batch_alter_table("subscription") as batch:
        batch.drop_constraint(TOPIC_AND_NEWSLETTER_KEY, type_="foreignkey")
        batch.create_foreign_key(batch.f(TOPIC_KEY), "topic", ["topic_id"], ["id"])
        batch.drop_column("newsletter_id")
    op.create_index(
        "ix_subscription_state_frequency_subscriber_id",
        "subscription",
        ["state", "frequency", "subscriber_id"],
    )
    op.drop_index("uq_topic_id_newsletter_id", table_name="topic")
