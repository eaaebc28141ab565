"""How fast EDI is read and fully judged, beside the reader others use, on the same generated file in the same run.

All of it is work of the processor alone, so processor time is compared. Both sides are measured in a process that is
up, has seen one small file and has settled in, as a worker has; what ours learned of that file is forgotten with it.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from pydifact.parser import Parser
from pydifact.segments import Segment, SegmentFactory
from pyx12.params import ParamsBase
from pyx12.x12file import X12Reader
from pyx12.x12n_document import x12n_document

from bench.measure import Benchmark, Measurement, Run, in_child, in_turn
from bench.pyx12_map import write_map
from connectors.formats.edi import X12
from connectors.formats.edi.edifact import Edifact
from connectors.formats.edi.grammar import load_grammar
from crossdock.own_process import settle_in
from schemas.documents import DocumentEnd, DocumentStart, LinePlan

SIZE = 5_000_000
SMALL = 20_000

LARGE = 100_000_000
HUGE = 1_160_000_000  #: ten million lines
#: Bytes of a line, with its part of all levels around it.
LINE = 115
#: MB a second of StAEDI (Java) in its steady state, at best: taken elsewhere and once, not in this run.
STAEDI = {"reading": 16.0, "validating by a schema": 3.6}
#: What a mapping of a ship notice takes: header, order, package and item.
PATHS = (
    "BSN01", "BSN02", "BSN03", "BSN04", "DTM[011]02", "DTM[017]02", "TD503", "REF[BM]02", "N1[SF]04", "N1[ST]04",
    "PRF01", "MAN[GM]02", "HL01", "LIN01", "LIN[VN]", "LIN[BP]", "SN102", "SN103", "SN105", "PID05", "REF[LT]02",
)  # fmt: skip


def ship_notice(size: int = SIZE, *, seed: int = 1) -> Iterator[bytes]:
    """A valid 004010 856 interchange of about ``size`` bytes in one set: orders, packs and items, with the variety
    of a real one (some items with lot, description or pack data, some without)."""
    chance = random.Random(seed)
    segments = written = 0

    def out(*rows: str) -> bytes:
        nonlocal segments, written
        segments += len(rows)
        block = "".join(row + "~\n" for row in rows).encode()
        written += len(block)
        return block

    yield (
        b"ISA*00*          *00*          *ZZ*SUPPLIERONE    *ZZ*OURCOMPANY     *261122*0100*U*00401*000000001*0*P*>~\n"
        b"GS*SH*SUPPLIERONE*OURCOMPANY*20261122*0100*1*X*004010~\n"
    )
    yield out(
        "ST*856*0001", "BSN*00*SN100001*20261122*010000*0001", "DTM*011*20261122*0100", "DTM*017*20261124", "HL*1**S*1",
        "TD1*CTN25*40****G*812.5*LB", "TD5*B*2*ABCD*M", "REF*BM*BOL778812", "REF*CN*PRO0099123",
        "N1*SF*Supplier One*92*S1", "N3*1 Foundry Road", "N4*Akron*OH*44301*US", "N1*ST*Plant North*92*P100",
    )  # fmt: skip
    level = 1
    while written < size:
        order = level = level + 1
        yield out(
            f"HL*{order}*1*O*1", f"PRF*45{chance.randrange(10**8):08d}***20261101", f"REF*DP*{chance.randrange(10, 99)}"
        )
        for _ in range(chance.randrange(1, 6)):
            pack = level = level + 1
            yield out(f"HL*{pack}*{order}*P*1", f"MAN*GM*00{chance.randrange(10**18):018d}")
            for _ in range(chance.randrange(1, 9)):
                level += 1
                yield _item(out, chance, level, pack)
    yield out("CTT*1")
    yield f"SE*{segments + 1}*0001~\nGE*1*1~\nIEA*1*000000001~\n".encode()


def _item(out: Callable[..., bytes], chance: random.Random, level: int, pack: int) -> bytes:
    unit = chance.choice(("EA", "EA", "EA", "PC", "KG"))
    quantity = chance.randrange(1, 900)
    rows = [
        f"HL*{level}*{pack}*I*0",
        f"LIN*{level}*BP*PUMP-{chance.randrange(9999):04d}*VN*V{chance.randrange(10**6):06d}",
        f"SN1**{quantity}*{unit}**{quantity + chance.randrange(3)}*{unit}",
    ]
    if chance.random() < 0.3:
        rows.append(f"PO4*{chance.randrange(1, 40)}*{chance.randrange(1, 9)}*{unit}")
    if chance.random() < 0.5:
        rows.append(f"PID*F****CENTRIFUGAL PUMP {chance.randrange(500)}")
    if chance.random() < 0.4:
        rows.append(f"REF*LT*L{chance.randrange(10**5):05d}")
    return out(*rows)


ADVICE_PATHS = (
    "BGM02", "BGM03", "DTM[137]01-2", "DTM[11]01-2", "RFF[ON]01-2", "RFF[ON]01-3", "NAD[DP]02", "CPS01", "GIN[BJ]02",
    "LIN01", "LIN[EN]", "PIA[SA]", "IMD03-4", "QTY[12]01-2", "QTY[12]01-3", "QTY[21]01-2", "GIN[BX]02",
)  # fmt: skip


def despatch_advice(size: int = SIZE, *, seed: int = 1) -> Iterator[bytes]:
    """A valid D.96A DESADV interchange of about ``size`` bytes in one message: pallets with their items."""
    chance = random.Random(seed)
    rows = written = 0

    def out(*segments: str) -> bytes:
        nonlocal rows, written
        rows += len(segments)
        block = "".join(segment + "'\n" for segment in segments).encode()
        written += len(block)
        return block

    yield b"UNA:+.? '\nUNB+UNOC:3+5060096123456:14+0614141000012:14+261122:0100+1'\n"
    yield out(
        "UNH+1+DESADV:D:96A:UN:EAN005", "BGM+351+DA100001+9", "DTM+137:20261122:102", "DTM+11:20261122:102",
        "NAD+SU+5060096123456::9", "NAD+DP+0614141000012::9", "CPS+1",
    )  # fmt: skip
    level, line = 1, 0
    while written < size:
        level += 1
        yield out(f"CPS+{level}+1", "PAC+1++201", "PCI+33E", f"GIN+BJ+{chance.randrange(10**18):018d}")
        for _ in range(chance.randrange(1, 12)):
            line += 1
            yield _position(out, chance, line % 999_999)
    yield out("CNT+2:1")
    yield f"UNT+{rows + 1}+1'\nUNZ+1+1'\n".encode()


def _position(out: Callable[..., bytes], chance: random.Random, line: int) -> bytes:
    quantity = chance.randrange(1, 900)
    rows = [f"LIN+{line}++{chance.randrange(10**13):013d}:EN", f"PIA+1+PUMP-{chance.randrange(9999):04d}:SA"]
    if chance.random() < 0.5:
        rows.append(f"IMD+F++:::CENTRIFUGAL PUMP {chance.randrange(500)}")
    rows += [f"QTY+12:{quantity}:PCE", f"QTY+21:{quantity + chance.randrange(3)}:PCE"]
    if chance.random() < 0.3:
        rows.append(f"GIN+BX+L{chance.randrange(10**5):05d}")
    rows.append(f"RFF+ON:45{chance.randrange(10**8):08d}:{chance.randrange(1, 40)}")
    return out(*rows)


class _Wanted:
    def __init__(self, plan: LinePlan) -> None:
        self._plan = plan

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        return self._plan if start.type == self._plan.type else None

    def candidates(self, sender: str) -> Sequence[LinePlan]:  # noqa: ARG002
        return ()


def _read(type_: str, line: str, paths: Sequence[str], path: str, *, learn: bool) -> dict[str, Any]:
    format_ = Edifact(learn=learn) if type_.startswith("edifact") else X12(learn=learn)
    plans = _Wanted(format_.compile(type_, line, paths, {}))
    lines = segments = 0
    with Path(path).open("rb") as stream:
        for item in format_.read(stream, name=path, plans=plans, metadata={}):
            if isinstance(item, DocumentEnd):
                assert item.accepted
                lines, segments = lines + item.lines, segments + (item.segments or 0)
    return {"lines": lines, "segments": segments}


def read_ours(path: str, *, learn: bool = True) -> dict[str, Any]:
    """Read and judge a ship notice, and take every line; what came out, for the record."""
    return _read("x12.856", "HL[I]", PATHS, path, learn=learn)


def validate(path: str, maps: str) -> dict[str, Any]:
    """pyx12 holding the same file against a map, without a complaint."""
    with Path(path).open(encoding="ascii") as stream:
        accepted = x12n_document(ParamsBase(), stream, None, None, map_path=maps)
    assert accepted, "pyx12 finds nothing wrong either"
    return {"segments": Path(path).read_bytes().count(b"~") - 4}


def read_peer(path: str) -> dict[str, Any]:
    """pyx12 merely splitting the same file into segments."""
    with X12Reader(path) as reader:
        return {"segments": sum(1 for _ in reader) - 4}


def read_advice(path: str, *, learn: bool = True) -> dict[str, Any]:
    """Read and judge a despatch advice, and take every line; what came out, for the record."""
    return _read("edifact.DESADV", "CPS/LIN", ADVICE_PATHS, path, learn=learn)


class _Unjudged(SegmentFactory):
    """Segments as they stand there; pydifact's own factory seeks a directory that its wheel lacks."""

    @staticmethod
    def create_segment(name: str, *elements: Any, **_: Any) -> Segment:
        return Segment(name, *elements)


def read_advice_peer(path: str) -> dict[str, Any]:
    """pydifact's Parser merely splitting the same file into segments."""
    text = Path(path).read_text("latin-1")
    return {"segments": sum(1 for _ in Parser(_Unjudged()).parse(text)) - 3}


def warmed(function: str, path: str, small: str, **arguments: Any) -> Generator[None, None, dict[str, Any]]:
    """One of the functions above in a process that is up and has seen one small file, as a worker has."""
    work = {work.__name__: work for work in (read_ours, read_peer, read_advice, read_advice_peer, validate)}[function]
    work(small, **arguments)
    settle_in()
    yield
    return work(path, **arguments)


def _warmed(function: str, path: str, small: str, **arguments: Any) -> Callable[[], Run]:
    return lambda: in_child("bench.edi", "warmed", {"function": function, "path": path, "small": small, **arguments})


def _written(folder: str, size: int, make: Callable[[int], Iterator[bytes]] = ship_notice) -> str:
    path = Path(folder) / f"{make.__name__}-{size}.edi"
    with path.open("wb") as stream:
        stream.writelines(make(size))
    return str(path)


def reading() -> Iterator[Measurement]:
    """A 5 MB ship notice: judged in full and taken apart, against pyx12's bare X12Reader."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = _written(folder, SIZE), _written(folder, SMALL)
        size = Path(path).stat().st_size / 1e6
        ours, exact, peer = in_turn(
            3,
            _warmed("read_ours", path, small),
            _warmed("read_ours", path, small, learn=False),
            _warmed("read_peer", path, small),
        )
    assert ours.result["segments"] == peer.result["segments"], "both have read the whole file"
    for name, run, floor in (("edi.read.judged", ours, 5.0), ("edi.read.exact_walk_only", exact, None)):
        yield Measurement(
            name=name, value=size / run.cpu, unit="MB/s", peer="pyx12 X12Reader, no judging",
            peer_value=size / peer.cpu, ratio=peer.cpu / run.cpu, floor=floor,
        )  # fmt: skip
    for work, rate in STAEDI.items():
        yield Measurement(
            name=f"edi.read.judged_beside_staedi_{work.partition(' ')[0]}", value=size / ours.cpu, unit="MB/s",
            peer=f"StAEDI {work}, taken elsewhere", peer_value=rate, ratio=size / ours.cpu / rate,
        )  # fmt: skip


def reading_desadv() -> Iterator[Measurement]:
    """A 5 MB despatch advice: judged in full and taken apart, against pydifact's bare Parser."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = (_written(folder, size, despatch_advice) for size in (SIZE, SMALL))
        size = Path(path).stat().st_size / 1e6
        ours, exact, peer = in_turn(
            2,
            _warmed("read_advice", path, small),
            _warmed("read_advice", path, small, learn=False),
            _warmed("read_advice_peer", path, small),
        )
    assert ours.result["segments"] == peer.result["segments"], "both have read the whole file"
    for name, run, floor in (("edi.desadv.judged", ours, 10.0), ("edi.desadv.exact_walk_only", exact, None)):
        yield Measurement(
            name=name, value=size / run.cpu, unit="MB/s", peer="pydifact Parser, no judging",
            peer_value=size / peer.cpu, ratio=peer.cpu / run.cpu, floor=floor,
        )  # fmt: skip


def validating() -> Iterator[Measurement]:
    """A 5 MB ship notice judged in full, against pyx12 judging it by the same rules: it ships no map of an 856, so
    one is written from our own grammar."""
    with tempfile.TemporaryDirectory() as folder:
        write_map(Path(folder), "856", load_grammar("004010"))
        path, small = _written(folder, SIZE), _written(folder, SMALL)
        size = Path(path).stat().st_size / 1e6
        ours, peer = in_turn(1, _warmed("read_ours", path, small), _warmed("validate", path, small, maps=folder))
    assert ours.result["segments"] == peer.result["segments"], "both have read the whole file"
    yield Measurement(
        name="edi.validate.judged", value=size / ours.cpu, unit="MB/s", peer="pyx12, validating by a map",
        peer_value=size / peer.cpu, ratio=peer.cpu / ours.cpu, floor=50.0,
    )  # fmt: skip


def memory() -> Iterator[Measurement]:
    """Peak memory must not grow with the file: 100 MB in sets of 5 MB, against one of them."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = (
            in_child("bench.edi", "read_ours", {"path": _of_many_sets(folder, size)}) for size in (SIZE, LARGE)
        )
    yield Measurement(
        name="edi.memory.100mb", value=large.peak_mb, unit="MB", peer="the same for 5 MB", peer_value=small.peak_mb,
        ratio=small.peak_mb / large.peak_mb, limit=250.0,
    )  # fmt: skip


def flat() -> Iterator[Measurement]:
    """What a line costs, from a thousand to a million of them (``edi.gigabyte`` has ten million)."""
    counts = (1_000, 10_000, 100_000, 1_000_000)
    with tempfile.TemporaryDirectory() as folder:
        small = _written(folder, SMALL)
        works = [_warmed("read_ours", _of_many_sets(folder, count * LINE), small) for count in counts]
        first, *others = in_turn(3, *works)
    usual = first.cpu / first.result["lines"] * 1e6
    for count, run in zip(counts[1:], others, strict=True):
        cost = run.cpu / run.result["lines"] * 1e6
        yield Measurement(
            name=f"edi.flat.{count}", value=cost, unit="us", peer="of 1,000 lines", peer_value=usual,
            ratio=usual / cost, floor=1 / 1.15,
        )  # fmt: skip


def gigabyte() -> Iterator[Measurement]:
    """More than a gigabyte in sets of 5 MB, against a tenth of it: the same memory, the same cost a line. Takes
    minutes."""
    with tempfile.TemporaryDirectory() as folder:
        tenth, whole = (
            in_child("bench.edi", "read_ours", {"path": _of_many_sets(folder, size)}) for size in (LARGE, HUGE)
        )
    yield Measurement(
        name="edi.gigabyte.peak_memory", value=whole.peak_mb, unit="MB", peer="the same for 100 MB",
        peer_value=tenth.peak_mb, ratio=tenth.peak_mb / whole.peak_mb, floor=1 / 1.15, limit=250.0,
    )  # fmt: skip
    cost, peer_cost = (run.cpu / run.result["lines"] * 1e6 for run in (whole, tenth))
    yield Measurement(
        name="edi.gigabyte.cost_per_line", value=cost, unit="us", peer="the same for 100 MB", peer_value=peer_cost,
        ratio=peer_cost / cost, floor=1 / 1.15,
    )  # fmt: skip


def _of_many_sets(folder: str, size: int) -> str:
    """One interchange of about ``size`` bytes: the set of 5 MB (or less) again and again, under its own control
    numbers. In one set there may be 200,000 levels."""
    head, rest = b"".join(ship_notice(min(size, SIZE))).split(b"ST*856*0001~", 1)
    body = rest[: rest.rindex(b"*0001~")]
    count = max(1, size // len(body))
    path = Path(folder) / f"856-sets-{size}.edi"
    with path.open("wb") as stream:
        stream.write(head)
        for number in range(1, count + 1):
            stream.writelines((f"ST*856*{number:04d}~".encode(), body, f"*{number:04d}~\n".encode()))
        stream.write(f"GE*{count}*1~\nIEA*1*000000001~\n".encode())
    return str(path)


BENCHMARKS: dict[str, Benchmark] = {
    "edi.read": reading,
    "edi.desadv": reading_desadv,
    "edi.validate": validating,
    "edi.memory": memory,
    "edi.flat": flat,
    "edi.gigabyte": gigabyte,
}
