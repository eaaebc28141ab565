"""What Drehwerk's EDI service drops into the inbox: despatch advices in EDIFACT (DESADV D.96A)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from zoneinfo import ZoneInfo

from crossdock.simulate.company import DREHWERK, HUB_GLN
from crossdock.simulate.plan import Effect, Expected, Made, Planted
from crossdock.simulate.trade import Shipment, ShippedLine
from schemas.events import Stream

_UNITS = {"EA": "PCE"}  #: the others are Recommendation 20's already
_SPOILT_LINE = 15  #: the line whose unit nobody knows
_WRONG_UNIT = "QQ"
_MESSAGES = 25  #: in an interchange
_FIRST = datetime(2026, 1, 12, 5, 0, tzinfo=UTC)


def write_despatch_advices(folder: Path, channel: str, shipments: Iterable[Shipment]) -> Iterator[Made | Planted]:
    """One interchange a file; says what each holds and what is wrong with it."""
    waiting = iter(shipments)
    number = lines = 0
    while held := list(islice(waiting, _MESSAGES)):
        number += 1
        made_at = _FIRST + timedelta(hours=number)
        path = folder / f"drehwerk-desadv-{number:04d}.edi"
        sender, receiver = f"{company_gln()}:14", f"{HUB_GLN}:14"
        segments = [f"UNB+UNOC:3+{sender}+{receiver}+{made_at:%y%m%d}:{made_at:%H%M}+{number}"]
        spoilt: list[Planted] = []
        for reference, shipment in enumerate(held, 1):
            message, at = _message(shipment, reference, spoil=_SPOILT_LINE - lines)
            lines += len(shipment.lines)
            segments += message
            if at:
                spoilt.append(_planted(path, channel, number, reference, at))
        segments.append(f"UNZ+{len(held)}+{number}")
        path.write_bytes("".join(f"{segment}'\n" for segment in segments).encode("iso8859-1"))
        os.utime(path, (made_at.timestamp(),) * 2)
        yield from spoilt
        count = sum(len(shipment.lines) for shipment in held)
        yield Made(
            channel=channel,
            file="/".join(path.parts[-3:]),
            type="edifact.DESADV",
            documents=len(held),
            lines=count,
            events={Stream.SHIPMENT: count - len(spoilt)},
        )


def company_gln() -> str:
    """By which Drehwerk goes in EDIFACT: that of its yard."""
    assert DREHWERK.yard is not None
    return DREHWERK.yard.gln


def _message(shipment: Shipment, reference: int, *, spoil: int) -> tuple[list[str], int]:
    """Its segments, and the number of the LIN whose unit is wrong: that of line ``spoil``; 0 where there is none."""
    zone = ZoneInfo(shipment.supplier.timezone)
    shipped, arrives = shipment.shipped_at.astimezone(zone), shipment.arrives_at.astimezone(zone)
    rows = [
        f"UNH+{reference}+DESADV:D:96A:UN:EAN005",
        f"BGM+351+{_released(shipment.number)}+9",
        f"DTM+137:{shipped:%Y%m%d%H%M}:203",
        f"DTM+11:{shipped:%Y%m%d%H%M}:203",
        f"DTM+132:{arrives:%Y%m%d}:102",
        f"RFF+BM:{_released(shipment.transport)}",
        f"NAD+SU+{shipment.supplier.number}::92++{_released(shipment.supplier.name)}",
        f"NAD+DP+{shipment.plant.gln}::9",
        "CPS+1",
    ]
    wrong = place = 0
    for level, (package, inside) in enumerate(groupby(shipment.lines, key=lambda line: line.package), 2):
        rows += [f"CPS+{level}+1", "PAC+1++201", "PCI+33E", f"GIN+BJ+{package}"]
        for line in inside:
            place += 1
            unit = _WRONG_UNIT if place == spoil else _UNITS.get(line.of.unit, line.of.unit)
            wrong = len(rows) + 1 if place == spoil else wrong
            rows += _line(line, place, unit)
    rows.append(f"UNT+{len(rows) + 1}+{reference}")
    return rows, wrong


def _line(line: ShippedLine, place: int, unit: str) -> Sequence[str]:
    order = line.of
    return (
        f"LIN+{place}++{_released(order.item.theirs)}:SA",
        f"IMD+F++:::{_released(order.item.description[:35])}",
        f"QTY+12:{line.quantity:f}:{unit}",
        f"QTY+21:{order.quantity:f}:{unit}",
        f"GIN+BX+{_released(line.lot)}",
        f"RFF+ON:{order.order}:{order.line}",
    )


def _released(text: str) -> str:
    return text.translate({ord(mark): f"?{mark}" for mark in "?'+:"})


def _planted(path: Path, channel: str, interchange: int, message: int, segment: int) -> Planted:
    return Planted(
        name="unknown unit in a despatch advice line",
        channel=channel,
        file="/".join(path.parts[-3:]),
        payload=path.name,
        place=f"interchange {interchange}, message {message}, segment {segment + 2}, QTY-01",
        value=_WRONG_UNIT,
        findings=(Expected(code="unit.unknown", location=f"segment {segment}", value=_WRONG_UNIT),),
        effect=Effect.LINE_PARKED,
        story="neither Recommendation 20 nor the partner's file knows it",
    )
