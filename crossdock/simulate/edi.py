"""The EDI inbox: what plant 2's legacy ERP and two suppliers drop there, and what else ends up in such a folder."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from crossdock.simulate.company import (
    ANVILGATE,
    BRIGHTSEAL,
    DREHWERK,
    FENWICK,
    HUB_ISA,
    PLANTS,
    SOUTH,
    SOUTH_ISA,
    Company,
    Supplier,
)
from crossdock.simulate.documents import Habit, purchase_orders, receiving_advice, ship_notices
from crossdock.simulate.edifact import write_despatch_advices
from crossdock.simulate.plan import Effect, Expected, Made, Planted, Volume
from crossdock.simulate.trade import Shipment, order_lines, receipts, shipments
from crossdock.simulate.x12 import Dialect, Envelope, Mark, TransactionSet
from schemas.events import Stream

CHANNEL = "edi-inbox"
COMMON = Dialect(element="*", component=">", terminator="~\n")
#: Brightseal's translator: bars, then a line feed or a file separator for a terminator; now and then no padding.
ODD = (
    Dialect(element="|", component="^", terminator="\n", padded=False),
    Dialect(element="|", component="^", terminator="\x1c"),
    Dialect(element="|", component="^", terminator="\n"),
    Dialect(element="|", component="^", terminator="\x1c"),
)
_UNKNOWN_ISA = "LONGACREPLC"
_FLAWLESS = Habit(spoil_from=10**9)
_GROUPS, _INTERCHANGES = 2, 2  # groups in an interchange, interchanges in a file
_STREAMS = {"850": Stream.DEMAND, "856": Stream.SHIPMENT, "861": Stream.INVENTORY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who drops files into the inbox: how they are named and written, and from which day on."""

    stem: str
    isa: str
    dialects: Sequence[Dialect] = (COMMON,)
    first: datetime = field(default=datetime(2026, 1, 12, 4, 0, tzinfo=UTC))
    numbered_from: int = 0  #: the interchange number before the first; a sender has one series


def write_edi(folder: Path, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    """Fill ``folder``; says what each file holds and what is wrong with it."""
    folder.mkdir(parents=True, exist_ok=True)
    sets = max(4, min(50, volume.south_orders // 60))  # in a group
    orders = purchase_orders(order_lines(company, SOUTH, volume.south_orders))
    yield from _write_files(folder, Sender(stem="gullhaven-po", isa=SOUTH_ISA), orders, sets)
    advice = receiving_advice(receipts(company, SOUTH, volume.south_orders))
    yield from _write_files(folder, Sender(stem="gullhaven-rc", isa=SOUTH_ISA, numbered_from=500_000), advice, sets)

    anvilgate = _shipments(company, ANVILGATE, volume)
    [cut_off] = ship_notices(islice(anvilgate, 1), _FLAWLESS)
    notices = ship_notices(anvilgate, Habit())
    said = list(_write_files(folder, Sender(stem="anvilgate-asn", isa=ANVILGATE.isa), notices, sets))
    yield from said
    yield from _send_again(folder / "anvilgate-asn-0001.edi", folder / "anvilgate-asn-0001-again.edi", said)
    yield from _write_truncated(folder / "anvilgate-asn-cut.edi", cut_off)

    habit = Habit(ours=False, packs_first=True, by_gln=True, spoil="unit", spoil_from=12)
    notices = _one_miscounted(ship_notices(_shipments(company, BRIGHTSEAL, volume), habit))
    yield from _write_files(folder, Sender(stem="brightseal-asn", isa=BRIGHTSEAL.isa, dialects=ODD), notices, sets)

    yield from write_despatch_advices(folder, CHANNEL, _shipments(company, DREHWERK, volume))

    yield from _write_stranger(folder / "longacre-asn.edi", company, volume)
    yield from _write_empty(folder / "upload.edi")


def _shipments(company: Company, supplier: Supplier, volume: Volume) -> Iterator[Shipment]:
    """To both plants, one after the other."""
    for plant, lines in zip(PLANTS, (volume.north_orders, volume.south_orders), strict=True):
        yield from shipments(company, plant, lines, (supplier,))


def _one_miscounted(sets: Iterable[TransactionSet]) -> Iterator[TransactionSet]:
    for number, one in enumerate(sets, start=1):
        yield one.miscounted(by=3) if number == 5 else one


def _write_files(
    folder: Path, sender: Sender, sets: Iterator[TransactionSet], per_group: int
) -> Iterator[Made | Planted]:
    """Spread ``sets`` over files of two interchanges of two groups; one file's sets at a time are in memory."""
    number = 0
    while held := list(islice(sets, per_group * _GROUPS * _INTERCHANGES)):
        number += 1
        dialect = sender.dialects[(number - 1) % len(sender.dialects)]
        path = folder / f"{sender.stem}-{number:04d}.edi"
        made_at = sender.first + timedelta(hours=number)
        with path.open("wb") as stream:
            for place, part in enumerate(_parts(held, per_group * _GROUPS)):
                control = sender.numbered_from + (number - 1) * _INTERCHANGES + place + 1
                envelope = Envelope(sender=sender.isa, receiver=HUB_ISA, made_at=made_at, control=control)
                for where, mark in _write_interchange(stream, dialect, envelope, list(_parts(part, per_group))):
                    yield _planted(path, where, mark)
                if not dialect.padded:
                    yield _unpadded(path, envelope, dialect)
        _stamp(path, made_at)
        yield _made(path, held)


def _parts(sets: Sequence[TransactionSet], size: int) -> Iterator[Sequence[TransactionSet]]:
    for start in range(0, len(sets), size):
        yield sets[start : start + size]


def _write_interchange(
    stream: BinaryIO, dialect: Dialect, envelope: Envelope, groups: Sequence[Sequence[TransactionSet]]
) -> list[tuple[str, Mark]]:
    """Write it; the marks of its sets, each with the set it is in."""
    waiting = (one for group in groups for one in group)
    marks: list[tuple[str, Mark]] = []
    group = ""
    for segment in envelope.interchange(dialect, groups):
        if segment[0] == "GS":
            group = f"interchange {envelope.control:09d}, group {segment[6]}"
        elif segment[0] == "ST":
            marks.extend((f"{group}, set {segment[2]}", mark) for mark in next(waiting).marks)
        stream.write(dialect.encode(segment))
    return marks


def _made(path: Path, sets: Sequence[TransactionSet]) -> Made:
    code = sets[0].code
    lines = sum(one.lines for one in sets)
    held_back = sum(one.held_back for one in sets)
    return Made(
        channel=CHANNEL,
        file=_name(path),
        type=f"x12.{code}",
        documents=len(sets),
        lines=lines,
        events={_STREAMS[code]: lines - held_back},
    )


def _stamp(path: Path, moment: datetime) -> None:
    """The file has lain there since ``moment``: files are taken in that order, and none counts as half-written."""
    os.utime(path, (moment.timestamp(),) * 2)


def _name(path: Path) -> str:
    return "/".join(path.parts[-3:])


def _planted(path: Path, where: str, mark: Mark) -> Planted:
    return Planted(
        name=mark.name,
        channel=CHANNEL,
        file=_name(path),
        payload=path.name,
        place=f"{where}, segment {mark.segment}, {mark.element}",
        value=mark.value,
        findings=(Expected(code=mark.code, location=mark.location, value=mark.value),),
        effect=mark.effect,
        story=mark.story,
        count=mark.count,
    )


def _unpadded(path: Path, envelope: Envelope, dialect: Dialect) -> Planted:
    where = f"interchange {envelope.control:09d}"
    length = str(len(dialect.encode(envelope.header(dialect))))
    return Planted(
        name="ISA shorter than 106 characters",
        channel=CHANNEL,
        file=_name(path),
        payload=path.name,
        place=f"{where}, ISA",
        value=length,
        findings=(Expected(code="interchange.layout", location=where, value=length),),
        effect=Effect.NONE,
        story="the sender's translator trims blanks; it can be read all the same",
        count=0,
    )


def _write_truncated(path: Path, one: TransactionSet) -> Iterator[Made | Planted]:
    """An upload that broke off in the middle of its only set, within a segment."""
    made_at = datetime(2026, 1, 13, 9, 30, tzinfo=UTC)
    envelope = Envelope(sender=ANVILGATE.isa, receiver=HUB_ISA, made_at=made_at, control=900_001)
    whole = io.BytesIO()
    _write_interchange(whole, COMMON, envelope, [[one]])
    *kept, broken = whole.getvalue()[: len(whole.getvalue()) * 6 // 10].split(b"~\n")
    rest = broken[:6] or b"RE"
    path.write_bytes(b"".join(segment + b"~\n" for segment in kept) + rest)
    _stamp(path, made_at)
    in_set = len(kept) - 2  # without ISA and GS
    lines = sum(segment.startswith(b"HL*") and b"*I*" in segment for segment in kept)
    group = envelope.group_header("SH", 1)[6]
    yield Planted(
        name="interchange that breaks off",
        channel=CHANNEL,
        file=_name(path),
        payload=path.name,
        place=f"after segment {in_set} of its only set",
        value=rest.decode("ascii"),
        findings=(
            Expected(code="set.truncated", location=f"after segment {in_set}", value=rest.decode("ascii")),
            Expected(code="group.trailer_missing", location=f"group {group}", value=None),
            Expected(code="interchange.trailer_missing", location=f"interchange {envelope.control:09d}", value=None),
        ),
        effect=Effect.DOCUMENT_REJECTED,
        story="the upload broke off; the sender has to send it again",
        count=lines,
    )
    yield Made(channel=CHANNEL, file=_name(path), type="x12.856", documents=1, lines=lines)


def _send_again(path: Path, again: Path, said: Iterable[Made | Planted]) -> Iterator[Made | Planted]:
    """The same file once more under another name: read like the first time (``said`` tells), and nothing new."""
    again.write_bytes(path.read_bytes())
    _stamp(again, datetime(2026, 3, 30, 8, 0, tzinfo=UTC))
    for one in said:
        if one.file != _name(path):
            continue
        if isinstance(one, Made):
            yield replace(one, file=_name(again), events={})
        else:
            story = "read once more and parked once more; the line of the newer copy is the one that waits"
            yield replace(one, name=f"{one.name}, sent again", file=_name(again), payload=again.name, story=story)
    yield Planted(
        name="file sent twice",
        channel=CHANNEL,
        file=_name(again),
        payload=again.name,
        place="the whole file",
        value=path.name,
        findings=(),
        effect=Effect.UNCHANGED,
        story="the same bytes under another name say nothing new",
        count=0,
    )


def _write_stranger(path: Path, company: Company, volume: Volume) -> Iterator[Made | Planted]:
    """A sound ship notice from somebody no partner file names: nobody can say what its lines mean."""
    [one] = islice(ship_notices(shipments(company, SOUTH, volume.south_orders, (FENWICK,)), _FLAWLESS), 1)
    made_at = datetime(2026, 1, 14, 11, 0, tzinfo=UTC)
    envelope = Envelope(sender=_UNKNOWN_ISA, receiver=HUB_ISA, made_at=made_at, control=7)
    with path.open("wb") as stream:
        _write_interchange(stream, COMMON, envelope, [[one]])
    _stamp(path, made_at)
    identity = f"ZZ:{_UNKNOWN_ISA}"
    yield Planted(
        name="interchange from an unknown sender",
        channel=CHANNEL,
        file=_name(path),
        payload=path.name,
        place="ISA-06",
        value=identity,
        findings=(Expected(code="partner.unknown", location="set 0001", value=identity),),
        effect=Effect.DOCUMENT_REJECTED,
        story="no partner file has this identity; onboard it and replay",
        count=0,
    )
    yield Made(channel=CHANNEL, file=_name(path), type="x12.856", documents=1, lines=0)


def _write_empty(path: Path) -> Iterator[Planted]:
    path.write_bytes(b"")
    _stamp(path, datetime(2026, 1, 15, 7, 0, tzinfo=UTC))
    yield Planted(
        name="empty file",
        channel=CHANNEL,
        file=_name(path),
        payload=path.name,
        place="the whole file",
        value="",
        findings=(Expected(code="payload.empty", location=path.name, value=None),),
        effect=Effect.QUARANTINED,
        story="an upload of nothing",
        count=0,
    )
