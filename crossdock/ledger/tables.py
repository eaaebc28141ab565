"""The tables. ``migrations/`` builds them; a test holds the two together.

Instants are stored in UTC: ISO 8601 text in SQLite, ``timestamptz`` in PostgreSQL. Structured
values that are only ever read whole (metadata, a finding's standard codes) are JSON text.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

#: The newest migration in ``migrations/versions``; a ledger that has it needs no migrating.
REVISION = "0013"


class Instant(TypeDecorator[datetime]):
    """An aware datetime, in UTC."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(TIMESTAMP(timezone=True) if dialect.name == "postgresql" else sa.Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a naive datetime says no instant: {value!r}")
        return value if dialect.name == "postgresql" else iso(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astimezone(UTC) if isinstance(value, datetime) else None
        return datetime.fromisoformat(value)


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with six digits of a second, so that text sorts as time does."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=null)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False, server_default="0")


#: SQLite's row id is an INTEGER, and only that.
_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _id(name: str = "id") -> sa.Column[int]:
    """SQLite's row id, PostgreSQL's identity."""
    return sa.Column(name, _BIG, primary_key=True)


payloads = sa.Table(
    "payloads",
    metadata,
    _id(),
    _text("sha256"),
    sa.Column("size", sa.BigInteger, nullable=False),
    _text("channel"),
    _text("key"),
    _text("name"),
    sa.Column("received_at", Instant, nullable=False),  # when it reached the source
    sa.Column("recorded_at", Instant, nullable=False),  # when the ledger took note
    _text("metadata"),
    sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("payloads.id")),
    sa.Column("duplicate_of", sa.BigInteger, sa.ForeignKey("payloads.id")),
    sa.Column("replay_of", sa.BigInteger),  # the payload whose bytes were read again
    sa.Column("pruned_at", Instant),  # when its bytes were given up
    _text("status"),
    sa.Column("status_at", Instant, nullable=False),
    _count("infos"),
    _count("warnings"),
    _count("errors"),
    sa.UniqueConstraint("channel", "sha256", "key"),
)
sa.Index(
    "ix_payloads_waiting",
    payloads.c.id,
    sqlite_where=payloads.c.status == "received",
    postgresql_where=payloads.c.status == "received",
)

documents = sa.Table(
    "documents",
    metadata,
    sa.Column("id", _BIG, primary_key=True, autoincrement=False),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    _text("document"),  # the deterministic id, made of the payload's SHA-256 and the ordinal
    sa.Column("ordinal", sa.BigInteger, nullable=False),
    _text("type"),
    _text("version"),
    _text("sender"),
    _text("receiver"),
    _text("control_number"),
    _text("interchange"),
    _text("functional_group"),
    sa.Column("test", sa.Boolean, nullable=False),
    _text("location"),
    sa.Column("byte_offset", sa.BigInteger),
    _text("attributes"),
    _text("partner"),
    _text("mapping", null=True),
    _text("mapping_version"),
    sa.Column(
        "master_version", sa.Text, nullable=False, server_default=sa.text("''")
    ),  # the master tables it was read with
    sa.Column("replaced_by", sa.BigInteger),  # the row of a newer reading
    _text("status"),
    sa.Column("read_at", Instant, nullable=False),  # when reading it began
    sa.Column("stored_at", Instant, nullable=False),  # when verdict, events and findings were committed
    _count("lines"),
    _count("unchanged"),
    _count("parked"),
    _count("infos"),
    _count("warnings"),
    _count("errors"),
    _count("demand"),
    _count("shipment"),
    _count("inventory"),
    sa.Column("first_position", sa.BigInteger),  # of its events in the feed, which lie side by side
    sa.Column("last_position", sa.BigInteger),
    sa.UniqueConstraint("payload_id", "document"),
    sa.Index("ix_documents_document", "document"),
)

findings = sa.Table(
    "findings",
    metadata,
    _id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id")),  # null: concerns the payload
    _text("code"),
    _text("severity"),
    _text("stage"),
    _text("message"),
    _text("location"),
    _text("value", null=True),
    _text("expected", null=True),
    _text("standard"),
    sa.Column("line", sa.BigInteger),
    sa.Column("byte_offset", sa.BigInteger),
    sa.Column("byte_length", sa.BigInteger),
    sa.Column("found_at", Instant, nullable=False),
    sa.Index("ix_findings_place", "payload_id", "document_id"),
)

parked_lines = sa.Table(
    "parked_lines",
    metadata,
    _id(),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id"), nullable=False, index=True),
    sa.Column("line", sa.BigInteger, nullable=False),
    _text("cause"),  # the code of the finding that parked it
    _text("location"),
    sa.Column("byte_offset", sa.BigInteger),
    sa.Column("byte_length", sa.BigInteger),
    _text("fields"),  # the canonical line, a JSON object of text
    _text("status"),
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
    _id(),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id"), nullable=False),
    sa.Column("order_key", sa.Text, nullable=False, index=True),  # partner and order, as in subjects
    _text("kind"),  # order or order_response
    _text("word"),  # cancelled, accepted, rejected, except
    _text("number", null=True),  # the document's own
    _text("time"),
    sa.Column("waits", sa.Boolean, nullable=False),  # nothing was known of the order
)

#: What an event says stands in ``event_bodies``. Subjects of one document resemble one another, so the key, which
#: begins with the subject, is written in few places however many events there are.
events = sa.Table(
    "events",
    metadata,
    sa.Column("position", _BIG, primary_key=True, autoincrement=False),
    _text("id"),
    sa.Column("subject", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
    _text("stream"),
    sa.Column("sequence", sa.BigInteger, nullable=False),
    _text("fingerprint"),
    _text("kind"),
    _text("time"),
    _text("partner"),
    _text("item"),
    _text("site"),
    sa.Column("document_id", sa.BigInteger, sa.ForeignKey("documents.id"), nullable=False),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("subject", "stream", "sequence"),
    sa.Index("ix_events_stream_position", "stream", "position"),
)

#: What events say (the JSON texts of their ``data``), in order of position: see ``crossdock.ledger.bodies``.
event_bodies = sa.Table(
    "event_bodies",
    metadata,
    sa.Column("first_position", _BIG, primary_key=True, autoincrement=False),
    sa.Column("bodies", sa.LargeBinary, nullable=False),
)

#: How an event is found by its id: the last four bytes of the ids of a run of events, in order of position.
#: An index over ids, which are random, would cost more than all the rest of writing an event.
event_marks = sa.Table(
    "event_marks",
    metadata,
    sa.Column("first_position", _BIG, primary_key=True, autoincrement=False),
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
    _count("failures"),  # in a row, up to now
    sa.Column("failure", sa.Text, nullable=False, server_default=sa.text("''")),  # the last one of them
    sa.Column("retry_at", Instant),  # it is left alone until then
    _count("refusals"),  # events refused with none taken between them
)

#: What a sink did not take: waiting for another try or for an earlier event of its key, or dead (see ``held``).
held_events = sa.Table(
    "held_events",
    metadata,
    _text("sink"),
    sa.Column("position", sa.BigInteger, nullable=False),
    _text("id"),
    _text("stream"),
    _text("subject"),
    sa.Column("attempts", sa.BigInteger, nullable=False),
    _text("status"),  # waiting, dead
    sa.Column("retry_at", Instant),
    _text("cause"),
    sa.Column("held_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("sink", "position"),
    sa.ForeignKeyConstraint(["sink"], ["cursors.sink"]),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    _text("sink"),
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
    sa.Column("position", _BIG, primary_key=True, autoincrement=False),
    sa.Column("until", sa.BigInteger),  # position of the next revision; null: it stands
    _text("stream"),
    _text("kind"),
    _text("time"),
    _text("partner"),
    _text("item"),
    _text("site"),
    _text("digest"),  # JSON: what supply is reckoned from
    sa.Index("ix_spans_item", "item", "site", "position"),
    sa.Index("ix_spans_partner", "partner", "position"),
)

#: How long each item lasts at its site (see ``crossdock.ledger.outlooks``). Quantities are decimals as text.
outlooks = sa.Table(
    "outlooks",
    metadata,
    _text("item"),
    _text("site"),
    sa.Column("changed", sa.BigInteger, nullable=False),  # how far the feed was when something of it changed last
    sa.Column("holds_until", sa.Date, nullable=False),  # unless something changes
    sa.Column("short_on", sa.Date, nullable=False),  # the last day of all: never
    _text("on_hand", null=True),
    _text("in_transit"),
    _text("demand"),
    _text("unit"),
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
    _text("name"),
    _text("audience"),
    _text("partner"),  # of a supplier
    _text("hash"),
    sa.Column("per_minute", sa.BigInteger, nullable=False),
    _text("made_by"),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
    sa.Column("used_at", Instant),  # about when last
)

states = sa.Table(
    "states",
    metadata,
    _text("scope"),
    _text("key"),
    _text("value"),
    sa.Column("changed_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("scope", "key"),
)

master_versions = sa.Table(
    "master_versions",
    metadata,
    _text("name"),
    sa.Column("version", sa.BigInteger, nullable=False),
    _text("content_sha256"),
    sa.Column("row_count", sa.BigInteger, nullable=False),
    _text("source"),
    _text("actor"),
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
    _id(),
    _text("name"),
    _text("source"),
    _text("actor"),
    sa.Column("rejected_at", Instant, nullable=False),
    _text("reasons"),  # a JSON list of sentences
    sa.Column("payload_id", sa.BigInteger, nullable=True),  # what holds the load
    _text("decision", null=True),  # accepted or discarded, by a person
)

#: What became of batches of events that were held against their expectations.
batch_verdicts = sa.Table(
    "batch_verdicts",
    metadata,
    _id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    sa.Column("part", sa.BigInteger, nullable=False),  # 0; others where a version before 2026-12 judged in parts
    _text("partner"),
    _text("type"),
    _text("suite"),
    _text("suite_version"),
    _text("master_version"),
    _text("fingerprint"),  # of the rows judged
    _text("outcome"),  # passed, warned, parked or stopped
    _count("rows"),
    _count("documents"),
    _count("expectations"),
    _text("parameters"),  # a JSON object of bounds
    _text("missed"),  # a JSON list
    sa.Column("judged_at", Instant, nullable=False),
    _text("referee"),  # agrees, differs or unsure; empty until it has looked
    sa.UniqueConstraint("payload_id", "part", "partner", "type"),
    sa.Index("ix_batch_verdicts_partner", "partner", "type", "judged_at"),
)

#: What the reader said of each functional group and interchange: what an answer is made from.
envelopes = sa.Table(
    "envelopes",
    metadata,
    _id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    _text("kind"),  # group or interchange
    sa.Column("ordinal", sa.BigInteger, nullable=False),  # among the payload's of that kind
    _text("format"),
    _text("partner"),
    _text("sender"),
    _text("receiver"),
    _text("control_number"),
    _text("type"),  # of a group: GS01
    sa.Column("byte_offset", sa.BigInteger),  # of an interchange
    sa.Column("byte_length", sa.BigInteger),
    _text("facts"),  # schemas.documents.GroupEnd or InterchangeEnd, as JSON
    sa.Column("recorded_at", Instant, nullable=False),
    sa.UniqueConstraint("payload_id", "kind", "ordinal"),
    sa.Index("ix_envelopes_control_number", "sender", "receiver", "control_number"),
)

#: Interchanges that were held back for their control number, until somebody decides.
held_interchanges = sa.Table(
    "held_interchanges",
    metadata,
    _id(),
    sa.Column("envelope_id", sa.BigInteger, sa.ForeignKey("envelopes.id"), nullable=False, unique=True),
    _text("code"),  # of the finding that held it back
    _text("status"),  # held, used, dropped
    sa.Column("decided_at", Instant),
    _text("reason"),
)

#: Outbound interchanges, each exactly as it leaves.
transmissions = sa.Table(
    "transmissions",
    metadata,
    _id(),
    _text("partner"),
    _text("kind"),  # 997, 999, TA1, 824
    _text("format"),
    _text("sender"),
    _text("receiver"),
    sa.Column("interchange_number", sa.BigInteger, nullable=False),
    sa.Column("group_number", sa.BigInteger, nullable=False),  # 0 where it has no group
    sa.Column("set_number", sa.BigInteger, nullable=False),
    _text("name"),  # of the file
    sa.Column("content", sa.LargeBinary, nullable=False),
    _text("outlet"),
    _text("status"),  # made, sent
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("answer_by", Instant),  # when the partner should have acknowledged it; null: never
    sa.Column("answered_at", Instant),
    _text("answer"),  # what they said: accepted, accepted_with_errors, partly_accepted, rejected; empty: nothing yet
    _text("answer_detail"),
    sa.UniqueConstraint("partner", "interchange_number"),
    sa.Index("ix_transmissions_status", "status"),
)

#: Answers that partners are promised.
answers = sa.Table(
    "answers",
    metadata,
    _id(),
    sa.Column("envelope_id", sa.BigInteger, sa.ForeignKey("envelopes.id"), nullable=False),
    _text("kind"),
    _text("partner"),
    _text("status"),  # owed, made, refused
    sa.Column("owed_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("status_at", Instant, nullable=False),
    _text("reason"),  # why a referee refused it
    sa.Column("transmission_id", sa.BigInteger, sa.ForeignKey("transmissions.id")),
    sa.UniqueConstraint("envelope_id", "kind"),
    sa.Index("ix_answers_status", "status"),
)

#: Our own control numbers: the last one given, of each partner and kind (interchange, group, set).
control_numbers = sa.Table(
    "control_numbers",
    metadata,
    _text("partner"),
    _text("kind"),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("moved_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("partner", "kind"),
)

#: What partners say of what we sent.
received_answers = sa.Table(
    "received_answers",
    metadata,
    _id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    sa.Column("ordinal", sa.BigInteger, nullable=False),  # of the document, or among the TA1 of the interchange
    _text("partner"),
    _text("kind"),
    sa.Column("number", sa.BigInteger, nullable=False),  # the control number it names
    _text("outcome"),
    _text("detail"),
    sa.Column("transmission_id", sa.BigInteger, sa.ForeignKey("transmissions.id")),  # null: nothing we sent
    sa.Column("recorded_at", Instant, nullable=False),
    sa.UniqueConstraint("payload_id", "kind", "ordinal", "number"),
)

#: Keys of which a document said again what stood: it spoke last, though there is no event of it. A correction of
#: an older document must not overtake it. ``rank`` is the row of that document; a key is eight bytes of its hash.
confirmations = sa.Table(
    "confirmations",
    metadata,
    _id(),
    sa.Column("rank", sa.BigInteger, nullable=False),
    sa.Column("keys", sa.LargeBinary, nullable=False),
)

#: The audit trail: appended to, never changed. Each row's hash covers the row and the hash before it.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", _BIG, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    _text("actor"),  # person, command or DAG run
    _text("action"),
    _text("subject"),
    _text("reason"),
    _text("detail"),  # a JSON object
    _text("previous"),
    _text("hash"),
    sa.Index("ix_audit_subject", "subject"),
    sa.Index("ix_audit_actor", "actor"),
)

#: Partners of whom nothing may be given up, whatever its age.
holds = sa.Table(
    "holds",
    metadata,
    sa.Column("partner", sa.Text, primary_key=True),
    _text("reason"),
    sa.Column("since", Instant, nullable=False),
)
