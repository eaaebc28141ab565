"""Bundles of what events say may begin with a frame, which a program that does not know them would take for a text.

Nothing is to be done for those that are there; undone, the bundles hold whole texts again.
"""

from __future__ import annotations

import sqlalchemy as sa
import zstandard
from alembic import op

revision = "0015"
down_revision = "0014"

BODIES = sa.table("event_bodies", sa.column("first_position"), sa.column("bodies"))
FRAMED, GAP = "\x1e", "\x1f"


def upgrade() -> None:
    pass


def downgrade() -> None:
    connection = op.get_bind()
    position = -1
    query = sa.select(BODIES).order_by(BODIES.c.first_position).limit(1)
    while (row := connection.execute(query.where(BODIES.c.first_position > position)).one_or_none()) is not None:
        position = row.first_position
        first, *lines = zstandard.ZstdDecompressor().decompress(row.bodies).decode().split("\n")
        if first.startswith(FRAMED):
            pattern = first.removeprefix(FRAMED).replace("%", "%%").replace(GAP, "%s")
            texts = [pattern % tuple(line.split(GAP)[1:]) if line.startswith(GAP) else line for line in lines]
            packed = zstandard.ZstdCompressor(level=1).compress("\n".join(texts).encode())
            connection.execute(BODIES.update().where(BODIES.c.first_position == position).values(bodies=packed))
