"""Canonical lines: the columns of each kind, so that every source becomes the same table.

A line is one row of a business document with its header's fields beside it. All fields are text:
quantities and prices are plain decimal strings (``12.5``; no sign but a leading ``-``, no
thousands mark, no exponent), dates ``YYYY-MM-DD``, times ISO 8601 with a zone. That keeps every
digit that was sent; arithmetic happens in ``decimal`` where it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LineKind(StrEnum):
    """The canonical documents."""

    ORDER = "order"
    ORDER_RESPONSE = "order_response"
    FORECAST = "forecast"
    CALL_OFF = "call_off"
    SHIP_NOTICE = "ship_notice"
    RECEIPT = "receipt"
    STOCK = "stock"


class FieldType(StrEnum):
    """How a field's text is to be read and checked."""

    TEXT = "text"
    DECIMAL = "decimal"
    DATE = "date"  #: a calendar day
    TIME = "time"  #: an instant; a day alone is midnight in the partner's zone
    UNIT = "unit"  #: UN/ECE Recommendation 20 once looked up


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a line kind: its name, type, and what it means in a sentence."""

    name: str
    type: FieldType
    doc: str


def _fields(*rows: tuple[str, FieldType, str]) -> dict[str, Field]:
    return {name: Field(name, type_, doc) for name, type_, doc in rows}


_T, _D, _DAY, _TIME, _U = FieldType.TEXT, FieldType.DECIMAL, FieldType.DATE, FieldType.TIME, FieldType.UNIT

COMMON = _fields(
    ("partner", _T, "master-data id of the trading partner the line is about"),
    ("document_number", _T, "the document's own number (BSN02, BEG03, BRA01)"),
    ("document_time", _TIME, "when the partner says the document was made"),
    ("purpose", _T, "original, change, cancel, replace, duplicate or confirm (X12 353, EDIFACT 1225)"),
    ("line", _T, "the line's own number within its document (PO101, HL01, row)"),
    ("item", _T, "our item number, once looked up"),
    ("partner_item", _T, "the partner's item number"),
    ("description", _T, "what the sender calls the item"),
    ("site", _T, "our site id: where the goods are wanted, sent to, or lie"),
    ("partner_site", _T, "the site as the sender wrote it"),
    ("quantity", _D, "the quantity as sent"),
    ("unit", _U, "the unit of that quantity"),
    ("order", _T, "purchase order number"),
    ("order_line", _T, "line of that order"),
    ("lot", _T, "lot or batch"),
    ("serial", _T, "serial number"),
    ("package", _T, "SSCC or other licence plate of the package"),
    ("status", _T, "the line's state in the partner's words"),
    ("note", _T, "free text"),
    ("version_stamp", _T, "what tells two versions of the same line apart (an ERP's changed_at)"),
)

#: A delivery schedule: what is wanted, for when, and how that adds up with what came before.
_SCHEDULE = _fields(
    ("release", _T, "release number of the schedule"),
    ("schedule", _T, "the quantity's own number within the item (a delivery order)"),
    ("commitment", _T, "firm, material, planned or forecast (X12 680, EDIFACT 4017)"),
    ("bucket", _T, "discrete, interval, day, week, ten_days, four_weeks, month, quarter, half_year or year"),
    ("basis", _T, "what the dates are of: delivery or shipment (X12 675)"),
    ("counting", _T, "discrete, or cumulative where each quantity contains those before it (X12 676)"),
    ("horizon_starts_at", _TIME, "the first moment that the schedule speaks of"),
    ("horizon_ends_at", _TIME, "the first moment after all that it speaks of"),
    ("starts_at", _TIME, "start of the window the quantity is for; of a discrete quantity its date"),
    ("ends_at", _TIME, "end of that window: the first moment after it"),
    ("due_at", _TIME, "single date the goods are wanted at the site"),
    ("ship_by", _TIME, "single date the goods must leave"),
    ("cumulative", _D, "cumulative quantity wanted, this one included"),
    ("received_cumulative", _D, "cumulative quantity received, as the buyer counts"),
    ("shipped_cumulative", _D, "cumulative quantity shipped, as the buyer counts"),
    ("fabrication_authorized", _D, "cumulative quantity that may be made at the buyer's risk"),
    ("material_authorized", _D, "cumulative quantity for which material may be bought at the buyer's risk"),
)

KINDS: dict[LineKind, dict[str, Field]] = {
    LineKind.ORDER: COMMON
    | _fields(
        ("schedule", _T, "schedule line within the order line"),
        ("due_at", _TIME, "when the goods are wanted at the site"),
        ("starts_at", _TIME, "where they are wanted within a window: not before"),
        ("ends_at", _TIME, "the first moment after that window; on its own: on or before, whatever day"),
        ("ship_from", _TIME, "the first day on which they may leave"),
        ("ship_by", _TIME, "when the goods must leave; of a window its last day"),
        ("price", _D, "unit price"),
        ("currency", _T, "ISO 4217 code of that price"),
        ("ordered_at", _TIME, "date of the order"),
        ("revision", _T, "which change of the order this is, as the buyer counts (BCH05)"),
    ),
    LineKind.ORDER_RESPONSE: COMMON
    | _fields(
        ("schedule", _T, "schedule line within the order line"),
        ("answer", _T, "accepted, changed, backordered, on_hold, rejected, shipped or delivered (X12 668, 368)"),
        ("due_at", _TIME, "when the supplier promises arrival"),
        ("starts_at", _TIME, "where arrival is promised within a window: not before"),
        ("ends_at", _TIME, "the first moment after that window; on its own: on or before, whatever day"),
        ("ship_from", _TIME, "the first day on which they may leave"),
        ("ship_by", _TIME, "when the supplier promises to ship; of a window its last day"),
        ("price", _D, "confirmed unit price"),
        ("currency", _T, "ISO 4217 code of that price"),
    ),
    LineKind.FORECAST: COMMON | _SCHEDULE,
    LineKind.CALL_OFF: COMMON | _SCHEDULE,
    LineKind.SHIP_NOTICE: COMMON
    | _fields(
        ("shipment", _T, "the sender's shipment number (BSN02, BGM 1004)"),
        ("shipped_at", _TIME, "when the goods left"),
        ("arrives_at", _TIME, "when they are expected"),
        ("carrier", _T, "who carries them (SCAC or name)"),
        ("transport", _T, "bill of lading, pro number or other transport document"),
        ("ordered_quantity", _D, "quantity ordered, as the sender repeats it"),
    ),
    LineKind.RECEIPT: COMMON
    | _fields(
        ("receipt", _T, "the receiver's document number (goods receipt)"),
        ("shipment", _T, "shipment the goods came with"),
        ("received_at", _TIME, "when they were received"),
        ("condition", _T, "accepted, damaged, short, over or rejected"),
    ),
    LineKind.STOCK: COMMON
    | _fields(
        ("counted_at", _TIME, "the moment the quantity was true"),
        ("location", _T, "bin or storage location within the site"),
        ("stock_status", _T, "available, on_hand, allocated, quality, blocked, in_transit, on_order or backordered"),
    ),
}

#: Which field says when the thing happened in business, the first that is filled: an event's ``time``,
#: and the day on which master data must have been valid.
BUSINESS_TIME: dict[LineKind, tuple[str, ...]] = {
    LineKind.ORDER: ("document_time", "ordered_at"),
    LineKind.ORDER_RESPONSE: ("document_time",),
    LineKind.FORECAST: ("document_time",),
    LineKind.CALL_OFF: ("document_time",),
    LineKind.SHIP_NOTICE: ("document_time", "shipped_at"),
    LineKind.RECEIPT: ("received_at", "document_time"),
    LineKind.STOCK: ("counted_at", "document_time"),
}
