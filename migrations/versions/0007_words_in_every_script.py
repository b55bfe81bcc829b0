"""Make topic rules with non-ASCII words match beginnings of words, so that inflected forms still match.

Such rules matched anywhere inside words before.
"""

import unicodedata

from alembic import op
import sqlalchemy as sa


revision = "0007"
down_revision = "0006"

LONGEST_PATTERN = 200
rules = sa.table("topic_rule", sa.column("id", sa.BigInteger), sa.column("pattern", sa.String))


def upgrade() -> None:
    connection = op.get_bind()
    for rule_id, pattern in connection.execute(sa.select(rules.c.id, rules.c.pattern)).all():
        # Rules are compared in this form: full-width characters, for example, equal the usual ones.
        compared = unicodedata.normalize("NFKC", pattern).casefold()
        if not compared.isascii() and not pattern.endswith("*") and len(pattern) < LONGEST_PATTERN:
            change = sa.update(rules).where(rules.c.id == rule_id)
            connection.execute(change.values(pattern=pattern + "*"))


def downgrade() -> None:
    connection = op.get_bind()
    for rule_id, pattern in connection.execute(sa.select(rules.c.id, rules.c.pattern)).all():
        if not pattern.isascii() and pattern.endswith("*"):
            change = sa.update(rules).where(rules.c.id == rule_id)
            connection.execute(change.values(pattern=pattern.rstrip("*")))
