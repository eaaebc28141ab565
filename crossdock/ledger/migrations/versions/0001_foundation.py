"""The first ledger: payloads, documents, findings, parked lines, the feed and its cursors, memory, master data."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TIMESTAMP

revision = "0001"
down_revision = None

INSTANT = sa.Text().with_variant(TIMESTAMP(timezone=True), "postgresql")
BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cursors",
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("sink", name="pk_cursors"),
    )
    op.create_table(
        "feed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feed"),
        sa.CheckConstraint("id = 1", name="one_row"),
    )
    op.create_table(
        "event_marks",
        sa.Column("first_position", ID, autoincrement=False, nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("first_position", name="pk_event_marks"),
    )
    op.create_table(
        "master_rejections",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("rejected_at", INSTANT, nullable=False),
        sa.Column("reasons", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_master_rejections"),
    )
    op.create_table(
        "master_versions",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("loaded_at", INSTANT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", "version", name="pk_master_versions"),
    )
    op.create_table(
        "payloads",
        sa.Column("id", ID, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("received_at", INSTANT, nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("duplicate_of", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_at", INSTANT, nullable=False),
        sa.Column("infos", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("warnings", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["duplicate_of"], ["payloads.id"], name="fk_payloads_duplicate_of"),
        sa.ForeignKeyConstraint(["parent_id"], ["payloads.id"], name="fk_payloads_parent_id"),
        sa.PrimaryKeyConstraint("id", name="pk_payloads"),
        sa.UniqueConstraint("channel", "sha256", "key", name="uq_payloads_channel_sha256_key"),
    )
    op.create_index(
        "ix_payloads_waiting",
        "payloads",
        ["id"],
        unique=False,
        sqlite_where=sa.text("status = 'received'"),
        postgresql_where=sa.text("status = 'received'"),
    )
    op.create_table(
        "states",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_states"),
    )
    op.create_table(
        "deliveries",
        sa.Column("sink", sa.Text(), nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["sink"], ["cursors.sink"], name="fk_deliveries_sink"),
        sa.PrimaryKeyConstraint("sink", "last_position", name="pk_deliveries"),
    )
    op.create_table(
        "documents",
        sa.Column("id", ID, autoincrement=False, nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("receiver", sa.Text(), nullable=False),
        sa.Column("control_number", sa.Text(), nullable=False),
        sa.Column("interchange", sa.Text(), nullable=False),
        sa.Column("functional_group", sa.Text(), nullable=False),
        sa.Column("test", sa.Boolean(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("byte_offset", sa.BigInteger(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("mapping", sa.Text(), nullable=True),
        sa.Column("mapping_version", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("read_at", INSTANT, nullable=False),
        sa.Column("stored_at", INSTANT, nullable=False),
        sa.Column("lines", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unchanged", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("parked", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("infos", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("warnings", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("errors", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("demand", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("shipment", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("inventory", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=True),
        sa.Column("last_position", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_documents_payload_id"),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("payload_id", "document", name="uq_documents_payload_id_document"),
    )
    op.create_index("ix_documents_document", "documents", ["document"], unique=False)
    op.create_table(
        "master_in_force",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["master_versions.name", "master_versions.version"],
            name="fk_master_in_force_name_version",
        ),
        sa.PrimaryKeyConstraint("name", name="pk_master_in_force"),
    )
    op.create_table(
        "events",
        sa.Column("position", ID, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject", BYTEWISE, nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_events_document_id"),
        sa.PrimaryKeyConstraint("position", name="pk_events"),
        sa.UniqueConstraint("subject", "stream", "id", name="uq_events_subject_stream_id"),
        sa.UniqueConstraint("subject", "stream", "sequence", name="uq_events_subject_stream_sequence"),
    )
    op.create_index("ix_events_stream_position", "events", ["stream", "position"], unique=False)
    op.create_table(
        "findings",
        sa.Column("id", ID, nullable=False),
        sa.Column("payload_id", sa.BigInteger(), nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("expected", sa.Text(), nullable=True),
        sa.Column("standard", sa.Text(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=True),
        sa.Column("byte_offset", sa.BigInteger(), nullable=True),
        sa.Column("byte_length", sa.BigInteger(), nullable=True),
        sa.Column("found_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_findings_document_id"),
        sa.ForeignKeyConstraint(["payload_id"], ["payloads.id"], name="fk_findings_payload_id"),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
    )
    op.create_index("ix_findings_place", "findings", ["payload_id", "document_id"], unique=False)
    op.create_table(
        "parked_lines",
        sa.Column("id", ID, nullable=False),
        sa.Column("document_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("byte_offset", sa.BigInteger(), nullable=True),
        sa.Column("byte_length", sa.BigInteger(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("parked_at", INSTANT, nullable=False),
        sa.Column("status_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name="fk_parked_lines_document_id"),
        sa.PrimaryKeyConstraint("id", name="pk_parked_lines"),
    )
    op.create_index("ix_parked_lines_document_id", "parked_lines", ["document_id"], unique=False)

    op.execute("INSERT INTO feed (id, position, document) VALUES (1, 0, 0)")


def downgrade() -> None:
    op.drop_index("ix_parked_lines_document_id", table_name="parked_lines")
    op.drop_table("parked_lines")
    op.drop_index("ix_findings_place", table_name="findings")
    op.drop_table("findings")
    op.drop_index("ix_events_stream_position", table_name="events")
    op.drop_table("events")
    op.drop_table("master_in_force")
    op.drop_index("ix_documents_document", table_name="documents")
    op.drop_table("documents")
    op.drop_table("deliveries")
    op.drop_table("states")
    op.drop_index(
        "ix_payloads_waiting",
        table_name="payloads",
        sqlite_where=sa.text("status = 'received'"),
        postgresql_where=sa.text("status = 'received'"),
    )
    op.drop_table("payloads")
    op.drop_table("master_versions")
    op.drop_table("master_rejections")
    op.drop_table("feed")
    op.drop_table("event_marks")
    op.drop_table("cursors")
