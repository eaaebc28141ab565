"""Plant 1's ERP: a SQLite database laid out as an ERP's, with views that the integration reads over ODBC."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from importlib import resources
from itertools import islice
from pathlib import Path

from crossdock.simulate.company import (
    COMPANY,
    COPPERLINE,
    NORTH,
    OURSELVES,
    PLANTS,
    SOUTH,
    SOUTH_PARTNER,
    SUPPLIERS,
    Company,
    Site,
    Supplier,
    gln,
)
from crossdock.simulate.plan import Effect, Expected, Made, Planted, Volume
from crossdock.simulate.trade import OrderLine, Receipt, order_lines, receipts, stock
from schemas.events import Stream

CHANNEL = "erp"
UNITS = {"EA": ("EA", "each"), "KG": ("KGM", "kilogram"), "M": ("MTR", "metre"), "CT": ("XCT", "carton")}
OUR_UNIT = {iso: ours for ours, (iso, _) in UNITS.items()}
_SINCE = "2020-01-01"
_BATCH = 10_000
_UNKNOWN_MATERIAL = "P1O101"

Row = Sequence[object]


def write_erp(path: Path, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    """Write the database to ``path``; says what each query will find."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(resources.files(__package__).joinpath("erp.sql").read_text(encoding="utf-8"))
        connection.execute("BEGIN")
        _write_master(connection, company)
        yield from _write_orders(connection, company, volume)
        yield from _write_receipts(connection, company, volume)
        yield from _write_stock(connection, company, volume)
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = DELETE")


def _insert(connection: sqlite3.Connection, table: str, rows: Iterator[Row], *, again: str = "ABORT") -> int:
    """Insert ``rows`` a batch at a time; returns how many. ``again``: what to do where the key is there already."""
    count = 0
    while batch := list(islice(rows, _BATCH)):
        marks = ", ".join("?" * len(batch[0]))
        connection.executemany(f"INSERT OR {again} INTO {table} VALUES ({marks})", batch)  # noqa: S608  tables named here
        count += len(batch)
    return count


def _write_master(connection: sqlite3.Connection, company: Company) -> None:
    insert: Callable[[str, Iterator[Row]], int] = lambda table, rows: _insert(connection, table, rows)  # noqa: E731
    yards = [(supplier.number, supplier.yard) for supplier in SUPPLIERS if supplier.yard]
    insert("company_code", iter([("10", COMPANY)]))
    insert("plant", ((p.code, "10", f"{COMPANY}, {p.name}", p.site, p.country, p.timezone, p.gln) for p in PLANTS))
    insert("storage_location", ((p.code, f"A{bay:02d}") for p in PLANTS for bay in range(1, 41)))
    insert("business_partner", (_vendor(supplier) for supplier in SUPPLIERS))
    insert("business_partner", (_ourselves(*one) for one in ((OURSELVES, NORTH, 9001), (SOUTH_PARTNER, SOUTH, 9002))))
    insert("plant_alias", ((COPPERLINE.number, f"{p.name} works", p.code) for p in PLANTS))
    insert(
        "business_partner_site",
        ((number, y.site, y.code, y.name, y.country, y.timezone, y.gln) for number, y in yards),
    )
    insert("unit_of_measure", ((unit, iso, name) for unit, (iso, name) in UNITS.items()))
    insert(
        "business_partner_unit",
        ((s.number, theirs, OUR_UNIT[iso]) for s in SUPPLIERS for iso, theirs in s.units.items()),
    )
    insert("material", ((i.number, i.description, OUR_UNIT[i.base_unit], 0, _SINCE) for i in company.items))
    insert("material_unit", ((i.number, "CT", str(i.carton)) for i in company.items if i.carton))
    insert(
        "purchasing_info",
        ((i.supplier.number, i.number, i.theirs, str(i.price), "GBP", _SINCE) for i in company.items),
    )


def _vendor(supplier: Supplier) -> Row:
    """``search_term`` is the short name people type; the integration uses it as the partner's id."""
    duns = f"00000{supplier.key}"
    who = (supplier.number, "vendor", supplier.partner, supplier.name, supplier.country)
    return (*who, duns, gln(supplier.key), _SINCE)


def _ourselves(partner: str, plant: Site, key: int) -> Row:
    number, duns = f"90{key}", f"00000{key}"
    return (number, "own company", partner, f"{COMPANY}, {plant.name}", plant.country, duns, gln(key), _SINCE)


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _write_orders(connection: sqlite3.Connection, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    """Three tables from one pass; an order's header and items are written with its first schedule line."""
    spoilt: list[OrderLine] = []
    lines = _mistyped(order_lines(company, NORTH, volume.north_orders), volume.north_orders // 2, spoilt)
    count = 0
    while batch := list(islice(lines, _BATCH)):
        headers = {line.order: _po_header(line) for line, _ in batch}
        items = {(line.order, line.line): _po_item(line, material) for line, material in batch}
        _insert(connection, "po_header", iter(headers.values()), again="IGNORE")
        _insert(connection, "po_item", iter(items.values()), again="IGNORE")
        count += _insert(connection, "po_schedule", (_po_schedule(line) for line, _ in batch))
    yield Planted(
        name="order line for a material that does not exist",
        channel=CHANNEL,
        file="purchase_orders",
        place=f"order {spoilt[0].order}, line {spoilt[0].line}",
        value=_UNKNOWN_MATERIAL,
        payload="purchase_orders",
        findings=tuple(
            Expected(code="item.unknown", location=_row_of(connection, line), value=_UNKNOWN_MATERIAL)
            for line in spoilt
        ),
        count=len(spoilt),
        effect=Effect.LINE_PARKED,
        story="a buyer mistyped the material; the order line waits, the rest of the pull goes on",
    )
    yield Made(
        channel=CHANNEL,
        file="purchase_orders",
        type="rows.purchase_orders",
        documents=1,
        lines=count,
        events={Stream.DEMAND: count - len(spoilt)},
    )


def _row_of(connection: sqlite3.Connection, line: OrderLine) -> str:
    """The place of ``line`` in the whole pull, which is ordered by change and key (connectors/channels/erp.yaml)."""
    [before] = connection.execute(
        "SELECT count(*) FROM po_schedule WHERE (changed_at, po, item, schedule) < (?, ?, ?, ?)",
        (_time(line.changed_at), line.order, line.line, line.schedule),
    ).fetchone()
    return f"row {before + 1}"


def _mistyped(lines: Iterator[OrderLine], after: int, spoilt: list[OrderLine]) -> Iterator[tuple[OrderLine, str]]:
    """Each line with the material written on it: the first whole order line past ``after`` gets a wrong one."""
    for number, line in enumerate(lines, start=1):
        hit = spoilt and (line.order, line.line) == (spoilt[0].order, spoilt[0].line)
        if hit or (not spoilt and number > after and line.schedule == 1):
            spoilt.append(line)
            yield line, _UNKNOWN_MATERIAL
        else:
            yield line, line.item.number


def _po_header(line: OrderLine) -> Row:
    return (line.order, "10", line.item.supplier.number, "GBP", line.ordered_on.isoformat())


def _po_item(line: OrderLine, material: str) -> Row:
    item = line.item
    what = (line.order, line.line, material, item.description, item.theirs)
    return (*what, line.plant.code, OUR_UNIT[line.unit], str(line.price))


def _po_schedule(line: OrderLine) -> Row:
    revision, flag = int(line.status != "open"), "L" if line.status == "cancelled" else ""
    when = line.due_on.isoformat()
    return (line.order, line.line, line.schedule, str(line.quantity), when, revision, flag, _time(line.changed_at))


def _write_receipts(connection: sqlite3.Connection, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    count = 0
    every = receipts(company, NORTH, volume.north_orders)
    while batch := list(islice(every, _BATCH)):
        _insert(connection, "goods_receipt", map(_receipt, batch))
        count += _insert(connection, "goods_receipt_item", (row for one in batch for row in _receipt_items(one)))
    yield Made(
        channel=CHANNEL,
        file="receipts",
        type="rows.receipts",
        documents=1,
        lines=count,
        events={Stream.INVENTORY: count},
    )


def _receipt(receipt: Receipt) -> Row:
    posted_at = receipt.received_at + timedelta(minutes=35)
    shipment = receipt.shipment
    return (receipt.number, shipment.supplier.number, shipment.number, _time(receipt.received_at), _time(posted_at))


def _receipt_items(receipt: Receipt) -> Iterator[Row]:
    for place, line in enumerate(receipt.lines, start=1):
        order = line.of.of
        what = (receipt.number, place, order.order, order.line, order.item.number, order.plant.code)
        yield (*what, str(line.quantity), OUR_UNIT[order.unit], line.of.lot, line.condition)


def _write_stock(connection: sqlite3.Connection, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    balances = stock(company, NORTH, volume.north_stock)
    count = _insert(
        connection,
        "stock_balance",
        (
            (
                b.site.code,
                b.location,
                b.item.number,
                b.lot,
                str(b.quantity),
                OUR_UNIT[b.item.base_unit],
                b.status,
                _time(b.counted_at),
            )
            for b in balances
        ),
    )
    yield Made(
        channel=CHANNEL,
        file="stock",
        type="rows.stock",
        documents=1,
        lines=count,
        events={Stream.INVENTORY: count},
    )
