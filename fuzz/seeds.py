"""Where fuzzing starts: sound interchanges of every kind of document, made by our own writer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle

from connectors.formats.edi.delimiters import Delimiters
from connectors.formats.edi.writer import STANDARD, Envelope, Group, write_interchange

MOMENT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
MARKS = (STANDARD, Delimiters("|", ">", "\n", "^"), Delimiters("*", ">", "~", "U"), Delimiters("\x1d", "\x1f", "\x1c"))

#: functional group and body of a set, by set id
BODIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "850": ("PO", ("BEG*00*SA*PO-1**20261122", "REF*DP*7", "DTM*002*20261201", "N1*ST*Plant*92*P1", "N3*Road 1",
                   "N4*AKRON*OH*44301", "PO1*1*5*EA*1.25**VN*V-1*BP*B-1", "PID*F****Bolt", "SCH*5*EA***002*20261201",
                   "PO1*2*7*EA*2**VN*V-2*BP*B-2", "SDQ*EA*92*P1*3*P2*4", "DTM*067*20261202", "CTT*2")),
    "860": ("PC", ("BCH*04*SA*PO-1**2*20261122", "POC*1*QD*4*1*EA*1.25**VN*V-1", "DTM*002*20261202", "CTT*1")),
    "855": ("PR", ("BAK*00*AC*PO-1*20261122", "PO1*1*5*EA*1.25**VN*V-1", "ACK*IA*5*EA*068*20261201", "CTT*1")),
    "856": ("SH", ("BSN*00*SH-1*20261122*0300*0001", "DTM*011*20261122", "HL*1**S", "TD1*CTN*2", "N1*ST*Plant*92*P1",
                   "HL*2*1*O", "PRF*PO-1", "HL*3*2*P", "MAN*GM*00100000000000000017", "HL*4*3*I*0",
                   "LIN*1*VN*V-1*BP*B-1",
                   "SN1**5*EA", "REF*LT*L-1", "HL*5*3*I*0", "LIN*2*VN*V-2", "SN1**7*EA", "HL*6*2*I", "LIN*3*VN*V-3",
                   "SN1**1*EA", "HL*7*6*P", "MAN*GM*00100000000000000024", "CTT*7")),
    "861": ("RC", ("BRA*RA-1*20261122*00*1", "DTM*050*20261122", "RCD*1*5*EA", "LIN**BP*B-1", "RCD*2*6*EA",
                   "LIN**BP*B-2")),
    "862": ("SS", ("BSS*05*R-1*20261122*DL*20261122*20261130", "N1*ST*Plant*92*P1", "LIN**BP*B-1*PO*PO-1", "UIT*EA",
                   "FST*40*C*D*20261123", "FST*40*C*D*20261124", "SDQ*EA*92*P1*30*P2*10",
                   "SHP*01*30*050*20261120", "CTT*1")),
    "830": ("PS", ("BFR*05**R-1*DL*A*20261122*20261231*20261122", "N1*ST*Plant*92*P1", "LIN**BP*B-1", "UIT*EA",
                   "FST*40*C*W*20261123", "FST*50*D*W*20261130", "ATH*PQ*20261231*500**20260101",
                   "SHP*02*300*051*20260101",
                   "CTT*1")),
    "846": ("IB", ("BIA*00*MM*R-1*20261122", "LIN**BP*B-1", "QTY*33*12*EA", "LIN**BP*B-2", "QTY*33*0*EA", "CTT*2")),
    "870": ("RS", ("BSR*3*PA*R-1*20261122", "HL*1**O", "PRF*PO-1", "HL*2*1*I", "ISR*AC*20261122", "PO1*1*5*EA*1",
                   "CTT*2")),
    "997": ("FA", ("AK1*PO*1", "AK2*850*0001", "AK5*A", "AK9*A*1*1*1")),
    "999": ("FA", ("AK1*PO*1*005010", "AK2*850*0001", "IK5*A", "AK9*A*1*1*1")),
    "QQQ": ("QQ", ("ABC*1", "DEF*2")),
}  # fmt: skip


#: directory and body of an EDIFACT message, by its type
MESSAGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "ORDERS": ("96A", ("BGM+220+PO-1+9", "DTM+137:20261122:102", "NAD+ST+P1::92", "LIN+1++B-1:BP", "IMD+F++:::Bolt",
                       "QTY+21:5:PCE", "PRI+AAA:1.25", "LIN+2++B-2:BP", "QTY+21:7:PCE", "UNS+S", "CNT+2:2")),
    "DESADV": ("01B", ("BGM+351+SH-1+9", "DTM+11:20261122:102", "NAD+DP+P1::92", "CPS+1", "PAC+2++CT", "CPS+2+1",
                       "PCI+33E", "GIN+BJ+00100000000000000017", "LIN+1++B-1:BP", "QTY+12:5:PCE", "LIN+2++B-2:BP",
                       "QTY+12:7,5:PCE", "RFF+ON:PO-1:1", "CPS+3+1", "LIN+3++B-3:BP", "QTY+12:1:PCE")),
    "DELFOR": ("96A", ("BGM+241+PLAN+9", "DTM+137:20261122:102", "NAD+ST+P1::92", "UNS+D", "LIN+1++B-1:BP", "QTY+70:9",
                       "QTY+113:60:PCE", "SCC+1++W", "DTM+2:20261130:102", "UNS+S")),
    "DELFOR later": ("04A", ("BGM+241+PLAN+9", "DTM+137:20261122:102", "NAD+BY+1::9", "GEI+1+37", "NAD+ST+P1::92",
                             "LIN+1++B-1:BP", "SCC+1++W", "QTY+113:60:PCE", "DTM+2:20261130:102")),
    "INVRPT": ("97A", ("BGM+35+R-1+9", "DTM+137:20261122:102", "LIN+1++B-1:BP", "INV++3", "QTY+145:250:PCE", "INV+1",
                       "QTY+48:3", "GIN+BX+LOT9")),
    "RECADV": ("03A", ("BGM+632+RA-1+9", "DTM+137:20261122:102", "NAD+BY+P1::92", "CPS+1", "LIN+1++B-1:BP",
                       "QTY+194:5:PCE")),
    "CONTRL": ("96A", ("UCI+7+A:14+B:14+8",)),
    "QQQQQQ": ("96A", ("BGM+1", "QQQ+1")),
}  # fmt: skip


def messages(
    kinds: Sequence[str], *, advice: str = "", syntax: str = "UNOC:3", end: str = "'", items: int = 0
) -> bytes:
    """One EDIFACT interchange; ``items`` more in each despatch advice."""
    rows = [f"UNB+{syntax}+A:14+B:14+261122:0300+7"]
    for number, kind in enumerate(kinds, 1):
        release, body = MESSAGES[kind]
        more = [
            row
            for item in range(items)
            for row in (f"LIN+{item}++B-{item}:BP", f"QTY+12:{item}:PCE", "IMD+F++:::It?'s")
        ]
        segments = [*body, *(more if kind == "DESADV" else ())]
        rows += [f"UNH+{number}+{kind[:6]}:D:{release}:UN", *segments, f"UNT+{len(segments) + 2}+{number}"]
    rows.append(f"UNZ+{len(kinds)}+7")
    return (advice + "".join(row + end for row in rows)).encode()


def edifact_seeds() -> Iterator[tuple[str, bytes]]:
    """Named payloads of EDIFACT."""
    for kind in MESSAGES:
        yield kind, messages([kind])
        yield f"{kind}-advice", messages([kind], advice="UNA:+,? '\r\n", end="'\r\n")
    yield "several", messages(["ORDERS", "INVRPT"]) + messages(["DESADV"], syntax="UNOA:4", advice="UNA:+.?*'")
    yield "repetitive", messages(["DESADV"], items=40)


def interchange(
    kinds: Sequence[str], marks: Delimiters = STANDARD, *, line_end: str = "", release: str = "004010", items: int = 0
) -> bytes:
    """One interchange, a group for each kind of set; ``items`` more of them in each ship notice."""
    envelope = Envelope(
        sender="ZZ:ACMEINC", receiver="ZZ:HUB", control_number=7, written_at=MOMENT, version=f"00{release[2:5]}",
        acknowledge=True,
    )  # fmt: skip
    groups = [
        Group(
            code=BODIES[kind][0], sender="ACME", receiver="HUB", control_number=number, release=release,
            sets=[(kind, f"{number:04d}", [row.split("*") for row in _rows(kind, items)])],
        )
        for number, kind in enumerate(kinds, 1)
    ]  # fmt: skip
    return b"".join(write_interchange(envelope, groups, marks, line_end=line_end))


def _rows(kind: str, items: int) -> Iterator[str]:
    *rows, last = BODIES[kind][1]
    yield from rows
    if kind == "856":
        for item in range(8, 8 + items):
            yield from (f"HL*{item}*3*I*0", f"LIN*{item}*VN*V-{item}", f"SN1**{item}*EA")
    yield last


def seeds() -> Iterator[tuple[str, bytes]]:
    """Named payloads."""
    for kind, marks, release in zip(BODIES, cycle(MARKS), cycle(("004010", "005010", "003040")), strict=False):
        yield kind, interchange([kind], marks, release=release)
        yield f"{kind}-lines", interchange([kind], line_end="\r\n", release=release)
    yield "several", interchange(["850", "856", "997"]) + b"\r\n" + interchange(["861"], MARKS[1])
    yield "repetitive", interchange(["856"], items=40)
