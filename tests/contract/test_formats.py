"""What every format keeps to. A new format in the registry needs a sample here, and is then tested like all others."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import openpyxl
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors import registry
from connectors.base import Format, ReadItem
from schemas.documents import (
    LENGTH,
    LOCATION,
    OFFSET,
    ORDINAL,
    PLACE_SUFFIX,
    DocumentEnd,
    DocumentStart,
    GroupEnd,
    InterchangeEnd,
    LineChunk,
    LinePlan,
    WorkbookEnd,
)
from schemas.errors import ConfigError
from schemas.findings import Finding, Severity

MOST_ROWS = 20_000  #: a chunk of any format stays below


@dataclass(frozen=True)
class Sample:
    """A payload of a format, what a mapping would ask of it, and what should come out.

    ``long`` makes a payload of so many lines. ``in_line`` are the paths whose text lies within the line's own bytes.
    """

    name: str
    payload: bytes
    type: str
    line: str
    paths: Sequence[str]
    options: Mapping[str, object]
    lines: Sequence[Mapping[str, str | None]]
    in_line: Sequence[str] = ()


@dataclass(frozen=True)
class OnePlan:
    """connectors.base.Plans with a single plan."""

    plan: LinePlan

    def for_document(self, start: DocumentStart) -> LinePlan | None:
        return self.plan if start.type == self.plan.type else None

    def candidates(self, sender: str) -> Sequence[LinePlan]:
        return [self.plan]


def rows(count: int) -> Sample:
    header = {
        "query": "stock",
        "columns": ["item_no", "quantity", "note"],
        "types": ["text"] * 3,
        "pulled_at": "2026-01-01T00:00:00Z",
    }
    table = [[f"{n:05}", f"{n}.50", None if n % 2 else "ü"] for n in range(count)]
    payload = "\n".join(json.dumps(line, ensure_ascii=False) for line in [header, *table]) + "\n"
    lines = [{"ITEM_NO": item, "quantity": quantity, "note": note} for item, quantity, note in table]
    return Sample(
        "stock.jsonl",
        payload.encode(),
        "rows.stock",
        "",
        ["ITEM_NO", "quantity", "note"],
        {},
        lines,
        ["ITEM_NO", "quantity", "note"],
    )


HEADINGS = {
    "fields": {"item": ["Part no.", "Material"], "quantity": ["Qty", "Quantity"]},
    "required": ("item", "quantity"),
}


def text(count: int) -> Sample:
    table = [(f"{n:05}", f"1.{n:03},50") for n in range(count)]
    body = "".join(f'x;"{item}";{quantity}\r\n' for item, quantity in table)
    payload = ("Bestand, Werk 1\r\n\r\n;PART NO;qty\r\n" + body + f"Total;;{count}\r\n").encode("utf-8-sig")
    lines = [{"Part no.": item, "Qty": quantity, "Material": None, "Quantity": None} for item, quantity in table]
    paths = ["Part no.", "Material", "Qty", "Quantity"]
    return Sample("stock.csv", payload, "workbook.stock", "", paths, HEADINGS, lines, ["Part no.", "Qty"])


@cache
def workbook(count: int) -> Sample:
    """The same bytes at every call: openpyxl writes the time into them."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Stock list")
    sheet.append(["Stock of plant 1"])
    sheet.append([None, "Material", "Site", "Quantity"])
    for n in range(count):
        sheet.append([None, f"{n:05}", "P1", n + 0.25])
    file = io.BytesIO()
    book.save(file)
    lines = [{"Part no.": None, "Material": f"{n:05}", "Qty": None, "Quantity": f"{n}.25"} for n in range(count)]
    paths = ["Part no.", "Material", "Qty", "Quantity"]
    return Sample("stock.xlsx", file.getvalue(), "workbook.stock", "", paths, HEADINGS, lines)


def x12(count: int) -> Sample:
    segments = [
        "ISA*00*          *00*          *ZZ*ACME           *ZZ*US             *260101*1200*U*00401*000000001*0*P*>",
        "GS*SH*ACME*US*20260101*1200*1*X*004010",
        "ST*856*0001",
        "BSN*00*SHIP1*20260101*1200",
        "HL*1**S",
        *(segment for n in range(count) for segment in (f"HL*{n + 2}*1*I", f"LIN**VN*P{n:05}", f"SN1**{n}*EA")),
        f"CTT*{count + 1}",
        f"SE*{5 + 3 * count}*0001",
        "GE*1*1",
        "IEA*1*000000001",
    ]
    payload = "".join(f"{segment}~\n" for segment in segments).encode()
    lines = [{"LIN[VN]": f"P{n:05}", "SN102": str(n), "BSN02": "SHIP1"} for n in range(count)]
    return Sample(
        "ship.edi", payload, "x12.856", "HL[I]", ["LIN[VN]", "SN102", "BSN02"], {}, lines, ["LIN[VN]", "SN102"]
    )


def edifact(count: int) -> Sample:
    segments = [
        "UNB+UNOC:3+ACME:14+US:14+260101:1200+1",
        "UNH+1+DESADV:D:96A:UN",
        "BGM+351+SHIP1+9",
        "CPS+1",
        *(segment for n in range(count) for segment in (f"LIN+{n % 9999 + 1}++P{n:05}:EN", f"QTY+12:{n},5:PCE")),
        f"UNT+{4 + 2 * count}+1",
        "UNZ+1+1",
    ]
    payload = "".join(f"{segment}'\n" for segment in segments).encode()
    lines = [{"LIN[EN]": f"P{n:05}", "QTY[12]01-2": f"{n}.5", "BGM02": "SHIP1"} for n in range(count)]
    paths = ["LIN[EN]", "QTY[12]01-2", "BGM02"]
    return Sample("ship.edi", payload, "edifact.DESADV", "CPS/LIN", paths, {}, lines, ["LIN[EN]"])


def idoc_xml(count: int) -> Sample:
    control = (
        "<EDI_DC40><DOCNUM>1</DOCNUM><IDOCTYP>ORDERS05</IDOCTYP><MESTYP>ORDERS</MESTYP><SNDPRN>A</SNDPRN></EDI_DC40>"
    )
    items = "".join(
        f"<E1EDP01><POSEX>{n:05}</POSEX><MENGE>{n}.50</MENGE><E1EDP19><QUALF>001</QUALF><IDTNR>P{n:05}</IDTNR></E1EDP19>"
        f"</E1EDP01>\n"
        for n in range(count)
    )
    payload = f"<ORDERS05><IDOC>{control}<E1EDK01><BELNR>4711</BELNR></E1EDK01>{items}</IDOC></ORDERS05>".encode()
    lines = [{"E1EDP01/MENGE": f"{n}.50", IDTNR: f"P{n:05}", "E1EDK01/BELNR": "4711"} for n in range(count)]
    paths = ["E1EDP01/MENGE", IDTNR, "E1EDK01/BELNR"]
    return Sample("order.xml", payload, "idoc.ORDERS", "E1EDP01", paths, {}, lines, paths[:2])


IDTNR = "E1EDP19[QUALF='001']/IDTNR"


def idoc_flat(count: int) -> Sample:
    def record(name: str, level: int, data: str) -> str:
        return f"{name:30}100{1:016}{0:06}{0:06}{level:02}{data}"

    control = (
        f"{'EDI_DC40':10}100{1:016}756 301   {'ORDERS05':30}{'':30}{'ORDERS':30}".ljust(148) + "SAPRVM    LS  ACME"
    )
    items = [
        record(name, level, data)
        for n in range(count)
        for name, level, data in (
            ("E2EDP01008", 1, f"{n % 1000000:06}{'':5}{f'{n}.50':15}PCE"),
            ("E2EDP19003", 2, f"001P{n:05}"),
        )
    ]
    records = [control.ljust(524), record("E2EDK01005", 1, f"{'':83}4711"), *items]
    lines = [{"E1EDP01/MENGE": f"{n}.50", IDTNR: f"P{n:05}", "E1EDK01/BELNR": "4711"} for n in range(count)]
    paths = ["E1EDP01/MENGE", IDTNR, "E1EDK01/BELNR"]
    payload = "".join(f"{one}\r\n" for one in records).encode()
    return Sample("order.idoc", payload, "idoc.ORDERS", "E1EDP01", paths, {}, lines, paths[:2])


def ubl(count: int) -> Sample:
    names = "urn:oasis:names:specification:ubl:schema:xsd:"
    items = "".join(
        f"<c:DespatchLine><b:ID>{n}</b:ID><b:DeliveredQuantity>{n}.5</b:DeliveredQuantity></c:DespatchLine>\n"
        for n in range(count)
    )
    payload = (
        f'<DespatchAdvice xmlns="{names}DespatchAdvice-2" xmlns:c="{names}CommonAggregateComponents-2" '
        f'xmlns:b="{names}CommonBasicComponents-2"><b:ID>DA1</b:ID><b:IssueDate>2026-01-01</b:IssueDate>'
        f"<c:DespatchSupplierParty/><c:DeliveryCustomerParty/>{items}</DespatchAdvice>"
    )
    lines = [{"DespatchLine/ID": str(n), "DeliveredQuantity": f"{n}.5", "/ID": "DA1"} for n in range(count)]
    paths = ["DespatchLine/ID", "DeliveredQuantity", "/ID"]
    return Sample("da.xml", payload.encode(), "ubl.DespatchAdvice", "DespatchLine", paths, {}, lines, paths[:2])


def cxml(count: int) -> Sample:
    items = "".join(f'<ItemOut quantity="{n}.5" lineNumber="{n}"/>\n' for n in range(count))
    payload = (
        '<cXML payloadID="1" timestamp="2026-01-01T00:00:00Z"><Header><From><Credential domain="D"><Identity>A'
        f'</Identity></Credential></From></Header><Request><OrderRequest><OrderRequestHeader orderID="PO1"/>{items}'
        "</OrderRequest></Request></cXML>"
    )
    paths = ["ItemOut/@quantity", "OrderRequestHeader/@orderID", "Header/From/Credential/Identity"]
    lines = [dict(zip(paths, (f"{n}.5", "PO1", "A"), strict=True)) for n in range(count)]
    return Sample("po.xml", payload.encode(), "cxml.OrderRequest", "ItemOut", paths, {}, lines, paths[:1])


SAMPLES = {
    "ubl": [ubl],
    "cxml": [cxml],
    "idoc": [idoc_xml, idoc_flat],
    "rows": [rows],
    "workbook": [text, workbook],
    "x12": [x12],
    "edifact": [edifact],
}
MAKERS = [pytest.param(name, make, id=f"{name}-{make.__name__}") for name, makers in SAMPLES.items() for make in makers]


def test_every_format_has_a_sample() -> None:
    assert set(SAMPLES) == set(registry.FORMATS)


def compiled(format_: Format, sample: Sample) -> OnePlan:
    return OnePlan(format_.compile(sample.type, sample.line, sample.paths, sample.options))


def read(name: str, sample: Sample, payload: bytes | None = None) -> list[ReadItem]:
    format_ = registry.formats()[name]
    stream = io.BytesIO(sample.payload if payload is None else payload)
    return list(format_.read(stream, name=sample.name, plans=compiled(format_, sample), metadata={}))


def lines_of(items: Sequence[ReadItem]) -> pl.DataFrame:
    return pl.concat([item.table for item in items if isinstance(item, LineChunk)], how="diagonal")


@pytest.mark.parametrize(("name", "make"), MAKERS)
class TestSample:
    def test_it_is_recognised_by_its_head(self, name: str, make) -> None:
        sample = make(40)
        assert registry.recognise(sample.payload[:4096], sample.name) is registry.formats()[name]

    def test_its_lines_come_out(self, name: str, make) -> None:
        sample = make(5)
        items = read(name, sample)
        assert lines_of(items).select(list(sample.paths)).to_dicts() == sample.lines
        assert not [item for item in items if isinstance(item, Finding) and item.severity is Severity.ERROR]

    def test_a_document_opens_fills_and_closes(self, name: str, make) -> None:
        beside = Finding | GroupEnd | InterchangeEnd | WorkbookEnd
        items = [item for item in read(name, make(5)) if not isinstance(item, beside)]
        start, *chunks, end = items
        assert isinstance(start, DocumentStart)
        assert start.type == make(1).type
        assert start.type.startswith(f"{name}.")
        assert chunks
        assert all(isinstance(chunk, LineChunk) and chunk.ordinal == start.ordinal for chunk in chunks)
        assert isinstance(end, DocumentEnd)
        assert (end.ordinal, end.lines, end.accepted) == (start.ordinal, 5, True)

    def test_columns_are_the_paths_and_the_places(self, name: str, make) -> None:
        sample = make(3)
        table = lines_of(read(name, sample))
        places = {ORDINAL: pl.Int64, OFFSET: pl.Int64, LENGTH: pl.Int64, LOCATION: pl.String}
        assert {column: table.schema[column] for column in places} == places
        assert all(table.schema[path] == pl.String for path in sample.paths)
        known = {*sample.paths, *(path + PLACE_SUFFIX for path in sample.paths), *places}
        assert set(table.columns) <= known
        assert table[ORDINAL].to_list() == [1, 2, 3]
        assert table[LOCATION].null_count() == 0

    def test_positions_point_at_the_line(self, name: str, make) -> None:
        sample = make(7)
        for line in lines_of(read(name, sample)).to_dicts():
            if line[OFFSET] is not None:
                spot = sample.payload[line[OFFSET] : line[OFFSET] + line[LENGTH]].decode()
                assert all(line[path] in spot for path in sample.in_line if line[path] is not None)

    def test_long_payloads_come_in_bounded_chunks(self, name: str, make) -> None:
        chunks = [item for item in read(name, make(30_000)) if isinstance(item, LineChunk)]
        assert max(chunk.table.height for chunk in chunks) <= MOST_ROWS
        assert len(chunks) > 1
        assert lines_of(chunks)[ORDINAL].to_list() == list(range(1, 30_001))

    def test_cut_anywhere_it_says_so_or_reads_less(self, name: str, make) -> None:
        sample = make(20)
        for cut in range(0, len(sample.payload), max(1, len(sample.payload) // 60)):
            items = read(name, sample, sample.payload[:cut])
            assert balanced(items)
            whole = [item for item in items if isinstance(item, DocumentEnd) and item.accepted and item.lines == 20]
            assert not whole or cut > 0.9 * len(sample.payload)

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(data=st.data())
    def test_damaged_bytes_never_raise(self, name: str, make, data) -> None:
        sample = make(10)
        damaged = bytearray(sample.payload)
        for _ in range(data.draw(st.integers(1, 20))):
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
        items = read(name, sample, bytes(damaged))
        assert balanced(items)
        assert all(item.code and item.message for item in items if isinstance(item, Finding))

    @settings(max_examples=60, deadline=None)
    @given(garbage=st.binary(max_size=2000), whole=st.booleans())
    def test_garbage_never_raises_and_is_never_silent(self, name: str, make, garbage: bytes, whole: bool) -> None:
        sample = make(1)
        payload = garbage if whole else sample.payload[:8] + garbage
        items = read(name, sample, payload)
        assert balanced(items)
        assert any(isinstance(item, Finding | LineChunk) for item in items)

    def test_a_path_that_makes_no_sense_is_refused_when_compiled(self, name: str, make) -> None:
        sample = make(1)
        with pytest.raises(ConfigError) as told:
            registry.formats()[name].compile(sample.type, sample.line, ["", *sample.paths], {})
        assert told.value.problems


def balanced(items: Sequence[ReadItem]) -> bool:
    """Every document that opens closes before the next opens, and chunks lie within their own."""
    open_ = None
    for item in items:
        match item:
            case DocumentStart():
                if open_ is not None:
                    return False
                open_ = item.ordinal
            case LineChunk():
                if item.ordinal != open_:
                    return False
            case DocumentEnd():
                if item.ordinal != open_:
                    return False
                open_ = None
    return open_ is None


@given(head=st.binary(max_size=300), name=st.sampled_from(["", "a.bin", "a.txt", "a.csv", "a.xlsx", "a.edi", "Ä.CSV"]))
def test_recognising_never_raises(head: bytes, name: str) -> None:
    registry.recognise(head, name)


def test_cells_of_a_workbook_are_named_as_a_spreadsheet_program_names_them() -> None:
    sample = workbook(4)
    sheet = openpyxl.load_workbook(io.BytesIO(sample.payload))["Stock list"]
    for line in lines_of(read("workbook", sample)).to_dicts():
        name, _, cell = line["Quantity@"].rpartition("!")
        assert name == "Stock list"
        assert str(sheet[cell].value) == line["Quantity"]
        assert sheet[line["Material@"].rpartition("!")[2]].value == line["Material"]
