"""How long each item lasts at its site."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "outlooks",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("item", "site")),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("holds_until", sa.Date(), nullable=False),
        sa.Column("short_on", sa.Date(), nullable=False),
        sa.Column("on_hand", sa.Text(), nullable=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("in_transit", "demand", "unit")),
        sa.PrimaryKeyConstraint("item", "site", name="pk_outlooks"),
    )
    op.create_index("ix_outlooks_holds_until", "outlooks", ["holds_until"])
    op.create_index("ix_outlooks_short_on", "outlooks", ["short_on", "item", "site"])
    projections = sa.table("projections", sa.column("name"), sa.column("position"))
    op.bulk_insert(projections, [{"name": "outlooks", "position": 0}])


def downgrade() -> None:
    op.drop_table("outlooks")
    projections = sa.table("projections", sa.column("name"))
    op.execute(projections.delete().where(projections.c.name == "outlooks"))
