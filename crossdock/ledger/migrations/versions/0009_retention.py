"""What may go and what must stay: bytes that were pruned, partners on hold."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0009"
down_revision = "0008"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")


def upgrade() -> None:
    op.add_column("payloads", sa.Column("pruned_at", INSTANT, nullable=True))
    op.create_table(
        "holds",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("partner", name="pk_holds"),
    )


def downgrade() -> None:
    op.drop_table("holds")
    op.drop_column("payloads", "pruned_at")
