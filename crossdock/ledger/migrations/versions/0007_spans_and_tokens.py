"""Where in the feed an event stands, by partner, item and site; and who may ask."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0007"
down_revision = "0006"

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "spans",
        sa.Column("position", ID, autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("stream", "kind", "time", "partner", "item", "site")),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name="pk_spans"),
    )
    op.create_index("ix_spans_item", "spans", ["item", "site", "position"])
    op.create_index("ix_spans_partner", "spans", ["partner", "position"])
    projections = op.create_table(
        "projections",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_projections"),
    )
    op.bulk_insert(projections, [{"name": "spans", "position": 0}])
    op.create_table(
        "tokens",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("id", "name", "audience", "partner", "hash")),
        sa.Column("per_minute", sa.BigInteger(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )


def downgrade() -> None:
    for table in ("tokens", "projections", "spans"):
        op.drop_table(table)
