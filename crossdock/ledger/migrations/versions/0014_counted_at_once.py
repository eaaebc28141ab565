"""What the console counts at each look is found by an index, however many documents there are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

PARTIAL = (
    ("ix_payloads_quarantined", "payloads", "status = 'quarantined'"),
    ("ix_payloads_replays", "payloads", "replay_of IS NOT NULL"),
    ("ix_documents_rejected", "documents", "status = 'rejected'"),
)


def upgrade() -> None:
    for name, table, condition in PARTIAL:
        where = sa.text(condition)
        op.create_index(name, table, ["id"], sqlite_where=where, postgresql_where=where)
    op.create_index("ix_payloads_recorded_at", "payloads", ["recorded_at"])
    op.create_index("ix_documents_partner", "documents", ["partner", "payload_id", "errors", "parked", "lines"])


def downgrade() -> None:
    op.drop_index("ix_documents_partner", "documents")
    op.drop_index("ix_payloads_recorded_at", "payloads")
    for name, table, _ in PARTIAL:
        op.drop_index(name, table)
