"""Documents read again: their readings, what was said again, and the audit trail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0005"
down_revision = "0004"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
WAITING = sa.text("status = 'waiting'")


def upgrade() -> None:
    op.add_column("payloads", sa.Column("replay_of", sa.BigInteger(), nullable=True))
    op.add_column("documents", sa.Column("master_version", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("documents", sa.Column("replaced_by", sa.BigInteger(), nullable=True))
    op.add_column("parked_lines", sa.Column("tried", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("parked_lines", sa.Column("reason", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_index(
        "ix_parked_lines_waiting",
        "parked_lines",
        ["document_id"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "confirmations",
        sa.Column("id", ID, nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("keys", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_confirmations"),
    )
    op.create_table(
        "audit",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_subject", "audit", ["subject"])


def downgrade() -> None:
    op.drop_table("audit")
    op.drop_table("confirmations")
    op.drop_index("ix_parked_lines_waiting", "parked_lines")
    op.drop_column("parked_lines", "reason")
    op.drop_column("parked_lines", "tried")
    op.drop_column("documents", "replaced_by")
    op.drop_column("documents", "master_version")
    op.drop_column("payloads", "replay_of")
