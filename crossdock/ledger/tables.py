"""The tables, but for those of ``answer_tables``. ``migrations/`` builds them; a test holds the two together.

Structured values that are only ever read whole (metadata, a finding's standard codes) are JSON text.
"""

from __future__ import annotations

import sqlalchemy as sa

import crossdock.ledger.answer_tables  # noqa: F401 - they belong to the same metadata, and refer to tables from here
from crossdock.ledger.columns import BIG, Instant, count, metadata, row_id, text

#: The newest migration in ``migrations/versions``; a ledger that has it needs no migrating.
REVISION = "0015"

payloads = sa.Table(
    "payloads",
    metadata,
    row_id(),
    text("sha256"),
    sa.Column("size", sa.BigInteger, nullable=False),
    text("channel"),
    text("key"),
    text("name"),
    sa.Column("received_at", Instant, nullable=False),  # when it reached the source
    sa.Column("recorded_at", Instant, nullable=False),  # when the ledger took note
    text("metadata"),
    sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("payloads.id")),
    sa.Column("duplicate_of", sa.BigInteger, sa.ForeignKey("payloads.id")),
    sa.Column("replay_of", sa.BigInteger),  # the payload whose bytes were read again
    sa.Column("pruned_at", Instant),  # when its bytes were given up
    text("status"),
    sa.Column("status_at", Instant, nullable=False),
    count("infos"),
    count("warnings"),
    count("errors"),
    sa.UniqueConstraint("channel", "sha256", "key"),
)
sa.Index(
    "ix_payloads_waiting",
    payloads.c.id,
    sqlite_where=payloads.c.status == "received",
    postgresql_where=payloads.c.status == "received",
)
sa.Index(
    "ix_payloads_quarantined",
    payloads.c.id,
    sqlite_where=payloads.c.status == "quarantined",
    postgresql_where=payloads.c.status == "quarantined",
)
sa.Index(
    "ix_payloads_replays",
    payloads.c.id,
    sqlite_where=payloads.c.replay_of.is_not(None),
    postgresql_where=payloads.c.replay_of.is_not(None),
)
sa.Index("ix_payloads_recorded_at", payloads.c.recorded_at)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", BIG, primary_key=True, autoincrement=False),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    text("document"),  # the deterministic id, made of the payload's SHA-256 and the ordinal
    sa.Column("ordinal", sa.BigInteger, nullable=False),
    text("type"),
    text("version"),
    text("sender"),
    text("receiver"),
    text("control_number"),
    text("interchange"),
    text("functional_group"),
    sa.Column("test", sa.Boolean, nullable=False),
    text("location"),
    sa.Column("byte_offset", sa.BigInteger),
    text("attributes"),
    text("partner"),
    text("mapping", null=True),
    text("mapping_version"),
    sa.Column(
        "master_version", sa.Text, nullable=False, server_default=sa.text("''")
    ),  # the master tables it was read with
    sa.Column("replaced_by", sa.BigInteger),  # the row of a newer reading
    text("status"),
    sa.Column("read_at", Instant, nullable=False),  # when reading it began
    sa.Column("stored_at", Instant, nullable=False),  # when verdict, events and findings were committed
    count("lines"),
    count("unchanged"),
    count("parked"),
    count("infos"),
    count("warnings"),
    count("errors"),
    count("demand"),
    count("shipment"),
    count("inventory"),
    sa.Column("first_position", sa.BigInteger),  # of its events in the feed, which lie side by side
    sa.Column("last_position", sa.BigInteger),
    sa.UniqueConstraint("payload_id", "document"),
    sa.Index("ix_documents_document", "document"),
    sa.Index("ix_documents_partner", "partner", "payload_id", "errors", "parked", "lines"),
    sa.Index(
        "ix_documents_rejected",
        "id",
        sqlite_where=sa.text("status = 'rejected'"),
        postgresql_where=sa.text("status = 'rejected'"),
    ),
)

findings = sa.Table(
    "findings",
    metadata,
    row_id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id")),  # null: concerns the payload
    text("code"),
    text("severity"),
    text("stage"),
    text("message"),
    text("location"),
    text("value", null=True),
    text("expected", null=True),
    text("standard"),
    sa.Column("line", sa.BigInteger),
    sa.Column("byte_offset", sa.BigInteger),
    sa.Column("byte_length", sa.BigInteger),
    sa.Column("found_at", Instant, nullable=False),
    sa.Index("ix_findings_place", "payload_id", "document_id"),
)

parked_lines = sa.Table(
    "parked_lines",
    metadata,
    row_id(),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id"), nullable=False, index=True),
    sa.Column("line", sa.BigInteger, nullable=False),
    text("cause"),  # the code of the finding that parked it
    text("location"),
    sa.Column("byte_offset", sa.BigInteger),
    sa.Column("byte_length", sa.BigInteger),
    text("fields"),  # the canonical line, a JSON object of text
    text("status"),
    sa.Column("parked_at", Instant, nullable=False),
    sa.Column("status_at", Instant, nullable=False),
    sa.Column(
        "tried", sa.Text, nullable=False, server_default=sa.text("''")
    ),  # configuration that it was last read with in vain
    sa.Column("reason", sa.Text, nullable=False, server_default=sa.text("''")),  # why a person rejected it
    sa.Index(
        "ix_parked_lines_waiting",
        "document_id",
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    ),
)

#: What documents say of orders as a whole: see ``crossdock.ledger.whole_orders``.
whole_orders = sa.Table(
    "whole_orders",
    metadata,
    row_id(),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id"), nullable=False),
    sa.Column("order_key", sa.Text, nullable=False, index=True),  # partner and order, as in subjects
    text("kind"),  # order or order_response
    text("word"),  # cancelled, accepted, rejected, except
    text("number", null=True),  # the document's own
    text("time"),
    sa.Column("waits", sa.Boolean, nullable=False),  # nothing was known of the order
)

#: What an event says stands in ``event_bodies``. Subjects of one document resemble one another, so the key, which
#: begins with the subject, is written in few places however many events there are.
events = sa.Table(
    "events",
    metadata,
    sa.Column("position", BIG, primary_key=True, autoincrement=False),
    text("id"),
    sa.Column("subject", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
    text("stream"),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    text("fingerprint"),
    text("kind"),
    text("time"),
    text("partner"),
    text("item"),
    text("site"),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id"), nullable=False),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("subject", "stream", "sequence"),
    sa.Index("ix_events_stream_position", "stream", "position"),
)

#: What events say (the JSON texts of their ``data``), in order of position: see ``crossdock.ledger.bodies``.
event_bodies = sa.Table(
    "event_bodies",
    metadata,
    sa.Column("first_position", BIG, primary_key=True, autoincrement=False),
    sa.Column("bodies", sa.LargeBinary, nullable=False),
)

#: How an event is found by its id: the last four bytes of the ids of a run of events, in order of position.
#: An index over ids, which are random, would cost more than all the rest of writing an event.
event_marks = sa.Table(
    "event_marks",
    metadata,
    sa.Column("first_position", BIG, primary_key=True, autoincrement=False),
    sa.Column("marks", sa.LargeBinary, nullable=False),
)

#: One row. Whoever writes events locks it first, so that positions are gapless and in commit order.
feed = sa.Table(
    "feed",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, nullable=False),  # of the newest event; 0 when there is none
    sa.Column("document", sa.BigInteger, nullable=False),  # the highest id in documents
    sa.CheckConstraint("id = 1", name="one_row"),
)

cursors = sa.Table(
    "cursors",
    metadata,
    sa.Column("sink", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),  # of the last event the sink holds
    sa.Column("moved_at", Instant, nullable=False),
    sa.Column("paused_at", Instant),  # null: it is not paused
    sa.Column("pause_reason", sa.Text, nullable=False, server_default=sa.text("''")),
    count("failures"),  # in a row, up to now
    sa.Column("failure", sa.Text, nullable=False, server_default=sa.text("''")),  # the last one of them
    sa.Column("retry_at", Instant),  # it is left alone until then
    count("refusals"),  # events refused with none taken between them
)

#: What a sink did not take: waiting for another try or for an earlier event of its key, or dead (see ``held``).
held_events = sa.Table(
    "held_events",
    metadata,
    text("sink"),
    sa.Column("position", sa.BigInteger, nullable=False),
    text("id"),
    text("stream"),
    text("subject"),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    text("status"),  # waiting, dead
    sa.Column("retry_at", Instant),
    text("cause"),
    sa.Column("held_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("sink", "position"),
    sa.ForeignKeyConstraint(["sink"], ["cursors.sink"]),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    text("sink"),
    sa.Column("first_position", sa.BigInteger, nullable=False),
    sa.Column("last_position", sa.BigInteger, nullable=False),
    sa.Column("delivered_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("sink", "last_position"),
    sa.ForeignKeyConstraint(["sink"], ["cursors.sink"]),
)

#: From where to where in the feed an event stands: until the next revision of its key (see ``crossdock.ledger.spans``).
spans = sa.Table(
    "spans",
    metadata,
    sa.Column("position", BIG, primary_key=True, autoincrement=False),
    sa.Column("until", sa.BigInteger),  # position of the next revision; null: it stands
    text("stream"),
    text("kind"),
    text("time"),
    text("partner"),
    text("item"),
    text("site"),
    text("digest"),  # JSON: what supply is reckoned from
    sa.Index("ix_spans_item", "item", "site", "position"),
    sa.Index("ix_spans_partner", "partner", "position"),
)

#: How long each item lasts at its site (see ``crossdock.ledger.outlooks``). Quantities are decimals as text.
outlooks = sa.Table(
    "outlooks",
    metadata,
    text("item"),
    text("site"),
    sa.Column("changed", sa.BigInteger, nullable=False),  # how far the feed was when something of it changed last
    sa.Column("holds_until", sa.Date, nullable=False),  # unless something changes
    sa.Column("short_on", sa.Date, nullable=False),  # the last day of all: never
    text("on_hand", null=True),
    text("in_transit"),
    text("demand"),
    text("unit"),
    sa.PrimaryKeyConstraint("item", "site"),
    sa.Index("ix_outlooks_holds_until", "holds_until"),
    sa.Index("ix_outlooks_short_on", "short_on", "item", "site"),
)

#: How far each projection has followed the feed.
projections = sa.Table(
    "projections",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)

#: Who may ask over HTTP. Of a token only the hash of its secret is kept.
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    text("name"),
    text("audience"),
    text("partner"),  # of a supplier
    text("hash"),
    sa.Column("per_minute", sa.BigInteger, nullable=False),
    text("made_by"),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("used_at", Instant),  # about when last
)

states = sa.Table(
    "states",
    metadata,
    text("scope"),
    text("key"),
    text("value"),
    sa.Column("changed_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("scope", "key"),
)

master_versions = sa.Table(
    "master_versions",
    metadata,
    text("name"),
    sa.Column("version", sa.BigInteger, nullable=False),
    text("content_sha256"),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    text("source"),
    text("actor"),
    sa.Column("loaded_at", Instant, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),  # the table as Parquet
    sa.PrimaryKeyConstraint("name", "version"),
)

master_in_force = sa.Table(
    "master_in_force",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("since", Instant, nullable=False),
    sa.ForeignKeyConstraint(["name", "version"], ["master_versions.name", "master_versions.version"]),
)

master_rejections = sa.Table(
    "master_rejections",
    metadata,
    row_id(),
    text("name"),
    text("source"),
    text("actor"),
    sa.Column("rejected_at", Instant, nullable=False),
    text("reasons"),  # a JSON list of sentences
    sa.Column("payload_id", sa.BigInteger, nullable=True),  # what holds the load
    text("decision", null=True),  # accepted or discarded, by a person
)

#: What became of batches of events that were held against their expectations.
batch_verdicts = sa.Table(
    "batch_verdicts",
    metadata,
    row_id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    sa.Column("part", sa.BigInteger, nullable=False),  # 0; others where a version before 2026-12 judged in parts
    text("partner"),
    text("type"),
    text("suite"),
    text("suite_version"),
    text("master_version"),
    text("fingerprint"),  # of the rows judged
    text("outcome"),  # passed, warned, parked or stopped
    count("rows"),
    count("documents"),
    count("expectations"),
    text("parameters"),  # a JSON object of bounds
    text("missed"),  # a JSON list
    sa.Column("judged_at", Instant, nullable=False),
    text("referee"),  # agrees, differs or unsure; empty until it has looked
    sa.UniqueConstraint("payload_id", "part", "partner", "type"),
    sa.Index("ix_batch_verdicts_partner", "partner", "type", "judged_at"),
)

#: Keys of which a document said again what stood: it spoke last, though there is no event of it. A correction of
#: an older document must not overtake it. ``rank`` is the row of that document; a key is eight bytes of its hash.
confirmations = sa.Table(
    "confirmations",
    metadata,
    row_id(),
    sa.Column("rank", sa.BigInteger, nullable=False),
    sa.Column("keys", sa.LargeBinary, nullable=False),
)

#: The audit trail: appended to, never changed. Each row's hash covers the row and the hash before it.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", BIG, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    text("actor"),  # person, command or DAG run
    text("action"),
    text("subject"),
    text("reason"),
    text("detail"),  # a JSON object
    text("previous"),
    text("hash"),
    sa.Index("ix_audit_subject", "subject"),
    sa.Index("ix_audit_actor", "actor"),
)

#: Partners of whom nothing may be given up, whatever its age.
holds = sa.Table(
    "holds",
    metadata,
    sa.Column("partner", sa.Text, primary_key=True),
    text("reason"),
    sa.Column("since", Instant, nullable=False),
)
