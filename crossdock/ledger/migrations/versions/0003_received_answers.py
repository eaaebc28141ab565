"""Answers from partners: what they say of what we sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0003"
down_revision = "0002"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "received_answers",
        sa.Column("id", ID, nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("transmission_id", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_received_answers_payload_id"),
        sa.ForeignKeyConstraint(["transmission_id"], ["transmissions.id"], name="fk_received_answers_transmission_id"),
        sa.PrimaryKeyConstraint("id", name="pk_received_answers"),
        sa.UniqueConstraint(
            "payload_id", "kind", "ordinal", "number", name="uq_received_answers_payload_id_kind_ordinal_number"
        ),
    )


def downgrade() -> None:
    op.drop_table("received_answers")
