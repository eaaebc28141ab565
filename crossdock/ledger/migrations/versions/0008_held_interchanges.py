"""Interchanges that were held back, and what was decided about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0008"
down_revision = "0007"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "held_interchanges",
        sa.Column("id", ID, nullable=False),
        sa.Column("envelope_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("code", "status")),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelopes.id"], name="fk_held_interchanges_envelope_id"),
        sa.PrimaryKeyConstraint("id", name="pk_held_interchanges"),
        sa.UniqueConstraint("envelope_id", name="uq_held_interchanges_envelope_id"),
    )


def downgrade() -> None:
    op.drop_table("held_interchanges")
