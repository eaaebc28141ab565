"""What became of batches of events, and what a person decided on master data that were held back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0010"
down_revision = "0009"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_TEXTS = ("partner", "type", "suite", "suite_version", "master_version", "fingerprint", "outcome")
_COUNTS = ("rows", "documents", "expectations")


def upgrade() -> None:
    op.add_column("master_rejections", sa.Column("payload_id", sa.BigInteger(), nullable=True))
    op.add_column("master_rejections", sa.Column("decision", sa.Text(), nullable=True))
    op.create_table(
        "batch_verdicts",
        sa.Column("id", BIG, nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        *(sa.Column(name, sa.BigInteger(), nullable=False, server_default="0") for name in _COUNTS),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("missed", sa.Text(), nullable=False),
        sa.Column("judged_at", INSTANT, nullable=False),
        sa.Column("referee", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_batch_verdicts"),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_batch_verdicts_payload_id_payloads"),
        sa.UniqueConstraint(
            "payload_id", "part", "partner", "type", name="uq_batch_verdicts_payload_id_part_partner_type"
        ),
    )
    op.create_index("ix_batch_verdicts_partner", "batch_verdicts", ["partner", "type", "judged_at"])


def downgrade() -> None:
    op.drop_index("ix_batch_verdicts_partner", "batch_verdicts")
    op.drop_table("batch_verdicts")
    op.drop_column("master_rejections", "decision")
    op.drop_column("master_rejections", "payload_id")
