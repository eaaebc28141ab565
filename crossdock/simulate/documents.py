"""The transaction sets of the demo company's partners: purchase orders, ship notices, receiving advice.

A set is a list of segments with *marks* on what is wrong in it, so that whoever writes it into a
file can say at which segment of the file the wrong thing stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from crossdock.simulate.company import COMPANY, Site, Supplier
from crossdock.simulate.plan import Effect
from crossdock.simulate.trade import OrderLine, Receipt, Shipment, ShippedLine
from crossdock.simulate.x12 import Mark, Segment, TransactionSet

X12_UNITS = {"EA": "EA", "KGM": "KG", "MTR": "MR", "XCT": "CT"}
_CONDITIONS = {"short": "02", "damaged": "01"}  # data element 412


def _local(moment: datetime, zone: str) -> tuple[str, str]:
    """Date and time of day as X12 writes them, in the sender's own zone."""
    local = moment.astimezone(ZoneInfo(zone))
    return local.strftime("%Y%m%d"), local.strftime("%H%M")


def _supplier(supplier: Supplier, qualifier: str) -> Segment:
    return ("N1", qualifier, supplier.name, "92", supplier.number)


def _plant(plant: Site, qualifier: str, *, by_gln: bool = False) -> Segment:
    return ("N1", qualifier, f"{COMPANY} {plant.name}", *(("UL", plant.gln) if by_gln else ("92", plant.code)))


def purchase_orders(lines: Iterable[OrderLine]) -> Iterator[TransactionSet]:
    """An 850 for each order in ``lines`` (consecutive lines of one order), as plant 2's legacy ERP copies them out."""
    for order, group in groupby(lines, key=lambda line: line.order):
        held = list(group)
        first = held[0]
        placed, _ = _local(first.changed_at, first.plant.timezone)
        body: list[Segment] = [
            ("BEG", "00", "SA", order, "", placed),
            ("CUR", "BY", "USD"),
            _plant(first.plant, "BY"),
            _supplier(first.item.supplier, "SU"),
            _plant(first.plant, "ST"),
        ]
        for line in held:
            item = line.item
            ids = ("BP", item.number, "VN", item.theirs)
            body.append(
                ("PO1", str(line.line), f"{line.quantity:f}", X12_UNITS[line.unit], f"{line.price:f}", "PE", *ids)
            )
            body.append(("PID", "F", "", "", "", item.description))
            body.append(("DTM", "002", line.due_on.strftime("%Y%m%d")))
        body.append(("CTT", str(len(held))))
        yield TransactionSet(code="850", body=tuple(body), lines=len(held))


def receiving_advice(receipts: Iterable[Receipt]) -> Iterator[TransactionSet]:
    """An 861 for each receipt."""
    for receipt in receipts:
        shipment = receipt.shipment
        day, clock = _local(receipt.received_at, shipment.plant.timezone)
        body: list[Segment] = [
            ("BRA", receipt.number, day, "00", "1", clock),
            ("REF", "SI", shipment.number),
            ("DTM", "050", day, clock),
            _supplier(shipment.supplier, "SU"),
            _plant(shipment.plant, "ST"),
        ]
        for place, line in enumerate(receipt.lines, start=1):
            order = line.of.of
            unit = X12_UNITS[order.unit]
            doubt = ("", "", "1", unit, _CONDITIONS[line.condition]) if line.condition != "accepted" else ()
            body.append(("RCD", str(place), f"{line.quantity:f}", unit, *doubt))
            body.append(("LIN", str(order.line), "BP", order.item.number, "VN", order.item.theirs))
            body.append(("REF", "LT", line.of.lot))
            body.append(("PRF", order.order, "", "", "", str(order.line)))
        body.append(("CTT", str(len(receipt.lines))))
        yield TransactionSet(code="861", body=tuple(body), lines=len(receipt.lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """How a supplier writes its ship notices.

    ``ours``: names our item number beside its own. ``packs_first``: lists all orders and packages
    before the first item, so that only HL02 says what is in what. ``by_gln``: names sites by GLN.
    Of every ``spoil_every`` lines one, from line ``spoil_from``, is spoilt: an item or a unit nobody knows.
    """

    ours: bool = True
    packs_first: bool = False
    by_gln: bool = False
    spoil: str = "item"  #: item or unit
    spoil_from: int = 20
    spoil_every: int = 400


def ship_notices(shipments: Iterable[Shipment], habit: Habit) -> Iterator[TransactionSet]:
    """An 856 for each shipment, hierarchy shipment, order, package, item (BSN05 0001)."""
    count = 0
    for shipment in shipments:
        yield _ship_notice(shipment, habit, count)
        count += len(shipment.lines)


@dataclass(frozen=True, slots=True)
class _Level:
    """One HL loop: its number, its parent's, its code and the segments after the HL."""

    number: int
    parent: int
    code: str
    segments: tuple[Segment, ...]
    line: ShippedLine | None = None


def _ship_notice(shipment: Shipment, habit: Habit, before: int) -> TransactionSet:
    """``before`` is how many lines this supplier has written already."""
    day, clock = _local(shipment.shipped_at, shipment.supplier.timezone)
    arrival, _ = _local(shipment.arrives_at, shipment.supplier.timezone)
    body: list[Segment] = [
        ("BSN", "00", shipment.number, day, clock, "0001"),
        ("DTM", "011", day, clock),
        ("DTM", "017", arrival),
    ]
    levels = list(_levels(shipment, habit))
    parents = {level.parent for level in levels}
    marks: list[Mark] = []
    for level in levels:
        parent = str(level.parent) if level.parent else ""
        body.append(("HL", str(level.number), parent, level.code, "1" if level.number in parents else "0"))
        segments = level.segments
        if level.line is not None:
            before += 1
            if before >= habit.spoil_from and (before - habit.spoil_from) % habit.spoil_every == 0:
                segments, mark = _spoilt(segments, habit, level=len(body) + 1)
                marks.append(mark)
        body.extend(segments)
    body.append(("CTT", str(len(levels))))
    return TransactionSet(code="856", body=tuple(body), lines=len(shipment.lines), marks=tuple(marks))


def _levels(shipment: Shipment, habit: Habit) -> Iterator[_Level]:
    """The hierarchy in the order it is written; HL numbers follow that order."""
    scac = shipment.supplier.carrier[0]
    number = 1
    head: tuple[Segment, ...] = (
        ("TD5", "", "2", scac, "M"),
        ("REF", "BM", shipment.transport),
        _supplier(shipment.supplier, "SF"),
        _plant(shipment.plant, "ST", by_gln=habit.by_gln),
    )
    yield _Level(1, 0, "S", head)
    items: list[tuple[int, ShippedLine]] = []
    for order, lines in groupby(shipment.lines, key=lambda line: line.of.order):
        number += 1
        above, packed = number, list(lines)
        yield _Level(number, 1, "O", (("PRF", order, "", "", packed[0].of.ordered_on.strftime("%Y%m%d")),))
        for package, inside in groupby(packed, key=lambda line: line.package):
            number += 1
            yield _Level(number, above, "P", (("MAN", "GM", package),))
            items.extend((number, line) for line in inside)
            if not habit.packs_first:
                for parent, line in items:
                    number += 1
                    yield _item_level(number, parent, line, habit)
                items.clear()
    for parent, line in items:
        number += 1
        yield _item_level(number, parent, line, habit)


def _item_level(number: int, parent: int, line: ShippedLine, habit: Habit) -> _Level:
    order = line.of
    ids = ("BP", order.item.number, "VN", order.item.theirs) if habit.ours else ("VN", order.item.theirs)
    unit = X12_UNITS[order.unit]
    segments: tuple[Segment, ...] = (
        ("LIN", str(order.line), *ids),
        ("SN1", str(order.line), f"{line.quantity:f}", unit, "", f"{order.quantity:f}", unit),
        ("PID", "F", "", "", "", order.item.description),
        ("REF", "LT", line.lot),
    )
    return _Level(number, parent, "I", segments, line)


def _spoilt(segments: tuple[Segment, ...], habit: Habit, *, level: int) -> tuple[tuple[Segment, ...], Mark]:
    """``level`` is the number, in its set, of the HL segment before ``segments``."""
    item, shipped, *rest = segments
    if habit.spoil == "item":
        wrong = "P99999" if habit.ours else "NOT-IN-CATALOGUE"
        spoilt = (*item[:3], wrong, *(("VN", "DISCONTINUED") if habit.ours else ()))
        mark = Mark(
            segment=level + 1,
            element="LIN-03",
            location=f"segment {level}",
            name="unknown item in a ship notice line",
            value=wrong,
            code="item.unknown",
            effect=Effect.LINE_PARKED,
            story="no such item in master data",
        )
        return (spoilt, shipped, *rest), mark
    spoilt = (*shipped[:3], "QQ", *shipped[4:])
    mark = Mark(
        segment=level + 2,
        element="SN1-03",
        location=f"segment {level + 2}, SN1-03",
        name="a unit that X12 does not have in a ship notice line",
        value="QQ",
        code="element.code",
        effect=Effect.LINE_PARKED,
        story="it is not in the code list of element 355, and the partner's file does not let it pass",
    )
    return (item, spoilt, *rest), mark
