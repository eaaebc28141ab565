"""The tables of envelopes and answers: what is owed to partners, what was sent to them, what they say of it."""

from __future__ import annotations

import sqlalchemy as sa

from crossdock.ledger.columns import Instant, metadata, row_id, text

#: What the reader said of each functional group and interchange: what an answer is made from.
envelopes = sa.Table(
    "envelopes",
    metadata,
    row_id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    text("kind"),  # group or interchange
    sa.Column("ordinal", sa.BigInteger, nullable=False),  # among the payload's of that kind
    text("format"),
    text("partner"),
    text("sender"),
    text("receiver"),
    text("control_number"),
    text("type"),  # of a group: GS01
    sa.Column("byte_offset", sa.BigInteger),  # of an interchange
    sa.Column("byte_length", sa.BigInteger),
    text("facts"),  # schemas.documents.GroupEnd or InterchangeEnd, as JSON
    sa.Column("recorded_at", Instant, nullable=False),
    sa.UniqueConstraint("payload_id", "kind", "ordinal"),
    sa.Index("ix_envelopes_control_number", "sender", "receiver", "control_number"),
)

#: Interchanges that were held back for their control number, until somebody decides.
held_interchanges = sa.Table(
    "held_interchanges",
    metadata,
    row_id(),
    sa.Column("envelope_id", sa.BigInteger, sa.ForeignKey("envelopes.id"), nullable=False, unique=True),
    text("code"),  # of the finding that held it back
    text("status"),  # held, used, dropped
    sa.Column("decided_at", Instant),
    text("reason"),
)

#: Outbound interchanges, each exactly as it leaves.
transmissions = sa.Table(
    "transmissions",
    metadata,
    row_id(),
    text("partner"),
    text("kind"),  # 997, 999, TA1, 824
    text("format"),
    text("sender"),
    text("receiver"),
    sa.Column("interchange_number", sa.BigInteger, nullable=False),
    sa.Column("group_number", sa.BigInteger, nullable=False),  # 0 where it has no group
    sa.Column("set_number", sa.BigInteger, nullable=False),
    text("name"),  # of the file
    sa.Column("content", sa.LargeBinary, nullable=False),
    text("outlet"),
    text("status"),  # made, sent
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("sent_at", Instant),
    sa.Column("answer_by", Instant),  # when the partner should have acknowledged it; null: never
    sa.Column("answered_at", Instant),
    text("answer"),  # what they said: accepted, accepted_with_errors, partly_accepted, rejected; empty: nothing yet
    text("answer_detail"),
    sa.UniqueConstraint("partner", "interchange_number"),
    sa.Index("ix_transmissions_status", "status"),
)

#: Answers that partners are promised.
answers = sa.Table(
    "answers",
    metadata,
    row_id(),
    sa.Column("envelope_id", sa.BigInteger, sa.ForeignKey("envelopes.id"), nullable=False),
    text("kind"),
    text("partner"),
    text("status"),  # owed, made, refused
    sa.Column("owed_at", Instant, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("status_at", Instant, nullable=False),
    text("reason"),  # why a referee refused it
    sa.Column("transmission_id", sa.BigInteger, sa.ForeignKey("transmissions.id")),
    sa.UniqueConstraint("envelope_id", "kind"),
    sa.Index("ix_answers_status", "status"),
)

#: Our own control numbers: the last one given, of each partner and kind (interchange, group, set).
control_numbers = sa.Table(
    "control_numbers",
    metadata,
    text("partner"),
    text("kind"),
    sa.Column("last", sa.BigInteger, nullable=False),
    sa.Column("moved_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("partner", "kind"),
)

#: What partners say of what we sent.
received_answers = sa.Table(
    "received_answers",
    metadata,
    row_id(),
    sa.Column("payload_id", sa.BigInteger, sa.ForeignKey("payloads.id"), nullable=False),
    sa.Column("ordinal", sa.BigInteger, nullable=False),  # of the document, or among the TA1 of the interchange
    text("partner"),
    text("kind"),
    sa.Column("number", sa.BigInteger, nullable=False),  # the control number it names
    text("outcome"),
    text("detail"),
    sa.Column("transmission_id", sa.BigInteger, sa.ForeignKey("transmissions.id")),  # null: nothing we sent
    sa.Column("recorded_at", Instant, nullable=False),
    sa.UniqueConstraint("payload_id", "kind", "ordinal", "number"),
)
