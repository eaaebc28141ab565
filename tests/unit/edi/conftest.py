"""What the tests of the EDI reader share: a plan at hand, short ways to write and read interchanges."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from connectors.formats.edi import X12
from connectors.formats.edi.edifact import Edifact
from connectors.formats.edi.grammar import load_grammar
from schemas.documents import DocumentEnd, DocumentStart, LineChunk, LinePlan
from schemas.findings import Finding, Severity

SHARED = Path(__file__).resolve().parents[4] / "shared"
collect_ignore = [] if SHARED.is_dir() else ["test_corpus.py", "test_facts.py"]

PATHS = {
    "x12.850": ("PO1", ("BEG03", "BEG05", "PO101", "PO102", "PO103", "PO104", "PO1[VN]", "N1[ST]04", "DTM[002]02")),
    "x12.856": (
        "HL[I]",
        (
            "BSN02",
            "HL01",
            "PRF01",
            "LIN[VN]",
            "LIN[BP]",
            "SN102",
            "SN103",
            "REF[LT]02",
            "MAN[GM]02",
            "N1[ST]04",
            "PID05",
        ),
    ),
    "edifact.DESADV": (
        "CPS/LIN",
        (
            "BGM02",
            "DTM[137]01-2",
            "LIN01",
            "LIN[EN]",
            "PIA[SA]",
            "QTY[12]01-2",
            "RFF[ON]01-2",
            "GIN[BJ]02",
            "NAD[DP]02",
            "IMD03-4",
        ),
    ),
    "edifact.ORDERS": ("LIN", ("BGM02", "LIN01", "LIN[EN]", "PIA[SA]", "QTY[21]01-2", "PRI[AAA]01-2", "NAD[DP]/LOC02")),
    "x12.861": ("RCD", ("BRA01", "RCD02", "RCD03-1", "LIN[BP]", "DTM[050]02")),
}


class Wanted:
    """Plans by document type."""

    def __init__(self, plans: Iterable[LinePlan]) -> None:
        self._plans = {plan.type: plan for plan in plans}

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        return self._plans.get(start.type)

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        return ()


def told(chunk: LineChunk) -> list[dict[str, object]]:
    """What each line says, by path; paths of which it says nothing are left out, as chunks may do."""
    return [{path: text for path, text in row.items() if text is not None} for row in chunk.table.to_dicts()]


@dataclass(frozen=True)
class Read:
    """A payload as read: its items in order, and the same sorted."""

    items: list[object] = field(default_factory=list)

    @property
    def starts(self) -> list[DocumentStart]:
        return [item for item in self.items if isinstance(item, DocumentStart)]

    @property
    def ends(self) -> list[DocumentEnd]:
        return [item for item in self.items if isinstance(item, DocumentEnd)]

    @property
    def findings(self) -> list[Finding]:
        return [item for item in self.items if isinstance(item, Finding)]

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity is Severity.ERROR]

    @property
    def lines(self) -> pl.DataFrame:
        chunks = [item.table for item in self.items if isinstance(item, LineChunk)]
        return pl.concat(chunks, how="diagonal") if chunks else pl.DataFrame()

    def said(self, *paths: str) -> list[tuple[object, ...]]:
        """What each line says at these paths, of which one that found nothing may be left out."""
        table = self.lines
        return list(
            zip(*(table[path] if path in table.columns else [None] * table.height for path in paths), strict=True)
        )

    @property
    def plain(self) -> list[object]:
        """Everything comparable: chunks as what stands in their rows."""
        return [told(item) if isinstance(item, LineChunk) else item for item in self.items]


ReadPayload = Callable[..., Read]
Wrap = Callable[..., bytes]


@pytest.fixture(scope="session")
def plans() -> Wanted:
    formats = {"x12": X12(), "edifact": Edifact()}
    return Wanted(
        formats[type_.partition(".")[0]].compile(type_, line, paths, {}) for type_, (line, paths) in PATHS.items()
    )


@pytest.fixture(scope="session")
def read(plans: Wanted) -> ReadPayload:
    """``read(payload, block=..., learn=..., plans=..., of=X12)``: the payload as read."""

    def run(payload: bytes, *, block: int = 1 << 16, learn: bool = True, plans: Wanted = plans, of: type = X12) -> Read:
        format_ = of(block, learn=learn)
        return Read(list(format_.read(io.BytesIO(payload), name="test.edi", plans=plans, metadata={})))

    return run


@pytest.fixture(scope="session")
def wrap() -> Wrap:
    """``wrap("856", "BSN*...", ...)``: these segments as one set of a faultless interchange."""

    def make(set_id: str, *segments: str, release: str = "004010", group: str = "", end: str = "~\n") -> bytes:
        known = load_grammar("004010").sets.get(set_id)
        group = group or (known.group if known else "XX")
        control = "00501" if release >= "005" else "00401"
        eleventh = "^" if control == "00501" else "U"
        rows = [
            "ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       "
            f"*261122*0100*{eleventh}*{control}*000000001*0*P*>",
            f"GS*{group}*SENDER*RECEIVER*{'20261122' if release >= '004' else '261122'}*0100*1*X*{release}",
            f"ST*{set_id}*0001",
            *segments,
            f"SE*{len(segments) + 2}*0001",
            "GE*1*1",
            "IEA*1*000000001",
        ]
        return "".join(row + end for row in rows).encode()

    return make
