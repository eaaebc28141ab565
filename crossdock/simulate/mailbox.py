"""The mailbox: suppliers who send the sheet they already have, and one mail from nobody we know."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo

from crossdock.simulate.company import COPPERLINE, DREHWERK, EASTERBY, FENWICK, PLANTS, Company, Supplier
from crossdock.simulate.plan import Effect, Expected, Made, Planted, Volume
from crossdock.simulate.sheets import Sheet, Value, semicolon_text, workbook_bytes
from crossdock.simulate.trade import Shipment, ShippedLine, StockLine, shipments, supplier_stock
from schemas.events import Stream

CHANNEL = "mailbox"
ADDRESS = "supply@ravensmoor.example"
STRANGER = "sales.desk@quickmail.example"
_XLSX = ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet")
#: A picture of one pixel, such as signatures carry.
_LOGO = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002014c003b")
_MAX_ROWS = 200  # in one workbook

SHIP_NOTICE_HEADER = (
    "Despatch",
    "Your PO",
    "PO item",
    "Part no.",
    "Description",
    "Qty sent",
    "UoM",
    "Despatched",
    "Arriving",
    "Haulier",
    "Batch",
    "Deliver to",
)
GERMAN_STOCK_HEADER = (
    "Artikel-Nr.",
    "Bezeichnung",
    "Lagerort",
    "Lagerplatz",
    "Charge",
    "Menge verfügbar",
    "Einheit",
    "Status",
    "Stand",
)
ENGLISH_STOCK_HEADER = ("Bearing", "Description", "Depot", "Bin", "Lot", "On the shelf", "Each/ctn", "State", "As at")
GERMAN_STATUS = {"available": "frei", "quality": "In Prüfung", "blocked": "gesperrt"}
_UNKNOWN_PART, _BAD_QUANTITY = "CLM0999Z", "approx. 40"


def write_mailbox(folder: Path, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    """Fill a Maildir; says what each mail's attachment holds."""
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    new = folder / "new"
    yield from _write_ship_notices(new, company, volume)
    yield from _write_german_stock(new, company, volume)
    yield from _write_english_stock(new, company, volume)
    yield from _write_stranger(new, company, volume)


def _write_ship_notices(folder: Path, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    every = chain.from_iterable(
        shipments(company, plant, lines, (COPPERLINE,))
        for plant, lines in zip(PLANTS, (volume.north_orders, volume.south_orders), strict=True)
    )
    size = max(18, min(_MAX_ROWS, volume.north_orders // 30))
    for number, held in enumerate(_in_sheets(every, size), start=1):
        rows = [list(_despatch_row(shipment, line)) for shipment, line in held]
        name = f"despatch-{number:03d}.xlsx"
        planted: list[Planted] = []
        sent_at = held[-1][0].shipped_at + timedelta(minutes=50)
        file = _file(COPPERLINE, number, sent_at)
        if number == 1:
            planted = _spoil(rows, file=file, name=name)
        sheet = _despatch_sheet(rows, sent_at)
        subject = f"Despatch advice {number:03d}"
        _write_mail(folder / file, COPPERLINE.email, subject, sent_at, (name, workbook_bytes(sheet), _XLSX))
        yield from planted
        yield Made(
            channel=CHANNEL,
            file=_path(file),
            type="workbook.ship_notice",
            documents=1,
            lines=len(rows),
            events={Stream.SHIPMENT: len(rows) - len(planted)},
        )


def _in_sheets(every: Iterator[Shipment], size: int) -> Iterator[list[tuple[Shipment, ShippedLine]]]:
    """Whole shipments until a sheet has ``size`` rows."""
    held: list[tuple[Shipment, ShippedLine]] = []
    for shipment in every:
        if len(held) >= size:
            yield held
            held = []
        held.extend((shipment, line) for line in shipment.lines)
    if held:
        yield held


def _despatch_row(shipment: Shipment, line: ShippedLine) -> Iterator[Value]:
    order, zone = line.of, ZoneInfo(COPPERLINE.timezone)
    yield shipment.number
    yield order.order
    yield order.line
    yield order.item.theirs
    yield order.item.description
    yield _number(line.quantity)
    yield COPPERLINE.units[order.unit]
    for moment in (shipment.shipped_at, shipment.arrives_at):
        yield datetime.combine(moment.astimezone(zone).date(), time())
    yield COPPERLINE.carrier[1]
    yield line.lot
    yield f"{shipment.plant.name} works"


def _number(quantity: Decimal) -> int | float:
    """As a spreadsheet holds it; the demo's quantities are eighths, which binary numbers hold exactly."""
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)


def _despatch_sheet(rows: Sequence[Sequence[Value]], made_at: datetime) -> Sheet:
    total = sum(row[5] for row in rows if isinstance(row[5], int | float))
    return Sheet(
        name="Despatch",
        title=f"Copperline Motors Ltd. - goods despatched, {made_at:%d %B %Y}",
        header=SHIP_NOTICE_HEADER,
        rows=rows,
        total=("Total", None, None, None, None, total),
        made_at=made_at,
    )


def _spoil(rows: list[list[Value]], *, file: str, name: str) -> list[Planted]:
    """Put an unknown part into D17 and a quantity no machine reads into F9 (data begins in row 4)."""
    rows[13][3] = _UNKNOWN_PART
    rows[5][5] = _BAD_QUANTITY
    return [
        Planted(
            name="unknown supplier item in a workbook",
            channel=CHANNEL,
            file=_path(file),
            payload=name,
            place="Despatch!D17",
            value=_UNKNOWN_PART,
            findings=(Expected(code="item.unknown", location="Despatch!D17", value=_UNKNOWN_PART),),
            effect=Effect.LINE_PARKED,
            story="Copperline's part has no cross-reference yet",
        ),
        Planted(
            name="words where a quantity belongs",
            channel=CHANNEL,
            file=_path(file),
            payload=name,
            place="Despatch!F9",
            value=_BAD_QUANTITY,
            findings=(Expected(code="value.unreadable", location="Despatch!F9", value=_BAD_QUANTITY),),
            effect=Effect.LINE_PARKED,
            story="nobody should guess how many",
        ),
    ]


def _write_german_stock(folder: Path, company: Company, volume: Volume) -> Iterator[Made]:
    for number, (day, lines) in enumerate(supplier_stock(company, DREHWERK, volume.supplier_stock), start=1):
        text = semicolon_text(GERMAN_STOCK_HEADER, map(_german_row, lines), encoding="cp1252")
        sent_at = _morning(day)
        file = _file(DREHWERK, number, sent_at)
        name = f"Lagerbestand_{day:%Y-%m-%d}.csv"
        _write_mail(
            folder / file, DREHWERK.email, f"Lagerbestand {day:%d.%m.%Y}", sent_at, (name, text, ("text", "csv"))
        )
        yield _stock_made(file, lines)


def _german_row(line: StockLine) -> Sequence[str]:
    """Three decimals, comma for the decimal mark, dot for the thousands: 1.250,000 is one thousand and so on."""
    quantity = f"{line.quantity:,.3f}".translate(str.maketrans(",.", ".,"))
    counted = line.counted_at.astimezone(ZoneInfo(DREHWERK.timezone))
    item, unit = line.item, DREHWERK.units[line.item.base_unit]
    where = (line.site.code, line.location, line.lot)
    return (item.theirs, item.description, *where, quantity, unit, GERMAN_STATUS[line.status], f"{counted:%d.%m.%Y}")


def _write_english_stock(folder: Path, company: Company, volume: Volume) -> Iterator[Made]:
    for number, (day, lines) in enumerate(supplier_stock(company, EASTERBY, volume.supplier_stock), start=1):
        sheet = Sheet(
            name="Stock",
            title=f"Easterby Bearings plc - free stock, week {day:%V}",
            header=ENGLISH_STOCK_HEADER,
            rows=[_english_row(line) for line in lines],
            notes=("Free stock only; reserved quantities are left out.", "Questions: stock@easterby.example"),
            made_at=_morning(day),
        )
        sent_at = _morning(day) + timedelta(minutes=20)
        file = _file(EASTERBY, number, sent_at)
        name = f"stock-{day:%Y%m%d}.xlsx"
        _write_mail(
            folder / file, EASTERBY.email, f"Stock {day:%d/%m/%Y}", sent_at, (name, workbook_bytes(sheet), _XLSX)
        )
        yield _stock_made(file, lines)


def _english_row(line: StockLine) -> Sequence[Value]:
    counted = line.counted_at.astimezone(ZoneInfo(EASTERBY.timezone))
    item, unit = line.item, EASTERBY.units[line.item.base_unit]
    day = datetime.combine(counted.date(), time())
    where = (line.site.code, line.location, line.lot)
    return (item.theirs, item.description, *where, _number(line.quantity), unit, line.status, day)


def _stock_made(file: str, lines: Sequence[StockLine]) -> Made:
    return Made(
        channel=CHANNEL,
        file=_path(file),
        type="workbook.stock",
        documents=1,
        lines=len(lines),
        events={Stream.INVENTORY: len(lines)},
    )


def _write_stranger(folder: Path, company: Company, volume: Volume) -> Iterator[Planted]:
    """Fenwick's salesman from his private address: a sheet that fits no partner, kept for a person to see."""
    shipment = next(shipments(company, PLANTS[0], volume.north_orders, (FENWICK,)))
    sent_at = shipment.shipped_at + timedelta(hours=2)
    sheet = Sheet(
        name="Sheet1",
        title="what we sent you",
        header=("no", "what", "how many"),
        rows=[[line.of.item.theirs, line.of.item.description, _number(line.quantity)] for line in shipment.lines],
        made_at=sent_at,
    )
    file = _file(FENWICK, 1, sent_at)
    _write_mail(folder / file, STRANGER, "Fwd: your bolts", sent_at, ("bolts.xlsx", workbook_bytes(sheet), _XLSX))
    yield Planted(
        name="mail from an unknown address",
        channel=CHANNEL,
        file=_path(file),
        payload="bolts.xlsx",
        place="From",
        value=STRANGER,
        findings=(Expected(code="partner.unknown", location="", value=STRANGER),),
        effect=Effect.QUARANTINED,
        story="no partner file names this address; the mail and its attachment are kept",
        count=0,
    )


def _morning(day: date) -> datetime:
    return datetime.combine(day, time(6, 45), tzinfo=UTC)


def _path(file: str) -> str:
    return f"inbox/mail/new/{file}"


def _file(supplier: Supplier, number: int, sent_at: datetime) -> str:
    """A Maildir's unique name: delivery time, serial number, host."""
    return f"{int(sent_at.timestamp())}.{supplier.partner.lower()}-{number:04d}.ravensmoor.example.eml"


def _write_mail(
    path: Path, sender: str, subject: str, sent_at: datetime, attachment: tuple[str, bytes, tuple[str, str]]
) -> None:
    name, content, (maintype, subtype) = attachment
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = ADDRESS
    mail["Subject"] = subject
    mail["Date"] = format_datetime(sent_at)
    mail["Message-ID"] = f"<{path.name.removesuffix('.eml')}@{sender.partition('@')[2]}>"
    mail.set_content(f"Please find attached: {name}\n")
    mail.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)
    mail.add_attachment(_LOGO, maintype="image", subtype="gif", filename="logo.gif", disposition="inline")
    mail.set_boundary(f"=={path.name.removesuffix('.eml')}==")
    path.write_bytes(mail.as_bytes())
    os.utime(path, (sent_at.timestamp(),) * 2)
