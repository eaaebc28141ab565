"""Answers: envelopes, what is owed for them, what was sent, and our own control numbers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0002"
down_revision = "0001"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "envelopes",
        sa.Column("id", ID, nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("control_number", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("byte_offset", sa.BigInteger(), nullable=True),
        sa.Column("byte_length", sa.BigInteger(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_envelopes_payload_id"),
        sa.PrimaryKeyConstraint("id", name="pk_envelopes"),
        sa.UniqueConstraint("payload_id", "kind", "ordinal", name="uq_envelopes_payload_id_kind_ordinal"),
    )
    op.create_index("ix_envelopes_control_number", "envelopes", ["sender", "receiver", "control_number"], unique=False)
    op.create_table(
        "transmissions",
        sa.Column("id", ID, nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("interchange_number", sa.BigInteger(), nullable=False),
        sa.Column("group_number", sa.BigInteger(), nullable=False),
        sa.Column("set_number", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("outlet", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("sent_at", INSTANT, nullable=True),
        sa.Column("answer_by", INSTANT, nullable=True),
        sa.Column("answered_at", INSTANT, nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answer_detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_transmissions"),
        sa.UniqueConstraint("partner", "interchange_number", name="uq_transmissions_partner_interchange_number"),
    )
    op.create_index("ix_transmissions_status", "transmissions", ["status"], unique=False)
    op.create_table(
        "answers",
        sa.Column("id", ID, nullable=False),
        sa.Column("envelope_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("owed_at", INSTANT, nullable=False),
        sa.Column("due_at", INSTANT, nullable=False),
        sa.Column("status_at", INSTANT, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("transmission_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelopes.id"], name="fk_answers_envelope_id"),
        sa.ForeignKeyConstraint(["transmission_id"], ["transmissions.id"], name="fk_answers_transmission_id"),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
        sa.UniqueConstraint("envelope_id", "kind", name="uq_answers_envelope_id_kind"),
    )
    op.create_index("ix_answers_status", "answers", ["status"], unique=False)
    op.create_table(
        "control_numbers",
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("partner", "kind", name="pk_control_numbers"),
    )


def downgrade() -> None:
    op.drop_table("control_numbers")
    op.drop_index("ix_answers_status", table_name="answers")
    op.drop_table("answers")
    op.drop_index("ix_transmissions_status", table_name="transmissions")
    op.drop_table("transmissions")
    op.drop_index("ix_envelopes_control_number", table_name="envelopes")
    op.drop_table("envelopes")
