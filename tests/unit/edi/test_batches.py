"""Batches change nothing: whatever is read with them is read without them, for every shape of lines they know."""

from __future__ import annotations

import gc
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.formats.edi import X12
from connectors.formats.edi.edifact import Edifact
from connectors.formats.edi.grammar import EDIFACT, load_grammar
from connectors.formats.edi.known import MOST, Pace
from schemas.documents import LineChunk

Chance = random.Random


def purchase_order(chance: Chance, size: int) -> Iterator[str]:
    """Items with and without schedules, and segments that stand behind a loop inside the item."""
    yield from ("BEG*00*SA*PO1**20261122", "N1*ST*Plant*92*P1")
    scheduled = chance.random()
    for item in range(size):
        padding = "   " * (chance.random() < 0.05)
        yield f"PO1*{item}*{chance.randrange(1, 99)}*EA*{chance.randrange(999)}.5**VN*V-{item}{padding}"
        yield from ["PID*F****PUMP, CENTRIFUGAL"] * (chance.random() < 0.4)
        yield from [f"REF*ZZ*{chance.choice(['   ', 'R'])}"] * (chance.random() < 0.2)
        for number in range(chance.randrange(4) if chance.random() < scheduled else 0):
            yield f"SCH*{number + 1}*EA***002*202612{10 + number}"
        yield from [f"N1*MF*MAKER {item}", "N4*AKRON*OH"] * (chance.random() < 0.2)


def planning_schedule(chance: Chance, size: int) -> Iterator[str]:
    """Quantities in loops that look alike at two depths."""
    yield "BFR*00*R1**DL*A*20260330**20260329"
    for item in range(size):
        yield from (f"LIN**VN*I{item}", "UIT*EA")
        yield from (f"FST*{n + 1}*{chance.choice('CD')}*D*202604{n + 10}" for n in range(chance.randrange(5)))
        yield from ["SDP*Y*Y", "FST*3*D*W*20260406"] * (chance.random() < 0.5)
        yield from ["SHP*02*90*050*20260328"] * (chance.random() < 0.5)
    yield "CTT*1"


def ship_notice(chance: Chance, size: int) -> Iterator[str]:
    """A tree of levels in which some items name another parent than the last, and some may have levels below."""
    yield from ("BSN*00*SH1*20261122*0100", "DTM*011*20261122", "HL*1**S", "N1*ST*Plant*92*P1")
    level, order, pack = 1, 0, 0
    while level < size:
        level += 1
        if not order or chance.random() < 0.1:
            order, pack = level, 0
            yield from (f"HL*{level}*1*O*1", f"PRF*PO{level}")
        elif not pack or chance.random() < 0.3:
            pack = level
            yield from (f"HL*{level}*{order}*P*1", f"MAN*GM*{chance.randrange(10**18):020d}")
        else:
            parent = pack if chance.random() < 0.97 else chance.randrange(1, level)
            yield f"HL*{level}*{parent}*I{'*0' * (chance.random() < 0.97)}"
            yield f"LIN**BP*B{level}*VN*V{level}"
            yield f"SN1**{chance.randrange(1, 99)}*{chance.choice(['EA', 'EA', 'KG', 'PC'])}"
            yield from [f"PID*F****PUMP {level}"] * (chance.random() < 0.3)
            yield from (f"REF*{chance.choice(['LT', 'BT', 'DP'])}*{n}" for n in range(chance.randrange(3)))
            yield from [f"N1*MF*Maker {level}", "N4*AKRON*OH"] * (chance.random() < 0.2)


def tidy_notice(chance: Chance, size: int) -> Iterator[str]:
    """A tree in which each item names the package before it; a few packages have a used number, or lie nowhere, and a
    few items name an earlier package."""
    yield from ("BSN*00*SH1*20261122*0100", "HL*1**S", "HL*2*1*O*1", "PRF*PO1")
    level, broken = 2, chance.choice([0, 0.01])
    packs: list[int] = []
    while level < size:
        level += 1
        pack = chance.randrange(1, level) if chance.random() < broken else level
        yield f"HL*{pack}*{77777 if chance.random() < broken else 2}*P*1"
        yield from [f"MAN*GM*{pack:020d}{' ' * (chance.random() < 0.01)}"] * (chance.random() < 0.99)
        packs.append(pack)
        for _ in range(chance.randrange(6)):
            level += 1
            named = chance.choice(packs) if chance.random() < broken else pack
            yield from (f"HL*{level}*{named}*I*0", f"LIN**VN*V{level}", f"SN1**{chance.randrange(1, 99)}*EA")


def despatch_advice(chance: Chance, size: int) -> Iterator[str]:
    """Packages around items, references in more than may stand there now and then."""
    yield from ("BGM+351+S1+9", "DTM+137:20261122:102", "RFF+ON:PO1", "NAD+DP+5412345000013::9", "CPS+1")
    level = 1
    for line in range(1, size):
        if chance.random() < 0.2:
            level += 1
            yield from (f"CPS+{level}+{chance.randrange(1, level)}", "PAC+1++201", "PCI+33E")
            yield f"GIN+BJ+{chance.randrange(10**18):018d}"
        yield f"LIN+{line}++{chance.randrange(10**6)}:{chance.choice(['EN', 'SA', 'IN'])}"
        yield from [f"PIA+{chance.choice('15')}+X{line}:SA+Y{line}:IN"] * (chance.random() < 0.5)
        yield f"QTY+12:{chance.randrange(1, 99)}{chance.choice(['', ':PCE', ':KGM'])}"
        references = chance.randrange(3) if chance.random() < 0.98 else 12
        yield from [f"RFF+{chance.choice(['ON', 'AAK'])}:{line}:{line}"] * references


def orders(chance: Chance, size: int) -> Iterator[str]:
    """Items with prices and parties."""
    yield from ("BGM+220+O1+9", "DTM+137:20261122:102", "NAD+DP+5412345000013::9")
    for line in range(size):
        yield f"LIN+{line + 1}++{chance.randrange(10**6)}:EN"
        yield from [f"PIA+1+X{line}:SA"] * (chance.random() < 0.5)
        yield f"QTY+21:{chance.randrange(1, 99)}:PCE"
        yield from [f"PRI+AAA:{chance.randrange(1, 99)}.5"] * (chance.random() < 0.7)
        yield from [f"NAD+DP+541234500001{line % 10}::9", f"LOC+11+GATE {line}"] * (chance.random() < 0.2)
    yield "UNS+S"


UNITS = sorted(load_grammar("004010").segments["PO1"].uses[2].element.codes)
REFERENCES = sorted(load_grammar("004010").segments["REF"].uses[0].element.codes)
REFERENCES_OF_EDIFACT = sorted(load_grammar("D96A", EDIFACT).segments["RFF"].uses[0].element.uses[0].element.codes)


def some_of(chance: Chance, codes: Sequence[str]) -> Iterator[str]:
    """Codes without end: the same few for a while, then others, so that what was spelled out is outgrown."""
    while True:
        usual = chance.sample(codes, chance.choice([1, 2, 3, 7, 8, 9, 40]))
        for _ in range(chance.randrange(20, 300)):
            yield chance.choice(usual if chance.random() < 0.98 else codes)


def orders_in_many_units(chance: Chance, size: int) -> Iterator[str]:
    """Units and kinds of references out of long lists."""
    units, references = some_of(chance, UNITS), some_of(chance, REFERENCES)
    yield from ("BEG*00*SA*PO1**20261122", "N1*ST*Plant*92*P1")
    for item in range(size):
        yield f"PO1*{item}*{chance.randrange(1, 99)}*{next(units)}*{chance.randrange(999)}.5**VN*V-{item}"
        yield from [f"PID*F****PUMP*{chance.choice(['', '1S', '2S'])}"] * (chance.random() < 0.4)
        yield from [f"REF*{next(references)}*R{item}"] * (chance.random() < 0.5)
        yield from [f"SCH*{chance.randrange(1, 9)}*{next(units)}***002*20261210"] * (chance.random() < 0.3)


def advice_of_many_references(chance: Chance, size: int) -> Iterator[str]:
    """The same within composites, some of them with codes of somebody else's list."""
    references = some_of(chance, REFERENCES_OF_EDIFACT)
    yield from ("BGM+351+S1+9", "DTM+137:20261122:102", "NAD+DP+5412345000013::9", "CPS+1")
    for line in range(1, size):
        yield f"LIN+{line}++{chance.randrange(10**6)}:{chance.choice(['EN', 'SA', 'IN'])}"
        agency = chance.choice(["", "", "", "::92"])
        yield f"PIA+1+X{line}:{chance.choice(['SA', 'IN', 'ZZZ' if agency else 'BP'])}{agency}"
        unit = chance.choice(["", ":PCE", ":KGM"])
        yield f"QTY+{chance.choice(['12', '21', '12', '192'])}:{chance.randrange(1, 99)}{unit}"
        yield from [f"RFF+{next(references)}:{line}"] * (chance.random() < 0.6)


@dataclass(frozen=True)
class Case:
    make: Callable[[Chance, int], Iterator[str]]
    type: str
    line: str
    paths: tuple[str, ...]
    mistakes: tuple[str, ...]

    @property
    def format(self) -> type[X12] | type[Edifact]:
        return Edifact if self.type.startswith("edifact") else X12


OF_ORDERS = (
    *("BEG03", "PO101", "PO102", "PO104", "PO1[VN]", "SCH01", "SCH[05=002]06", "REF[ZZ]02", "REF02", "N1[MF]02"),
    *("N1[ST]04", "PID05"),
)
OF_NOTICES = (
    *("BSN02", "HL01", "PRF01", "LIN[VN]", "LIN[BP]", "SN102", "SN103", "REF[LT]02", "REF02", "MAN[GM]02"),
    *("N1[ST]04", "N1[MF]02", "PID05"),
)
OF_ADVICE = ("BGM02", "CPS01", "LIN01", "LIN[EN]", "PIA[SA]", "QTY[12]01-2", "RFF[ON]01-2", "RFF01-3", "GIN[BJ]02")
WRONG_ORDERS = ("XQ*1", "PO1*1*x*EA", "PO1*1*1*QQQ", "PID*QQ", "", "SCH*1*EA***002*20261301", "REF*ZZ")
WRONG_NOTICES = ("XQ*1", "SN1**x*EA", "LIN", "HL*9*9*I", "HL*99999*88888*I*0", "HL*99998*88888*O", "", "N1*ST**92")
WRONG_CODES = ("PO1*1*1*eA", "REF*..*1", "SCH*1*..***002*20261210", "PO1*1*1*EA EA", "PID*F****PUMP*1s", "REF*LT ")
WRONG_KINDS = ("RFF+..:1", "RFF+ON?+:1", "QTY+999:1", "LIN+1++1:en", "PIA+1+X:..::", "RFF+:1")
WRONG_ADVICE = ("XYZ+1", "QTY+12:x", "LIN", "RFF+ON:" + "9" * 36, "CPS+9+99999", "", "QTY+12:1:?")

CASES = {
    "orders with schedules": Case(purchase_order, "x12.850", "PO1/SCH | PO1", OF_ORDERS, WRONG_ORDERS),
    "orders": Case(purchase_order, "x12.850", "PO1", OF_ORDERS, WRONG_ORDERS),
    "schedules alone": Case(purchase_order, "x12.850", "PO1/SCH", OF_ORDERS, WRONG_ORDERS),
    "nothing wanted": Case(purchase_order, "x12.850", "", (), WRONG_ORDERS),
    "a named level": Case(ship_notice, "x12.856", "HL[I]", ("HL[P]/MAN[GM]02", "N1[MF]/N401"), WRONG_NOTICES),
    "notices": Case(ship_notice, "x12.856", "HL[I]", OF_NOTICES, WRONG_NOTICES),
    "tidy notices": Case(tidy_notice, "x12.856", "HL[I]", OF_NOTICES, WRONG_NOTICES),
    "forecasts": Case(
        planning_schedule, "x12.830", "LIN/FST | LIN/SDP/FST", ("LIN[VN]", "FST01", "SHP[02,03=050]02", "UIT01"),
        ("XQ*1", "FST*x*C*D*20260401", "", "LIN", "SDP*Y"),
    ),
    "advice": Case(despatch_advice, "edifact.DESADV", "CPS/LIN", OF_ADVICE, WRONG_ADVICE),
    "messages": Case(
        orders, "edifact.ORDERS", "LIN", ("BGM02", "LIN01", "LIN[EN]", "PIA[SA]", "PRI[AAA]01-2", "NAD[DP]02", "LOC02"),
        ("XYZ+1", "QTY+21:x", "LIN", "", "PRI+AAA"),
    ),
    "many units": Case(orders_in_many_units, "x12.850", "PO1", OF_ORDERS, WRONG_CODES),
    "many units of schedules": Case(
        orders_in_many_units, "x12.850", "PO1/SCH | PO1", ("PO102", "REF[IA]02", "REF02"), WRONG_CODES
    ),
    "many references": Case(advice_of_many_references, "edifact.DESADV", "CPS/LIN", OF_ADVICE, WRONG_KINDS),
}  # fmt: skip


class One:
    """A single plan."""

    def __init__(self, case: Case) -> None:
        self.plan = case.format().compile(case.type, case.line, case.paths, {})

    def for_document(self, start):
        return self.plan

    def candidates(self, sender):
        return ()


def interchange(case: Case, segments: list[str]) -> bytes:
    """The segments as the only document of an interchange."""
    name = case.type.partition(".")[2]
    if case.format is Edifact:
        rows = ["UNB+UNOC:3+A:14+B:14+261122:0100+1", f"UNH+1+{name}:D:96A:UN", *segments]
        return "'\n".join([*rows, f"UNT+{len(segments) + 2}+1", "UNZ+1+1", ""]).encode()
    head = "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *261122*0100*U*00401*000000001*0*P*>"
    rows = [head, "GS*XX*SENDER*RECEIVER*20261122*0100*1*X*004010", f"ST*{name}*0001", *segments]
    return "~\n".join([*rows, f"SE*{len(segments) + 2}*0001", "GE*1*1", "IEA*1*000000001", ""]).encode()


def rows_of(items: list[object]) -> list[object]:
    """Chunks as what their lines say; paths of which one says nothing may be left out."""
    return [
        [{path: text for path, text in row.items() if text is not None} for row in item.table.to_dicts()]
        if isinstance(item, LineChunk)
        else item
        for item in items
    ]


@pytest.mark.parametrize("name", CASES)
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(300, 900),
    mistakes=st.sampled_from([0.0, 0.0, 0.003, 0.03]),
    block=st.sampled_from([1 << 18, 5000, 777]),
)
def test_batches_change_nothing(read, name, seed, size, mistakes, block) -> None:
    case, chance = CASES[name], random.Random(seed)
    segments = [
        chance.choice(case.mistakes) if place > 6 and chance.random() < mistakes else segment
        for place, segment in enumerate(case.make(chance, size))
    ]
    payload, plans = interchange(case, segments), One(case)
    learned = read(payload, block=block, plans=plans, of=case.format)
    exact = read(payload, learn=False, plans=plans, of=case.format)
    assert rows_of(learned.items) == rows_of(exact.items)


def calls(read, case: Case, *, learn: bool) -> Counter[str]:
    """Calls of Python functions, by name, made for 2,000 further items of a faultless document."""
    made: Counter[str] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        if event == "call":
            made[frame.f_code.co_qualname] += 1

    def of(size: int) -> Counter[str]:
        payload, plans = interchange(case, list(case.make(random.Random(7), size))), One(case)
        before = sys.getprofile()
        re.purge()  # patterns are compiled anew each time, not only where other tests have filled its memory
        made.clear()
        sys.setprofile(count)
        try:
            found = read(payload, plans=plans, of=case.format, learn=learn)
        finally:
            sys.setprofile(before)
        assert found.ends[0].accepted
        return Counter(made)

    gc.collect()
    gc.disable()  # what is finalised while this counts is another test's
    try:
        of(4000)
        return of(4000) - of(2000)
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("name", "less"),
    [
        *(("orders", 50), ("messages", 50), ("nothing wanted", 50), ("orders with schedules", 7), ("forecasts", 7)),
        *(("many units", 7), ("many references", 7)),
    ],
)
def test_most_of_a_large_document_passes_in_batches(read, name, less) -> None:
    learned, exact = (calls(read, CASES[name], learn=learn) for learn in (True, False))
    assert learned.total() * less < exact.total(), learned.most_common(20)


def test_hardly_more_is_looked_at_than_is_passed() -> None:
    pace = Pace(size=MOST)
    pace.note(120, 9_500, MOST)  # something stands there that no batch knows
    assert (pace.size, pace.left) == (19_000, 1)
    pace.note(240, 18_900, 19_000)
    assert (pace.size, pace.left) == (38_000, 0)
    pace.note(0, 0, 38_000)
    assert (pace.size, pace.left) == (19_000, 1)
