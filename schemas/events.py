"""Events: the facts Crossdock publishes, as CloudEvents 1.0 in three streams.

These models are the contract. The JSON Schemas in ``schemas/events/`` and the AsyncAPI document
are generated from them (``make schemas``) and checked in; every event is validated against them
before it leaves. Quantities and prices are decimal strings, units UN/ECE Recommendation 20 codes,
times ISO 8601 with a zone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType


class Stream(StrEnum):
    """The three streams."""

    DEMAND = "demand"
    SHIPMENT = "shipment"
    INVENTORY = "inventory"

    @property
    def type(self) -> str:
        """The CloudEvents ``type``, version included."""
        return f"crossdock.{self.value}.v1"


class DemandKind(StrEnum):
    ORDERED = "ordered"
    CHANGED = "changed"
    CANCELLED = "cancelled"
    CONFIRMED = "confirmed"
    FORECAST = "forecast"
    CALLED_OFF = "called_off"


class ShipmentKind(StrEnum):
    NOTIFIED = "notified"
    DEPARTED = "departed"
    ARRIVED = "arrived"
    DISCREPANCY = "discrepancy"
    CANCELLED = "cancelled"


class InventoryKind(StrEnum):
    RECEIVED = "received"
    ON_HAND = "on_hand"
    ISSUED = "issued"
    ADJUSTED = "adjusted"
    CANCELLED = "cancelled"  #: what was said of it is taken back


DECIMAL_PATTERN = r"^-?[0-9]+(\.[0-9]+)?$"
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
UNIT_PATTERN = r"^[A-Z0-9]{2,3}$"

Decimal = Annotated[str, Meta(pattern=DECIMAL_PATTERN, description="a decimal number as a string, every digit kept")]
Time = Annotated[str, Meta(pattern=TIME_PATTERN, description="an instant, ISO 8601 with a zone")]
Unit = Annotated[str, Meta(pattern=UNIT_PATTERN, description="UN/ECE Recommendation 20 code")]
Id = Annotated[str, Meta(min_length=1)]


class Lineage(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the fact came from, down to the byte."""

    payload: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", description="SHA-256 of the bytes as received")]
    document: Id
    location: Annotated[str, Meta(description="the place in the payload, for people: segment 41; Stock!A17")]
    mapping: Id
    mapping_version: Id
    offset: int | UnsetType = UNSET
    length: int | UnsetType = UNSET


class References(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Numbers by which the partners speak of the thing; a field is absent where none was sent."""

    document: str | UnsetType = UNSET
    order: str | UnsetType = UNSET
    order_line: str | UnsetType = UNSET
    schedule: str | UnsetType = UNSET
    release: str | UnsetType = UNSET
    shipment: str | UnsetType = UNSET
    line: str | UnsetType = UNSET
    transport: str | UnsetType = UNSET
    package: str | UnsetType = UNSET
    lot: str | UnsetType = UNSET
    serial: str | UnsetType = UNSET
    receipt: str | UnsetType = UNSET


class EventData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What all events say. ``quantity`` and ``unit`` are as sent; the base pair is converted to the item's own unit."""

    partner: Id
    item: Annotated[str, Meta(min_length=1, description="our item number")]
    site: Annotated[str, Meta(min_length=1, description="our site id")]
    quantity: Decimal
    unit: Unit
    base_quantity: Decimal
    base_unit: Unit
    references: References
    lineage: Lineage
    partner_item: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    note: str | UnsetType = UNSET


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field that is not what it was; ``before`` or ``after`` is absent where nothing stood there."""

    field: str
    before: str | UnsetType = UNSET
    after: str | UnsetType = UNSET


class DemandData(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """An order, its change, its confirmation, a forecast or a call-off.

    ``due_at`` is a day; ``starts_at`` is in a window, ``ends_at`` is the first moment after it. ``ends_at`` without
    ``starts_at`` is "on or before", ``starts_at`` without ``ends_at`` "not before". The goods leave on ``ship_by`` at
    the latest, and not before ``ship_from``.
    Cumulative quantities are in ``unit``. ``changes`` says of a changed order what is not as in the revision before,
    where that one is known.
    """

    kind: DemandKind
    changes: list[Change] | UnsetType = UNSET
    due_at: Time | UnsetType = UNSET
    ship_by: Time | UnsetType = UNSET
    ship_from: Time | UnsetType = UNSET
    starts_at: Time | UnsetType = UNSET
    ends_at: Time | UnsetType = UNSET
    commitment: str | UnsetType = UNSET
    basis: str | UnsetType = UNSET
    cumulative: Decimal | UnsetType = UNSET
    received_cumulative: Decimal | UnsetType = UNSET
    shipped_cumulative: Decimal | UnsetType = UNSET
    fabrication_authorized: Decimal | UnsetType = UNSET
    material_authorized: Decimal | UnsetType = UNSET
    price: Decimal | UnsetType = UNSET
    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] | UnsetType = UNSET


class ShipmentData(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """Goods on their way, or what became of them."""

    kind: ShipmentKind
    shipped_at: Time | UnsetType = UNSET
    arrives_at: Time | UnsetType = UNSET
    carrier: str | UnsetType = UNSET
    ordered_quantity: Decimal | UnsetType = UNSET


class InventoryData(EventData, frozen=True, kw_only=True, omit_defaults=True):
    """Goods that lie somewhere, came in, went out or were counted anew."""

    kind: InventoryKind
    counted_at: Time | UnsetType = UNSET
    received_at: Time | UnsetType = UNSET
    location: str | UnsetType = UNSET
    stock_status: str | UnsetType = UNSET
    condition: str | UnsetType = UNSET


DATA_OF: dict[Stream, type[EventData]] = {
    Stream.DEMAND: DemandData,
    Stream.SHIPMENT: ShipmentData,
    Stream.INVENTORY: InventoryData,
}


class CloudEvent(Struct, frozen=True, kw_only=True):
    """The envelope around ``data`` (CloudEvents 1.0 JSON format, structured mode).

    ``id`` never changes for the same fact, whatever is retried, resent or replayed. ``subject`` is
    the business key; ``sequence`` counts the revisions of that key from 1, and the highest one
    stands. ``partitionkey`` is what order is kept by. ``correlationid`` is the document.
    """

    id: Id
    source: Id
    type: Id
    subject: Id
    time: Time
    recordedtime: Time
    partitionkey: Id
    sequence: Annotated[int, Meta(ge=1)]
    correlationid: Id
    data: msgspec.Raw
    specversion: str = "1.0"
    datacontenttype: str = "application/json"
    dataschema: str = ""


#: Columns of the table of events that mappings.normalise makes and the ledger stores, all text but ``line``.
#: ``id`` (32 hex digits): 8 of the identity of the document it came from, then 24 of the digest of its subject and
#: content; ``fingerprint`` (16 hex digits) is of that digest alone, lineage left out, so that a revision that says
#: nothing new is known. ``line`` (Int64) is the line's ordinal in its document; ``data`` is the JSON text of the
#: stream's data model, or what is its own of that where the table has a column ``frame`` (see ``mappings.frames``).
EVENT_COLUMNS = (
    "id",
    "fingerprint",
    "stream",
    "kind",
    "subject",
    "time",
    "partner",
    "item",
    "site",
    "line",
    "data",
)
