"""What events say moves out of their rows, some hundred together and compressed; one key per event is enough."""

from __future__ import annotations

import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0006"
down_revision = "0005"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TOGETHER = 256
EVENTS = sa.table("events", sa.column("position"), sa.column("data"))
BODIES = sa.table("event_bodies", sa.column("first_position"), sa.column("bodies"))


def upgrade() -> None:
    op.create_table(
        "event_bodies",
        sa.Column("first_position", ID, autoincrement=False, nullable=False),
        sa.Column("bodies", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_position", name="pk_event_bodies"),
    )
    _pack(op.get_bind())
    with op.batch_alter_table("events") as events:
        events.drop_constraint("uq_events_subject_stream_id", type_="unique")
        events.drop_column("data")


def downgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("data", sa.Text(), nullable=False, server_default=""))
        events.create_unique_constraint("uq_events_subject_stream_id", ["subject", "stream", "id"])
    _unpack(op.get_bind())
    with op.batch_alter_table("events") as events:
        events.alter_column("data", server_default=None)
    op.drop_table("event_bodies")


def _pack(connection: sa.Connection) -> None:
    compress = zstandard.ZstdCompressor(level=1).compress
    position = 0
    while True:
        query = sa.select(EVENTS).where(EVENTS.c.position > position).order_by(EVENTS.c.position).limit(TOGETHER)
        rows = connection.execute(query).all()
        if not rows:
            return
        position = rows[-1].position
        packed = compress("\n".join(row.data for row in rows).encode())
        connection.execute(BODIES.insert(), {"first_position": rows[0].position, "bodies": packed})


def _unpack(connection: sa.Connection) -> None:
    decompress = zstandard.ZstdDecompressor().decompress
    put = EVENTS.update().where(EVENTS.c.position == sa.bindparam("at")).values(data=sa.bindparam("said"))
    for first, packed in connection.execute(sa.select(BODIES).order_by(BODIES.c.first_position)).all():
        texts = decompress(packed).decode().split("\n")
        connection.execute(put, [{"at": at, "said": text} for at, text in enumerate(texts, start=first)])
