"""What the demo company orders, is sent, receives and has on stock, as streams.

Each function is a generator that depends on nothing but the company and its arguments: two passes
give the same lines, so that an order, the ship notice for it and its receipt can be written by
three writers, in three files, in memory that does not grow with the number of lines.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from crossdock.simulate.company import FIRST_ORDER, NORTH, SUPPLIERS, TODAY, Company, Item, Site, Supplier, sscc

_SPAN = (TODAY - FIRST_ORDER).days


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """One schedule line of a purchase order, as it stands now."""

    order: str
    line: int
    schedule: int
    plant: Site
    item: Item
    quantity: Decimal
    unit: str
    ordered_on: date
    due_on: date
    status: str  #: open, changed or cancelled
    changed_at: datetime

    @property
    def price(self) -> Decimal:
        """Price of one ordered unit."""
        return self.item.price * (self.item.carton or 1) if self.unit == "XCT" else self.item.price


@dataclass(frozen=True, slots=True, kw_only=True)
class ShippedLine:
    """What one package holds of one order line."""

    of: OrderLine
    quantity: Decimal
    package: str
    lot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """One truck from one supplier to one plant."""

    number: str
    supplier: Supplier
    plant: Site
    shipped_at: datetime
    arrives_at: datetime
    transport: str
    lines: tuple[ShippedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedLine:
    """What the plant took in of a shipped line. ``condition``: accepted, short or damaged."""

    of: ShippedLine
    quantity: Decimal
    condition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A goods receipt: one arrived shipment."""

    number: str
    shipment: Shipment
    received_at: datetime
    lines: tuple[ReceivedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLine:
    """How much of an item lies somewhere at a moment. ``status``: available, quality or blocked."""

    site: Site
    location: str
    item: Item
    lot: str
    quantity: Decimal
    status: str
    counted_at: datetime


def order_lines(company: Company, plant: Site, lines: int) -> Iterator[OrderLine]:
    """``lines`` schedule lines in the order they were placed, spread over the quarter."""
    chance = company.chance(f"orders:{plant.code}")
    suppliers = [items[0].supplier for items in company.items_of.values()]
    shares = [supplier.share for supplier in suppliers]
    made = number = 0
    while made < lines:
        number += 1
        [supplier] = chance.choices(suppliers, shares)
        ordered_on = FIRST_ORDER + timedelta(days=_SPAN * made // lines)
        items = chance.sample(company.items_of[supplier.partner], chance.randint(1, 6))
        order = f"45{number:08d}" if plant is NORTH else f"GH{number:07d}"
        for place, item in enumerate(items, start=1):
            for line in _schedules(chance, item, plant=plant, order=order, line=place * 10, ordered_on=ordered_on):
                if made < lines:
                    made += 1
                    yield line


def _schedules(
    chance: random.Random, item: Item, *, plant: Site, order: str, line: int, ordered_on: date
) -> Iterator[OrderLine]:
    """One schedule line, now and then two; plant 2's old system knows only one."""
    unit = "XCT" if item.carton and chance.random() < 0.4 else item.base_unit
    for schedule in range(1, 3 if plant is NORTH and chance.random() < 0.15 else 2):
        status = chance.choices(("open", "changed", "cancelled"), (90, 6, 4))[0] if plant is NORTH else "open"
        placed = _at(ordered_on, chance.randrange(7 * 3600, 17 * 3600))
        yield OrderLine(
            order=order,
            line=line,
            schedule=schedule,
            plant=plant,
            item=item,
            quantity=_quantity(chance, unit),
            unit=unit,
            ordered_on=ordered_on,
            due_on=ordered_on + timedelta(days=chance.randint(14, 45) + 14 * (schedule - 1)),
            status=status,
            changed_at=placed if status == "open" else placed + timedelta(hours=chance.randint(20, 200)),
        )


def _quantity(chance: random.Random, unit: str) -> Decimal:
    if unit in ("KGM", "MTR"):
        return Decimal(chance.randint(20, 8000)) / 8
    return Decimal(chance.randint(1, 40) if unit == "XCT" else chance.randint(2, 400))


def _at(day: date, second: int) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC) + timedelta(seconds=second)


def shipments(company: Company, plant: Site, lines: int, suppliers: Sequence[Supplier]) -> Iterator[Shipment]:
    """The shipments by which ``suppliers`` have served ``plant``'s ``lines`` order lines so far.

    One supplier's shipments come oldest first, and are the same whoever else is asked for.
    """
    ramps = {supplier.partner: _Ramp.of(company, supplier, plant) for supplier in suppliers}
    for line in order_lines(company, plant, lines):
        if (ramp := ramps.get(line.item.supplier.partner)) is not None:
            yield from ramp.take(line)
    for ramp in ramps.values():
        if ramp.waiting:
            yield ramp.load(TODAY)


@dataclass(slots=True)
class _Ramp:
    """Where one supplier's lines wait until a truck is full."""

    supplier: Supplier
    plant: Site
    chance: random.Random
    size: int
    number: int = 0
    waiting: list[OrderLine] = field(default_factory=list)

    @classmethod
    def of(cls, company: Company, supplier: Supplier, plant: Site) -> _Ramp:
        chance = company.chance(f"shipments:{supplier.partner}:{plant.code}")
        return cls(supplier, plant, chance, chance.randint(2, 8))

    def take(self, line: OrderLine) -> Iterator[Shipment]:
        leaves = line.ordered_on + timedelta(days=self.chance.randint(3, 9))
        if line.status == "cancelled" or leaves > TODAY:
            return
        self.waiting.append(line)
        if len(self.waiting) == self.size:
            yield self.load(leaves)

    def load(self, leaves: date) -> Shipment:
        self.number += 1
        lines, self.waiting = self.waiting, []
        shipment = _shipment(
            self.chance, supplier=self.supplier, plant=self.plant, number=self.number, leaves=leaves, lines=lines
        )
        self.size = self.chance.randint(2, 8)
        return shipment


def _shipment(
    chance: random.Random, *, supplier: Supplier, plant: Site, number: int, leaves: date, lines: list[OrderLine]
) -> Shipment:
    """``number`` counts this supplier's shipments to this plant; packages are counted from it."""
    shipped_at = _at(leaves, chance.randrange(8 * 3600, 18 * 3600) // 60 * 60)
    packed: list[ShippedLine] = []
    package = ""
    for place, line in enumerate(sorted(lines, key=lambda line: (line.order, line.line, line.schedule))):
        apart = not packed or packed[-1].of.order != line.order or chance.random() < 0.6
        if apart:
            package = sscc(supplier.key, int(plant.code[0]) * 100_000_000 + number * 10 + place)
        lot = f"L{shipped_at:%y%j}{chance.randrange(1000):03d}"
        packed.append(ShippedLine(of=line, quantity=line.quantity, package=package, lot=lot))
    return Shipment(
        number=f"{supplier.partner[:2]}{plant.code[0]}{number:07d}",
        supplier=supplier,
        plant=plant,
        shipped_at=shipped_at,
        arrives_at=_at(leaves + timedelta(days=chance.randint(2, 12)), 12 * 3600),
        transport=f"{chance.randrange(10**8):08d}",
        lines=tuple(packed),
    )


def receipts(company: Company, plant: Site, lines: int) -> Iterator[Receipt]:
    """A receipt for each shipment, of any supplier, that has arrived; most complete, some short or damaged."""
    chance = company.chance(f"receipts:{plant.code}")
    for shipment in shipments(company, plant, lines, SUPPLIERS):
        received_at = shipment.arrives_at + timedelta(minutes=chance.randint(-300, 600))
        taken = tuple(_received(chance, line) for line in shipment.lines)
        if received_at.date() <= TODAY:
            number = f"{plant.code}{shipment.supplier.number[-2:]}{shipment.number[3:]}"
            yield Receipt(number=number, shipment=shipment, received_at=received_at, lines=taken)


def _received(chance: random.Random, line: ShippedLine) -> ReceivedLine:
    [condition] = chance.choices(("accepted", "short", "damaged"), (94, 4, 2))
    short = condition == "short" and line.quantity > 1
    return ReceivedLine(
        of=line,
        quantity=line.quantity - 1 if short else line.quantity,
        condition="accepted" if condition == "short" and not short else condition,
    )


def stock(company: Company, plant: Site, lines: int) -> Iterator[StockLine]:
    """``lines`` balances of ``plant`` on the evening of the demo's day: every item in turn, by bin and lot."""
    chance = company.chance(f"stock:{plant.code}")
    counted_at = _at(TODAY, 17 * 3600)
    for number in range(lines):
        place, round_ = number % len(company.items), number // len(company.items)
        yield _stock_line(chance, company.items[place], plant, f"A{place % 40 + 1:02d}-{round_ + 1:03d}", counted_at)


def supplier_stock(company: Company, supplier: Supplier, lines: int) -> Iterator[tuple[date, tuple[StockLine, ...]]]:
    """The supplier's daily stock lists, newest last, ``lines`` rows in all: the day and its rows."""
    assert supplier.yard is not None, f"{supplier.partner} reports no stock"
    chance = company.chance(f"stock:{supplier.partner}")
    items = company.items_of[supplier.partner]
    rows = 2 * len(items)
    days = -(-lines // rows)
    for number in range(days):
        day = TODAY - timedelta(days=days - 1 - number)
        counted_at = _at(day, 6 * 3600)
        count = min(rows, lines - number * rows)
        yield (
            day,
            tuple(
                _stock_line(chance, items[row // 2], supplier.yard, f"{'AB'[row % 2]}{row // 2 % 30 + 1}", counted_at)
                for row in range(count)
            ),
        )


def _stock_line(chance: random.Random, item: Item, site: Site, location: str, counted_at: datetime) -> StockLine:
    return StockLine(
        site=site,
        location=location,
        item=item,
        lot=f"L26{chance.randint(1, 89):03d}{chance.randrange(1000):03d}",
        quantity=_quantity(chance, item.base_unit) * chance.randint(1, 9),
        status=chance.choices(("available", "quality", "blocked"), (90, 7, 3))[0],
        counted_at=counted_at,
    )
