"""A cancellation holds for an order that comes after it, and an answer waits for its order."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "whole_orders",
        sa.Column("id", ID, nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("order_key", "kind", "word")),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("waits", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_whole_orders_document_id_documents"),
        sa.PrimaryKeyConstraint("id", name="pk_whole_orders"),
    )
    op.create_index("ix_whole_orders_order_key", "whole_orders", ["order_key"])


def downgrade() -> None:
    op.drop_index("ix_whole_orders_order_key", "whole_orders")
    op.drop_table("whole_orders")
