"""The health of a sink, and the events it did not take."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0004"
down_revision = "0003"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
STATE = ("paused_at", "pause_reason", "failures", "failure", "retry_at", "refusals")


def upgrade() -> None:
    op.add_column("cursors", sa.Column("paused_at", INSTANT, nullable=True))
    op.add_column("cursors", sa.Column("pause_reason", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("cursors", sa.Column("failures", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("cursors", sa.Column("failure", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("cursors", sa.Column("retry_at", INSTANT, nullable=True))
    op.add_column("cursors", sa.Column("refusals", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "held_events",
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("retry_at", INSTANT, nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("held_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["sink"], ["cursors.sink"], name="fk_held_events_sink"),
        sa.PrimaryKeyConstraint("sink", "position", name="pk_held_events"),
    )


def downgrade() -> None:
    op.drop_table("held_events")
    for column in STATE:
        op.drop_column("cursors", column)
